import { callLimits } from "../../src/model/call-limits.ts";
import { partitionOf } from "../../src/model/changes.ts";
import { jsonBytes } from "../../src/model/json.ts";
import type { Tx } from "../../src/model/transaction.ts";
import type { Json } from "../../src/schema/json.ts";
import { Rejection } from "../../src/schema/rejection.ts";
import type { ClientLimits } from "../client-limits.ts";
import { only, revert, changeBytesOf, trim, wireChange } from "./record-change.ts";
import type { ViewChange, ViewChanges } from "../replica/replica.ts";
import type { Call, UndoOptions } from "../room.ts";

/** A call of a mutator. */
export interface UndoableOperation {
  readonly type: string;
  readonly payload: Json;
}

/** What an entry takes back: direct edits at once, by record, or one call of a mutator. */
type Step =
  | { readonly kind: "edit"; readonly changes: ViewChanges }
  | { readonly kind: "call"; readonly inverse: UndoableOperation; readonly original: UndoableOperation };

/** What one `undo` takes back, the newest step last. */
interface Entry {
  readonly steps: Step[];
  /** Calls that made it and that the room has not refused. */
  calls: number;
  bytes: number;
}

/** The room's way to make calls. */
export interface UndoCalls {
  readonly transact: (edit: (tx: Tx) => void) => Call;
  /** `inverse` takes it back. */
  readonly call: (operation: UndoableOperation, inverse: UndoableOperation) => Call;
  /** What takes a call of `operation` back, as its mutator's rule says now. */
  readonly inverseOf: (operation: UndoableOperation) => UndoableOperation | undefined;
  /** Whether a call of `bytes` would be taken now. */
  readonly admits: (bytes: number) => boolean;
  /** An entry has come or gone. */
  readonly changed: () => void;
}

/**
 * What this client has done and may take back. An entry says what stood before and what the edit left, as the view had
 * it, so that it can be taken back wherever the view still has what the edit left.
 */
export class UndoHistory {
  readonly #limits: ClientLimits;
  readonly #caller: UndoCalls;
  readonly #done: Entry[] = [];
  readonly #undone: Entry[] = [];
  #isPaused = false;
  /** Takes in what is made while the history is paused. */
  #open: Entry | undefined;
  /** The next record is of this entry's opposite, which goes onto that stack. */
  #reverting: { readonly entry: Entry; readonly onto: Entry[] } | undefined;

