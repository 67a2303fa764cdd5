import { applyChange, partitionOf, type Change, type Changes } from "./changes.ts";
import { checksumDifference, checksumOf, type Checksums, type IdsAndRecords } from "./checksum.ts";
import type { Fields } from "./json.ts";
import { areMany, changesPlace, moveIds, sortIds, type OrderBy } from "./order.ts";

/** Records by collection and id: what a transaction reads, on the server the state and on the client its view. */
export interface RecordSource {
  get(collection: string, id: string): Fields | undefined;
  /** Sorted by id, or by the order field `by` and then by id; the same array until it would be another. */
  ids(collection: string, by?: string): readonly string[];
}

/** Ids of `base` with `written` on top, where undefined stands for a deleted record. Sorted. */
export function mergeIds(
  base: RecordSource,
  collection: string,
  written: ReadonlyMap<string, Fields | undefined>,
  by?: string,
): readonly string[] {
  const moved = new Map<string, Fields | undefined>();
  for (const [id, record] of written) {
    const before = base.get(collection, id);
    if (changesPlace(before, record, by)) moved.set(id, before);
  }
  const ids = base.ids(collection, by);
  if (moved.size === 0) return ids;
  const recordOf = (id: string) => (written.has(id) ? written.get(id) : base.get(collection, id));
  return Object.freeze(moveIds(ids, by, moved, recordOf));
}

/** A list that somebody has asked for. */
interface Order {
  /** Frozen when it was handed out: then it stands, and another is made of it when something moves. */
  ids: readonly string[];
  /** Records that have moved since, as they were. */
  readonly moved: Map<string, Fields | undefined>;
}

/** The records of one room at one revision. */
export class State implements RecordSource {
  readonly #collections = new Map<string, Map<string, Fields>>();
  readonly #checksums = new Map<string, number>();
  /** Of which the checksums do not have the hashes yet. A change to one of them adds its difference all the same. */
  readonly #uncounted: [collection: string, added: IdsAndRecords][] = [];
  readonly #orders = new Map<string, Map<OrderBy, Order>>();

  get(collection: string, id: string): Fields | undefined {
    return this.#collections.get(collection)?.get(id);
  }

  ids(collection: string, by?: string): readonly string[] {
    return Object.freeze(this.order(collection, by));
  }

  /** As `ids`, but the array may change with the state: for whoever looks at a few places of it, and now. */
  order(collection: string, by?: string): readonly string[] {
    return this.orderIn(collection, collection, by, () => this.#collections.get(collection)?.keys() ?? []);
  }

  /** The order of a partition of `collection`; `ids` returns the partition's ids when no order of it is kept. */
  protected orderIn(
    partition: string,
    collection: string,
    by: OrderBy,
    ids: () => Iterable<string>,
  ): readonly string[] {
    const orders = partitionOf(this.#orders, partition);
    let order = orders.get(by);
    if (order === undefined) {
      const all = [...ids()];
      const recordOf = this.#reader(collection);
      orders.set(by, (order = { ids: sortIds(all, by, recordOf), moved: new Map() }));
    }
    if (order.moved.size > 0) {
      order.ids = moveIds(order.ids, by, order.moved, this.#reader(collection));
      order.moved.clear();
    }
    return order.ids;
  }

  /** Names of the collections that hold a record or once did. */
  collections(): Iterable<string> {
    return this.#collections.keys();
  }

  /** Of each collection that has one other than 0; the same for every state that holds the same, however it came to. */
  get checksums(): Checksums {
    while (this.countSome());
    return Object.fromEntries([...this.#checksums].filter(([, checksum]) => checksum !== 0));
  }

  checksum(collection: string): number {
    while (this.countSome());
    return this.counted(collection);
  }

  /** What the checksum of a collection is without the parts that `countSome` has not added yet. */
  counted(collection: string): number {
    return this.#checksums.get(collection) ?? 0;
  }

  /** Puts `record` in place, or takes the one there out when it is undefined. */
  set(collection: string, id: string, record: Fields | undefined): void {
    const before = this.get(collection, id);
    this.addToChecksum(this.partitionOf(collection, id), checksumDifference(collection, id, before, record));
    this.noteMove(collection, id, before, record);
    const records = partitionOf(this.#collections, collection);
    if (record === undefined) records.delete(id);
    else records.set(id, record);
  }

  /** Puts records in place of which none is there yet. To sum them up can wait until somebody has the time, see `countSome`. */
  add(collection: string, added: IdsAndRecords): void {
    this.#uncounted.push([collection, added]);
    this.loadRecords(collection, added);
  }

  /**
   * Adds a part of what came by `add` to the checksums, and returns the part's collection and its sum as it came. Returns
   * undefined when no part is left. A caller who reads a checksum adds all parts.
   */
  countSome(): readonly [collection: string, sum: number] | undefined {
    const part = this.#uncounted.pop();
    if (part === undefined) return undefined;
    const sum = checksumOf(...part);
    this.addToChecksum(part[0], sum);
    return [part[0], sum];
  }

  /** Puts records in place whose hashes are part of the checksums that `loadChecksums` is given. */
  loadRecords(collection: string, { ids, records }: IdsAndRecords): void {
    const held = partitionOf(this.#collections, collection);
    for (const [index, id] of ids.entries()) held.set(id, records[index] as Fields);
    this.forgetOrders(collection);
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

  /** Of what the checksum is that a record adds to: of its collection, unless that has several. */
  protected partitionOf(collection: string, _id: string): string {
    return collection;
  }

  protected forgetOrders(partition: string): void {
    this.#orders.delete(partition);
  }

  /** Keeps the orders of `partition` up to date when a record of it becomes another. */
  protected noteMove(
    partition: string,
    id: string,
    before: Fields | undefined,
    after: Fields | undefined,
  ): void {
    const orders = this.#orders.get(partition);
    for (const [by, { ids, moved }] of orders ?? []) {
      if (!changesPlace(before, after, by)) continue;
      if (!moved.has(id)) moved.set(id, before);
      if (areMany(moved.size, ids.length)) orders?.delete(by); // as it had better be sorted anew, if anybody still asks
    }
  }

  protected addToChecksum(partition: string, difference: number): void {
    this.#checksums.set(partition, ((this.#checksums.get(partition) ?? 0) + difference) >>> 0);
  }

  /** Reads the records that are in memory. */
  #reader(collection: string): (id: string) => Fields | undefined {
    const records = this.#collections.get(collection);
    return (id) => records?.get(id);
  }
}
