const firstMs = 250;
const maxMs = 15_000;

/**
 * How long to wait before the next attempt: anything from nothing to a ceiling that doubles with each failure
 * (full jitter), so that the clients of a room that went away do not all come back at once.
 */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  /** `random` answers a number in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  reset(): void {
    this.#failures = 0;
  }

  nextMs(): number {
    const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    return this.#random() * ceiling;
  }
}
