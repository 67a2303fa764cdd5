/** What is left of a bucket, and when that was so. */
export interface BucketState {
  readonly tokens: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A rate with room for bursts: `perSecond` tokens come in, up to `burst` of them wait to be used. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  protected current: BucketState;

  /** Full, unless `state` says what is left. */
  constructor(perSecond: number, burst: number, state: BucketState = { tokens: burst, at: 0 }) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.current = state;
  }

  /**
   * Uses `cost` tokens, the last of them on credit. Answers 0, or, with less than one left, uses none and answers the milliseconds until
   * there will be `wanted` of them (or as many as ever wait). With `wanted` 0 they are used in any case.
   */
  take(now: number, wanted = 1, cost = 1): number {
    const tokens = this.refilled(this.current, now);
    const isGiven = tokens >= 1 || wanted === 0;
    this.current = { tokens: isGiven ? tokens - cost : tokens, at: now };
    if (isGiven) return 0;
    const missing = Math.min(wanted, this.#burst) - tokens;
    return Math.max(1, Math.ceil((missing * 1_000) / this.#perSecond));
  }

  /** The tokens that there are at `now` of those in `state`. */
  protected refilled({ tokens, at }: BucketState, now: number): number {
    // A clock that was set back gives nothing and takes nothing.
    const passedMs = Math.max(0, now - at);
    return Math.min(this.#burst, tokens + (passedMs * this.#perSecond) / 1_000);
  }
}
