import type { KeptRoom, Persistence } from "../persistence.ts";
import { ownRuntime } from "../platform.ts";
import type { PendingQueue } from "../pending-queue.ts";
import type { BaseChange } from "../sync.ts";
import { BasePages, readBase } from "./base-pages.ts";
import { CallLog, readSecrets, readQueue } from "./call-log.ts";
import { openDatabase, type Database } from "./database.ts";
import { onLeave, openChannel, requireLocks, type Channel } from "./platform.ts";
import { TabLocks, type Release } from "./tab-locks.ts";

export { deleteDatabase } from "./database.ts";

/** By how much the base on disk may be behind. */
const writeDelayMs = 1_000;

/** Names the lock of the tab that keeps the base. The other locks have the names of client secrets, which are longer. */
const baseLock = "base";

/** Which room is kept, and for whom. */
export interface KeepOptions {
  readonly user: string;
  /** The room's URL. */
  readonly url: string;
  /** The definition's version. */
  readonly schema: number;
  readonly collections: readonly string[];
}

/** What a tab that is gone has left, while this one sends it. */
interface Left {
  readonly queue: PendingQueue;
  readonly release: Release;
}

/** Shows what is kept of a room and keeps it from now on. Rejects where nothing can be kept. */
export async function keepRoom(room: KeptRoom, options: KeepOptions): Promise<Persistence> {
  const scope = `deltaroom:${options.user}:${options.url}`;
  const locks = new TabLocks(requireLocks(), scope);
  const keeping = new Keeping(await openDatabase(options.user), room, options, locks, scope);
  try {
    await keeping.open();
  } catch (error) {
    keeping.close();
    throw error;
  }
  return keeping;
}

/**
 * A room that is kept. Each tab keeps its own calls and takes over those of tabs that are gone; one of the tabs keeps the base
 * for all. Who is gone is known by locks, which the browser gives back for a tab that dies.
 */
class Keeping implements Persistence {
  readonly #database: Database;
  readonly #room: KeptRoom;
  readonly #options: KeepOptions;
  readonly #locks: TabLocks;
  readonly #channel: Channel;
  readonly #stopListening: () => void;
  readonly #ownLog: CallLog;
  readonly #left = new Map<CallLog, Left>();
  /** Client secrets that this tab has a lock of, or waits for it. */
  readonly #known = new Set<string>();
  /** Set while this tab keeps the base. */
  #pages: BasePages | undefined;
  /** Set while a write is due. */
  #cancelWrite: (() => void) | undefined;
  #hasFailed = false;
  #isClosed = false;

  constructor(database: Database, room: KeptRoom, options: KeepOptions, locks: TabLocks, scope: string) {
    this.#database = database;
    this.#room = room;
    this.#options = options;
    this.#locks = locks;
    this.#channel = openChannel(scope, (secret) => this.#meet(secret));
    this.#ownLog = this.#newLog(room.secret);
    this.#known.add(room.secret);
    this.#stopListening = onLeave(() => void this.#write());
  }

  async open(): Promise<void> {
    const { url, schema } = this.#options;
    await this.#locks.take(this.#room.secret);
    const isFirst = (await this.#locks.take(baseLock)) !== undefined;
    const base = await readBase(this.#database, url, schema);
    // Before the base, so that the first view has them.
    for (const secret of await readSecrets(this.#database, url)) {
      const release = await this.#locks.take(secret);
      if (release === undefined) this.#await(secret);
      else await this.#takeOver(secret, release);
    }
    const isRestored = base !== undefined && this.#room.restore(base);
    if (isFirst) this.#keepBase(isRestored);
    else this.#tell(this.#locks.wait(baseLock).then((release) => release && this.#keepBase(false)));
    this.#ownLog.confirmTo(this.#room.keepOwn(this.#ownLog));
    this.#channel.say(this.#room.secret);
  }

  noteBase(change: BaseChange): void {
    this.#pages?.note(change);
    this.#schedule();
  }

  close(): void {
    if (this.#isClosed) return;
    const written = this.#write();
    this.#isClosed = true;
    this.#stopListening();
    this.#channel.close();
    void written.then(() => {
      this.#locks.close();
      this.#database.close();
    });
  }

  #keepBase(isOnDisk: boolean): void {
    if (this.#isClosed) return;
    const { url, schema, collections } = this.#options;
    this.#pages = new BasePages(this.#database, url, schema, collections, this.#room.base, isOnDisk);
    if (!isOnDisk) this.#schedule();
  }

  /** Another tab says that it is there. */
  #meet(secret: string): void {
    if (this.#known.has(secret)) return;
    this.#await(secret);
    this.#channel.say(this.#room.secret); // it may have come after this one said so
  }

  /** Takes over from a tab as soon as it is gone. */
  #await(secret: string): void {
    this.#known.add(secret);
    this.#tell(this.#locks.wait(secret).then((release) => release && this.#takeOver(secret, release)));
  }

  async #takeOver(secret: string, release: Release): Promise<void> {
    this.#known.add(secret);
    const left = await readQueue(this.#database, this.#options.url, secret);
    if (this.#isClosed) return;
    const log = this.#newLog(secret);
    if (left.calls.length === 0) return await this.#finish(log, release);
    const queue = this.#room.adopt(left, log);
    log.confirmTo(queue);
    this.#left.set(log, { queue, release });
  }

  /** Nothing of a client is left. */
  async #finish(log: CallLog, release: Release): Promise<void> {
    this.#left.delete(log);
    await log.remove();
    release();
  }

  #newLog(secret: string): CallLog {
    return new CallLog(this.#database, this.#options.url, secret, {
      settled: () => this.#schedule(),
      failed: (error) => this.#fail(error),
    });
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#cancelWrite ??= ownRuntime.startTimer(() => void this.#write(), writeDelayMs);
  }

  /** Brings the disk up to date; what of the calls the base now has is forgotten. */
  async #write(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    if (this.#isClosed) return;
    try {
      const rev = await (this.#pages?.write() ?? this.#revOnDisk());
      for (const log of [this.#ownLog, ...this.#left.keys()]) log.forget(rev);
      for (const [log, { queue, release }] of this.#left) {
        if (queue.calls.length === 0 && !log.isWaiting) await this.#finish(log, release);
      }
      // The tab that keeps the base may be behind this one.
      if (this.#ownLog.isWaiting) this.#schedule();
    } catch (error) {
      this.#pages = undefined;
      this.#fail(error);
    }
  }

  async #revOnDisk(): Promise<number> {
    const row = await this.#database.get("bases", this.#options.url);
    return row !== undefined && row.epoch === this.#room.base.epoch ? row.rev : 0;
  }

  #tell(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#fail(error));
  }

  /** Says once that something is not kept. */
  #fail(error: unknown): void {
    if (this.#hasFailed || this.#isClosed) return;
    this.#hasFailed = true;
    this.#room.fail(error instanceof Error ? error.message : String(error));
  }
}
