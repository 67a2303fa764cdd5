import type { Introduction } from "../mutations/pending-queue.ts";
import type { CallKeeper, KeptCall, KeptQueue } from "./kept-calls.ts";
import type { QueueKeeper } from "./queue-keeper.ts";
import { under, type Database, type Storage } from "./database.ts";

/** Answered calls that are kept for a base that does not come; beyond it the oldest are forgotten. */
const maxAnswered = 512;

/** The secrets of the clients that something is kept of. */
export async function readSecrets(storage: Storage, room: string): Promise<Set<string>> {
  const [clients, calls] = await storage.use(async (database) => {
    return await Promise.all([
      database.getAllKeys("clients", under(room)),
      database.getAllKeys("calls", under(room)),
    ]);
  });
  return new Set([...clients, ...calls].map(([, secret]) => secret));
}

/** What a client has left. */
export async function readQueue(storage: Storage, room: string, secret: string): Promise<KeptQueue> {
  const [introduction, calls] = await storage.use(async (database) => {
    return await Promise.all([
      database.get("clients", [room, secret]),
      database.getAll("calls", under(room, secret)),
    ]);
  });
  // Of two writes on their way the earlier alone may fail. Calls in front of a missing one were answered, or cannot be sent in order.
  const gap = calls.findLastIndex(({ clientReqId }, index) => {
    return index > 0 && calls[index - 1]?.clientReqId !== clientReqId - 1;
  });
  return {
    secret,
    ...(introduction ?? { knownSince: null, attempt: 0 }),
    calls: calls.slice(Math.max(0, gap)),
  };
}

export interface LogEvents {
  /** A call was answered. */
  readonly settled: () => void;
  /** A write has failed. What it was to write waits for `write`. */
  readonly failed: (error: unknown) => void;
  /** Whether writes fail at present, so that only `write` tries. */
  readonly isFailing: () => boolean;
}

/** What is to be on disk of a call. */
interface Row {
  /** Undefined when its row is to be deleted. */
  call: KeptCall | undefined;
  /** Whether there may be a row on disk. */
  isStored: boolean;
}

/** What one transaction writes. */
interface Batch {
  readonly isCleared: boolean;
  readonly isIntroduced: boolean;
  readonly rows: readonly (readonly [
    clientReqId: number,
    row: Row,
    call: KeptCall | undefined,
    wasStored: boolean,
  ])[];
}

/**
 * One client's calls on disk, a row each. What a turn brings is written with it, in one transaction. The log has in memory what is
 * to be on disk: it writes again what a failed transaction, or a database that was taken away, has not kept.
 */
export class StoredCalls implements CallKeeper {
  readonly #storage: Storage;
  readonly #room: string;
  readonly #secret: string;
  readonly #events: LogEvents;
  /** Told of what is forgotten. */
  #queue: QueueKeeper | undefined;
  /** By `clientReqId`, in order. */
  readonly #rows = new Map<number, Row>();
  /** Ids of the rows that are not handed over as they are. */
  readonly #unwritten = new Set<number>();
  #introduction: Introduction | undefined;
  #isIntroduced = true;
  /** Whether rows that were on disk before are to be deleted first. */
  #isCleared = false;
  #written: Promise<void> | undefined;
  /** Answered and not forgotten, in order. */
  #answered: { readonly clientReqId: number; readonly rev: number }[] = [];

  /** `left` is what is on disk. */
  constructor(storage: Storage, room: string, secret: string, events: LogEvents, left?: KeptQueue) {
    this.#storage = storage;
    this.#room = room;
    this.#secret = secret;
    this.#events = events;
    if (left === undefined) return;
    const { knownSince, attempt, calls } = left;
    this.#introduction = { knownSince, attempt };
    for (const call of calls) this.#rows.set(call.clientReqId, { call, isStored: true });
  }

  /** Has `queue` be told what is forgotten. */
  confirmTo(queue: QueueKeeper): void {
    this.#queue = queue;
  }

  /** Whether answered calls wait for the base that has them. */
  get isWaiting(): boolean {
    return this.#answered.length > 0;
  }

  async keep(call: KeptCall): Promise<void> {
    const row = this.#rows.get(call.clientReqId);
    if (row === undefined) this.#rows.set(call.clientReqId, { call, isStored: false });
    else row.call = call;
    this.#unwritten.add(call.clientReqId);
    await this.#writeSoon();
  }

