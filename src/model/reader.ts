import type { Fields } from "./json.ts";
import { changesPlace, type OrderBy } from "./order.ts";
import type { RecordSource } from "./state.ts";

/** What became of one record; undefined where there was or is none. */
interface Replaced {
  readonly before: Fields | undefined;
  readonly after: Fields | undefined;
}

/** Whether the ids of a collection, sorted by its order field `by` or by nothing else, are others now. None listed: all are new. */
export function changesIds(records: ReadonlyMap<string, Replaced>, by: OrderBy): boolean {
  if (records.size === 0) return true;
  for (const { before, after } of records.values()) if (changesPlace(before, after, by)) return true;
  return false;
}

/** A collection as an app reads it. What its methods promise is documented at `CollectionReader` in `src/schema`. */
export class RecordsReader {
  /** What somebody has had the ids sorted by; undefined: by themselves. */
  readonly orders = new Set<OrderBy>([undefined]);
  readonly #source: () => RecordSource;
  readonly #name: string;
  readonly #ids: Sorted<string> = new Map();
  readonly #values: Sorted<Fields> = new Map();
  readonly #entries: Sorted<readonly [string, Fields]> = new Map();

  /** `source` is asked at every read, so that one reader can live as long as its room. */
  constructor(source: () => RecordSource, name: string) {
    this.#source = source;
    this.#name = name;
  }

  get(id: string): Fields | undefined {
    return this.#source().get(this.#name, id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  ids(by?: string): readonly string[] {
    this.orders.add(by);
    return once(this.#ids, by, () => this.#source().ids(this.#name, by));
  }

  values(by?: string): readonly Fields[] {
    return once(this.#values, by, () => Object.freeze(this.ids(by).map((id) => this.get(id) as Fields)));
  }

  entries(by?: string): readonly (readonly [string, Fields])[] {
    return once(this.#entries, by, () =>
      Object.freeze(this.ids(by).map((id) => Object.freeze([id, this.get(id) as Fields] as const))),
    );
  }

  get size(): number {
    return this.ids().length;
  }

  /** Records have changed, all of them perhaps when none is listed: arrays handed out stand, new ones are made. */
  forget(records: ReadonlyMap<string, Replaced>): void {
    this.#values.clear();
    this.#entries.clear();
    for (const by of this.#ids.keys()) if (changesIds(records, by)) this.#ids.delete(by);
  }
}

/** By what they are sorted by. */
type Sorted<T> = Map<OrderBy, readonly T[]>;

function once<T>(known: Sorted<T>, by: OrderBy, make: () => readonly T[]): readonly T[] {
  let list = known.get(by);
  if (list === undefined) known.set(by, (list = make()));
  return list;
}
