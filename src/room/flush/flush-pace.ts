import type { Span } from "../../protocol/encoding/delta.ts";

/** Work that a frame costs the room's thread, measured at 15 to 45 µs in workerd on machines that differ. */
const frameCostMs = 0.03;
/** Share of the time that frames may take; the rest is for what comes in. */
const maxFrameShare = 0.5;
/** However busy, the room says something this often. */
const maxIntervalMs = 250;
/** With no interval at all: how long what has arrived may go on being executed before it is flushed. */
const maxGatherMs = 5;
/** A flush of fewer operations waits longer for the next: each is a row, and rows are what a room costs. */
const fewOperations = 4;
const fewStretch = 2;
/** How much falling behind stretches the interval, and how slowly that is forgotten. */
const stretch = 1.5;
const decay = 0.9;

/**
 * When to flush: at once after a quiet moment, then once an interval. The interval grows with the number of frames
 * that a flush sends, and by itself while the room's timers are late: then messages wait to be handled. All of that is
 * measured by the room. No number that a client sends has a part in it, since every session has to wait for the interval.
 */
export class FlushPace {
  readonly #baseMs: number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #intervalMs: number;
  #stretched = 1;

  constructor(baseMs: number) {
    this.#baseMs = baseMs;
    this.#intervalMs = baseMs;
  }

  /**
   * Milliseconds since the epoch at which the next flush is due; in the past: now. With no interval that is as soon as
   * the messages that have come are executed, since a row for each would take longer than all of them.
   */
  dueAt(now: number): number {
    // A clock that was set back would otherwise hold everything for as long as it went.
    if (now < this.#lastAt) this.#lastAt = now;
    return this.#baseMs === 0 ? now : this.#lastAt + this.#intervalMs;
  }

  /** Whether to flush here and now, and not by a timer. `timedFor`: when a timer was to do so, undefined when there is none. */
  isDue(now: number, timedFor: number | undefined): boolean {
    if (this.#baseMs === 0) return timedFor !== undefined && now - timedFor > maxGatherMs;
    // A busy room must not wait for a timer that does not get its turn.
    return (timedFor ?? this.dueAt(now)) <= now;
  }

  /** Notes a flush of `delta`, which sent `frames` frames. `dueAt`: since when it or a timer is late; undefined when neither was due. */
  flushed(now: number, frames: number, delta: Span | undefined, dueAt: number | undefined): void {
    this.#lastAt = now;
    if (this.#baseMs === 0) return;
    const lateMs = dueAt === undefined ? 0 : now - dueAt;
    const isBehind = lateMs > this.#intervalMs;
    this.#stretched = isBehind ? this.#stretched * stretch : Math.max(1, this.#stretched * decay);
    const framesMs = (frames * frameCostMs) / maxFrameShare;
    const operations = delta === undefined ? 0 : delta.to - delta.from;
    const baseMs = this.#baseMs * (operations < fewOperations ? fewStretch : 1);
    const wanted = Math.max(baseMs, framesMs) * this.#stretched;
    this.#intervalMs = Math.min(maxIntervalMs, wanted);
    this.#stretched = Math.min(this.#stretched, maxIntervalMs / this.#baseMs);
  }
}
