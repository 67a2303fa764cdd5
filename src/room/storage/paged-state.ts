import { checksumDifference } from "../../model/checksum.ts";
import type { Fields } from "../../model/json.ts";
import { collectionOf, ownPartition, rangeOf, Partitions } from "../visibility/partitions.ts";
import { State } from "../../model/state.ts";
import type { RoomRecords } from "../engine/engine-state.ts";
import type { Unread } from "../engine/unread.ts";
import { weightDifference } from "../engine/cost/weight.ts";

/** Users of whom the state keeps the checksum, and the orders, of their own partitions; those of others are made again. */
const maxKeptPartitions = 4_096;

/** A state of which memory takes in what somebody asks for. What it answers is the same as if it had all. */
export class PagedState extends State implements RoomRecords {
  readonly #unread: Unread;
  readonly #partitions: Partitions;
  #weight = 0;
  /** By partition. There are as many as users, so they are not stored, and kept of those only who have been here. */
  readonly #ownSums = new Map<string, number>();
  /** Partitions of users of which an order is kept, the oldest first. */
  readonly #ownOrders = new Set<string>();

  constructor(unread: Unread, partitions = new Partitions([])) {
    super();
    this.#unread = unread;
    this.#partitions = partitions;
  }

  override get(collection: string, id: string): Fields | undefined {
    const record = super.get(collection, id);
    // No change reaches a record whose page was not read, so one that is there is the newest.
    if (record !== undefined || !this.#unread.load(collection, id)) return record;
    return super.get(collection, id);
  }

  /** Bytes of heap that all records take, those included that are in storage only: an estimate, see `weight.ts`. */
  get weight(): number {
    return this.#weight;
  }

  /** Takes over the weight of what storage has. */
  loadWeight(weight: number): void {
    this.#weight = weight;
  }

  override set(collection: string, id: string, record: Fields | undefined): void {
    this.#weight += weightDifference(id, this.get(collection, id), record);
    super.set(collection, id, record);
  }

  override order(collection: string, by?: string): readonly string[] {
    this.#unread.loadAll(collection);
    return super.order(collection, by);
  }

  override collections(): Iterable<string> {
    return new Set([...this.#unread.collections(), ...super.collections()]);
  }

  /** The checksum of what belongs to `owner` of a private collection. */
  ownChecksum(collection: string, owner: string): number {
    const partition = ownPartition(collection, owner);
    let sum = this.#ownSums.get(partition);
    if (sum === undefined) {
      sum = this.#addUp(collection, owner);
      for (const oldest of this.#ownSums.keys()) {
        if (this.#ownSums.size < maxKeptPartitions) break;
        this.#ownSums.delete(oldest);
      }
      this.#ownSums.set(partition, sum);
    }
    return sum;
  }

  /**
   * The order of what belongs to `owner` of a private collection, as {@link order} returns that of all. It reads only the
   * pages that hold records of this owner.
   */
  ownOrder(collection: string, owner: string, by: string): readonly string[] {
    const partition = ownPartition(collection, owner);
    const { from, until } = rangeOf(owner);
    const ids = this.orderIn(partition, collection, by, () =>
      this.#unread.idsWithin(collection, from, until),
    );
    this.#ownOrders.add(partition);
    for (const oldest of this.#ownOrders) {
      if (this.#ownOrders.size <= maxKeptPartitions) break;
      this.#ownOrders.delete(oldest);
      this.forgetOrders(oldest);
    }
    return ids;
  }

  /** Adds up the checksum of a collection that had none: it has just ceased to be private. */
  recount(collection: string): void {
    this.loadChecksums({ [collection]: this.#sumOf(collection, this.ids(collection)) });
  }

  protected override noteMove(
    collection: string,
    id: string,
    before: Fields | undefined,
    after: Fields | undefined,
  ): void {
    super.noteMove(collection, id, before, after);
    const partition = this.partitionOf(collection, id);
    if (partition !== collection) super.noteMove(partition, id, before, after);
  }

  protected override partitionOf(collection: string, id: string): string {
    return this.#partitions.of(collection, id);
  }

  protected override addToChecksum(partition: string, difference: number): void {
    if (!this.#partitions.isPrivate(collectionOf(partition)))
      return super.addToChecksum(partition, difference);
    const sum = this.#ownSums.get(partition);
    if (sum !== undefined) this.#ownSums.set(partition, (sum + difference) >>> 0);
  }

  #addUp(collection: string, owner: string): number {
    const { from, until } = rangeOf(owner);
    return this.#sumOf(collection, this.#unread.idsWithin(collection, from, until));
  }

  #sumOf(collection: string, ids: Iterable<string>): number {
    let sum = 0;
    for (const id of ids)
      sum = (sum + checksumDifference(collection, id, undefined, this.get(collection, id))) | 0;
    return sum >>> 0;
  }
}
