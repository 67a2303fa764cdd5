import type { AnyRoomDefinition } from "../../schema/definition.ts";
import { Rejection } from "../../schema/rejection.ts";
import { Authorization, type Authorize } from "./authorization.ts";
import { Batch, operationBytes, type Flush, type Operation } from "./batch.ts";
import {
  assertSync,
  hashCall,
  runCall,
  transactType,
  type Broadcast,
  type Caller,
  type Outcome,
  type Run,
} from "../../model/call.ts";
import { CallWork } from "./cost/call-work.ts";
import { Capacity } from "./cost/capacity.ts";
import { changedRecords } from "./changed-records.ts";
import { FlushedState } from "./flushed-state.ts";
import type { Limits } from "../limits.ts";
import type { LoggedClient } from "./client-log/client-log.ts";
import { ownerOf } from "../owners/owner.ts";
import type { EngineState } from "./engine-state.ts";
import { rowBytes } from "./journal-row.ts";
import { allOrderFieldsOf, repairOrders, type OrderFields } from "./order-repair.ts";
import { rejectedOutcome } from "./rejected-outcome.ts";
import { ownerIn } from "../visibility/partitions.ts";
import { ServerCallOptions } from "./server-call-options.ts";
import type { RecordSource } from "../../model/state.ts";
import { answerAgain, type Submission, type SubmittedCall } from "./submission.ts";
import { Transaction, type Tx, type Writes } from "../../model/transaction.ts";
import { Views } from "../visibility/view.ts";

export interface EngineOptions {
  readonly definition: AnyRoomDefinition;
  readonly limits: Limits;
  readonly serverMutators: { readonly [name: string]: Run };
  readonly authorize?: Authorize;
  /** What each caller is shown; all that is not private when left out. */
  readonly views?: Views;
  /** Told what a mutator or `authorize` threw that was no refusal; the caller only learns `internal`. */
  readonly onFailure: (error: unknown, type: string) => void;
}

/** A room as of its last flush, which is what anyone may be shown. */
export interface Flushed {
  readonly epoch: string;
  readonly rev: number;
  readonly records: RecordSource;
  /** Of the state: at least what its JSON has, or somewhat less while the journal is long. */
  readonly bytes: number;
}

const noClientIds: ReadonlySet<string> = new Set();
const executed = { kind: "executed" } as const;

/** Client id of what the room itself does. */
const roomClientId = "room";

/** The room's rule book: calls in, commits and outcomes out. It knows no sockets, no timers and no disk. */
export class Engine<State extends EngineState = EngineState> {
  readonly roomState: State;
  readonly #options: EngineOptions;
  readonly #orderFields: OrderFields;
  readonly #views: Views;
  readonly #work: CallWork;
  readonly #capacity: Capacity;
  readonly #authorization: Authorization;
  #batch: Batch | undefined;
  #isTorn = false;
  #isRunning = false;

