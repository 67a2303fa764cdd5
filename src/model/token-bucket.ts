/** What is left of a bucket, and when that was so: all that hibernation has to keep. */
export interface BucketState {
  readonly tokens: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A rate with room for bursts: `perSecond` tokens come in, up to `burst` of them wait to be used. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** Full, unless `state` says what is left. */
  constructor(perSecond: number, burst: number, state: BucketState = { tokens: burst, at: 0 }) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = state.tokens;
    this.#at = state.at;
  }

  get state(): BucketState {
    return { tokens: this.#tokens, at: this.#at };
  }

  /**
   * Uses `cost` tokens, the last of them on credit. Answers 0, or, with less than one left, uses none and answers the milliseconds until
   * there will be `wanted` of them (or as many as ever wait). With `wanted` 0 they are used in any case.
   */
  take(now: number, wanted = 1, cost = 1): number {
    this.#tokens = this.#refilled(this.#tokens, this.#at, now);
    this.#at = now;
    if (this.#tokens >= 1 || wanted === 0) {
      this.#tokens -= cost;
      return 0;
    }
    const missing = Math.min(wanted, this.#burst) - this.#tokens;
    return Math.max(1, Math.ceil((missing * 1_000) / this.#perSecond));
  }

  /** Keeps no more tokens than a bucket would have that is restored from `saved`. */
  lowerTo(saved: BucketState): void {
    const now = Math.max(this.#at, saved.at);
    const own = this.#refilled(this.#tokens, this.#at, now);
    this.#tokens = Math.min(own, this.#refilled(saved.tokens, saved.at, now));
    this.#at = now;
  }

  /** Whether so little of it is used that it need not be saved. */
  get isNearlyFull(): boolean {
    return this.#tokens >= 1 && this.#burst - this.#tokens <= this.#burst * unsavedShare;
  }

  /** Whether a bucket that is restored from `saved` would have too much more than this one. */
  isLessThan(saved: BucketState): boolean {
    if (this.isNearlyFull) return false; // a full one would not have enough more
    const restored = this.#refilled(saved.tokens, saved.at, this.#at);
    return restored - this.#tokens > this.#burst * unsavedShare || (this.#tokens < 1 && restored >= 1);
  }

  #refilled(tokens: number, at: number, now: number): number {
    // A clock that was set back gives nothing and takes nothing.
    const passedMs = Math.max(0, now - at);
    return Math.min(this.#burst, tokens + (passedMs * this.#perSecond) / 1_000);
  }
}

/** Of a burst: to save every token that is used would cost more than using it. */
const unsavedShare = 0.25;
