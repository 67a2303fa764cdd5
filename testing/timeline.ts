interface Moment {
  readonly at: number;
  /** What was planned first comes first within one millisecond. */
  readonly order: number;
  run: (() => void) | undefined;
}

/** A time of its own, in milliseconds since the epoch, and everything that is going to happen in it. */
export class Timeline {
  #now: number;
  #order = 0;
  /** A binary heap, the earliest first. */
  readonly #heap: Moment[] = [];

  constructor(now: number) {
    this.#now = now;
  }

  get now(): number {
    return this.#now;
  }

  /** When the next thing happens; undefined when nothing does. */
  get nextAt(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.at;
  }

  /** Runs `run` after `delayMs`; answers how to cancel that. */
  after(delayMs: number, run: () => void): () => void {
    return this.at(this.#now + Math.max(0, Math.ceil(delayMs)), run);
  }

  at(at: number, run: () => void): () => void {
    const moment: Moment = { at: Math.max(at, this.#now), order: this.#order++, run };
    this.#heap.push(moment);
    this.#rise(this.#heap.length - 1);
    return () => void (moment.run = undefined);
  }

  /** Goes on to the next moment up to `until`, and answers false when there is none: then it is `until`. */
  step(until: number): boolean {
    this.#dropCancelled();
    const next = this.#heap[0];
    if (next === undefined || next.at > until) {
      this.#now = Math.max(this.#now, until);
      return false;
    }
    this.#removeFirst();
    this.#now = next.at;
    next.run?.();
    return true;
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.run === undefined) this.#removeFirst();
  }

  #removeFirst(): void {
    const last = this.#heap.pop() as Moment;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(from: number): void {
    const heap = this.#heap;
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(heap[index] as Moment, heap[parent] as Moment)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && isBefore(heap[child] as Moment, heap[least] as Moment)) least = child;
      }
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a] as Moment;
    this.#heap[a] = this.#heap[b] as Moment;
    this.#heap[b] = held;
  }
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at;
}

/** Lets every promise that is settled tell so, and those that are settled by that. Needs no timer, so that none can be missing or faked. */
export async function finishTurn(): Promise<void> {
  for (let turn = 0; turn < 16; turn++) await Promise.resolve();
}
