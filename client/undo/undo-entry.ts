import { callLimits } from "../../src/model/call-limits.ts";
import type { Tx } from "../../src/model/transaction.ts";
import type { Json } from "../../src/schema/json.ts";
import { Rejection } from "../../src/schema/rejection.ts";
import type { ViewChange } from "../replica/replica.ts";
import { changeBytesOf, only, revert, wireChange, withLost, type OwnChange } from "./record-change.ts";

/** A call of a mutator. */
export interface UndoableOperation {
  readonly type: string;
  readonly payload: Json;
}

type OwnChanges = Map<string, Map<string, OwnChange>>;

/** What an entry takes back: direct edits at once, by record, or one call of a mutator. */
type Step =
  | { readonly kind: "edit"; readonly changes: OwnChanges }
  | { readonly kind: "call"; readonly inverse: UndoableOperation; readonly original: UndoableOperation };

/** What one `undo` takes back, the newest step last. */
export interface UndoEntry {
  readonly steps: Step[];
  /** Calls that made it and that the room has not refused. */
  calls: number;
  bytes: number;
}

type RecordRevert = readonly [collection: string, id: string, change: OwnChange];

export function newEntry(): UndoEntry {
  return { steps: [], calls: 0, bytes: 0 };
}

/** In pieces that a call can carry: what was deleted in one takes more to bring back. */
export function* batches(changes: OwnChanges): Generator<readonly RecordRevert[]> {
  let batch: RecordRevert[] = [];
  let bytes = 0;
  for (const [collection, records] of changes) {
    for (const [id, change] of records) {
      const size = changeBytesOf(change);
      if (batch.length > 0 && bytes + size > callLimits.maxPayloadBytes) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      bytes += size;
      batch.push([collection, id, change]);
    }
  }
  yield batch;
}

/** `older` are the entries that the changes of `batch` stand on. */
export function revertRecords(
  tx: Tx,
  batch: readonly RecordRevert[],
  force: boolean,
  older: readonly UndoEntry[],
): void {
  for (const [collection, id, change] of batch) {
    const records = tx[collection];
    const current = records?.get(id);
    const wanted = revert(current, change, force, (field) => lose(older, collection, id, field));
    try {
      if (wanted !== current) records?.apply(wireChange(id, current, wanted));
    } catch (error) {
      // With what others have changed since, the record would not fit its schema: it stays as it is.
      if (!(error instanceof Rejection)) throw error;
    }
  }
}

/**
 * Somebody else has changed the field, or the record, since: older entries have no say in it any more, even where the
 * value happens to be what one of them left.
 */
function lose(older: readonly UndoEntry[], collection: string, id: string, field?: string): void {
  for (const [records, change] of changesOfEntry(older, collection, id))
    records.set(id, withLost(change, field === undefined ? "record" : [field]));
}

/** A change before `entries` was refused: the first of them that touched the record stood on what was before that. */
export function restand(
  entries: readonly UndoEntry[],
  collection: string,
  id: string,
  refused: ViewChange,
): void {
  for (const [records, change] of changesOfEntry(entries, collection, id)) {
    const { before, after } = change;
    const stood = revert(before, refused, false);
    const isPart = before !== undefined && after !== undefined;
    const fields = { ...before, ...after };
    const newBefore = isPart ? only(stood ?? before, (field) => field in fields) : stood;
    records.set(id, { ...change, before: newBefore, after });
    return;
  }
}

/** What entries have changed of one record. */
export function* changesOfEntry(
  entries: readonly UndoEntry[],
  collection: string,
  id: string,
): Generator<readonly [Map<string, OwnChange>, OwnChange]> {
  for (const { steps } of entries) {
    for (const step of steps) {
      const records = step.kind === "edit" ? step.changes.get(collection) : undefined;
      const change = records?.get(id);
      if (records !== undefined && change !== undefined) yield [records, change];
    }
  }
}
