/** A client and the user it belongs to, `""` for none: see `ownerOf`. */
export interface Holder {
  readonly clientId: string;
  readonly owner: string;
}

/**
 * The most that each holder keeps when all together may hold `most`: those that hold less keep all of it, and the largest are
 * cut to one level. `Infinity` when they hold no more than `most`.
 */
export function fairLevel(amounts: Iterable<number>, most: number): number {
  const sorted = Float64Array.from(amounts).toSorted();
  let left = most;
  for (const [index, amount] of sorted.entries()) {
    const share = left / (sorted.length - index);
    if (amount > share) return share;
    left -= amount;
  }
  return Infinity;
}

/** Amounts by name, and the level above which they are too large. */
class Amounts {
  readonly #byName = new Map<string, number>();
  #level: number | undefined;
  /** Changes until the level is worked out anew: as many as there are names, so that it costs each change the same. */
  #changesLeft = 0;
  total = 0;

  add(name: string, amount: number): void {
    const held = this.of(name) + amount;
    if (held > 0) this.#byName.set(name, held);
    else this.#byName.delete(name);
    this.total += amount;
    this.#changesLeft -= 1;
  }

  of(name: string): number {
    return this.#byName.get(name) ?? 0;
  }

  /** Takes from each name what it may keep of `most`, and returns the most that it took from one. */
  lower(most: number): number {
    const level = fairLevel(this.#byName.values(), most);
    for (const [name, held] of this.#byName) this.add(name, -Math.min(held, level));
    this.#level = undefined;
    return level;
  }

  level(most: number): number {
    if (this.total <= most) this.#level = undefined;
    if (this.total <= most) return Infinity;
    if (this.#level === undefined || this.#changesLeft <= 0) {
      this.#level = fairLevel(this.#byName.values(), most);
      this.#changesLeft = this.#byName.size;
    }
    return this.#level;
  }
}

/**
 * Who holds how much of something that all clients of a room share. A user holds what all clients of that user hold. Clients
 * without a user are one holder beside the users, since nothing proves that they are several people; among themselves each
 * client is a holder.
 *
 * The rule for every pool: when it is exhausted, only the largest holders are refused, closed or forgotten.
 */
export class Shares {
  readonly #owners = new Amounts();
  readonly #strangers = new Amounts();

  /** What all hold together. */
  get total(): number {
    return this.#owners.total;
  }

  add({ clientId, owner }: Holder, amount: number): void {
    if (amount === 0) return;
    this.#owners.add(owner, amount);
    if (owner === "") this.#strangers.add(clientId, amount);
  }

  /** Takes from each holder its fair part of `most`, of which all together hold more. */
  lower(most: number): void {
    this.#strangers.lower(this.#owners.lower(most));
    this.#owners.add("", this.#strangers.total - this.#owners.of(""));
  }

  /** Whether all together hold more than `most`, and `holder` is among the largest of them. */
  isAmongLargest({ clientId, owner }: Holder, most: number): boolean {
    const level = this.#owners.level(most);
    if (this.#owners.of(owner) <= level) return false;
    return owner !== "" || this.#strangers.of(clientId) > this.#strangers.level(level);
  }
}
