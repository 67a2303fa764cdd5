import { partitionOf } from "../../src/model/changes.ts";
import { equalJson, type Fields } from "../../src/model/json.ts";
import type { ViewChange, ViewChanges } from "../replica/replica.ts";
import type { Call } from "../room.ts";
import { redone } from "./record-change.ts";

/** What another client has changed of one record: the record as a whole, or some of its fields. */
export type ForeignChange = "record" | readonly string[];

/** One call of this client that the room has not answered, and what it did to the view. */
export interface OwnWrite<E> {
  readonly call: Call;
  readonly changes: ViewChanges;
  /** The entry of the history that the call belongs to; undefined for a call that cannot be undone. */
  readonly entry: E | undefined;
}

interface WatchedRecord<E> {
  /** The confirmed record, as it was when it was last compared. */
  confirmed: Fields | undefined;
  readonly entries: Set<E>;
}

/**
 * Finds out which records of the history another client has changed. It compares each confirmed record with what this client's
 * own calls, as far as the room has committed them, make of the record before. Everything else was done by another client. A
 * comparison of values at the time of an undo would not do: another client may set a field and then set it back.
 *
 * Invariant: the map holds exactly the records of the entries that are watched. While it is empty, an update costs nothing
 * beyond the calls that it answers.
 */
export class ForeignChanges<E> {
  readonly #confirmed: (collection: string, id: string) => Fields | undefined;
  readonly #records = new Map<string, Map<string, WatchedRecord<E>>>();
  /** The oldest first. */
  #writes: OwnWrite<E>[] = [];

  constructor(confirmed: (collection: string, id: string) => Fields | undefined) {
    this.#confirmed = confirmed;
  }

  watch(entry: E, changes: ViewChanges): void {
    for (const [collection, id] of recordsOf(changes)) {
      const partition = partitionOf(this.#records, collection);
      const record = partition.get(id);
      if (record !== undefined) record.entries.add(entry);
      else partition.set(id, { confirmed: this.#confirmed(collection, id), entries: new Set([entry]) });
    }
  }

  unwatch(entry: E, changes: ViewChanges): void {
    for (const [collection, id] of recordsOf(changes)) {
      const partition = this.#records.get(collection);
      const record = partition?.get(id);
      record?.entries.delete(entry);
      if (record?.entries.size === 0) partition?.delete(id);
      if (partition?.size === 0) this.#records.delete(collection);
    }
  }

  /** A call was made. */
  noteWrite(write: OwnWrite<E>): void {
    this.#writes.push(write);
  }

  /** The calls that were answered since the last time, the oldest first. */
  takeAnswered(): readonly OwnWrite<E>[] {
    const answered = this.#writes.filter(({ call }) => call.status !== "pending");
    if (answered.length > 0) this.#writes = this.#writes.filter(({ call }) => call.status === "pending");
    return answered;
  }

  /**
   * The confirmed state has advanced, and with it `answered` calls. `changes` are of the view. Yields what another client has
   * changed, for each entry that it concerns. A field that a later call of the same entry still sets stays with the entry.
   */
  *compare(
    changes: ViewChanges,
    answered: readonly OwnWrite<E>[],
  ): Generator<readonly [entry: E, collection: string, id: string, foreign: ForeignChange]> {
    if (this.#records.size === 0) return;
    // A change of the confirmed state that the view does not show is hidden by a call, so a call names its record.
    const records = new Map<string, Map<string, ViewChange[]>>();
    for (const [collection, id] of recordsOf(changes)) ownChanges(records, collection, id);
    for (const write of this.#writes)
      for (const [collection, id] of recordsOf(write.changes)) ownChanges(records, collection, id);
    for (const write of answered) {
      for (const [collection, id, change] of recordsOf(write.changes)) {
        const own = ownChanges(records, collection, id);
        if (write.call.status === "committed") own.push(change);
      }
    }
    for (const [collection, partition] of records) {
      for (const [id, own] of partition) {
        const record = this.#records.get(collection)?.get(id);
        if (record !== undefined) yield* this.#compareRecord(record, collection, id, own);
      }
    }
  }

  *#compareRecord(
    record: WatchedRecord<E>,
    collection: string,
    id: string,
    own: readonly ViewChange[],
  ): Generator<readonly [E, string, string, ForeignChange]> {
    const expected = own.reduce(redone, record.confirmed);
    const confirmed = (record.confirmed = this.#confirmed(collection, id));
    const foreign = differenceOf(expected, confirmed);
    if (foreign.length === 0) return;
    for (const entry of record.entries) {
      const waiting = this.#writes.flatMap((write) => {
        const change = write.entry === entry ? write.changes.get(collection)?.get(id) : undefined;
        return change === undefined ? [] : [change];
      });
      if (foreign === "record") {
        if (waiting.length === 0) yield [entry, collection, id, foreign];
      } else yield [entry, collection, id, foreign.filter((field) => !waiting.some(sets(field)))];
    }
  }
}

function* recordsOf(
  changes: ViewChanges,
): Generator<readonly [collection: string, id: string, change: ViewChange]> {
  for (const [collection, records] of changes)
    for (const [id, change] of records) yield [collection, id, change];
}

function ownChanges(
  records: Map<string, Map<string, ViewChange[]>>,
  collection: string,
  id: string,
): ViewChange[] {
  const partition = partitionOf(records, collection);
  let own = partition.get(id);
  if (own === undefined) partition.set(id, (own = []));
  return own;
}

function differenceOf(expected: Fields | undefined, confirmed: Fields | undefined): ForeignChange {
  if (expected === confirmed) return [];
  if (expected === undefined || confirmed === undefined) return "record";
  const fields = Object.keys({ ...expected, ...confirmed });
  return fields.filter((field) => !equalJson(expected[field], confirmed[field]));
}

/** Whether a change leaves its own value, or none, in the field. */
function sets(field: string): (change: ViewChange) => boolean {
  return ({ before, after }) => before === undefined || !equalJson(before[field], after?.[field]);
}
