/** The middle one; of an even count the mean of the two in the middle. Throws when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const above = sorted[Math.floor(sorted.length / 2)];
  const below = sorted[Math.ceil(sorted.length / 2) - 1];
  if (above === undefined || below === undefined) throw new Error("there is no median of nothing");
  return (below + above) / 2;
}

const bucketsPerMs = 10;
const maxMs = 60_000;

/** Times in milliseconds, kept to a tenth; what is over a minute counts as a minute. */
export class Histogram {
  readonly #buckets = new Uint32Array(maxMs * bucketsPerMs + 1);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const bucket = Math.max(0, Math.min(maxMs * bucketsPerMs, Math.round(ms * bucketsPerMs)));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** The time that `share` of all are not above; NaN when there is none. */
  quantile(share: number): number {
    let left = Math.ceil(share * this.#count);
    if (left === 0) return Number.NaN;
    for (const [bucket, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0) return bucket / bucketsPerMs;
    }
    return maxMs;
  }
}
