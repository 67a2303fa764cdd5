import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from "idb";
import { ownRuntime } from "../platform.ts";
import type { Introduction } from "../mutations/pending-queue.ts";
import type { KeptCall } from "./kept-calls.ts";
import { withResolvers } from "../with-resolvers.ts";
import { hasDatabases, openChannel, say, type Channel } from "./browser-storage.ts";

/** What is kept of a room's base beside its pages. */
export interface BaseRow {
  readonly epoch: string;
  readonly rev: number;
  /** The definition's version: another's records are not shown. */
  readonly schema: number;
}

interface Tables extends DBSchema {
  /** By the room's URL. */
  bases: { key: string; value: BaseRow };
  /** By room, collection and number; the text of `PageRecords`. */
  pages: { key: [room: string, collection: string, page: number]; value: string };
  /** By room and client secret. */
  clients: { key: [room: string, secret: string]; value: Introduction };
  /** By room, client secret and `clientReqId`: one row a call. */
  calls: { key: [room: string, secret: string, clientReqId: number]; value: KeptCall };
}

export type Database = IDBPDatabase<Tables>;

const tables = ["bases", "pages", "clients", "calls"] as const;

/** A browser that has not opened a database by then may never do so. */
const openTimeoutMs = 5_000;

declare const IDBKeyRange: { bound(lower: unknown, upper: unknown): unknown };

/** Every key that begins with `key`. */
export function under(...key: string[]): never {
  // An array sorts behind all numbers and strings. The library asks for the DOM's type, which is not known here.
  return IDBKeyRange.bound(key, [...key, []]) as never;
}

/** One database a user, so that nobody finds what somebody else has left. Also the name of the channel that tells of its end. */
function nameOf(user: string): string {
  return `deltaroom:${user}`;
}

/**
 * The database of one user, behind a connection that a browser may close at any time: iOS closes those of pages in the background,
 * "clear site data" and a full disk take the database away, and another tab may need a newer version of it. The next use opens
 * the database again. `clearPersisted` ends the storage for good, so that no tab writes again what was to be deleted.
 */
export class Storage {
  readonly #user: string;
  readonly #lost: () => void;
  readonly #channel: Channel;
  #database: Database | undefined;
  #opening: Promise<Database> | undefined;
  /** Whether the newest connection has made the database, which was not there. */
  #hasMade = false;
  #end: Error | undefined;
  #isForgotten = false;

  /** `lost` is called when the database may no longer hold what was written, or nothing can be written any more. */
  constructor(user: string, lost: () => void) {
    this.#user = user;
    this.#lost = lost;
    // A deletion reaches only those tabs that have a connection at that moment; the message reaches all.
    this.#channel = openChannel(nameOf(user), () => this.#forgotten());
  }

  /** Whether the data was deleted on purpose: nothing will be kept any more. */
  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Resolves with what `use` returns. While the connection is open, `use` is called in this turn. When `use` fails on an open
   * connection, it is called once more on a new one, unless the disk is full.
   */
  async use<T>(use: (database: Database) => Promise<T>): Promise<T> {
    const database = this.#database;
    if (database === undefined) return await use(await this.#open());
    try {
      return await use(database);
    } catch (error) {
      if ((error as Error).name === "QuotaExceededError") throw error;
      this.#lose(database);
    }
    return await use(await this.#open());
  }

  close(): void {
    this.#stop(new Error("the room was closed"));
  }

  async #open(): Promise<Database> {
    if (this.#end !== undefined) throw this.#end;
    this.#opening ??= this.#connect();
    const late = withResolvers<never>();
    const stopWaiting = ownRuntime.startTimer(() => {
      late.reject(new Error("the storage does not answer"));
    }, openTimeoutMs);
    try {
      return await Promise.race([this.#opening, late.promise]);
    } finally {
      stopWaiting();
    }
  }

  async #connect(): Promise<Database> {
    this.#hasMade = false;
    try {
      const database: Database = await openDB<Tables>(nameOf(this.#user), 1, {
        upgrade: (fresh) => {
          this.#hasMade = true;
          for (const table of tables) fresh.createObjectStore(table);
        },
        blocking: (_, version) => (version === null ? this.#forgotten() : this.#lose(database)),
        terminated: () => this.#lose(database),
      });
      this.#database = database;
      if (this.#end === undefined) return database;
      this.#stop(this.#end);
      if (this.#isForgotten) this.#deleteOwn();
      throw this.#end;
    } catch (error) {
      if ((error as Error).name !== "VersionError") throw error;
      throw new Error("a newer version of deltaroom has changed the storage: reload the page", {
        cause: error,
      });
    } finally {
      this.#opening = undefined;
    }
  }

  /** The connection is of no use any more, whoever has closed it. */
  #lose(database: Database): void {
    database.close();
    if (this.#database !== database) return;
    this.#database = undefined;
    this.#lost();
  }

  #forgotten(): void {
    if (this.#end !== undefined) return;
    this.#isForgotten = true;
    this.#stop(new Error("what was kept for this person was deleted"));
    this.#deleteOwn();
    this.#lost();
  }

  /** The message of `clearPersisted` may come after this tab has opened the database again, and so has made another one. */
  #deleteOwn(): void {
    if (this.#hasMade) void deleteDB(nameOf(this.#user)).catch(() => {}); // nothing is left to tell the app of
  }

  #stop(end: Error): void {
    this.#end ??= end;
    this.#channel.close();
    this.#database?.close();
    this.#database = undefined;
  }
}

/** Deletes everything that is kept for a user, and has every tab keep no more for this user. */
export async function deleteDatabase(user: string): Promise<void> {
  if (!hasDatabases()) return; // nor was anything kept
  say(nameOf(user), "forgotten");
  await deleteDB(nameOf(user));
}
