import type { Flush, Operation } from "./engine/batch.ts";
import type { Broadcaster } from "./broadcast/broadcaster.ts";
import type { CatchUpQueue } from "./broadcast/catch-up-queue.ts";
import { Deflater } from "./broadcast/page-compression.ts";
import type { EphemeralUpdates } from "./flush/ephemeral.ts";
import { FlushPace } from "./flush/flush-pace.ts";
import { FlushTimer } from "./flush/flush-timer.ts";
import type { Limits } from "./limits.ts";
import type { Recovery } from "./recovery.ts";
import { nameOf, type RoomPorts } from "./room-ports.ts";
import type { Session } from "./sessions/session.ts";
import type { Journal } from "./storage/journal.ts";
import type { RoomState } from "./storage/room-state.ts";

/** What a flush needs of the room. */
export interface FlusherRoom {
  readonly limits: Limits;
  readonly ports: RoomPorts;
  readonly sessions: ReadonlyMap<string, Session>;
  readonly journal: Journal;
  readonly ephemeral: EphemeralUpdates;
  readonly broadcaster: Broadcaster;
  readonly catchUps: CatchUpQueue;
  readonly recovery: Recovery;
  /** Does work of a timer as an entry from outside, with the app's hooks behind it. */
  readonly enter: <T>(what: string, work: () => T) => T;
  /** Closes the sessions whose time is over: nothing more is for them. */
  readonly closeExpired: (now: number) => void;
  /** Called within a flush, when the state has changed. It must not throw. */
  readonly onFlush: () => void;
  /** Called for each operation once it is on disk and sent. */
  readonly onCommit: (operation: Operation) => void;
}

/**
 * Writes what was committed and sends it: the only way out of the room.
 *
 * A flush turns the batch into one journal row, and sends each session its frame when the row is on disk. Sessions that wait are
 * caught up then. A checkpoint follows when the journal is full enough, or when nothing was written for a while.
 *
 * Invariant: nothing leaves the room before its row is on disk.
 */
export class Flusher {
  readonly #room: FlusherRoom;
  readonly #pace: FlushPace;
  readonly #timer: FlushTimer;
  readonly #deflater: Deflater;
  #lastWriteAt = 0;
  #isQuietTimerSet = false;

  constructor(room: FlusherRoom) {
    const { limits, ports, enter } = room;
    this.#room = room;
    this.#pace = new FlushPace(limits.flushIntervalMs);
    this.#timer = new FlushTimer(this.#pace, ports, () => enter("flush", () => this.flush()));
    this.#deflater = new Deflater(ports.storage, limits.pageBytes, ports.deflate, (error) =>
      ports.log("deflate-failed", { error: nameOf(error) }),
    );
  }

  /** Whether all that has happened is on disk and sent. */
  get isSettled(): boolean {
    return !this.#room.journal.engine.hasBatch && this.#room.ephemeral.isEmpty;
  }

  /** Makes sure that all there is to send is on disk, and that this instance is the one to send it. */
  settle(): void {
    if (!this.isSettled) this.flush();
    this.#room.recovery.assertNewest();
  }

  /** Flushes when it is time, or sees to it that it will be. */
  schedule(): void {
    const { broadcaster, catchUps } = this.#room;
    if (this.isSettled && !broadcaster.hasReplies && catchUps.isEmpty) return;
    this.#timer.schedule();
  }

  /** Has a flush follow, but not before this turn is over. */
  scheduleSoon(): void {
    this.#timer.scheduleSoon();
  }

  /** Writes the batch, and sends it with presence and events. Returns false when the write failed. */
  flush(): boolean {
    const { ports, journal, ephemeral, broadcaster, catchUps, recovery } = this.#room;
    const now = ports.now();
    this.#room.closeExpired(now); // the alarm may be late
    const dueAt = this.#timer.clear();
    const flush = this.#takeBatch(now);
    if (flush === "failed") return false;
    if (flush !== undefined && !this.#write(flush)) {
      // There is no way out of a full journal but a checkpoint, and memory is now what disk says.
      if (journal.isFull) this.#checkpoint(now);
      return false;
    }
    for (const { event, payload } of flush?.broadcasts ?? []) ephemeral.event([null, event, payload]);
    if (flush !== undefined) this.#room.onFlush();
    const { frames, stale } = broadcaster.fanOut(journal.roomState, flush, ephemeral.take(), now);
    for (const session of stale)
      recovery.serve(session, () => broadcaster.update(journal.roomState, session));
    for (const operation of flush?.operations ?? []) this.#room.onCommit(operation);
    catchUps.flushed();
    this.#pace.flushed(now, frames, flush?.delta, dueAt);
    if (flush !== undefined) this.#afterWrite(now);
    return true;
  }

  /** Brings the pages up to date. Returns the state that there is then, which is another one if that failed. */
  checkpoint(): RoomState {
    this.#checkpoint(this.#room.ports.now());
    return this.#room.journal.roomState;
  }

  /** Compresses the pages in between other things, for the next snapshots. */
  deflatePages(): void {
    this.#deflater.run(() => this.#room.journal.roomState);
  }

  /** Takes the batch as a flush. When that fails, the batch is lost, and memory is what disk says. */
  #takeBatch(now: number): Flush | undefined | "failed" {
    try {
      return this.#room.journal.engine.takeBatch(now);
    } catch (error) {
      this.#room.recovery.mend(error);
      return "failed";
    }
  }

  /** Puts the flush on disk. Returns false when that failed: then memory is what disk says, and clients send again. */
  #write(flush: Flush): boolean {
    try {
      this.#room.journal.write(flush);
      return true;
    } catch (error) {
      this.#room.recovery.recover(error, flush.answers);
      return false;
    }
  }

  #afterWrite(now: number): void {
    this.#lastWriteAt = now;
    if (this.#room.journal.isCheckpointDue) this.#checkpoint(now);
    else this.#awaitQuiet();
  }

  /** Returns false when it failed: then memory is what disk says, or this instance has ended. */
  #checkpoint(now: number): boolean {
    const { journal, sessions, recovery } = this.#room;
    try {
      journal.checkpoint(now, (clientId) => sessions.has(clientId));
      return true;
    } catch (error) {
      recovery.recover(error);
      return false;
    }
  }

  /**
   * Once nothing has been written for a while, whether cursors move meanwhile or not: brings the pages up to date, so that the next
   * wake is quick, and sends the checksums that the sessions have not been sent.
   */
  #awaitQuiet(): void {
    const { journal, broadcaster, ports, limits, enter } = this.#room;
    if (this.#isQuietTimerSet) return;
    if (!journal.isCheckpointWorthwhile && !broadcaster.owesChecksums(journal.roomState)) return;
    this.#isQuietTimerSet = true;
    const { quietCheckpointMs } = limits;
    const quietAt = this.#lastWriteAt + quietCheckpointMs;
    ports.setTimer(
      () => {
        this.#isQuietTimerSet = false;
        const now = ports.now();
        if (this.#lastWriteAt + quietCheckpointMs > now) return this.#awaitQuiet();
        enter("a timer", () => this.#becomeQuiet(now));
      },
      Math.max(0, quietAt - ports.now()),
    );
  }

  #becomeQuiet(now: number): void {
    const { journal, broadcaster, recovery } = this.#room;
    this.flush();
    if (journal.isCheckpointWorthwhile && !this.#checkpoint(now)) return;
    if (broadcaster.owesChecksums(journal.roomState)) {
      recovery.assertNewest(); // the flush may have had nothing to write
      broadcaster.sendChecksums(journal.roomState);
    }
    this.deflatePages();
  }
}
