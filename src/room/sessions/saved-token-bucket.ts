import { TokenBucket, type BucketState } from "../../model/token-bucket.ts";

/** Of a burst: to save every token that is used would cost more than using it. */
const unsavedShare = 0.25;

/** A bucket of a session, whose state hibernation has to keep. */
export class SavedTokenBucket extends TokenBucket {
  readonly #burst: number;

  constructor(perSecond: number, burst: number, state: BucketState) {
    super(perSecond, burst, state);
    this.#burst = burst;
  }

  get state(): BucketState {
    return this.current;
  }

  /** Keeps no more tokens than a bucket would have that is restored from `saved`. */
  lowerTo(saved: BucketState): void {
    const at = Math.max(this.current.at, saved.at);
    this.current = { tokens: Math.min(this.refilled(this.current, at), this.refilled(saved, at)), at };
  }

  /** Whether so little of it is used that it need not be saved. */
  get isNearlyFull(): boolean {
    const { tokens } = this.current;
    return tokens >= 1 && this.#burst - tokens <= this.#burst * unsavedShare;
  }

  /** Whether a bucket that is restored from `saved` would have too much more than this one. */
  isLessThan(saved: BucketState): boolean {
    if (this.isNearlyFull) return false; // a full one would not have enough more
    const { tokens, at } = this.current;
    const restored = this.refilled(saved, at);
    return restored - tokens > this.#burst * unsavedShare || (tokens < 1 && restored >= 1);
  }
}
