import { callListener } from "../platform.ts";

/** Functions that want to be told of one thing. One that throws does not keep the others from hearing. */
export class Listeners<Args extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: Args) => unknown>();

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Answers how to unsubscribe. A function given twice is called twice. */
  add(listener: (...args: Args) => unknown): () => void {
    const own = (...args: Args) => listener(...args);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  notify(...args: Args): void {
    // Those who come meanwhile are not part of this round, and those who go are not told any more.
    const present = [...this.#listeners];
    for (const listener of present) {
      if (!this.#listeners.has(listener)) continue;
      callListener(() => listener(...args));
    }
  }
}
