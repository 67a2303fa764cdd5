import type { FlushPace } from "./flush-pace.ts";

/** The clock of a room. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls `run` after `delayMs`; answers how to cancel that. */
  readonly setTimer: (run: () => void, delayMs: number) => () => void;
}

/** A timer that was set and has not been replaced. */
interface SetTimer {
  readonly dueAt: number;
  readonly cancel: () => void;
  hasFired: boolean;
}

/**
 * Calls `flush` when its pace says so: in the current turn, or by a timer. At most one timer is set.
 *
 * The timer also measures how far the room is behind. workerd fires a timer when no message waits to be handled. So a timer
 * that is late by 100 ms means that messages wait for about as long. A message that finds the timer late flushes in its place,
 * and leaves the timer as it is: the next flush then sees how late it is by now.
 */
export class FlushTimer {
  readonly #pace: FlushPace;
  readonly #clock: Clock;
  readonly #flush: () => void;
  /** When the next flush is due; undefined while nothing waits for one. */
  #flushDueAt: number | undefined;
  #timer: SetTimer | undefined;

  constructor(pace: FlushPace, clock: Clock, flush: () => void) {
    this.#pace = pace;
    this.#clock = clock;
    this.#flush = flush;
  }

  /** Something waits to be flushed. */
  schedule(): void {
    const now = this.#clock.now();
    if (this.#pace.isDue(now, this.#flushDueAt)) this.#flush();
    else this.#setFor(this.#pace.dueAt(now), now);
  }

  /** Something waits to be flushed that must not be before this turn is over. */
  scheduleSoon(): void {
    const now = this.#clock.now();
    this.#setFor(now, now);
  }

  /** A flush begins. Returns since when a timer should have fired, or when the flush was due; undefined when no flush was due. */
  clear(): number | undefined {
    const timer = this.#timer;
    const dueAt = timer === undefined ? this.#flushDueAt : timer.dueAt;
    this.#flushDueAt = undefined;
    if (timer !== undefined && (timer.hasFired || timer.dueAt > this.#clock.now())) {
      timer.cancel();
      this.#timer = undefined;
    }
    return dueAt;
  }

  #setFor(dueAt: number, now: number): void {
    if (this.#flushDueAt !== undefined) return;
    this.#flushDueAt = dueAt;
    this.#startTimer(now);
  }

  /** A timer that is late stays: it sets itself again once it has fired. */
  #startTimer(now: number): void {
    const dueAt = this.#flushDueAt;
    if (this.#timer !== undefined || dueAt === undefined) return;
    const cancel = this.#clock.setTimer(() => this.#fired(), dueAt - now);
    this.#timer = { dueAt, cancel, hasFired: false };
  }

  #fired(): void {
    // The time of a timer that has fired has come, whatever a clock says that was set back meanwhile.
    const now = Math.max(this.#clock.now(), this.#timer?.dueAt ?? 0);
    if (this.#timer !== undefined) this.#timer.hasFired = true;
    if (this.#flushDueAt !== undefined && this.#flushDueAt <= now) return this.#flush();
    this.#timer = undefined;
    this.#startTimer(now);
  }
}