  constructor(limits: ClientLimits, caller: UndoCalls) {
    this.#limits = limits;
    this.#caller = caller;
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  undo(options?: UndoOptions): boolean {
    return this.#revert(this.#done, this.#undone, options);
  }

  redo(options?: UndoOptions): boolean {
    return this.#revert(this.#undone, this.#done, options);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#open = undefined;
  }

  clear(): void {
    this.#done.length = 0;
    this.#undone.length = 0;
    this.#open = undefined;
    this.#caller.changed();
  }

  // ── what is made ───────────────────────────────────────────────────────────────────────────────────────────

  /** A direct edit has changed the view. */
  noteEdit(changes: ViewChanges, { committed }: Call): void {
    if (changes.size === 0) return;
    const entry = this.#entry();
    let step = entry.steps.at(-1);
    if (step?.kind !== "edit") entry.steps.push((step = { kind: "edit", changes: new Map() }));
    for (const [collection, records] of changes) {
      const partition = partitionOf(step.changes, collection);
      for (const [id, change] of records) {
        const earlier = partition.get(id);
        // What the entry had done before belongs to it as far as nobody has changed it in between.
        const before = earlier === undefined ? change.before : revert(change.before, earlier, false);
        const whole = trim(before, change.after);
        partition.set(id, whole);
        entry.bytes += changeBytesOf(whole) - (earlier === undefined ? 0 : changeBytesOf(earlier));
      }
    }
    this.#follow(entry, committed, changes);
  }

  /** A mutator was called that can be taken back. */
  noteCall(original: UndoableOperation, inverse: UndoableOperation, { committed }: Call): void {
    const entry = this.#entry();
    entry.steps.push({ kind: "call", inverse, original });
    entry.bytes += jsonBytes(original.payload) + jsonBytes(inverse.payload);
    this.#follow(entry, committed);
  }

  /** The entry that what is made now belongs to. */
  #entry(): Entry {
    const reverting = this.#reverting;
    if (reverting !== undefined) {
      this.#reverting = undefined; // what a listener makes of it is its own
      if (reverting.entry.steps.length === 0) reverting.onto.push(reverting.entry);
      return reverting.entry;
    }
    this.#undone.length = 0;
    if (this.#open !== undefined) return this.#open;
    const entry = newEntry();
    if (this.#isPaused) this.#open = entry;
    this.#done.push(entry);
    return entry;
  }

  #follow(entry: Entry, committed: Call["committed"], changes?: ViewChanges): void {
    entry.calls += 1;
    committed.catch(() => this.#refused(entry, changes));
    for (const stack of [this.#done, this.#undone]) this.#bound(stack);
  }

  #bound(stack: Entry[]): void {
    const { maxUndoSteps, maxUndoBytes } = this.#limits;
    let bytes = 0;
    const last = stack.findLastIndex((entry) => (bytes += entry.bytes) > maxUndoBytes);
    stack.splice(0, Math.max(last + 1, stack.length - maxUndoSteps));
  }

  /** The room has refused a call: there is nothing to take back, and what came after it stood on what was before it. */
  #refused(entry: Entry, changes: ViewChanges | undefined): void {
    entry.calls -= 1;
    if (entry.calls > 0) return;
    for (const stack of [this.#done, this.#undone]) {
      const index = stack.indexOf(entry);
      if (index === -1) continue;
      stack.splice(index, 1);
      for (const [collection, records] of changes ?? []) {
        for (const [id, change] of records) restand(stack.slice(index), collection, id, change);
      }
    }
    if (this.#open === entry) this.#open = undefined;
    this.#caller.changed();
  }

  // ── back and forth ─────────────────────────────────────────────────────────────────────────────────────────

  /** Takes the newest entry back of which something is left to take back. */
  #revert(from: Entry[], onto: Entry[], { force = false }: UndoOptions = {}): boolean {
    this.#open = undefined;
    const opposite = newEntry();
    let isRefused = false;
    while (opposite.calls === 0 && !isRefused) {
      const entry = from.at(-1);
      if (entry === undefined || !this.#caller.admits(entry.bytes)) break;
      from.pop();
      for (const make of this.#reverts(entry, from, force)) {
        this.#reverting = { entry: opposite, onto };
        try {
          isRefused = make().status === "rejected" || isRefused;
        } finally {
          this.#reverting = undefined;
        }
      }
    }
    this.#caller.changed();
    return opposite.calls > 0;
  }

  /** The calls that take an entry back, in order. */
  *#reverts(entry: Entry, from: readonly Entry[], force: boolean): Generator<() => Call> {
    for (const step of entry.steps.toReversed()) {
      if (step.kind === "edit") {
        for (const batch of batches(step.changes))
          yield () => this.#caller.transact((tx) => revertRecords(tx, batch, force, [...from, entry]));
      } else {
        // What is made again may meet another state than the first time.
        const next = (from === this.#undone && this.#caller.inverseOf(step.inverse)) || step.original;
        yield () => this.#caller.call(step.inverse, next);
      }
    }
  }
}

type RecordRevert = readonly [collection: string, id: string, change: ViewChange];

function newEntry(): Entry {
  return { steps: [], calls: 0, bytes: 0 };
}

/** In pieces that a call can carry: what was deleted in one takes more to bring back. */
function* batches(changes: ViewChanges): Generator<readonly RecordRevert[]> {
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
function revertRecords(
  tx: Tx,
  batch: readonly RecordRevert[],
  force: boolean,
  older: readonly Entry[],
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
function lose(older: readonly Entry[], collection: string, id: string, field?: string): void {
  for (const [records, { before, after }] of changesOf(older, collection, id)) {
    if (before === undefined || after === undefined || field === undefined) records.delete(id);
    else {
      const isOther = (name: string) => name !== field;
      records.set(id, { before: only(before, isOther), after: only(after, isOther) });
    }
  }
}

/** A change before `entries` was refused: the first of them that touched the record stood on what was before that. */
function restand(entries: readonly Entry[], collection: string, id: string, refused: ViewChange): void {
  for (const [records, { before, after }] of changesOf(entries, collection, id)) {
    const stood = revert(before, refused, false);
    const isPart = before !== undefined && after !== undefined;
    const fields = { ...before, ...after };
    records.set(id, { before: isPart ? only(stood ?? before, (field) => field in fields) : stood, after });
    return;
  }
}

/** What entries have changed of one record. */
function* changesOf(
  entries: readonly Entry[],
  collection: string,
  id: string,
): Generator<readonly [Map<string, ViewChange>, ViewChange]> {
  for (const { steps } of entries) {
    for (const step of steps) {
      const records = step.kind === "edit" ? step.changes.get(collection) : undefined;
      const change = records?.get(id);
      if (records !== undefined && change !== undefined) yield [records, change];
    }
  }
}
