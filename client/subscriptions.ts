import type { RecordsReader } from "../src/core/reader.ts";
import type { Fields } from "../src/core/json.ts";
import { reportThrown } from "./platform.ts";
import { changesMembership, type ViewChanges } from "./replica.ts";

/** The state as a selector reads it. */
export type SelectorState = { readonly [collection: string]: RecordsReader | TrackedReader };

/** A selector, what it read when it last ran, and what it answered. */
interface Subscription {
  readonly selector: (state: SelectorState) => unknown;
  readonly listener: (selection: unknown, previous: unknown) => void;
  readonly state: SelectorState;
  reads: Set<string>;
  selection: unknown;
  isOver: boolean;
}

/** What a selector can read of a collection, beside single records (`=` and the id): all of them, or which there are. */
const all = "*";
const ids = "#";

/**
 * Tells listeners when what they selected has changed. A selector runs again only when something that it read has
 * changed, so that many selectors of one record each cost work in proportion to the change.
 */
export class Subscriptions {
  readonly #readers: { readonly [collection: string]: RecordsReader };
  /** What was read → who read it. */
  readonly #byRead = new Map<string, Set<Subscription>>();
  #running: Subscription | undefined;

  constructor(readers: { readonly [collection: string]: RecordsReader }) {
    this.#readers = readers;
  }

  /** Whether nothing is read by any. */
  get isEmpty(): boolean {
    return this.#byRead.size === 0;
  }

  /** Answers how to unsubscribe. Throws what the selector throws. */
  add(selector: Subscription["selector"], listener: Subscription["listener"]): () => void {
    const subscription: Subscription = {
      selector,
      listener,
      state: this.#trackedState(),
      reads: new Set(),
      selection: undefined,
      isOver: false,
    };
    const end = () => {
      subscription.isOver = true;
      this.#forgetReads(subscription);
    };
    try {
      subscription.selection = this.#select(subscription);
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  /** Runs the selectors that read something of `changes`, and tells those whose selection is another. */
  notify(changes: ViewChanges): void {
    for (const subscription of this.#affectedBy(changes)) {
      // A listener before this one may have ended it.
      if (subscription.isOver) continue;
      try {
        const previous = subscription.selection;
        subscription.selection = this.#select(subscription);
        if (!equalShallow(previous, subscription.selection))
          subscription.listener(subscription.selection, previous);
      } catch (error) {
        reportThrown(error);
      }
    }
  }

  #affectedBy(changes: ViewChanges): Set<Subscription> {
    const affected = new Set<Subscription>();
    const add = (read: string) => {
      for (const subscription of this.#byRead.get(read) ?? []) affected.add(subscription);
    };
    for (const [collection, records] of changes) {
      add(readKey(collection, all));
      for (const id of records.keys()) add(readKey(collection, `=${id}`));
      if (changesMembership(records)) add(readKey(collection, ids));
    }
    return affected;
  }

  #select(subscription: Subscription): unknown {
    this.#forgetReads(subscription);
    const outer = this.#running;
    this.#running = subscription;
    try {
      return subscription.selector(subscription.state);
    } finally {
      this.#running = outer;
    }
  }

  #trackedState(): SelectorState {
    const state: Record<string, TrackedReader> = {};
    for (const [name, reader] of Object.entries(this.#readers)) {
      state[name] = new TrackedReader(reader, (what) => this.#track(readKey(name, what)));
    }
    return state;
  }

  /** Notes a read of the selector that runs now; a read outside of one is nobody's. */
  #track(read: string): void {
    const subscription = this.#running;
    if (subscription === undefined || subscription.reads.has(read)) return;
    subscription.reads.add(read);
    let readers = this.#byRead.get(read);
    if (readers === undefined) this.#byRead.set(read, (readers = new Set()));
    readers.add(subscription);
  }

  #forgetReads(subscription: Subscription): void {
    for (const read of subscription.reads) {
      const readers = this.#byRead.get(read);
      readers?.delete(subscription);
      if (readers?.size === 0) this.#byRead.delete(read);
    }
    subscription.reads = new Set();
  }
}

function readKey(collection: string, what: string): string {
  return `${collection}${what}`;
}

/** A collection that notes what is read of it. */
class TrackedReader {
  readonly #reader: RecordsReader;
  readonly #track: (what: string) => void;

  constructor(reader: RecordsReader, track: (what: string) => void) {
    this.#reader = reader;
    this.#track = track;
  }

  get(id: string): Fields | undefined {
    this.#track(`=${id}`);
    return this.#reader.get(id);
  }

  has(id: string): boolean {
    this.#track(`=${id}`);
    return this.#reader.has(id);
  }

  ids(): readonly string[] {
    this.#track(ids);
    return this.#reader.ids();
  }

  values(): readonly Fields[] {
    this.#track(all);
    return this.#reader.values();
  }

  entries(): readonly (readonly [string, Fields])[] {
    this.#track(all);
    return this.#reader.entries();
  }

  get size(): number {
    this.#track(ids);
    return this.#reader.size;
  }
}

/** The same value, or arrays or plain objects whose members are. */
function equalShallow(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const prototype: unknown = Object.getPrototypeOf(a);
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return false;
  const left = a as { [key: string]: unknown };
  const right = b as { [key: string]: unknown };
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && Object.is(left[key], right[key]));
}
