import type { FlushPace } from "./flush-pace.ts";

/** The clock of a room. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls `run` after `delayMs`; answers how to cancel that. */
  readonly setTimer: (run: () => void, delayMs: number) => () => void;
}

/** Sees to it that `flush` is called when its pace says so: here and now, or by a timer, of which there is one at most. */
export class FlushTimer {
  readonly #pace: FlushPace;
  readonly #clock: Clock;
  readonly #flush: () => void;
  #timer: { readonly dueAt: number; readonly cancel: () => void } | undefined;

  constructor(pace: FlushPace, clock: Clock, flush: () => void) {
    this.#pace = pace;
    this.#clock = clock;
    this.#flush = flush;
  }

  /** Something waits to be flushed. */
  schedule(): void {
    const now = this.#clock.now();
    if (this.#pace.isDue(now, this.#timer?.dueAt)) this.#flush();
    else this.#setFor(this.#pace.dueAt(now), now);
  }

  /** Something waits to be flushed that must not be before this turn is over. */
  scheduleSoon(): void {
    const now = this.#clock.now();
    this.#setFor(now, now);
  }

  /** A flush has begun. Answers when it was due, undefined when nothing was waiting for one. */
  clear(): number | undefined {
    const dueAt = this.#timer?.dueAt;
    this.#timer?.cancel();
    this.#timer = undefined;
    return dueAt;
  }

  #setFor(dueAt: number, now: number): void {
    this.#timer ??= { dueAt, cancel: this.#clock.setTimer(this.#flush, dueAt - now) };
  }
}
