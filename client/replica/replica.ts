import { assertSync, checkPayload, type Caller, type CallOptions } from "../../src/model/call.ts";
import { applyChange, partitionOf, type Changes } from "../../src/model/changes.ts";
import type { Checksums } from "../../src/model/checksum.ts";
import type { Delta } from "../../src/protocol/encoding/delta.ts";
import { equalJson, type Fields } from "../../src/model/json.ts";
import { callLimits } from "../../src/model/call-limits.ts";
import { ArrivingSnapshot } from "./arriving-snapshot.ts";
import { noteHandles, noteRecords, resolve, type RecordIds } from "./record-ids.ts";
import { Overlay, type PendingCall, type Prediction } from "./rebase.ts";
import type { PageRecords } from "../../src/protocol/encoding/page-records.ts";
import { State, type RecordSource } from "../../src/model/state.ts";
import { Transaction, type Tx, type Writes } from "../../src/model/transaction.ts";
import type { SnapshotPart } from "../../src/protocol/down/down-frames.ts";
import type { ResumeSnapshot } from "../../src/protocol/handshake/hello.ts";
import { decodeRecords } from "../../src/protocol/down/snapshot-part.ts";
import type { AnyRoomDefinition } from "../../src/schema/definition.ts";

/** One record of the view, before and after. */
export interface ViewChange {
  readonly before: Fields | undefined;
  readonly after: Fields | undefined;
}

/** Collection → record id → what became of it. Where none is listed all are new, and nobody watches. */
export type ViewChanges = Map<string, Map<string, ViewChange>>;

/**
 * What this client knows: the room's state at `rev` (the base), and the view, which is the base with the pending
 * calls run on top. A record that comes out the same stays the same object.
 */
export class Replica {
  readonly #definition: AnyRoomDefinition;
  readonly #isWatched: () => boolean;
  #caller: Caller;
  #epoch: string | null = null;
  #rev = 0;
  #base = new State();
  /** Ids of the base's records by their handles. */
  #handles: RecordIds = new Map();
  #view: Overlay;
  /** A snapshot that is arriving: nothing of it is shown before it is whole. */
  #arriving: ArrivingSnapshot | undefined;

  /** `isWatched`: whether anybody wants to be told of changes. */
  constructor(definition: AnyRoomDefinition, caller: Caller, isWatched: () => boolean) {
    this.#definition = definition;
    this.#isWatched = isWatched;
    this.#caller = caller;
    this.#view = this.#newView();
  }

  get epoch(): string | null {
    return this.#epoch;
  }

  get rev(): number {
    return this.#rev;
  }

  get view(): RecordSource {
    return this.#view;
  }

  /** Whether there is a state to show. */
  get isReady(): boolean {
    return this.#epoch !== null;
  }

  /** Who makes the calls from now on. */
  identify(caller: Caller): void {
    this.#caller = caller;
  }

  /** A record of the confirmed state. */
  confirmed(collection: string, id: string): Fields | undefined {
    return this.#base.get(collection, id);
  }

  isPending(collection: string, id: string): boolean {
    return this.#view.holds(collection, id);
  }

  /** The records that pending calls have changed. */
  pendingRecords(): Iterable<readonly [collection: string, id: string, record: Fields | undefined]> {
    return this.#view.records();
  }

  // ── local ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** What a mutator would do to the view. */
  run(call: PendingCall): Prediction {
    return this.#view.run(call);
  }

