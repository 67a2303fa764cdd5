/** Owners whose horizon is kept apart: as many as deletions are remembered, for they share a row of storage. */
const maxOwners = 1_024;

/**
 * The flush at which the room last forgot a client, for each owner. An unknown client that was born before it may have been
 * forgotten, with calls in doubt. One owner's overflow moves no other owner's horizon. Beyond 1,024 owners the one that was moved
 * longest ago is merged into the horizon of all owners that are not listed.
 */
export class Horizons {
  /** By owner; the one that was moved last is at the end. */
  readonly #byOwner: Map<string, number>;
  #others: number;

  constructor(others = 0, byOwner: Iterable<readonly [owner: string, n: number]> = []) {
    this.#others = others;
    this.#byOwner = new Map(byOwner);
  }

  /** Reads what {@link toJson} has written. */
  static fromJson(json: string): Horizons {
    const [others, byOwner] = JSON.parse(json) as [number, [string, number][]];
    return new Horizons(others, byOwner);
  }

  toJson(): string {
    return JSON.stringify([this.#others, [...this.#byOwner]]);
  }

  /** Number of the flush at which a client of `owner` was last forgotten; 0 for never. */
  of(owner: string): number {
    return this.#byOwner.get(owner) ?? this.#others;
  }

  /** Notes that clients of these owners are forgotten at flush `n`. */
  move(owners: Iterable<string>, n: number): void {
    for (const owner of owners) {
      this.#byOwner.delete(owner);
      this.#byOwner.set(owner, n);
    }
    for (const [owner, at] of this.#byOwner) {
      if (this.#byOwner.size <= maxOwners) return;
      this.#byOwner.delete(owner);
      this.#others = Math.max(this.#others, at);
    }
  }
}
