import { generateNKeysBetween } from "fractional-indexing";
import type { AnyRoomDefinition } from "../../schema/definition.ts";
import { isOrderKey, maxOrderKeyLength, orderFieldsOf } from "../../schema/order-key.ts";
import { applyChange, partitionOf, squashChange } from "../../model/changes.ts";
import type { Fields } from "../../model/json.ts";
import type { Limits } from "../limits.ts";
import { noOrderKey, orderOf, placeOf } from "../../model/order.ts";
import type { RoomRecords } from "./engine-state.ts";
import { ownerIn, type Partitions } from "../visibility/partitions.ts";
import { mergeIds, type RecordSource } from "../../model/state.ts";
import type { Write, Writes } from "../../model/transaction.ts";

/** Collection → its order fields; collections without one are left out. */
export type OrderFields = ReadonlyMap<string, readonly string[]>;

type OrderLimits = Pick<Limits, "longOrderKeyLength" | "maxShortenedOrderKeys">;

export function allOrderFieldsOf({ collections }: AnyRoomDefinition): OrderFields {
  const fields = Object.entries(collections).map(([name, schema]) => [name, orderFieldsOf(schema)] as const);
  return new Map(fields.filter(([, names]) => names.length > 0));
}

/** What the repair reads: the records as they are before the operation. */
interface Records {
  readonly records: RoomRecords;
  readonly partitions: Partitions;
}

/**
 * Whether the room may commit `repaired`, the writes with the repairs, of which `neighbours` are the records that the
 * operation itself does not write.
 */
export type MayRepair = (repaired: Writes, neighbours: Writes) => boolean;

/**
 * Adds to `writes`, which are not in `state` yet, what keeps the keys of each list unique and short. No two records change
 * places by it. A list is an order field of a collection. A private collection has one such list for each owner, so that
 * the records of one user neither change nor show those of another.
 *
 * A repair may give new keys to records that the operation does not write. `mayRepair` decides on that; when it returns
 * false, only records that the operation writes get new keys, and some keys stay long or equal.
 *
 * Where nothing is to be repaired it costs a search in the list for each key that is written. The first key that is
 * written after a wake has the list read and sorted.
 */
export function repairOrders(
  writes: Writes,
  records: Records,
  fields: OrderFields,
  limits: OrderLimits,
  mayRepair: MayRepair,
): void {
  const faulty = Array.from(listsIn(writes, records.partitions, fields)).filter((list) =>
    new WrittenOrder(writes, records.records, list, limits).isFaulty(),
  );
  if (faulty.length === 0) return;
  const repaired = copyOf(writes);
  for (const list of faulty) new WrittenOrder(repaired, records.records, list, limits).repair(true);
  const neighbours = neighboursIn(repaired);
  if (neighbours.size === 0 || mayRepair(repaired, neighbours)) {
    for (const { collection } of faulty)
      writes.set(collection, repaired.get(collection) as Map<string, Write>);
    return;
  }
  for (const list of faulty) new WrittenOrder(writes, records.records, list, limits).repair(false);
}

/** A list that an operation writes to. */
interface List {
  readonly collection: string;
  /** Whose it is; undefined in a collection that is not private. */
  readonly owner: string | undefined;
  readonly field: string;
  /** Ids of the records in it that the operation writes. */
  readonly written: readonly string[];
}

function* listsIn(writes: Writes, partitions: Partitions, fields: OrderFields): Generator<List> {
  for (const [collection, names] of fields) {
    const written = writes.get(collection);
    if (written === undefined) continue;
    const byOwner = new Map<string | undefined, string[]>();
    for (const id of written.keys()) {
      const owner = partitions.isPrivate(collection) ? ownerIn(id) : undefined;
      const ids = byOwner.get(owner);
      if (ids === undefined) byOwner.set(owner, [id]);
      else ids.push(id);
    }
    for (const [owner, ids] of byOwner)
      for (const field of names) yield { collection, owner, field, written: ids };
  }
}

function copyOf(writes: Writes): Writes {
  return new Map(Array.from(writes, ([collection, records]) => [collection, new Map(records)]));
}