  /** What a direct edit would do to the view. Throws what it throws. */
  edit(run: (tx: Tx) => unknown): Writes {
    const { definition, limits } = this.#options();
    const transaction = new Transaction(this.#view, { definition, limits }, definition.direct);
    try {
      assertSync("the edit", run(transaction.tx));
    } finally {
      transaction.close();
    }
    return transaction.writes;
  }

  /** Puts into the view what a run has written. */
  put(writes: Writes): ViewChanges {
    const put: ViewChanges = new Map();
    for (const [collection, records] of writes) {
      for (const [id, { record: after }] of records) {
        const before = this.#view.get(collection, id);
        const isSame = equalJson(before, after); // as after a put and a delete of the same record
        this.#view.set(collection, id, isSame ? before : after);
        if (!isSame) partitionOf(put, collection).set(id, { before, after });
      }
    }
    return put;
  }

  // ── from the room ──────────────────────────────────────────────────────────────────────────────────────────

  /** How much is here of a snapshot that was cut; undefined when nothing is. */
  get resumeSnapshot(): ResumeSnapshot | undefined {
    return this.#arriving?.progress;
  }

  /** Takes in a part of a snapshot of `epoch`, whose content is not compressed. Throws when one is missing before it. */
  receivePart(epoch: string, part: SnapshotPart): void {
    const records = decodeRecords(part.content);
    if (part.part === 0) this.#arriving = new ArrivingSnapshot(epoch, part.rev);
    const arriving = this.#arriving;
    if (arriving === undefined || arriving.parts !== part.part || arriving.epoch !== epoch)
      throw new Error(`snapshot part ${part.part} is out of place`);
    arriving.add(part, records);
  }

  /** Forgets the parts of a snapshot that is not whole. */
  forgetParts(): void {
    this.#arriving = undefined;
  }

  /** A snapshot of `parts` parts is here whole but for `delta`: from now on it is the base. Throws when it is not. */
  finishSnapshot(epoch: string, parts: number, delta: Delta, pending: readonly PendingCall[]): ViewChanges {
    const arriving = parts === 0 ? new ArrivingSnapshot(epoch, 0) : this.#arriving;
    if (arriving?.parts !== parts) throw new Error(`snapshot has ${arriving?.parts ?? 0} parts of ${parts}`);
    arriving.state.apply(resolve(delta.entries, arriving.handles));
    noteHandles(arriving.handles, delta.entries);
    this.#arriving = undefined;
    return this.#replaceBase(arriving, delta.to, pending);
  }

  /** Goes on from a base that an earlier page has kept. */
  restore({ epoch, rev, pages }: KeptBase, pending: readonly PendingCall[]): ViewChanges {
    const base = new ArrivingSnapshot(epoch, rev);
    for (const [collection, records] of pages) {
      base.state.add(collection, records);
      noteRecords(base.handles, collection, records);
    }
    return this.#replaceBase(base, rev, pending);
  }

  /** Handles of the base's records of `collection`, in no order. */
  handles(collection: string): Iterable<number> {
    return this.#handles.get(collection)?.keys() ?? [];
  }

  /** A record of the base; undefined when no record has this handle any more. */
  recordOf(collection: string, handle: number): readonly [id: string, record: Fields] | undefined {
    const id = this.#handles.get(collection)?.get(handle);
    const record = id === undefined ? undefined : this.#base.get(collection, id);
    return id === undefined || record === undefined ? undefined : [id, record];
  }

  #replaceBase(
    { epoch, state, handles }: Pick<ArrivingSnapshot, "epoch" | "state" | "handles">,
    rev: number,
    pending: readonly PendingCall[],
  ): ViewChanges {
    // To list all that a first state holds takes half as long as to read it, and mostly nobody watches yet.
    const isListed = this.isReady || this.#isWatched();
    const shown = this.#view;
    this.#base = state;
    this.#handles = handles;
    this.#epoch = epoch;
    this.#rev = rev;
    this.#run(pending);
    const changes: ViewChanges = new Map();
    for (const collection in this.#definition.collections) {
      if (isListed) this.#settleAll(collection, shown, changes);
      else changes.set(collection, new Map());
    }
    return changes;
  }

  /** Whether a delta belongs on top of what is here: it begins at or below it and does not end below it. */
  fits(delta: Delta): boolean {
    return this.#epoch !== null && delta.from <= this.#rev;
  }

