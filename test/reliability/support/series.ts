/** Of the samples, those at the beginning that say nothing yet: caches fill, the garbage collector learns. */
const warmUpShare = 0.25;
const printed = 24;

/** One figure over time, in megabytes. */
export class Series {
  readonly #samples: number[] = [];

  add(megabytes: number): void {
    this.#samples.push(megabytes);
  }

  /** The median of the first third after the warm-up, and of the last. */
  get trend(): { readonly early: number; readonly late: number } {
    const warm = this.#samples.slice(Math.floor(this.#samples.length * warmUpShare));
    const third = Math.ceil(warm.length / 3);
    return { early: median(warm.slice(0, third)), late: median(warm.slice(-third)) };
  }

  /** Whether it has not grown by more than `share` of itself and `megabytes`. */
  isFlat(share: number, megabytes: number): boolean {
    const { early, late } = this.trend;
    return late <= early * (1 + share) + megabytes;
  }

  /** Some of the samples, evenly spread. */
  toString(): string {
    const step = Math.max(1, this.#samples.length / printed);
    const some = this.#samples.filter(
      (_, index) => Math.floor(index / step) > Math.floor((index - 1) / step),
    );
    return some.map((sample) => sample.toFixed(0)).join(" ");
  }
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
}
