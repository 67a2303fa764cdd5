import { assertSync } from "../../src/model/call.ts";
import { partitionOf } from "../../src/model/changes.ts";
import { copyJson, jsonBytes, type Fields } from "../../src/model/json.ts";
import type { RecordsReader } from "../../src/model/reader.ts";
import type { Tx } from "../../src/model/transaction.ts";
import type { AnyRoomDefinition } from "../../src/schema/definition.ts";
import type { ClientLimits } from "../client-limits.ts";
import { reportThrown } from "../platform.ts";
import type { AnyPeer } from "../replica/peers.ts";
import { ForeignChanges, type OwnWrite } from "./foreign-changes.ts";
import {
  batches,
  changesOfEntry,
  newEntry,
  restand,
  revertRecords,
  type UndoEntry,
  type UndoableOperation,
} from "./undo-entry.ts";
import { changeBytesOf, revert, trim, withLost } from "./record-change.ts";
import type { ViewChanges } from "../replica/replica.ts";
import type { Call, UndoOptions } from "../room.ts";

/** The room's way to make calls. */
export interface UndoCalls {
  readonly transact: (edit: (tx: Tx) => void) => Call;
  /** `inverse` takes it back. */
  readonly call: (operation: UndoableOperation, inverse: UndoableOperation) => Call;
  /** The rules of the definition, and what they are given. */
  readonly rules: AnyRoomDefinition["undo"];
  readonly state: { readonly [collection: string]: RecordsReader };
  readonly self: () => AnyPeer;
  /** Whether a call of `bytes` would be taken now. */
  readonly admits: (bytes: number) => boolean;
  /** A record of the confirmed state. */
  readonly confirmed: (collection: string, id: string) => Fields | undefined;
  /** An entry has come or gone. */
  readonly changed: () => void;
}

/** What makes the history of a room: `undo` of `deltaroom/client/undo`. */
export type Undo = (limits: ClientLimits, caller: UndoCalls) => UndoHistory;

/**
 * What this client has done and may take back. An entry says what stood before and what the edit left, as the view had
 * it. An undo takes a field back if the view still has what the edit left, and no other client has written the field since.
 */
export class UndoHistory {
  readonly #limits: ClientLimits;
  readonly #caller: UndoCalls;
  readonly #done: UndoEntry[] = [];
  readonly #undone: UndoEntry[] = [];
  readonly #foreign: ForeignChanges<UndoEntry>;
  #isPaused = false;
  /** Takes in what is made while the history is paused. */
  #open: UndoEntry | undefined;
  /** The next record is of this entry's opposite, which goes onto that stack. */
  #reverting: { readonly entry: UndoEntry; readonly onto: UndoEntry[] } | undefined;

  constructor(limits: ClientLimits, caller: UndoCalls) {
    this.#limits = limits;
    this.#caller = caller;
    this.#foreign = new ForeignChanges(caller.confirmed);
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
    this.#forget(this.#done.splice(0));
    this.#forget(this.#undone.splice(0));
    this.#open = undefined;
    this.#caller.changed();
  }

  // ── what is made ───────────────────────────────────────────────────────────────────────────────────────────

  /** What takes a call of `operation` back, as its mutator's rule says now. */
  inverseOf({ type, payload }: UndoableOperation): UndoableOperation | undefined {
    const { rules, state, self } = this.#caller;
    try {
      const inverse = rules[type]?.(payload, state, self());
      assertSync(`undo of ${type}`, inverse);
      return inverse && { type: inverse[0], payload: copyJson(inverse[1]) };
    } catch (error) {
      reportThrown(error); // the call is made all the same, but cannot be taken back
      return undefined;
    }
  }

  /** A direct edit has changed the view. */
  noteEdit(changes: ViewChanges, call: Call): void {
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
    this.#foreign.watch(entry, changes);
    this.#follow({ entry, changes, call });
  }

  /** A mutator was called, and has changed the view; `inverse` takes the call back. */
  noteCall(
    changes: ViewChanges,
    call: Call,
    original: UndoableOperation,
    inverse: UndoableOperation | undefined,
  ): void {
    if (inverse === undefined) return this.#foreign.noteWrite({ entry: undefined, changes, call });
    const entry = this.#entry();
    entry.steps.push({ kind: "call", inverse, original });
    entry.bytes += jsonBytes(original.payload) + jsonBytes(inverse.payload);
    this.#follow({ entry, changes, call });
  }

