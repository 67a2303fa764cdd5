import { Listeners } from "../replica/listeners.ts";
import type { Replica } from "../replica/replica.ts";

/** Tells, record by record, whether a call that waits for its answer has changed it. */
export class PendingRecords {
  readonly #replica: Pick<Replica, "pendingRecords">;
  readonly #listeners = new Map<string, Listeners<[isPending: boolean]>>();
  /** The pending records at the last telling; kept only while somebody listens. */
  #told = new Set<string>();

  constructor(replica: Pick<Replica, "pendingRecords">) {
    this.#replica = replica;
  }

  /** Answers how to unsubscribe. */
  add(collection: string, id: string, listener: (isPending: boolean) => void): () => void {
    if (this.#listeners.size === 0) this.#told = this.#now();
    const key = keyOf(collection, id);
    const listeners = this.#listeners.get(key) ?? new Listeners();
    this.#listeners.set(key, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.isEmpty && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }

  /** The view is another: whoever listens to a record that began or ceased to be pending is told. */
  notify(): void {
    if (this.#listeners.size === 0) return;
    const before = this.#told;
    const now = this.#now();
    this.#told = now;
    // A listener may make a call, and then it is the newest telling that is right.
    for (const key of before) if (!this.#told.has(key)) this.#listeners.get(key)?.notify(false);
    for (const key of now) if (!before.has(key)) this.#listeners.get(key)?.notify(true);
  }

  #now(): Set<string> {
    const keys = new Set<string>();
    for (const [collection, id] of this.#replica.pendingRecords()) keys.add(keyOf(collection, id));
    return keys;
  }
}

function keyOf(collection: string, id: string): string {
  return `${collection}=${id}`;
}
