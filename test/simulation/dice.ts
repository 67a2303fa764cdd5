/** Random numbers that are the same for the same seed: everything that a run leaves to chance is drawn here. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1);
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Whether something happens that happens with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    const index = Math.floor(this.next() * choices.length);
    if (choices.length === 0) throw new Error("nothing to choose from");
    return choices[index] as T;
  }

  /** One of `choices`, as often as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let rest = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of choices) {
      rest -= weight;
      if (rest < 0) return choice;
    }
    return (choices.at(-1) as readonly [number, T])[1];
  }

  /** Milliseconds: mostly nothing, now and then a while, seldom half a minute. */
  pauseMs(): number {
    const [low, high] = this.weighted<readonly [number, number]>([
      [50, [0, 5]],
      [36, [5, 60]],
      [12, [60, 1_000]],
      [2, [1_000, 30_000]],
    ]);
    return this.between(low, high);
  }
}
