import type { KeepOptions, KeptRoom, Persistence, RoomParts } from "./persistence.ts";
import { ownRuntime } from "../platform.ts";
import type { KeptQueue } from "./kept-calls.ts";
import type { BaseChange } from "../connection/sync-options.ts";
import type { QueueKeeper } from "./queue-keeper.ts";
import { keepParts } from "./room-keeping.ts";
import { BasePages, readBase } from "./base-pages.ts";
import { StoredCalls, readSecrets, readQueue } from "./stored-calls.ts";
import { Storage } from "./database.ts";
import { onPageLife, openChannel, requireLocks, type Channel } from "./browser-storage.ts";
import { TabLocks, type Release } from "./tab-locks.ts";

export { deleteDatabase } from "./database.ts";

/** By how much the base on disk may be behind. */
const writeDelayMs = 1_000;

/** The longest pause between two attempts to write what could not be written. The first pause is `writeDelayMs`, and each is twice as long as the one before. */
const maxRetryMs = 30_000;

/** Names the lock of the tab that keeps the base. The other locks have the names of client secrets, which are longer. */
const baseLock = "base";

/** What a tab that is gone has left, while this one sends it. */
interface Left {
  readonly queue: QueueKeeper;
  readonly release: Release;
}

/**
 * Shows what is kept of a room and keeps it from now on. A storage that fails is tried again, and until then the room is told so.
 */
export async function keepRoom(parts: RoomParts, options: KeepOptions): Promise<Persistence> {
  return await keepParts(parts, async (room) => {
    const keeping = new Keeping(room, options, `deltaroom:${options.user}:${options.url}`);
    await keeping.start();
    return keeping;
  });
}

/**
 * A room that is kept. Each tab keeps its own calls and takes over those of tabs that are gone; one of the tabs keeps the base
 * for all. Who is gone is known by locks, which the browser gives back for a tab that dies.
 *
 * A write that fails is tried again with growing pauses. What the storage lacks is known in memory: `StoredCalls` has the calls,
 * and the room has the base. The room is told when keeping stops, and when everything is on disk again.
 */
class Keeping implements Persistence {
  readonly #storage: Storage;
  readonly #room: KeptRoom;
  readonly #options: KeepOptions;
  readonly #locks: TabLocks;
  readonly #channel: Channel;
  readonly #stopListening: () => void;
  readonly #ownLog: StoredCalls;
  readonly #left = new Map<StoredCalls, Left>();
  /** Client secrets that this tab has a lock of, or waits for it. */
  readonly #known = new Set<string>();
  /** Clients that are gone, whose locks this tab has and whose calls it has not read. */
  readonly #gone = new Map<string, Release>();
  /** Whether the first locks were asked for, and the browser has said who holds them. */
  #hasLocks = false;
  #opening: Promise<void> | undefined;
  /** Whether what was kept has been read. */
  #isOpen = false;
  /** Set while this tab keeps the base. */
  #pages: BasePages | undefined;
  #releaseBase: Release | undefined;
  /** Whether this tab is to keep the base once it has the lock. */
  #wantsBase = true;
  /** Whether a request for that lock is on its way. */
  #isWaitingForBase = false;
  /** Set while a write is due. */
  #cancelWrite: (() => void) | undefined;
  /** Pause after the newest failure; 0 while nothing fails. */
  #retryMs = 0;
  #isClosed = false;