/** Of repaired writes, those of records that the operation itself does not write. */
function neighboursIn(repaired: Writes): Writes {
  const neighbours: Writes = new Map();
  for (const [collection, records] of repaired) {
    for (const [id, write] of records)
      if (write.isRepair === true) partitionOf(neighbours, collection).set(id, write);
  }
  return neighbours;
}

/** Records next to each other, given new keys. */
interface Spread {
  readonly from: number;
  readonly keys: readonly string[];
  readonly longest: number;
}

/** A list as an operation leaves it. */
class WrittenOrder implements RecordSource {
  readonly #state: RoomRecords;
  readonly #list: List;
  readonly #collection: string;
  readonly #field: string;
  readonly #writes: Map<string, Write>;
  readonly #limits: OrderLimits;
  /** Keys that the operation sets, by record. */
  readonly #set = new Map<string, string>();

  constructor(writes: Writes, state: RoomRecords, list: List, limits: OrderLimits) {
    this.#state = state;
    this.#list = list;
    this.#collection = list.collection;
    this.#field = list.field;
    this.#limits = limits;
    this.#writes = partitionOf(writes, list.collection);
    for (const id of list.written) {
      const { change, record } = this.#writes.get(id) as Write;
      if (record === undefined || (change.kind === "patch" && !Object.hasOwn(change.set, list.field)))
        continue;
      const key = orderOf(record, list.field);
      if (key !== noOrderKey && key !== orderOf(this.#before(id), list.field)) this.#set.set(id, key);
    }
  }

  get(collection: string, id: string): Fields | undefined {
    return this.#state.get(collection, id);
  }

  /** The ids of the list as it is before the operation. */
  ids(): readonly string[] {
    return Object.freeze(this.#order());
  }

  /** Whether a key that was set is too long or another record's. */
  isFaulty(): boolean {
    if (this.#set.size === 0) return false;
    const order = this.#order();
    const keys = new Set<string>();
    for (const key of this.#set.values()) {
      if (this.#isLong(key) || keys.has(key)) return true;
      keys.add(key);
      let at = placeOf(order, this.#field, key, "", (id) => this.#before(id));
      for (; at < order.length; at++) {
        const other = order[at] as string;
        if (orderOf(this.#before(other), this.#field) !== key) break;
        if (this.#keyOf(other) === key) return true;
      }
    }
    return false;
  }

  /** Gives new keys; to records that the operation does not write only `withNeighbours`. */
  repair(withNeighbours: boolean): void {
    const written = new Map(this.#list.written.map((id) => [id, this.#recordOf(id)] as const));
    const merged = mergeIds(this, this.#collection, written, this.#field);
    const keyed = this.#placeIn(merged, noOrderKey, ""); // those without a key are last, and stay without
    const ids = keyed === merged.length ? merged : merged.slice(0, keyed);
    const faults = this.#faultsIn(ids, withNeighbours);
    for (const from of [...faults.keys()].toSorted((a, b) => a - b)) {
      let until = from;
      let isShared = false;
      for (; faults.has(until); until++) isShared ||= faults.get(until) === "shared";
      if (until === from) continue; // an earlier one has had new keys for this one as well
      const spread = this.#spreadAround(ids, from, until, isShared, withNeighbours);
      for (let at = from; at < until; at++) faults.delete(at);
      for (const [index, key] of spread?.keys.entries() ?? []) {
        const at = (spread as Spread).from + index;
        faults.delete(at);
        this.#setKey(ids[at] as string, key);
      }
    }
  }

  /**
   * What is wrong, by place. Of those who share a key one keeps it: one that the operation does not move, if there is one.
   */
  #faultsIn(ids: readonly string[], withNeighbours: boolean): Map<number, "long" | "shared"> {
    const { maxShortenedOrderKeys } = this.#limits;
    const faults = new Map<number, "long" | "shared">();
    for (const [id, key] of this.#set) {
      const at = this.#placeIn(ids, key, id);
      if (faults.has(at)) continue;
      if (this.#isLong(key)) faults.set(at, "long");
      const sharing: number[] = [];
      for (let other = this.#placeIn(ids, key, ""); other < ids.length; other++) {
        if (this.#keyOf(ids[other] as string) !== key) break;
        sharing.push(other);
      }
      const untouched = sharing.filter((other) => !this.#set.has(ids[other] as string));
      if (untouched.length > maxShortenedOrderKeys) continue; // from before this was an order field: not to be mended by one call
      const keeper = untouched[0] ?? sharing[0];
      for (const other of sharing) {
        if (other === keeper || (!withNeighbours && !this.#set.has(ids[other] as string))) continue;
        faults.set(other, "shared");
      }
    }
    return faults;
  }

  /**
   * New keys for these records, and for as many around them as it takes to have short ones. Where it would take too many,
   * those that share a key get what fits between their neighbours, and long keys stay. Undefined as well where a
   * neighbour's key is none, as of records that were written under another schema.
   */
  #spreadAround(
    ids: readonly string[],
    from: number,
    until: number,
    isShared: boolean,
    withNeighbours: boolean,
  ): Spread | undefined {
    const { longOrderKeyLength, maxShortenedOrderKeys } = this.#limits;
    // Well below the limit, so that it is not the next one's turn again.
    const shortLength = Math.floor(longOrderKeyLength / 2);
    const least = this.#spread(ids, from, until);
    if (least === undefined || least.longest <= shortLength) return least;
    const isEnough = least.longest <= longOrderKeyLength;
    if (isEnough && isShared) return least;
    const isPossible = least.longest <= maxOrderKeyLength;
    let low = from;
    let high = until;
    while (low > 0 || high < ids.length) {
      const width = high - low;
      const most = isPossible ? maxShortenedOrderKeys - width : width;
      const step = withNeighbours ? Math.min(width, most) : 0;
      if (step <= 0) break;
      if (this.#isTighterBefore(ids, low, high, from - low < high - until)) low = Math.max(0, low - step);
      else high = Math.min(ids.length, high + step);
      const wide = this.#spread(ids, low, high);
      if (wide === undefined) break;
      if (wide.longest <= shortLength || (!isPossible && wide.longest <= maxOrderKeyLength)) return wide;
    }
    return isEnough || (isShared && isPossible) ? least : undefined;
  }

  /** On which side the neighbour's key is longer, which is what leaves so little room. */
  #isTighterBefore(ids: readonly string[], low: number, high: number, ifEqual: boolean): boolean {
    const before = low === 0 ? -1 : this.#keyOf(ids[low - 1] as string).length;
    const behind = high === ids.length ? -1 : this.#keyOf(ids[high] as string).length;
    return before === behind ? ifEqual : before > behind;
  }

  /** New keys for the records from one place to another, between those of their neighbours. */
  #spread(ids: readonly string[], from: number, until: number): Spread | undefined {
    const low = from === 0 ? null : this.#keyOf(ids[from - 1] as string);
    const high = until === ids.length ? null : this.#keyOf(ids[until] as string);
    if ((low !== null && !isOrderKey(low)) || (high !== null && !isOrderKey(high))) return undefined;
    const keys = generateNKeysBetween(low, high, until - from);
    return { from, keys, longest: keys.reduce((most, { length }) => Math.max(most, length), 0) };
  }

  #setKey(id: string, key: string): void {
    const write = this.#writes.get(id);
    const patch = { kind: "patch", set: Object.freeze({ [this.#field]: key }), unset: [] } as const;
    const change = squashChange(write?.change, patch);
    const record = change.kind === "put" ? change.record : applyChange(this.#recordOf(id), patch);
    const isRepair = write === undefined || write.isRepair === true;
    this.#writes.set(id, { change, record, ...(isRepair && { isRepair }) });
  }

  #order(): readonly string[] {
    const { owner } = this.#list;
    return owner === undefined
      ? this.#state.order(this.#collection, this.#field)
      : this.#state.ownOrder(this.#collection, owner, this.#field);
  }

  #isLong(key: string): boolean {
    return key.length > this.#limits.longOrderKeyLength;
  }

  #placeIn(ids: readonly string[], key: string, id: string): number {
    return placeOf(ids, this.#field, key, id, (other) => this.#recordOf(other));
  }

  #keyOf(id: string): string {
    return orderOf(this.#recordOf(id), this.#field);
  }

  #recordOf(id: string): Fields | undefined {
    return this.#writes.has(id) ? this.#writes.get(id)?.record : this.#before(id);
  }

  #before(id: string): Fields | undefined {
    return this.#state.get(this.#collection, id);
  }
}