  constructor(roomState: State, options: EngineOptions) {
    this.roomState = roomState;
    this.#options = options;
    this.#work = new CallWork(roomState.records);
    this.#capacity = new Capacity(roomState, options.limits);
    this.#authorization = new Authorization(roomState, {
      authorize: options.authorize,
      onFailure: options.onFailure,
      noteShown: (record) => this.#work.noteShown(record),
      run: (code) => this.#run(code),
    });
    this.#orderFields = allOrderFieldsOf(options.definition);
    this.#views = options.views ?? new Views(options.definition);
  }

  /** Whether something has been executed since the last flush. */
  get hasBatch(): boolean {
    return this.#batch !== undefined;
  }

  /** The room as of the last flush. */
  get flushed(): Flushed {
    const { epoch, rev, records, pages, journalBytes } = this.roomState;
    return {
      epoch,
      rev: this.#batch?.from ?? rev,
      records: new FlushedState(records, this.#batch),
      bytes: pages.bytes + journalBytes,
    };
  }

  /** How much work the calls since the last time were, those that were refused or executed before included. */
  takeWork(): number {
    return this.#work.take();
  }

  /** The client ids whose calls have been executed and are in no journal row yet. */
  get unflushed(): ReadonlySet<string> {
    return this.#batch?.clientIds ?? noClientIds;
  }

  /**
   * Whether a step that changes memory has thrown before its end. The state in memory is then not what storage and the batch say: the caller
   * discards it, with the batch, and reads storage again.
   */
  get isTorn(): boolean {
    return this.#isTorn || this.roomState.pageReader.isTorn;
  }

  /** Whether code of the app is running for a call or an edit. Nothing else may be executed or flushed before it returns. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * Executes the call if it is the client's next one. Throws what storage throws; then nothing has happened. When another error is
   * thrown, see {@link isTorn}.
   */
  submit(client: Caller, call: SubmittedCall, now: number): Submission {
    this.#work.noteCall(call.payload);
    const known = this.roomState.clientLog.get(client.clientId);
    const lastCallId = known?.lastCallId ?? 0;
    if (known && call.clientReqId <= lastCallId)
      return { kind: "duplicate", outcome: answerAgain(known, call) };
    if (call.clientReqId > lastCallId + 1) return { kind: "gap", expected: lastCallId + 1 };
    const limit = known && this.#exceededBy(known);
    if (limit !== undefined) return { kind: "unconfirmed", limit };
    if (this.#isFull(0)) return { kind: "full" };
    const callHash = hashCall(call.type, call.payload); // before the app's code is given the payload
    const outcome = this.#execute(client, call, now);
    if (outcome === undefined) return { kind: "full" };
    this.#isTorn = true;
    const answer = [call.clientReqId, outcome, callHash] as const;
    const logged = known ?? { clientId: client.clientId, owner: ownerOf(client.user) };
    const executedClient = this.roomState.clientLog.execute(logged, answer, now);
    this.#openBatch().addAnswer(executedClient, answer);
    this.#isTorn = false;
    return executed;
  }

  /**
   * Commits what `edit` does as one operation of the room itself. Any collection may be written.
   * Throws what `edit` throws, or storage, and `too-large` for one that changes too much; then nothing has changed. Throws for an
   * asynchronous `edit` as well. False: the batch has to be flushed first.
   */
  transact(edit: (tx: Tx) => unknown): boolean {
    const { definition, limits } = this.#options;
    const transaction = new Transaction(this.roomState.records, { definition, limits });
    try {
      this.#run(() => this.roomState.pageReader.guard(() => assertSync("the edit", edit(transaction.tx))));
    } finally {
      transaction.close();
    }
    const unowned = this.#unowned(transaction.writes);
    if (unowned !== undefined) throw unowned;
    this.#repairOrders(transaction.writes);
    const bytes = operationBytes(transaction.writes, this.roomState.partitions);
    const excess = this.#capacity.refusal(transaction.writes, bytes, this.#batch?.bytes ?? 0);
    if (excess !== undefined) throw excess;
    if (this.#isFull(bytes)) return false;
    const made = { type: transactType, payload: null, clientId: roomClientId, user: null };
    this.#commit(transaction.writes, bytes, made, []);
    this.#isTorn = false;
    return true;
  }

  /** Turns the batch into a row and starts the next one. Nothing of it may leave before the row is written. */
  takeBatch(now: number): Flush | undefined {
    if (this.#batch === undefined) return undefined;
    this.#isTorn = true;
    const flush = this.#batch.toFlush(this.roomState, now);
    this.#batch = undefined;
    this.#isTorn = false;
    return flush;
  }

  /** Notes that the flush is on disk. */
  onPersisted({ row, delta }: Flush): void {
    this.roomState.flushSeq = row.flushSeq;
    this.roomState.journalBytes += rowBytes(row);
    if (delta !== undefined) this.roomState.history.push({ ...delta, flushSeq: row.flushSeq });
  }

  /** The call's outcome; undefined when there is no room for it in the batch, and then nothing has happened. */
  #execute(client: Caller, call: SubmittedCall, now: number): Outcome | undefined {
    // Requires exactly `write`: a missing or misspelled access must not grant anything.
    if (client.access !== "write")
      return rejectedOutcome(new Rejection("forbidden", "you may read this room, and not change it"));
    const { authorship, pageReader } = this.roomState;
    const work = this.#work;
    const options = new ServerCallOptions(
      this.#options,
      this.#views,
      authorship,
      work,
      client,
      call.baseRev,
      now,
    );
    const result = this.#run(() => pageReader.guard(() => runCall(work, call.type, call.payload, options)));
    switch (result.kind) {
      case "rejected":
        return rejectedOutcome(result.rejection);
      case "failed":
        this.#options.onFailure(result.error, call.type);
        return rejectedOutcome(new Rejection("internal", "the room could not run this call"));
      case "done":
        break;
      default:
        return result satisfies never;
    }
    const { writes, broadcasts } = result;
    for (const { before, after } of changedRecords(this.roomState.records, writes))
      if (before !== undefined && after === undefined) work.noteRecord(before);
    const refusal = this.#unowned(writes) ?? this.#authorization.refusal(client, call, writes, false);
    if (refusal !== undefined) return rejectedOutcome(refusal);
    this.#repairOrders(writes, { client, call });
    const bytes = operationBytes(writes, this.roomState.partitions);
    work.noteBytes(bytes);
    const excess = this.#capacity.refusal(writes, bytes, this.#batch?.bytes ?? 0);
    if (excess !== undefined) return rejectedOutcome(excess);
    if (this.#isFull(bytes)) return undefined;
    const { clientId, user } = client;
    this.#commit(writes, bytes, { type: call.type, payload: call.payload, clientId, user }, broadcasts);
    return { kind: "accepted", rev: this.roomState.rev };
  }

  /** Runs code of the app. */
  #run<T>(run: () => T): T {
    this.#isRunning = true;
    try {
      return run();
    } finally {
      this.#isRunning = false;
    }
  }

  /** The caller sets {@link #isTorn} to false once everything that belongs to the operation is done. */
  #commit(
    writes: Writes,
    bytes: number,
    { type, payload, clientId, user }: Omit<Operation, "rev">,
    broadcasts: readonly Broadcast[],
  ): void {
    const { roomState } = this;
    this.#isTorn = true;
    const batch = this.#openBatch();
    const rev = ++roomState.rev;
    for (const [collection, records] of writes) {
      for (const [id, { change, record, isRepair }] of records) {
        batch.noteBefore(collection, id, roomState.records.get(collection, id));
        roomState.records.set(collection, id, record);
        if (!isRepair) roomState.authorship.note(collection, id, rev, clientId);
        roomState.pages.touch(collection, id, change.kind);
      }
    }
    batch.addOperation({ rev, type, payload, clientId, user }, writes, bytes, broadcasts);
  }

  /**
   * Behind `authorize`, which judges first what `asked` wants, and then whether the room may change records that the operation
   * does not write. Those keep their keys too where the operation would become too large: a repair fails no call.
   */
  #repairOrders(writes: Writes, asked?: { readonly client: Caller; readonly call: SubmittedCall }): void {
    if (this.#orderFields.size === 0) return;
    const { limits } = this.#options;
    repairOrders(writes, this.roomState, this.#orderFields, limits, (repaired, neighbours) => {
      if (operationBytes(repaired, this.roomState.partitions) > limits.maxOperationBytes) return false;
      return (
        asked === undefined ||
        this.#authorization.refusal(asked.client, asked.call, neighbours, true) === undefined
      );
    });
  }

  /** Which limit of unconfirmed outcomes the client has exceeded. */
  #exceededBy(client: LoggedClient): "own" | "shared" | undefined {
    const { maxUnconfirmedOutcomes, maxUnconfirmedBytes, maxAllUnconfirmedBytes } = this.#options.limits;
    const { answers, answerBytes } = client;
    if (answers.length >= maxUnconfirmedOutcomes || answerBytes >= maxUnconfirmedBytes) return "own";
    return answers.length > 0 && this.roomState.clientLog.owesMost(client, maxAllUnconfirmedBytes)
      ? "shared"
      : undefined;
  }

  #openBatch(): Batch {
    return (this.#batch ??= new Batch(this.roomState.rev));
  }

  /** Why these writes cannot be kept private; undefined when they can, or need not be. */
  #unowned(writes: Writes): Rejection | undefined {
    for (const collection of this.roomState.partitions.privates) {
      for (const id of writes.get(collection)?.keys() ?? []) {
        if (ownerIn(id) === undefined)
          return new Rejection("invalid", `${collection} is private: the id ${id} must be <userId>/…`);
      }
    }
    return undefined;
  }

  #isFull(bytes: number): boolean {
    return this.#batch !== undefined && !this.#batch.hasRoomFor(bytes, this.#options.limits.maxRowBytes);
  }
}
