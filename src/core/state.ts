import { applyChange, sectionOf, type Change, type Changes } from "./changes.ts";
import { checksumDifference, checksumOf, type Checksums } from "./checksum.ts";
import type { Fields } from "./json.ts";

/** Records by collection and id: what a transaction reads, on the server the state and on the client its view. */
export interface Source {
  get(collection: string, id: string): Fields | undefined;
  /** Sorted; the same array until a record comes or goes. */
  ids(collection: string): readonly string[];
}

/** Ids of `base` with `written` on top, where undefined stands for a deleted record. Sorted. */
export function mergeIds(
  base: Source,
  collection: string,
  written: Iterable<readonly [id: string, record: Fields | undefined]>,
): readonly string[] {
  const ids = base.ids(collection);
  const gone = new Set<string>();
  const added: string[] = [];
  for (const [id, record] of written) {
    const based = base.get(collection, id) !== undefined;
    if (record === undefined && based) gone.add(id);
    if (record !== undefined && !based) added.push(id);
  }
  if (gone.size === 0 && added.length === 0) return ids;
  const kept = gone.size === 0 ? ids : ids.filter((id) => !gone.has(id));
  return Object.freeze(added.length === 0 ? kept : [...kept, ...added].toSorted());
}

/** The records of one room at one revision. */
export class State implements Source {
  readonly #collections = new Map<string, Map<string, Fields>>();
  readonly #checksums = new Map<string, number>();
  readonly #sortedIds = new Map<string, readonly string[]>();

  get(collection: string, id: string): Fields | undefined {
    return this.#collections.get(collection)?.get(id);
  }

  ids(collection: string): readonly string[] {
    let ids = this.#sortedIds.get(collection);
    if (ids === undefined) {
      ids = Object.freeze([...(this.#collections.get(collection)?.keys() ?? [])].toSorted());
      this.#sortedIds.set(collection, ids);
    }
    return ids;
  }

  /** Names of the collections that hold a record or once did. */
  collections(): Iterable<string> {
    return this.#collections.keys();
  }

  /** Of each collection that has one other than 0; the same for every state that holds the same, however it came to. */
  get checksums(): Checksums {
    return Object.fromEntries([...this.#checksums].filter(([, checksum]) => checksum !== 0));
  }

  checksum(collection: string): number {
    return this.#checksums.get(collection) ?? 0;
  }

  /** Puts `record` in place, or takes the one there out when it is undefined. */
  set(collection: string, id: string, record: Fields | undefined): void {
    this.#addToChecksum(collection, checksumDifference(collection, id, this.get(collection, id), record));
    this.#place(collection, id, record);
  }

  /** Puts records in place of which none is there yet. Where one is no record it throws, and has put none. */
  add(collection: string, records: readonly (readonly [id: string, record: Fields, ...unknown[]])[]): void {
    this.#addToChecksum(collection, checksumOf(collection, records));
    this.loadRecords(collection, records);
  }

  /** Puts records in place whose hashes are part of the checksums that `loadChecksums` is given. */
  loadRecords(
    collection: string,
    loaded: Iterable<readonly [id: string, record: Fields, ...unknown[]]>,
  ): void {
    const records = sectionOf(this.#collections, collection);
    for (const [id, record] of loaded) records.set(id, record);
    this.#sortedIds.delete(collection);
  }

  /** Takes checksums over from where the loaded records were stored. */
  loadChecksums(checksums: Checksums): void {
    for (const [collection, checksum] of Object.entries(checksums)) this.#checksums.set(collection, checksum);
  }

  applyOne(collection: string, id: string, change: Change): void {
    this.set(collection, id, applyChange(this.get(collection, id), change));
  }

  apply(changes: Changes): void {
    for (const [collection, records] of changes) {
      for (const [id, change] of records) this.applyOne(collection, id, change);
    }
  }

  #addToChecksum(collection: string, difference: number): void {
    this.#checksums.set(collection, (this.checksum(collection) + difference) >>> 0);
  }

  #place(collection: string, id: string, record: Fields | undefined): void {
    const records = sectionOf(this.#collections, collection);
    const sizeBefore = records.size;
    if (record === undefined) records.delete(id);
    else records.set(id, record);
    if (records.size !== sizeBefore) this.#sortedIds.delete(collection);
  }
}
