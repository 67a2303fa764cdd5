/** Work that a frame costs the room's thread, measured at 13–18 µs in workerd. */
const frameCostMs = 0.018;
/** Share of the time that frames may take; the rest is for what comes in. */
const maxFrameShare = 0.5;
/** However busy, the room says something this often. */
const maxIntervalMs = 250;
/** How much a late timer stretches the interval, and how slowly that is forgotten. */
const stretch = 1.5;
const decay = 0.9;

/**
 * When to flush: at once after a quiet moment, then once an interval. The interval grows with the number of frames
 * that a flush sends, and by itself when the room falls behind: a clock that stands still while code runs cannot
 * time a flush, but it shows how late the flush was.
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

  /** Milliseconds since the epoch at which the next flush is due; in the past: now. */
  dueAt(now: number): number {
    // A clock that was set back would otherwise hold everything for as long as it went.
    if (now < this.#lastAt) this.#lastAt = now;
    return this.#lastAt + this.#intervalMs;
  }

  /** Notes a flush that sent `frames` frames. `dueAt` is when it was wanted, undefined when nothing was waiting. */
  flushed(now: number, frames: number, dueAt: number | undefined): void {
    this.#lastAt = now;
    if (this.#baseMs === 0) return;
    const lateMs = dueAt === undefined ? 0 : now - dueAt;
    this.#stretched =
      lateMs > this.#intervalMs ? this.#stretched * stretch : Math.max(1, this.#stretched * decay);
    const framesMs = (frames * frameCostMs) / maxFrameShare;
    const wanted = Math.max(this.#baseMs, framesMs) * this.#stretched;
    this.#intervalMs = Math.min(maxIntervalMs, wanted);
    this.#stretched = Math.min(this.#stretched, maxIntervalMs / this.#baseMs);
  }
}
