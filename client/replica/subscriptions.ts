import { assertSync } from "../../src/model/call.ts";
import { changesIds, type RecordsReader } from "../../src/model/reader.ts";
import type { Fields } from "../../src/model/json.ts";
import { callListener } from "../platform.ts";
import type { ViewChanges } from "./replica.ts";

/** The state as a selector reads it. */
export type SelectorState = { readonly [collection: string]: RecordsReader | TrackedReader };

type Selector = (state: SelectorState) => unknown;

/**
 * What a selector can read of a collection, beside single records (`=` and the id): all of them, or which there are, in an
 * order perhaps (`#` and the field).
 */
const all = "*";
const ids = "#";

/**
 * Tells listeners when what they selected has changed. A selector runs again only when something that it read has
 * changed, so that many selectors of one record each cost work in proportion to the change.
 */
export class Subscriptions {
  /** Another number whenever the view is another. */
  version = 0;
  readonly #readers: { readonly [collection: string]: RecordsReader };
  readonly #state: SelectorState;
  /** What was read → who wants to know of changes to it. */
  readonly #byRead: WatchesByRead = new Map();
  /** Of the selector that runs now. */
  #reads: Set<string> | undefined;

  constructor(readers: { readonly [collection: string]: RecordsReader }) {
    this.#readers = readers;
    const state: Record<string, TrackedReader> = {};
    for (const [name, reader] of Object.entries(readers)) {
      // A read outside of a selector is nobody's.
      state[name] = new TrackedReader(reader, (what) => this.#reads?.add(readKey(name, what)));
    }
    this.#state = state;
  }

  /** Whether nothing is read by any. */
  get isEmpty(): boolean {
    return this.#byRead.size === 0;
  }

  /** Answers how to unsubscribe. Throws what the selector throws. */
  add(selector: Selector, listener: (selection: unknown, previous: unknown) => unknown): () => void {
    let selection: unknown;
    const select = () => {
      const reads = new Set<string>();
      try {
        return this.run(selector, reads);
      } finally {
        watch.follow(reads);
      }
    };
    const watch = this.watch(() => {
      const previous = selection;
      selection = select();
      return equalShallow(previous, selection) ? undefined : listener(selection, previous);
    });
    try {
      selection = select();
    } catch (error) {
      watch.end();
      throw error;
    }
    return () => watch.end();
  }

  /** Runs a selector. What it reads is added to `reads`, also when it throws. */
  run(selector: Selector, reads: Set<string>): unknown {
    const outer = this.#reads;
    this.#reads = reads;
    try {
      const selection = selector(this.#state);
      assertSync("a selector", selection);
      return selection;
    } finally {
      this.#reads = outer;
    }
  }

  /** Calls `told` whenever something of what it then follows has changed; first it follows nothing. */
  watch(told: () => unknown): Watch {
    return new Watch(this.#byRead, told);
  }

  /** Tells those who follow something of `changes`. */
  notify(changes: ViewChanges): void {
    for (const watch of this.#affectedBy(changes)) {
      // One that was told before it may have ended it.
      if (watch.isOver) continue;
      callListener(watch.told);
    }
  }

  #affectedBy(changes: ViewChanges): Set<Watch> {
    const affected = new Set<Watch>();
    const add = (read: string) => {
      for (const watch of this.#byRead.get(read) ?? []) affected.add(watch);
    };
    for (const [collection, records] of changes) {
      add(readKey(collection, all));
      for (const id of records.keys()) add(readKey(collection, `=${id}`));
      for (const by of this.#readers[collection]?.orders ?? []) {
        if (changesIds(records, by)) add(readKey(collection, ids + (by ?? "")));
      }
    }
    return affected;
  }
}

type WatchesByRead = Map<string, Set<Watch>>;

/** Somebody who has read something, and wants to know when that is another. */
export class Watch {
  readonly told: () => unknown;
  isOver = false;
  readonly #byRead: WatchesByRead;
  #reads: ReadonlySet<string> = new Set();

  constructor(byRead: WatchesByRead, told: () => unknown) {
    this.#byRead = byRead;
    this.told = told;
  }

  /** From now on it is told of changes to these reads, as `Subscriptions.run` names them, and to no others. */
  follow(reads: ReadonlySet<string>): void {
    if (this.isOver) return;
    for (const read of this.#reads) {
      if (!reads.has(read)) this.#forget(read);
    }
    for (const read of reads) {
      let watches = this.#byRead.get(read);
      if (watches === undefined) this.#byRead.set(read, (watches = new Set()));
      watches.add(this);
    }
    this.#reads = reads;
  }

  end(): void {
    this.follow(new Set());
    this.isOver = true;
  }

  #forget(read: string): void {
    const watches = this.#byRead.get(read);
    watches?.delete(this);
    if (watches?.size === 0) this.#byRead.delete(read);
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

  ids(by?: string): readonly string[] {
    this.#track(ids + (by ?? ""));
    return this.#reader.ids(by);
  }

  values(by?: string): readonly Fields[] {
    this.#track(all);
    return this.#reader.values(by);
  }

  entries(by?: string): readonly (readonly [string, Fields])[] {
    this.#track(all);
    return this.#reader.entries(by);
  }

  get size(): number {
    this.#track(ids);
    return this.#reader.size;
  }
}

/** The same value, or arrays or plain objects whose members are. */
export function equalShallow(a: unknown, b: unknown): boolean {
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
