import type { Flush } from "../engine/batch.ts";
import { Engine, type EngineOptions } from "../engine/engine.ts";
import type { Limits } from "../limits.ts";
import { makeCheckpoint, newRoomRow, settleCheckpoint, wake, type RoomState } from "./room-state.ts";
import type { ForgottenClients } from "../engine/client-log/client-log.ts";
import { Partitions } from "../visibility/partitions.ts";
import type { RoomStorage } from "./room-storage.ts";

/** Flushes below which a quiet room need not write a checkpoint. For each the next wake may have to read a page. */
const fewFlushes = 8;

/** Rows of the journal. Twice the ring: what the ring held at the last checkpoint is still there at the next. */
export function journalSlots({ maxRingFlushes }: Pick<Limits, "maxRingFlushes">): number {
  return 2 * maxRingFlushes;
}

/** The room's memory and its storage, kept the same: every flush a row, every so often a checkpoint. */
export class Journal {
  readonly #storage: RoomStorage;
  readonly #options: EngineOptions;
  readonly #newEpoch: () => string;
  #engine: Engine<RoomState>;

  /** Wakes the room. Throws when storage does: then there is no room to serve. */
  constructor(storage: RoomStorage, options: EngineOptions, newEpoch: () => string) {
    this.#storage = storage;
    this.#options = options;
    this.#newEpoch = newEpoch;
    this.#engine = this.#wake();
  }

  get engine(): Engine<RoomState> {
    return this.#engine;
  }

  get roomState(): RoomState {
    return this.#engine.roomState;
  }

  /** Throws `SupersededError` when another instance has written since: what this one knows is not the truth. */
  assertNewest(): void {
    if (this.roomState.stored)
      this.#storage.assertNewest(this.roomState.flushSeq, this.roomState.checkpoints);
  }

  /** Makes the epoch last. A room that nobody joined or wrote to leaves nothing in storage. */
  create(): void {
    if (this.roomState.stored) return;
    this.#storage.create(newRoomRow(this.roomState.epoch, this.roomState.partitions));
    this.roomState.stored = true;
  }

  /** Puts a flush on disk. Throws when it is not there; memory is then ahead of disk and must be thrown away. */
  write(flush: Flush): void {
    if (this.isFull)
      throw new Error(`journal full: no checkpoint since flush ${this.roomState.checkpointFlushSeq}`);
    this.create();
    this.#storage.append(flush.row, this.roomState.checkpoints);
    this.#engine.onPersisted(flush);
  }

  /** Forgets everything since the last flush that is on disk. */
  reload(): void {
    this.#engine = this.#wake();
  }

  /** Whether the next row would take the place of one that the pages do not hold, as checkpoints failed for so long. */
  get isFull(): boolean {
    return this.#flushes >= journalSlots(this.#options.limits);
  }

  /** Whether the journal, or the number of remembered clients, must not grow further before a checkpoint. */
  get isCheckpointDue(): boolean {
    const { maxRingFlushes, maxRingBytes, maxLoggedClients, maxRemoteClients, maxSessions } =
      this.#options.limits;
    if (this.#flushes >= maxRingFlushes || this.roomState.journalBytes >= maxRingBytes) return true;
    return this.roomState.clientLog.size > maxLoggedClients + maxRemoteClients + maxSessions;
  }

  /** Whether a checkpoint in a quiet moment would spare the next wake some work. */
  get isCheckpointWorthwhile(): boolean {
    return this.#flushes >= fewFlushes || this.roomState.journalBytes >= this.#options.limits.pageBytes;
  }

  /** Brings the pages up to date, forgets clients that have been away for long, and trims history. */
  checkpoint(now: number, isPresent: (clientId: string) => boolean): void {
    this.assertNewest(); // in a quiet moment no flush has just made sure of it
    const { roomState } = this;
    const forgotten = roomState.clientLog.evict(this.#options.limits, now, isPresent);
    roomState.history.trim(
      Math.min(this.#options.limits.maxHistoryBytes, roomState.pages.bytes),
      roomState.rev,
    );
    this.#writeCheckpoint(roomState, forgotten);
  }

  /**
   * Begins another history with the state as it is; the checkpoint makes rows of the former one needless. When this throws,
   * memory must be thrown away: rows of an epoch that the room's row does not name would not be read again.
   */
  renewEpoch(now: number, isPresent: (clientId: string) => boolean): void {
    this.create();
    this.roomState.epoch = this.#newEpoch();
    this.checkpoint(now, isPresent);
  }

  /** Flushes since the last checkpoint. */
  get #flushes(): number {
    return this.roomState.flushSeq - this.roomState.checkpointFlushSeq;
  }

  #wake(): Engine<RoomState> {
    const { definition, limits } = this.#options;
    const roomState = wake(this.#storage, limits, this.#newEpoch, new Partitions(definition.private));
    // What history does not hold, only pages can tell.
    if (roomState.isDividedAnew) this.#writeCheckpoint(roomState, { clientIds: [], owners: [] });
    return new Engine(roomState, this.#options);
  }

  #writeCheckpoint(roomState: RoomState, forgotten: ForgottenClients): void {
    const checkpoint = makeCheckpoint(roomState, forgotten);
    this.#storage.checkpoint(checkpoint);
    settleCheckpoint(roomState, checkpoint);
  }
}
