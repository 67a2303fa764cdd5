import type { Span } from "../../protocol/encoding/delta.ts";

/**
 * The newest spans of a gap-free history, at most `capacity` of them; a new one takes the place of the oldest.
 * Adding is O(1) and finding a revision O(log n), and no entry is ever moved.
 */
export class RingBuffer<T extends Span> {
  readonly capacity: number;
  readonly #slots: (T | undefined)[] = [];
  /** Entries ever added; entry number n is in slot n mod capacity. */
  #added = 0;
  #size = 0;

  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new RangeError(`capacity ${capacity} is not a count`);
    this.capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  get oldest(): T | undefined {
    return this.#size === 0 ? undefined : this.#at(0);
  }

  get newest(): T | undefined {
    return this.#size === 0 ? undefined : this.#at(this.#size - 1);
  }

  /** Adds the next span and answers the one that had to leave for it. Throws when there is a gap or no progress. */
  push(entry: T): T | undefined {
    const newest = this.newest;
    if (newest !== undefined && newest.to !== entry.from) {
      throw new Error(`ring buffer gap: have ${newest.to}, got ${entry.from}`);
    }
    if (entry.to <= entry.from) throw new Error(`ring buffer: ${entry.from}..${entry.to} goes nowhere`);
    const displaced = this.#size === this.capacity ? this.shift() : undefined;
    this.#slots[this.#added % this.capacity] = entry;
    this.#added += 1;
    this.#size += 1;
    return displaced;
  }

  /** Takes the oldest span out. */
  shift(): T | undefined {
    const oldest = this.oldest;
    if (oldest === undefined) return undefined;
    this.#slots[(this.#added - this.#size) % this.capacity] = undefined;
    this.#size -= 1;
    return oldest;
  }

  /**
   * The spans that together cover revisions `fromRev + 1` to `toRev`, oldest first; the first may begin below
   * `fromRev` and the last end above `toRev`. Undefined when the buffer does not reach that far either way.
   */
  range(fromRev: number, toRev: number): T[] | undefined {
    if (fromRev >= toRev) return [];
    const oldest = this.oldest;
    const newest = this.newest;
    if (oldest === undefined || newest === undefined) return undefined;
    if (fromRev < oldest.from || toRev > newest.to) return undefined;
    const spans: T[] = [];
    for (let index = this.#indexOf(fromRev); index < this.#size; index++) {
      const span = this.#at(index);
      if (span.from >= toRev) break;
      spans.push(span);
    }
    return spans;
  }

  /** Oldest first. */
  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.#size; index++) yield this.#at(index);
  }

  /** Index of the span that holds revision `rev + 1`. */
  #indexOf(rev: number): number {
    let low = 0;
    let high = this.#size - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(middle).to > rev) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #at(index: number): T {
    return this.#slots[(this.#added - this.#size + index) % this.capacity] as T;
  }
}
