import type { Caller } from "../../../src/model/call.ts";
import type { SubmittedCall } from "../../../src/room/engine/submission.ts";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import type { RoomState } from "../../../src/room/storage/room-state.ts";
import { wake } from "../../../src/room/storage/room-state.ts";
import { State } from "../../../src/model/state.ts";
import { Journal } from "../../../src/room/storage/journal.ts";
import type { Json } from "../../../src/index.ts";
import { RecordNames } from "../frames/record-names.ts";
import { applyDelta, namesOf } from "../frames/applied-delta.ts";
import { FailingStorage, type Write } from "./failing-storage.ts";
import { contentOf, copyOfState, editedCollections, editedIds, haveSameContent } from "../random-edits.ts";
import { rulesBoard, rulesServerMutators } from "../boards/rules-board.ts";

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
    const options = {
      definition: rulesBoard,
      limits,
      serverMutators: rulesServerMutators,
      onFailure: () => {},
    };
    this.journal = new Journal(storage, options, () => "epoch");
    this.noteState();
  }

  get roomState(): RoomState {
    return this.journal.roomState;
  }

  /** Makes the client's next call. */
  call(client: Caller, type: string, payload: Json, baseRev = this.roomState.rev): void {
    const clientReqId = (this.roomState.clientLog.get(client.clientId)?.lastCallId ?? 0) + 1;
    const call: SubmittedCall = { clientReqId, baseRev, type, payload };
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
    const { rev, records, handles } = this.roomState;
    this.#states[rev] = copyOfState(records);
    if (this.journal.engine.hasBatch) return; // nobody is told of this revision before the flush
    this.#names[rev] = namesOf(records, handles, Object.keys(rulesBoard.collections));
  }

  put(client: Caller, id: string, text = "0123456789"): void {
    this.call(client, "transact", { notes: [["put", id, { text, rank: 0 }]] });
  }

  /** Newest revision that is on disk. */
  get flushedRev(): number {
    return Math.max(this.roomState.checkpointRev, ...Array.from(this.storage.journal(0), ({ to }) => to));
  }

  flush(): void {
    const flush = this.journal.engine.takeBatch(now);
    if (flush === undefined) return;
    this.journal.write(flush);
    this.noteState();
    if (this.journal.isCheckpointDue) this.checkpoint();
  }

  checkpoint(isPresent: (clientId: string) => boolean = () => true): void {
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
    this.#states.length = this.roomState.rev + 1;
    this.#names.length = this.roomState.rev + 1;
  }

  /** The room as another instance would have it, from the same disk. */
  wake(): RoomState {
    return wake(this.storage.copy(), this.limits, () => "another epoch");
  }

  /** What is wrong with the deltas of `memory`: each has to lead from the room as it was to the room as it is. */
  deltaProblems(roomState: RoomState): string[] {
    const problems: string[] = [];
    const newest = this.#states[roomState.rev] as State;
    for (let rev = 0; rev < roomState.rev; rev++) {
      const delta = roomState.history.since(rev);
      const state = this.#states[rev];
      if (delta === undefined && rev >= roomState.checkpointRev)
        problems.push(`${rev}: none, though no page has it`);
      if (delta === undefined || state === undefined) continue;
      if (delta.from > rev || delta.to !== roomState.rev) problems.push(`${rev}: ${delta.from}..${delta.to}`);
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
export function factsOf(roomState: RoomState): object {
  const { epoch, stored, rev, flushSeq, checkpointFlushSeq, checkpointRev, journalBytes } = roomState;
  const ids = [...editedIds, ...roomState.records.ids("notes"), ...roomState.records.ids("counters")];
  const names = [...editedCollections, "counters"];
  return structuredClone({
    numbers: { epoch, stored, rev, flushSeq, checkpointFlushSeq, checkpointRev, journalBytes },
    horizons: roomState.horizons.toJson(),
    content: contentOf(roomState.records),
    checksums: roomState.records.checksums,
    handles: [roomState.handles.next, names.map((name) => ids.map((id) => roomState.handles.get(name, id)))],
    authors: names.map((name) => ids.map((id) => roomState.authorship.get(name, id))),
    tombstones: [...roomState.authorship.tombstones()],
    clientLog: ["ann", "ben"].map((clientId) => roomState.clientLog.get(clientId)),
    pages: { bytes: roomState.pages.bytes, ranges: [...roomState.pages.ranges()] },
  });
}

/** The bodies of the deltas from each revision. */
export function deltasOf(roomState: RoomState): (Uint8Array | undefined)[] {
  return Array.from({ length: roomState.rev }, (_, rev) => roomState.history.since(rev)?.body);
}
