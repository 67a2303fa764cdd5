import type { CallKeeper, Introduction, KeptCall, KeptQueue, PendingQueue } from "../pending-queue.ts";
import { under, type Database } from "./database.ts";

/** Answered calls that are kept for a base that does not come; beyond it the oldest are forgotten. */
const maxAnswered = 512;

/** A change of the log's rows, made in a transaction with others. */
type Write = (calls: CallTable, clients: ClientTable) => unknown;
interface CallTable {
  put(call: KeptCall, key: [string, string, number]): Promise<unknown>;
  delete(key: never): Promise<void>;
}
interface ClientTable {
  put(introduction: Introduction, key: [string, string]): Promise<unknown>;
  delete(key: never): Promise<void>;
}

/** The secrets of the clients that something is kept of. */
export async function readSecrets(database: Database, room: string): Promise<Set<string>> {
  const [clients, calls] = await Promise.all([
    database.getAllKeys("clients", under(room)),
    database.getAllKeys("calls", under(room)),
  ]);
  return new Set([...clients, ...calls].map(([, secret]) => secret));
}

/** What a client has left. */
export async function readQueue(database: Database, room: string, secret: string): Promise<KeptQueue> {
  const [introduction, calls] = await Promise.all([
    database.get("clients", [room, secret]),
    database.getAll("calls", under(room, secret)),
  ]);
  return { secret, ...(introduction ?? { birth: null, attempt: 0 }), calls };
}

export interface LogEvents {
  /** A call was answered. */
  readonly settled: () => void;
  /** Something could not be kept. Told once. */
  readonly failed: (error: unknown) => void;
}

/** One client's calls on disk, a row each. What a turn brings is written with it, in one transaction. */
export class CallLog implements CallKeeper {
  readonly #database: Database;
  readonly #room: string;
  readonly #secret: string;
  readonly #events: LogEvents;
  /** Told of what is forgotten. */
  #queue: PendingQueue | undefined;
  /** Whether anything may still be kept. */
  #isBroken = false;
  /** Whether there may be rows. */
  #isKept = false;
  #puts: Write[] = [];
  #deletions: Write[] = [];
  #written: Promise<boolean> | undefined;
  /** Answered and not forgotten, in order. */
  #answered: { readonly clientReqId: number; readonly rev: number }[] = [];

  constructor(database: Database, room: string, secret: string, events: LogEvents) {
    this.#database = database;
    this.#room = room;
    this.#secret = secret;
    this.#events = events;
  }

  /** Has `queue` be told what is forgotten. */
  confirmTo(queue: PendingQueue): void {
    this.#queue = queue;
  }

  /** Whether answered calls wait for the base that has them. */
  get isWaiting(): boolean {
    return this.#answered.length > 0;
  }

  async keep(call: KeptCall): Promise<void> {
    await this.#put((calls) => calls.put(call, [this.#room, this.#secret, call.clientReqId]));
  }

  settle(clientReqId: number, rev = 0): void {
    this.#answered.push({ clientReqId, rev });
    if (this.#isBroken || this.#answered.length > maxAnswered) this.forget(Infinity);
    else this.#events.settled();
  }

  async introduce(introduction: Introduction): Promise<void> {
    await this.#put((_, clients) => clients.put(introduction, [this.#room, this.#secret]));
  }

  async clear(): Promise<void> {
    this.#answered = [];
    this.#puts = []; // of this turn, before it
    await this.#delete((calls) => calls.delete(under(this.#room, this.#secret)));
  }

  /** Deletes the calls whose outcome the base on disk has, which is at `rev`. */
  forget(rev: number): void {
    const left = this.#answered.findIndex((call) => call.rev > rev);
    const gone = this.#answered.splice(0, left === -1 ? Infinity : left);
    const newest = gone.at(-1)?.clientReqId;
    if (newest === undefined) return;
    const deleted = this.#delete((calls) =>
      gone.map(({ clientReqId }) => calls.delete([this.#room, this.#secret, clientReqId] as never)),
    );
    // Whoever found a row that is still there would be told that nobody knows what became of it.
    void deleted.then((isDone) => (isDone || !this.#isKept) && this.#queue?.confirm(newest));
  }

  /** Deletes what there is of this client. */
  async remove(): Promise<void> {
    await this.#delete((calls, clients) => [
      calls.delete(under(this.#room, this.#secret)),
      clients.delete([this.#room, this.#secret] as never),
    ]);
  }

  async #put(put: Write): Promise<void> {
    if (this.#isBroken) return;
    this.#puts.push(put);
    await this.#writeSoon();
  }

  #delete(deletion: Write): Promise<boolean> {
    this.#deletions.push(deletion);
    return this.#writeSoon();
  }

  /** Writes what the turn brings, in one transaction, deletions first; resolves when that is done, or has failed. */
  #writeSoon(): Promise<boolean> {
    this.#written ??= Promise.resolve().then(() => this.#flush());
    return this.#written;
  }

  /** Answers whether what was to be deleted is. */
  async #flush(): Promise<boolean> {
    const [puts, deletions] = [this.#puts, this.#deletions];
    this.#puts = [];
    this.#deletions = [];
    this.#written = undefined;
    try {
      await this.#transact([...deletions, ...puts]);
      this.#isKept ||= puts.length > 0;
      return true;
    } catch (error) {
      if (!this.#isBroken) {
        this.#isBroken = true;
        this.#events.failed(error);
      }
      // A full disk takes nothing more, and may still give up what it has.
      return puts.length > 0 && (await this.#transact(deletions).then(...asBoolean));
    }
  }

  async #transact(writes: readonly Write[]): Promise<void> {
    const transaction = this.#database.transaction(["calls", "clients"], "readwrite");
    const calls = transaction.objectStore("calls");
    const clients = transaction.objectStore("clients");
    const done = writes.flatMap((write) => write(calls, clients));
    // Not to be lost with a page that is left in this very turn.
    transaction.commit();
    await Promise.all([transaction.done, ...done]);
  }
}

/** Whether it was fulfilled. */
const asBoolean = [() => true, () => false] as const;
