import { partitionOf, type Changes } from "../../model/changes.ts";
import type { Unread } from "./unread.ts";
import { collectionOf } from "../visibility/partitions.ts";

/** Who changed a record last, at which revision, and when anybody else last did (0: never). */
export interface Authorship {
  readonly rev: number;
  readonly clientId: string;
  readonly othersRev: number;
}

const unknownAuthor: Authorship = { rev: 0, clientId: "", othersRev: 0 };

/**
 * The revision and author of every record, deleted ones included for a while: what `changedByOthers` answers from.
 * Two revisions a record are enough, since only "the caller" and "somebody else" are ever told apart.
 *
 * Deletions are counted, and the oldest ones forgotten, flush by flush: the room calls `settle` with the changes of a
 * row when it cuts the flush, and with the same changes when it reads the row at a wake. Therefore both remember the
 * same deletions. To count each operation would not do, since a row does not hold what its flush has undone.
 */
export class AuthorshipIndex {
  readonly #records = new Map<string, Map<string, Authorship>>();
  /** Deleted records, oldest first, as [collection, id]. */
  readonly #tombstones = new Map<string, readonly [collection: string, id: string]>();
  readonly #maxTombstones: number;
  readonly #unread: Pick<Unread, "load"> | undefined;
  #last = unknownAuthor;

  /** `unread`: where authors are that memory has not taken in yet. */
  constructor(maxTombstones: number, unread?: Pick<Unread, "load">) {
    this.#maxTombstones = maxTombstones;
    this.#unread = unread;
  }

  get(collection: string, id: string): Authorship | undefined {
    const known = this.#records.get(collection)?.get(id);
    if (known !== undefined || !this.#unread?.load(collection, id)) return known;
    return this.#records.get(collection)?.get(id);
  }

  /** Notes that `client id` changed, or deleted, a record at `rev`. */
  note(collection: string, id: string, rev: number, clientId: string): void {
    const before = this.get(collection, id);
    const othersRev = before === undefined ? 0 : before.clientId === clientId ? before.othersRev : before.rev;
    this.set(collection, id, this.#shared(rev, clientId, othersRev));
  }

  /** One for all neighbours that are the same: an operation may make thousands. */
  #shared(rev: number, clientId: string, othersRev: number): Authorship {
    const last = this.#last;
    if (last.rev === rev && last.clientId === clientId && last.othersRev === othersRev) return last;
    return (this.#last = { rev, clientId, othersRev });
  }

  set(collection: string, id: string, authorship: Authorship): void {
    partitionOf(this.#records, collection).set(id, authorship);
  }

  /** Counts the deletions among the changes of one flush, which come in the order of its row, and forgets the oldest. */
  settle(changes: Changes): void {
    for (const [partition, records] of changes) {
      const collection = collectionOf(partition);
      for (const [id, { kind }] of records) {
        if (kind === "delete") this.#bury(collection, id);
        else if (this.#tombstones.size > 0) this.#tombstones.delete(keyOf(collection, id));
      }
    }
    this.#forgetOldest();
  }

  /** Takes in a deletion that a checkpoint has stored; call it for the oldest first. */
  loadTombstone(collection: string, id: string, authorship: Authorship): void {
    this.set(collection, id, authorship);
    this.#bury(collection, id);
    this.#forgetOldest();
  }

  /** Takes in the authors of records that storage has, hence of none that was deleted. */
  load(collection: string, ids: readonly string[], authors: readonly Authorship[]): void {
    const records = partitionOf(this.#records, collection);
    for (const [index, id] of ids.entries()) records.set(id, authors[index] ?? unknownAuthor);
  }

  /** Whether somebody other than `client id` changed the record after `baseRev`. */
  changedByOthers(collection: string, id: string, clientId: string, baseRev: number): boolean {
    const last = this.get(collection, id);
    if (last === undefined) return false;
    return (last.clientId === clientId ? last.othersRev : last.rev) > baseRev;
  }

  /** Deleted records that are still remembered, oldest first. */
  *tombstones(): Generator<readonly [collection: string, id: string, authorship: Authorship]> {
    for (const [collection, id] of this.#tombstones.values()) {
      yield [collection, id, this.get(collection, id) as Authorship];
    }
  }

  #bury(collection: string, id: string): void {
    const key = keyOf(collection, id);
    this.#tombstones.delete(key); // so that it becomes the newest
    this.#tombstones.set(key, [collection, id]);
  }

  #forgetOldest(): void {
    for (const [key, [collection, id]] of this.#tombstones) {
      if (this.#tombstones.size <= this.#maxTombstones) return;
      this.#tombstones.delete(key);
      this.#records.get(collection)?.delete(id);
    }
  }
}

function keyOf(collection: string, id: string): string {
  return `${collection}/${id}`;
}

/** `{"clientIds":[…],"records":[rev, index of client id, othersRev, …]}`: many records have few authors. */
export function encodeAuthors(authors: readonly (Authorship | undefined)[]): string {
  const clientIds = new Map<string, number>();
  const records: number[] = [];
  for (const author of authors) {
    const { rev, clientId, othersRev } = author ?? unknownAuthor;
    let index = clientIds.get(clientId);
    if (index === undefined) clientIds.set(clientId, (index = clientIds.size));
    records.push(rev, index, othersRev);
  }
  return JSON.stringify({ clientIds: [...clientIds.keys()], records });
}

export function decodeAuthors(text: string): Authorship[] {
  const { clientIds, records } = JSON.parse(text) as { clientIds: string[]; records: number[] };
  const authors: Authorship[] = [];
  for (let index = 0; index < records.length; index += 3) {
    const clientId = clientIds[records[index + 1] as number] as string;
    const author = { rev: records[index] as number, clientId, othersRev: records[index + 2] as number };
    const before = authors.at(-1);
    // Neighbours were often made together, and then share one.
    authors.push(before !== undefined && isSame(before, author) ? before : author);
  }
  return authors;
}

function isSame(a: Authorship, b: Authorship): boolean {
  return a.rev === b.rev && a.clientId === b.clientId && a.othersRev === b.othersRev;
}