  /**
   * Compares the base, as it is at this moment, with `checksums`. Each call of the returned function adds up one part of
   * a base that came whole; when no part is left, the function returns the collections that differ. A delta that is
   * taken in between two calls makes no difference: the parts are added up as they came.
   */
  comparison(checksums: Checksums): () => string[] | undefined {
    const base = this.#base;
    const names = Object.keys(this.#definition.collections);
    /** By collection: what the parts still have to add up to. */
    const missing = new Map(names.map((name) => [name, (checksums[name] ?? 0) - base.counted(name)]));
    return () => {
      const [name, sum] = base.countSome() ?? [];
      if (name === undefined) return names.filter((each) => (missing.get(each) as number) >>> 0 !== 0);
      missing.set(name, ((missing.get(name) ?? 0) - (sum as number)) | 0);
      return undefined;
    };
  }

  /**
   * Takes in a delta that fits, or none, and runs the pending calls again. One that ends below what is here is
   * dropped. Throws when a change meets no record; then nothing has been applied.
   */
  advance(delta: Delta | undefined, pending: readonly PendingCall[]): ViewChanges {
    const newDelta = delta === undefined || delta.to <= this.#rev ? undefined : delta;
    const records =
      newDelta === undefined ? [] : [...this.#applied(resolve(newDelta.entries, this.#handles))];
    const before = this.#touched([...records, ...this.#view.records()]);
    for (const [collection, id, record] of records) this.#base.set(collection, id, record);
    if (newDelta !== undefined) {
      noteHandles(this.#handles, newDelta.entries);
      this.#rev = newDelta.to;
    }
    return this.#rebase(before, pending);
  }

  /** The records that `changes` leave in the base; worked out before any is put there. */
  *#applied(changes: Changes): Generator<readonly [string, string, Fields | undefined]> {
    for (const [collection, partition] of changes) {
      for (const [id, change] of partition)
        yield [collection, id, applyChange(this.#base.get(collection, id), change)];
    }
  }

  /** The view's records before something happens to them. */
  #touched(
    records: readonly (readonly [collection: string, id: string, record: unknown])[],
  ): Map<string, Map<string, Fields | undefined>> {
    const before = new Map<string, Map<string, Fields | undefined>>();
    for (const [collection, id] of records)
      partitionOf(before, collection).set(id, this.#view.get(collection, id));
    return before;
  }

  /** A new view over the base. `before` holds every record that the base or the old view may have changed. */
  #rebase(
    before: Map<string, Map<string, Fields | undefined>>,
    pending: readonly PendingCall[],
  ): ViewChanges {
    this.#run(pending);
    for (const [collection, id] of this.#view.records()) {
      const partition = partitionOf(before, collection);
      // The base did not change here, so it still says what the view said.
      if (!partition.has(id)) partition.set(id, this.#base.get(collection, id));
    }
    const changes: ViewChanges = new Map();
    for (const [collection, partition] of before) {
      for (const [id, record] of partition) this.#settle(collection, id, record, changes);
    }
    return changes;
  }

  /** Begins a new view over the base. */
  #run(pending: readonly PendingCall[]): void {
    this.#view = this.#newView();
    for (const call of pending) this.#view.predict(call);
  }

  /** Notes what became of the records of a collection, of which those of `shown` were in the view. */
  #settleAll(collection: string, shown: RecordSource, changes: ViewChanges): void {
    for (const id of shown.ids(collection)) this.#settle(collection, id, shown.get(collection, id), changes);
    for (const id of this.#view.ids(collection)) {
      if (shown.get(collection, id) === undefined) this.#settle(collection, id, undefined, changes);
    }
  }

  /** Notes what became of a record; of one that says the same, the object that the app has is kept. */
  #settle(collection: string, id: string, before: Fields | undefined, changes: ViewChanges): void {
    const after = this.#view.get(collection, id);
    if (after === before) return;
    if (!equalJson(after, before)) partitionOf(changes, collection).set(id, { before, after });
    else if (this.#view.holds(collection, id)) this.#view.set(collection, id, before);
    else this.#base.set(collection, id, before);
  }

  #newView(): Overlay {
    return new Overlay(this.#base, this.#options());
  }

  #options(): Omit<CallOptions, "location" | "now"> {
    return { definition: this.#definition, limits: callLimits, caller: this.#caller, checkPayload };
  }
}

/** A base as it outlives its page. */
export interface KeptBase {
  readonly epoch: string;
  readonly rev: number;
  /** No record stands in two pages. */
  readonly pages: Iterable<readonly [collection: string, records: PageRecords]>;
}