  /** The confirmed state has advanced, or calls were answered. Call it before any listener hears of that. */
  noteAdvance(changes: ViewChanges): void {
    const answered = this.#noteAnswers();
    for (const [entry, collection, id, foreign] of this.#foreign.compare(changes, answered))
      for (const [records, change] of changesOfEntry([entry], collection, id))
        records.set(id, withLost(change, foreign));
  }

  /** The entry that what is made now belongs to. */
  #entry(): UndoEntry {
    const reverting = this.#reverting;
    if (reverting !== undefined) {
      this.#reverting = undefined; // what a listener makes of it is its own
      if (reverting.entry.steps.length === 0) reverting.onto.push(reverting.entry);
      return reverting.entry;
    }
    this.#forget(this.#undone.splice(0));
    if (this.#open !== undefined) return this.#open;
    const entry = newEntry();
    if (this.#isPaused) this.#open = entry;
    this.#done.push(entry);
    return entry;
  }

  #follow(write: OwnWrite<UndoEntry> & { readonly entry: UndoEntry }): void {
    write.entry.calls += 1;
    this.#foreign.noteWrite(write);
    write.call.committed.catch(() => this.#noteAnswers()); // a call may be rejected without a word of the room
    for (const stack of [this.#done, this.#undone]) this.#bound(stack);
  }

  #bound(stack: UndoEntry[]): void {
    const { maxUndoSteps, maxUndoBytes } = this.#limits;
    let bytes = 0;
    const last = stack.findLastIndex((entry) => (bytes += entry.bytes) > maxUndoBytes);
    this.#forget(stack.splice(0, Math.max(last + 1, stack.length - maxUndoSteps)));
  }

  /** These entries are in no stack any more. */
  #forget(entries: readonly UndoEntry[]): void {
    for (const entry of entries)
      for (const step of entry.steps) if (step.kind === "edit") this.#foreign.unwatch(entry, step.changes);
  }

  #noteAnswers(): readonly OwnWrite<UndoEntry>[] {
    const answered = this.#foreign.takeAnswered();
    for (const { call, entry, changes } of answered)
      if (call.status === "rejected" && entry !== undefined) this.#refused(entry, changes);
    return answered;
  }

  /** The room has refused a call: there is nothing to take back, and what came after it stood on what was before it. */
  #refused(entry: UndoEntry, changes: ViewChanges): void {
    entry.calls -= 1;
    if (entry.calls > 0) return;
    for (const stack of [this.#done, this.#undone]) {
      const index = stack.indexOf(entry);
      if (index === -1) continue;
      this.#forget(stack.splice(index, 1));
      for (const [collection, records] of changes) {
        for (const [id, change] of records) restand(stack.slice(index), collection, id, change);
      }
    }
    if (this.#open === entry) this.#open = undefined;
    this.#caller.changed();
  }

  // ── back and forth ─────────────────────────────────────────────────────────────────────────────────────────

  /** Takes the newest entry back of which something is left to take back. */
  #revert(from: UndoEntry[], onto: UndoEntry[], { force = false }: UndoOptions = {}): boolean {
    this.#open = undefined;
    const opposite = newEntry();
    let isRefused = false;
    while (opposite.calls === 0 && !isRefused) {
      const entry = from.at(-1);
      if (entry === undefined || !this.#caller.admits(entry.bytes)) break;
      from.pop();
      this.#forget([entry]);
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
  *#reverts(entry: UndoEntry, from: readonly UndoEntry[], force: boolean): Generator<() => Call> {
    for (const step of entry.steps.toReversed()) {
      if (step.kind === "edit") {
        for (const batch of batches(step.changes))
          yield () => this.#caller.transact((tx) => revertRecords(tx, batch, force, [...from, entry]));
      } else {
        // What is made again may meet another state than the first time.
        const next = (from === this.#undone && this.inverseOf(step.inverse)) || step.original;
        yield () => this.#caller.call(step.inverse, next);
      }
    }
  }
}
