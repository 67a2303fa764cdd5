import { encodeAuthors, type Authorship } from "./authorship.ts";
import type { Answer, Broadcast } from "../../model/call.ts";
import { partitionOf, squashChange, type Changes } from "../../model/changes.ts";
import { encodeDelta, mostEntryBytes, type EncodedDelta } from "../../protocol/encoding/delta.ts";
import { jsonBytes, type Fields } from "../../model/json.ts";
import type { LoggedClient } from "./client-log/client-log.ts";
import { encodeClientLog, type ClientAnswers } from "./client-log/client-log-row.ts";
import type { EngineState } from "./engine-state.ts";
import { maxRejectionBytes } from "./rejected-outcome.ts";
import { collectionOf, type Partitions } from "../visibility/partitions.ts";
import type { JournalRow } from "./journal-row.ts";
import type { Writes } from "../../model/transaction.ts";
import type { Json } from "../../schema/json.ts";

/** A committed operation, as hooks see it after the flush. */
export interface Operation {
  /** The revision that it made. */
  readonly rev: number;
  /** The mutator's name, or `transact` for a direct edit. */
  readonly type: string;
  /** What the mutator was called with; of a direct edit its changes, by collection and id. */
  readonly payload: Json;
  /** The public id of the client that made the call; `room` for the room itself, `rpc:…` for a backend. */
  readonly clientId: string;
  /** The person, as `authenticate` said; null when nobody was named. */
  readonly user: Json;
}

/** A batch that has become a row, with what leaves the room once the row is written. */
export interface Flush {
  readonly row: JournalRow;
  /** Undefined when every call was rejected. */
  readonly delta: EncodedDelta | undefined;
  /** What each client id's calls came to, in order of `clientReqId`. */
  readonly answers: ReadonlyMap<string, ClientAnswers>;
  readonly operations: readonly Operation[];
  readonly broadcasts: readonly Broadcast[];
}

/** Bytes that a row spends on one changed record and on one outcome, beside the change itself. */
const bookkeepingBytes = 64;
/** Bytes that a row spends on one client: its id among the authors, and its id and owner beside its outcomes. */
const clientBytes = 1_024;

/** What was executed and is in no journal row yet. It keeps count of the row that it will be. */
export class Batch {
  /** Revision of the last flush. */
  readonly from: number;
  /** The records that the batch has changed, as the last flush left them: collection, then id. Undefined where there was none. */
  readonly before = new Map<string, Map<string, Fields | undefined>>();
  readonly #changes: Changes = new Map();
  readonly #answers = new Map<string, { client: LoggedClient; answers: Answer[] }>();
  readonly #operations: Operation[] = [];
  readonly #broadcasts: Broadcast[] = [];
  #bytes = 0;

  constructor(from: number) {
    this.from = from;
  }

  /** Whose calls are in it. */
  get clientIds(): ReadonlySet<string> {
    return new Set(this.#answers.keys());
  }

  /** Upper bound of the row's size. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether an operation of `bytes`, or the rejection that it may come to, fits the row. Into an empty one anything does. */
  hasRoomFor(bytes: number, maxRowBytes: number): boolean {
    const answerBytes = maxRejectionBytes + bookkeepingBytes + clientBytes;
    return this.#bytes === 0 || this.#bytes + bytes + answerBytes <= maxRowBytes;
  }

  /** Notes what a record was before an operation of the batch changed it. The first note is the last flush's. */
  noteBefore(collection: string, id: string, record: Fields | undefined): void {
    const partition = partitionOf(this.before, collection);
    if (!partition.has(id)) partition.set(id, record);
  }

  addOperation(operation: Operation, writes: Writes, bytes: number, broadcasts: readonly Broadcast[]): void {
    for (const [collection, records] of writes) {
      const partition = partitionOf(this.#changes, collection);
      for (const [id, { change }] of records) partition.set(id, squashChange(partition.get(id), change));
    }
    this.#bytes += bytes;
    this.#operations.push(operation);
    for (const broadcast of broadcasts) this.#broadcasts.push(broadcast);
  }

  addAnswer(client: LoggedClient, answer: Answer): void {
    let known = this.#answers.get(client.clientId);
    if (known === undefined) {
      this.#answers.set(client.clientId, (known = { client, answers: [] }));
      this.#bytes += clientBytes;
    }
    known.answers.push(answer);
    const [, outcome] = answer;
    this.#bytes += bookkeepingBytes + (outcome.kind === "accepted" ? 0 : jsonBytes(outcome));
  }

  /** The batch as a row, over the memory that it was executed in. */
  toFlush(roomState: EngineState, now: number): Flush {
    const changes = roomState.partitions.split(this.#changes);
    const delta = encodeDelta(this.from, roomState.rev, roomState.handles.take(changes));
    const ids: string[] = [];
    const authors: (Authorship | undefined)[] = [];
    for (const [partition, records] of changes) {
      const collection = collectionOf(partition);
      for (const [id, { kind }] of records) {
        if (kind !== "put") ids.push(id);
        authors.push(roomState.authorship.get(collection, id));
      }
    }
    roomState.authorship.settle(changes);
    const row: JournalRow = {
      flushSeq: roomState.flushSeq + 1,
      epoch: roomState.epoch,
      from: delta.from,
      to: delta.to,
      body: delta.body,
      ids: JSON.stringify(ids),
      clientLog: encodeClientLog(this.#answers.values(), this.#answers.size, now),
      authors: encodeAuthors(authors),
    };
    return {
      row,
      delta: delta.to > delta.from ? delta : undefined,
      answers: this.#answers,
      operations: this.#operations,
      broadcasts: this.#broadcasts,
    };
  }
}

/** Bytes that an operation takes of a row at most: its changes, and who made them. */
export function operationBytes(writes: Writes, partitions: Partitions): number {
  let bytes = 0;
  for (const [collection, records] of writes) {
    bytes += 2 * collection.length;
    // Each private record may be in a partition of its own, whose name has the owner that the id begins with.
    const isPrivate = partitions.isPrivate(collection);
    for (const [id, { change }] of records) {
      const idBytes = jsonBytes(id);
      bytes += mostEntryBytes(id, change) + idBytes + bookkeepingBytes;
      if (isPrivate) bytes += collection.length + idBytes + bookkeepingBytes;
    }
  }
  return bytes;
}
