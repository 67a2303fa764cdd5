import type { BaseChange } from "../connection/sync-options.ts";
import type { RejectedError } from "../errors.ts";
import type { MutationQueues } from "../mutations/mutation-queues.ts";
import type { Introduction, PendingQueue, QueuedCall } from "../mutations/pending-queue.ts";
import type { Runtime } from "../platform.ts";
import type { KeptBase, Replica, ViewChanges } from "../replica/replica.ts";
import type { CallKeeper, KeptQueue } from "./kept-calls.ts";
import type { QueueKeeper } from "./queue-keeper.ts";

/** The parts of a room that persistence works on. The module that it is in is loaded only for a room with `persist`. */
export interface RoomParts {
  readonly runtime: Runtime;
  readonly replica: Replica;
  readonly queues: MutationQueues;
  readonly newQueue: (secret: string, introduction: Introduction, calls: QueuedCall[]) => PendingQueue;
  /** Says which client this page is, before the room does. */
  readonly identify: (clientId: string) => void;
  /** The view is another, since it was restored or calls of another page were adopted. */
  readonly advanced: (changes: ViewChanges) => void;
  /** There is a restored state to show, and the listeners know of it. */
  readonly shown: () => void;
  /** The next hello has to name another client or another base. */
  readonly greetAnew: () => void;
  /** Calls that waited to be kept may leave. */
  readonly written: () => void;
  /** A call that an earlier page has made was rejected. */
  readonly rejected: (error: RejectedError) => void;
  /** Nothing is kept at present. Called once until `works`. */
  readonly fail: (problem: string) => void;
  /** Everything is kept again. */
  readonly works: () => void;
}

/** What persistence is given of a room. */
export interface KeptRoom {
  readonly base: Pick<Replica, "epoch" | "rev" | "handles" | "recordOf">;
  /** Of this page. */
  readonly secret: string;
  /** Shows a base that was kept; false, and without effect, once there is another. */
  restore(base: KeptBase): boolean;
  /** Has this page's calls be kept from now on. */
  keepOwn(keeper: CallKeeper): QueueKeeper;
  /** Sends what a page has left that is gone. */
  adopt(left: KeptQueue, keeper: CallKeeper): QueueKeeper;
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
export type Offline = (parts: RoomParts, options: KeepOptions) => Promise<Persistence>;

/** Keeps a room beyond its page. */
export interface Persistence {
  /** The base is not what it was. */
  noteBase(change: BaseChange): void;
  /** The page leaves the room: what is kept waits for the next. */
  close(): void;
}

/** Begins to keep a room. It first has everything that is kept adopted and restored, and resolves when that is done. */
export type Persist = (parts: RoomParts) => Promise<Persistence>;
