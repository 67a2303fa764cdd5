import type { Caller } from "../../../src/model/call.ts";
import type { Call } from "../../../src/room/engine/engine.ts";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import type { Memory } from "../../../src/room/storage/room-state.ts";
import { wake } from "../../../src/room/storage/room-state.ts";
import { State } from "../../../src/model/state.ts";
import { Journal } from "../../../src/room/storage/journal.ts";
import type { Json } from "../../../src/index.ts";
import { RecordNames } from "../frames/record-names.ts";
import { applyDelta, namesOf } from "../frames/applied-delta.ts";
import { FailingStorage, type Write } from "./failing-storage.ts";
import { contentOf, copyOfState, editedCollections, editedIds, haveSameContent } from "../random-edits.ts";
import { sheet, sheetServerMutators } from "../boards/rules-board.ts";

const now = 1_700_000_000_000;

/** Tiny, so that everything wraps, folds, splits and merges after a few flushes. */
export const tinyLimits: Limits = { ...defaultLimits, maxRingFlushes: 3, pageBytes: 150 };

/** A room with a disk and no sockets. It checkpoints when that is due, as a room does. */
export class JournaledRoom {
  readonly limits: Limits;
  readonly storage: FailingStorage;
  readonly journal: Journal;
  /** By revision. */
  #states: State[] = [new State()];
  /** By revision, where a flush has ended: what clients know of handles there. */
  #names: (RecordNames | undefined)[] = [new RecordNames()];

  constructor(limits: Limits = tinyLimits, storage = new FailingStorage(2 * limits.maxRingFlushes)) {
    this.limits = limits;
    this.storage = storage;
    const options = { definition: sheet, limits, serverMutators: sheetServerMutators, onFailure: () => {} };
    this.journal = new Journal(storage, options, () => "epoch");
    this.noteState();
  }

  get memory(): Memory {
    return this.journal.memory;
  }

  /** Makes the client's next call. */
  call(client: Caller, type: string, payload: Json, baseRev = this.memory.rev): void {
    const clientReqId = (this.memory.marks.get(client.actor)?.mark ?? 0) + 1;
    const call: Call = { clientReqId, baseRev, type, payload };
    let submission = this.journal.engine.submit(client, call, now);
    if (submission.kind === "full") {
      this.flush();
      submission = this.journal.engine.submit(client, call, now);
    }
    if (submission.kind !== "executed") throw new Error(`${type} was not executed: ${submission.kind}`);
    this.noteState();
  }

  /** Keeps a copy of the room at its revision; call it after each call that is submitted past this class. */
  noteState(): void {
    const { rev, state, handles } = this.memory;
    this.#states[rev] = copyOfState(state);
    if (this.journal.engine.hasBatch) return; // nobody is told of this revision before the flush
    this.#names[rev] = namesOf(state, handles, Object.keys(sheet.collections));
  }

  put(client: Caller, id: string, text = "0123456789"): void {
    this.call(client, "transact", { notes: [["put", id, { text, rank: 0 }]] });
  }

  /** Newest revision that is on disk. */
  get flushedRev(): number {
    return Math.max(this.memory.checkpointRev, ...Array.from(this.storage.journal(0), ({ to }) => to));
  }

  flush(): void {
    const flush = this.journal.engine.cut(now);
    if (flush === undefined) return;
    this.journal.write(flush);
    this.noteState();
    if (this.journal.isCheckpointDue) this.checkpoint();
  }

  checkpoint(isPresent: (actor: string) => boolean = () => true): void {
    this.journal.checkpoint(now, isPresent);
  }

  /** Flushes or checkpoints with a disk that fails, and starts again from what is on it. False when nothing was written. */
  fail(write: Exclude<Write, "create">): boolean {
    if (write === "append" && !this.journal.engine.hasBatch) return false;
    this.storage.failNext(write);
    try {
      if (write === "append") this.flush();
      else this.checkpoint();
    } catch {
      this.crash();
      return true;
    }
    throw new Error(`${write} did not fail`);
  }

  /** Forgets all that is not on disk. */
  crash(): void {
    this.journal.reload();
    this.#states.length = this.memory.rev + 1;
    this.#names.length = this.memory.rev + 1;
  }

  /** The room as another instance would have it, from the same disk. */
  wake(): Memory {
    return wake(this.storage.copy(), this.limits, () => "another epoch");
  }

  /** What is wrong with the deltas of `memory`: each has to lead from the room as it was to the room as it is. */
  deltaProblems(memory: Memory): string[] {
    const problems: string[] = [];
    const newest = this.#states[memory.rev] as State;
    for (let rev = 0; rev < memory.rev; rev++) {
      const delta = memory.history.since(rev);
      const state = this.#states[rev];
      if (delta === undefined && rev >= memory.checkpointRev)
        problems.push(`${rev}: none, though no page has it`);
      if (delta === undefined || state === undefined) continue;
      if (delta.from > rev || delta.to !== memory.rev) problems.push(`${rev}: ${delta.from}..${delta.to}`);
      const names = this.#names[rev];
      if (names === undefined) continue;
      const reached = copyOfState(state);
      applyDelta(reached, new RecordNames(names), delta.body);
      if (!haveSameContent(reached, newest)) problems.push(`${rev}: the delta leads elsewhere`);
    }
    return problems;
  }
}

/** All of a memory but its history, for comparing. */
export function factsOf(memory: Memory): object {
  const { epoch, stored, rev, n, checkpointN, checkpointRev, journalBytes } = memory;
  const ids = [...editedIds, ...memory.state.ids("notes"), ...memory.state.ids("counters")];
  const names = [...editedCollections, "counters"];
  return structuredClone({
    numbers: { epoch, stored, rev, n, checkpointN, checkpointRev, journalBytes },
    horizons: memory.horizons.toJson(),
    content: contentOf(memory.state),
    checksums: memory.state.checksums,
    handles: [memory.handles.next, names.map((name) => ids.map((id) => memory.handles.get(name, id)))],
    authors: names.map((name) => ids.map((id) => memory.authorship.get(name, id))),
    tombstones: [...memory.authorship.tombstones()],
    marks: ["ann", "ben"].map((actor) => memory.marks.get(actor)),
    pages: { bytes: memory.pages.bytes, ranges: [...memory.pages.ranges()] },
  });
}

/** The bodies of the deltas from each revision. */
export function deltasOf(memory: Memory): (Uint8Array | undefined)[] {
  return Array.from({ length: memory.rev }, (_, rev) => memory.history.since(rev)?.body);
}
