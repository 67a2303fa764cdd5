import type { PendingQueue } from "../mutations/pending-queue.ts";
import type { CallKeeper, KeptQueue } from "../mutations/kept-calls.ts";
import type { KeptBase, Replica } from "../replica/replica.ts";
import type { BaseChange } from "../connection/sync.ts";

/** What persistence is given of a room. */
export interface KeptRoom {
  readonly base: Pick<Replica, "epoch" | "rev" | "handles" | "recordOf">;
  /** Of this page. */
  readonly secret: string;
  /** Shows a base that was kept; false, and without effect, once there is another. */
  restore(base: KeptBase): boolean;
  /** Has this page's calls be kept from now on. */
  keepOwn(keeper: CallKeeper): PendingQueue;
  /** Sends what a page has left that is gone. */
  adopt(left: KeptQueue, keeper: CallKeeper): PendingQueue;
  /** Tells the app that something is not kept, and why; once until `works` is called. */
  fail(problem: string): void;
  /** Everything is kept, again. */
  works(): void;
}

/** Which room is kept, and for whom. */
export interface KeepOptions {
  readonly user: string;
  /** The room's URL. */
  readonly url: string;
  /** The definition's version. */
  readonly schema: number;
  readonly collections: readonly string[];
}

/** What keeps rooms in IndexedDB: `offline` of `deltaroom/client/offline`. */
export type Offline = (room: KeptRoom, options: KeepOptions) => Promise<Persistence>;

/** Keeps a room beyond its page. */
export interface Persistence {
  /** The base is not what it was. */
  noteBase(change: BaseChange): void;
  /** The page leaves the room: what is kept waits for the next. */
  close(): void;
}

/**
 * Begins to keep a room. It first has everything that is kept adopted and restored; resolves when that is done. Rejects
 * where nothing can be kept.
 */
export type Persist = (room: KeptRoom) => Promise<Persistence>;
