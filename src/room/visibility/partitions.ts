import { partitionOf, type Changes } from "../../model/changes.ts";

/** Ends the owner in the id of a private record, and stands before it in a partition's name. No collection's name has it. */
const separator = "/";

/** The first character behind the separator: ids of one owner end before it. */
const behindSeparator = "0";

/** The collection that a partition is, or is a part of. */
export function collectionOf(partition: string): string {
  const end = partition.indexOf(separator);
  return end === -1 ? partition : partition.slice(0, end);
}

/** Whom a private record belongs to; undefined for an id that says nobody. */
export function ownerIn(id: string): string | undefined {
  const end = id.indexOf(separator);
  return end > 0 ? id.slice(0, end) : undefined;
}

/** Whether records can belong to a user of this id: it must not be empty nor hold what ends it. */
export function canOwn(userId: unknown): userId is string {
  return typeof userId === "string" && userId !== "" && !userId.includes(separator);
}

/** The ids that belong to `owner`: from the first to below the other. */
export function rangeOf(owner: string): { readonly from: string; readonly until: string } {
  return { from: owner + separator, until: owner + behindSeparator };
}

/** The partition that holds what of `collection` belongs to `owner`. */
export function ownPartition(collection: string, owner: string): string {
  return collection + separator + owner;
}

/**
 * How the collections of a room divide into partitions. A partition is shown or withheld as one: a collection, or of a
 * private one the records of one user, whose ids are `<userId>/…`.
 */
export class Partitions {
  /** The private collections, sorted. */
  readonly privates: readonly string[];
  readonly #private: ReadonlySet<string>;

  constructor(privates: readonly string[]) {
    this.privates = privates.toSorted();
    this.#private = new Set(privates);
  }

  isPrivate(collection: string): boolean {
    return this.#private.has(collection);
  }

  /** The partition that a record is in. */
  of(collection: string, id: string): string {
    return this.isPrivate(collection) ? ownPartition(collection, ownerIn(id) ?? "") : collection;
  }

  /** The same changes by partition, each as a whole; as they are when nothing is private. */
  split(changes: Changes): Changes {
    if (this.privates.length === 0) return changes;
    const split: Changes = new Map();
    for (const [collection, records] of changes) {
      if (!this.isPrivate(collection)) split.set(collection, records);
      else for (const [id, change] of records) partitionOf(split, this.of(collection, id)).set(id, change);
    }
    return split;
  }
}