  constructor(room: KeptRoom, options: KeepOptions, scope: string) {
    this.#locks = new TabLocks(requireLocks(), scope, (name) => this.#lockStolen(name));
    this.#room = room;
    this.#options = options;
    this.#channel = openChannel(scope, (secret) => this.#meet(secret));
    this.#storage = new Storage(options.user, () => this.#doubt());
    this.#ownLog = this.#newLog(room.secret);
    this.#known.add(room.secret);
    this.#stopListening = onPageLife({
      hidden: () => void this.write(),
      left: () => this.#leave(),
      back: () => this.#waitForBase(),
    });
  }

  noteBase(change: BaseChange): void {
    this.#pages?.note(change);
    this.#schedule();
  }

  close(): void {
    if (this.#isClosed) return;
    const written = this.#isOpen ? this.write() : Promise.resolve();
    this.#isClosed = true;
    this.#cancelWrite?.();
    this.#stopListening();
    this.#channel.close();
    void written.then(() => {
      this.#locks.close();
      this.#storage.close();
    });
  }

  /** Shows what is kept, or tells the room that this cannot be done yet. */
  async start(): Promise<void> {
    try {
      await this.#openOnce();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Brings the disk up to date; what of the calls the base now has is forgotten. */
  async write(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    if (this.#isClosed || this.#storage.isEnded) return;
    try {
      if (!this.#isOpen) await this.#openOnce();
      const logs = [this.#ownLog, ...this.#left.keys()];
      const [rev] = await Promise.all([
        this.#pages?.write() ?? this.#revOnDisk(),
        ...logs.map(async (log) => await log.write()),
      ]);
      await this.#takeOver();
      this.#succeeded();
      for (const log of logs) log.forget(rev);
      for (const [log, { queue, release }] of this.#left) {
        if (queue.calls.length === 0 && !log.isWaiting) await this.#finish(log, release);
      }
      // The tab that keeps the base may be behind this one.
      if (this.#ownLog.isWaiting) this.#schedule();
    } catch (error) {
      this.#fail(error);
    }
  }

  #openOnce(): Promise<void> {
    return (this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    }));
  }

  /** Reads what is kept. After a failure it goes on where it was. */
  async #open(): Promise<void> {
    const { url, schema } = this.#options;
    if (!this.#hasLocks) {
      await this.#locks.take(this.#room.secret);
      this.#releaseBase = await this.#locks.take(baseLock);
      this.#hasLocks = true;
    }
    const base = await readBase(this.#storage, url, schema);
    // Before the base, so that the first view has them.
    for (const secret of await readSecrets(this.#storage, url)) {
      if (this.#known.has(secret)) continue;
      const release = await this.#locks.take(secret);
      if (release === undefined) this.#await(secret);
      else {
        this.#known.add(secret);
        this.#gone.set(secret, release);
      }
    }
    await this.#takeOver();
    if (this.#isClosed) return;
    this.#isOpen = true;
    const isRestored = base !== undefined && this.#room.restore(base);
    if (this.#releaseBase !== undefined) this.#keepBase(isRestored);
    else this.#waitForBase();
    this.#ownLog.confirmTo(this.#room.keepOwn(this.#ownLog));
    this.#channel.say(this.#room.secret);
    this.#room.works();
  }

  #keepBase(isOnDisk: boolean): void {
    if (this.#isClosed) return;
    const { url, schema, collections } = this.#options;
    this.#pages = new BasePages(this.#storage, url, schema, collections, this.#room.base, isOnDisk);
    if (!isOnDisk) this.#schedule();
  }

  #waitForBase(): void {
    this.#wantsBase = true;
    if (this.#isWaitingForBase || this.#releaseBase !== undefined || !this.#isOpen) return;
    this.#isWaitingForBase = true;
    this.#notify(
      this.#locks.wait(baseLock).then((release) => {
        this.#isWaitingForBase = false;
        if (release === undefined) return;
        if (!this.#wantsBase) return release(); // the page was left meanwhile
        this.#releaseBase = release;
        this.#keepBase(false);
      }),
    );
  }

  /** The page may stand still from now on: another tab keeps the base. The page's calls stay its own. */
  #leave(): void {
    const written = this.write();
    if (!this.#isOpen) return;
    this.#wantsBase = false;
    this.#pages = undefined;
    const release = this.#releaseBase;
    this.#releaseBase = undefined;
    void written.then(release);
  }

  /** No script of this package takes locks by force. This tab waits until it has the lock again. */
  #lockStolen(name: string): void {
    if (name !== baseLock) return this.#notify(this.#locks.wait(name));
    this.#pages = undefined;
    this.#releaseBase = undefined;
    this.#waitForBase();
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
    this.#notify(
      this.#locks.wait(secret).then(async (release) => {
        if (release === undefined) return;
        this.#gone.set(secret, release);
        if (this.#isOpen) await this.#takeOver();
      }),
    );
  }

  async #takeOver(): Promise<void> {
    for (const [secret, release] of this.#gone) {
      const left = await readQueue(this.#storage, this.#options.url, secret);
      if (this.#isClosed) return;
      if (!this.#gone.delete(secret)) continue; // by another turn of this function
      const log = this.#newLog(secret, left);
      if (left.calls.length === 0) await this.#finish(log, release);
      else {
        const queue = this.#room.adopt(left, log);
        log.confirmTo(queue);
        this.#left.set(log, { queue, release });
      }
    }
  }

  /** Nothing of a client is left. */
  async #finish(log: StoredCalls, release: Release): Promise<void> {
    this.#left.delete(log);
    await log.remove();
    release();
  }

  #newLog(secret: string, left?: KeptQueue): StoredCalls {
    const events = {
      settled: () => this.#schedule(),
      failed: (error: unknown) => this.#fail(error),
      isFailing: () => this.#retryMs > 0,
    };
    return new StoredCalls(this.#storage, this.#options.url, secret, events, left);
  }

  #schedule(delayMs = writeDelayMs): void {
    if (this.#isClosed) return;
    this.#cancelWrite ??= ownRuntime.startTimer(() => void this.write(), delayMs);
  }

  async #revOnDisk(): Promise<number> {
    const row = await this.#storage.use(async (database) => await database.get("bases", this.#options.url));
    return row !== undefined && row.epoch === this.#room.base.epoch ? row.rev : 0;
  }

  #notify(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#fail(error));
  }

  /** What was written may be gone: all is written again. */
  #doubt(): void {
    if (this.#storage.isEnded) this.#fail(new Error("what was kept for this person was deleted"));
    this.#pages?.doubt();
    for (const log of [this.#ownLog, ...this.#left.keys()]) log.doubt(this.#storage.isEnded);
    this.#schedule();
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#retryMs = Math.min(maxRetryMs, this.#retryMs * 2 || writeDelayMs);
    this.#room.fail(error instanceof Error ? error.message : String(error));
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    if (!this.#storage.isEnded) this.#schedule(this.#retryMs);
  }

  #succeeded(): void {
    const wasFailing = this.#retryMs > 0;
    this.#retryMs = 0;
    this.#room.works();
    // Calls that were made during the last attempt wait.
    if (wasFailing) this.#schedule(0);
  }
}
