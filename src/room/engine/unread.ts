/** The records that are in storage only. Each call brings into memory what it names, or throws what storage throws. */
export interface Unread {
  /** False when memory has had all that there is to know of `id`. */
  load(collection: string, id: string): boolean;
  loadAll(collection: string): void;
  /** The ids from `from` to below `until`. */
  idsWithin(collection: string, from: string, until: string): Iterable<string>;
  /** Names of all collections that storage has pages of. */
  collections(): Iterable<string>;
}