  settle(clientReqId: number, rev = 0): void {
    this.#answered.push({ clientReqId, rev });
    if (this.#answered.length > maxAnswered) this.forget(Infinity);
    else if (this.#events.isFailing()) this.forget(-1);
    else this.#events.settled();
  }

  async introduce(introduction: Introduction): Promise<void> {
    this.#introduction = introduction;
    this.#isIntroduced = false;
    await this.#writeSoon();
  }

  async clear(): Promise<void> {
    this.#answered = [];
    this.#rows.clear();
    this.#unwritten.clear();
    this.#isCleared = true;
    await this.#writeSoon();
  }

  /** Deletes the calls whose outcome the base on disk has, which is at `rev`, and while writes fail those that were never on disk. */
  forget(rev: number): void {
    const isFailing = this.#events.isFailing();
    const left = this.#answered.findIndex((call) => {
      return call.rev > rev && !(isFailing && this.#rows.get(call.clientReqId)?.isStored === false);
    });
    const gone = this.#answered.splice(0, left === -1 ? Infinity : left);
    for (const { clientReqId } of gone) {
      const row = this.#rows.get(clientReqId);
      if (row?.isStored) {
        row.call = undefined;
        this.#unwritten.add(clientReqId);
      } else {
        this.#rows.delete(clientReqId);
        this.#unwritten.delete(clientReqId);
      }
    }
    if (gone.length === 0) return;
    // The queue notes the answer behind this turn's `settle`.
    void this.#writeSoon().then(() => this.#confirm());
  }

  /** Deletes what there is of this client. */
  async remove(): Promise<void> {
    this.#introduction = undefined;
    this.#isIntroduced = false;
    await this.clear();
  }

  /** The database may hold nothing of what was written: all is to be written again. If it `isDeleted`, it holds nothing for certain. */
  doubt(isDeleted: boolean): void {
    for (const [id, row] of this.#rows) {
      row.isStored &&= !isDeleted;
      this.#unwritten.add(id);
    }
    this.#isIntroduced = this.#introduction === undefined;
    if (isDeleted) this.forget(-1);
  }

  /** Writes at once what waits. Rejects when that fails, and nothing was written. */
  async write(): Promise<void> {
    if (this.#unwritten.size === 0 && this.#isIntroduced && !this.#isCleared) return;
    let failed: Batch | undefined;
    try {
      await this.#storage.use(async (database) => {
        const batch = this.#takeBatch(); // of a new database everything
        try {
          await this.#transact(database, batch);
        } catch (error) {
          failed = batch;
          this.#takeBack(batch);
          throw error;
        }
        this.#noteWritten(batch);
      });
    } catch (error) {
      if (failed !== undefined) await this.#deleteOf(failed);
      throw error;
    }
  }

  /** Writes what the turn brings, in one transaction, deletions first; resolves when that is done, or has failed. */
  #writeSoon(): Promise<void> {
    if (this.#events.isFailing()) return Promise.resolve();
    this.#written ??= Promise.resolve().then(async () => {
      this.#written = undefined;
      await this.write().catch(this.#events.failed);
    });
    return this.#written;
  }

  #takeBatch(): Batch {
    const rows = [...this.#unwritten].flatMap((id) => {
      const row = this.#rows.get(id);
      if (row === undefined) return [];
      const wasStored = row.isStored;
      row.isStored = true;
      return [[id, row, row.call, wasStored] as const];
    });
    const batch = { isCleared: this.#isCleared, isIntroduced: this.#isIntroduced, rows };
    this.#unwritten.clear();
    this.#isIntroduced = true;
    this.#isCleared = false;
    return batch;
  }

  #takeBack({ isCleared, rows }: Batch): void {
    for (const [id, row, , wasStored] of rows) {
      if (this.#rows.get(id) !== row) continue;
      row.isStored &&= wasStored;
      this.#unwritten.add(id);
    }
    this.#isCleared ||= isCleared;
    // Written with the next attempt in any case, which then says whether the disk takes anything.
    this.#isIntroduced = this.#introduction === undefined;
  }

  #noteWritten({ rows }: Batch): void {
    for (const [id, row, call] of rows) {
      if (call === undefined && row.call === undefined && this.#rows.get(id) === row) this.#rows.delete(id);
    }
    this.#confirm();
  }

  /** A full disk takes nothing more, and may still give up what it has. Calls with new ids must not be found under their former ones. */
  async #deleteOf({ isCleared, rows }: Batch): Promise<void> {
    const deleted = rows.filter(([, , call]) => call === undefined);
    if (!isCleared && deleted.length === 0) return;
    const batch = { isCleared, isIntroduced: true, rows: deleted };
    try {
      await this.#storage.use(async (database) => await this.#transact(database, batch));
    } catch {
      return; // all of it still waits
    }
    this.#isCleared = false;
    for (const [id] of deleted) this.#unwritten.delete(id);
    this.#noteWritten(batch);
  }

  /** Has the room forget the answers of calls that no page can find on disk any more. */
  #confirm(): void {
    if (this.#isCleared) return;
    const [first = Infinity] = this.#rows.keys();
    this.#queue?.confirm(first - 1);
  }

  async #transact(database: Database, { isCleared, isIntroduced, rows }: Batch): Promise<void> {
    const key: [string, string] = [this.#room, this.#secret];
    const introduction = this.#introduction;
    const transaction = database.transaction(["calls", "clients"], "readwrite");
    const calls = transaction.objectStore("calls");
    const clients = transaction.objectStore("clients");
    const done: Promise<unknown>[] = [];
    if (isCleared) done.push(calls.delete(under(...key)));
    for (const [id, , call] of rows) {
      const row: [string, string, number] = [...key, id];
      done.push(call === undefined ? calls.delete(row) : calls.put(call, row));
    }
    if (!isIntroduced)
      done.push(introduction === undefined ? clients.delete(key) : clients.put(introduction, key));
    // Not to be lost with a page that is left in this very turn.
    transaction.commit();
    await Promise.all([transaction.done, ...done]);
  }
}
