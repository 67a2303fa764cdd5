import type { AnyRoomDefinition } from "../../schema/definition.ts";
import type { Json } from "../../schema/json.ts";
import type { Caller } from "../../model/call.ts";
import { canonicalJson, type Checksums } from "../../model/checksum.ts";
import { hashName } from "../owners/hash-name.ts";
import { decodeDelta, encodeDelta, type EncodedDelta, type Entries } from "../../protocol/encoding/delta.ts";
import { canOwn, collectionOf, ownPartition, rangeOf, Partitions } from "./partitions.ts";

/** Collection → the roles that are shown it. One that is not named is shown to all. */
export type VisibleTo = { readonly [collection: string]: readonly string[] | undefined };

/** The range of a stored page, for a snapshot part. */
export interface PageRange {
  readonly number: number;
  readonly collection: string;
  readonly firstId: string;
  /** First id beyond the range; null when it is open. */
  readonly untilId: string | null;
  /** Of the page's records. */
  readonly bytes: number;
}

/** The pages that a snapshot is made of. */
export interface StoredRanges {
  /** Bytes of all of them. */
  readonly bytes: number;
  ranges(): Iterable<PageRange>;
}

/** The checksums of a state. */
export interface ChecksummedState {
  readonly checksums: Checksums;
  checksum(collection: string): number;
  /** The checksum of what belongs to `owner` of a private collection. */
  ownChecksum(collection: string, owner: string): number;
}

/** A stored page, as far as a view shows it. */
export interface ShownRange extends PageRange {
  /** Whether the page holds records beyond the range, which are not shown. */
  readonly isCut: boolean;
}

/** What of a room somebody is shown: of each collection all, nothing, or what is theirs. */
export class View {
  /** Whether that is everything. */
  readonly seesEverything: boolean;
  /** Collections of which something may be shown. */
  readonly #shown: ReadonlySet<string>;
  readonly #partitions: Partitions;
  readonly #owner: string | undefined;
  readonly #key: string;

  constructor(
    collections: readonly string[],
    partitions: Partitions,
    shown: ReadonlySet<string>,
    owner: string | undefined,
  ) {
    this.seesEverything = partitions.privates.length === 0 && shown.size === collections.length;
    this.#shown = shown;
    this.#partitions = partitions;
    this.#owner = owner;
    this.#key = hashName(canonicalJson([[...shown].toSorted(), partitions.privates, owner ?? null]));
  }

  /**
   * An epoch by the name under which those of this view know it. A client whose view has become another holds too much
   * or too little, which is what another epoch means to it.
   */
  epochOf(epoch: string): string {
    return this.seesEverything ? epoch : `${epoch}~${this.#key}`;
  }

  shows(collection: string, id: string): boolean {
    if (this.seesEverything) return true;
    return this.#partitionShown(collection) === this.#partitions.of(collection, id);
  }

  /** What of `ids`, which are sorted, is shown. */
  ids(collection: string, ids: readonly string[]): readonly string[] {
    return this.seesEverything ? ids : ids.filter((id) => this.shows(collection, id));
  }

  /** Those of `partitions` that are shown. */
  partitions(partitions: Iterable<string>): readonly string[] {
    return [...partitions].filter((partition) => this.#partitionShown(collectionOf(partition)) === partition);
  }

  /** A delta of partitions as this view has it: of collections. */
  delta(delta: EncodedDelta): EncodedDelta {
    if (this.seesEverything) return delta;
    const { entries } = decodeDelta(delta.body);
    return encodeDelta(delta.from, delta.to, collected(entries, this.partitions(entries.keys())));
  }

  checksums(state: ChecksummedState): Checksums {
    if (this.seesEverything) return state.checksums;
    const checksums: Record<string, number> = {};
    for (const collection of this.#shown) {
      const sum = this.#checksum(state, collection);
      if (sum !== 0) checksums[collection] = sum;
    }
    return checksums;
  }

  /** What of the stored pages is shown: a range names no id that is not. */
  *ranges(ranges: Iterable<PageRange>): Generator<ShownRange> {
    for (const range of ranges) {
      const partition = this.#partitionShown(range.collection);
      if (partition === undefined) continue;
      if (partition === range.collection) yield { ...range, isCut: false };
      else yield* this.#cut(range);
    }
  }

  #checksum(state: ChecksummedState, collection: string): number {
    if (!this.#partitions.isPrivate(collection)) return state.checksum(collection);
    return this.#owner === undefined ? 0 : state.ownChecksum(collection, this.#owner);
  }

  /** How much of the pages is shown, by their bytes. */
  shareOf(pages: StoredRanges): number {
    if (this.seesEverything || pages.bytes === 0) return 1;
    let shown = 0;
    for (const { bytes } of this.ranges(pages.ranges())) shown += bytes;
    return shown / pages.bytes;
  }

  *#cut(range: PageRange): Generator<ShownRange> {
    const { from, until } = rangeOf(this.#owner as string);
    const { firstId, untilId } = range;
    if (firstId >= until || (untilId !== null && untilId <= from)) return;
    const isWithin = firstId >= from && untilId !== null && untilId <= until;
    yield {
      ...range,
      firstId: firstId > from ? firstId : from,
      untilId: untilId !== null && untilId < until ? untilId : until,
      isCut: !isWithin,
    };
  }

  /** The partition of a collection that is shown; undefined for none. */
  #partitionShown(collection: string): string | undefined {
    if (!this.#shown.has(collection)) return undefined;
    if (!this.#partitions.isPrivate(collection)) return collection;
    return this.#owner === undefined ? undefined : ownPartition(collection, this.#owner);
  }
}

/** The entries of `partitions`, by collection. */
export function collected(entries: Entries, partitions: readonly string[]): Entries {
  const shown: Entries = new Map();
  for (const partition of partitions) {
    const records = entries.get(partition);
    if (records !== undefined) shown.set(collectionOf(partition), records);
  }
  return shown;
}

/** The views of a room's clients. */
export class Views {
  readonly partitions: Partitions;
  readonly #collections: readonly string[];
  readonly #visibleTo: VisibleTo;
  readonly #everything: View | undefined;
  /** By caller: it is asked for at each call. */
  readonly #known = new WeakMap<Pick<Caller, "user" | "role">, View>();

  /** Throws an Error for a name in `visibleTo` that is no collection. */
  constructor(definition: AnyRoomDefinition, visibleTo: VisibleTo = {}) {
    this.#collections = Object.keys(definition.collections);
    this.partitions = new Partitions(definition.private);
    this.#visibleTo = visibleTo;
    for (const name of Object.keys(visibleTo)) {
      if (!this.#collections.includes(name))
        throw new Error(`visibleTo: ${JSON.stringify(name)} is no collection of this room`);
    }
    if (definition.private.length === 0 && Object.keys(visibleTo).length === 0)
      this.#everything = this.#make({ user: null });
  }

  of(caller: Pick<Caller, "user" | "role">): View {
    if (this.#everything !== undefined) return this.#everything;
    let view = this.#known.get(caller);
    if (view === undefined) this.#known.set(caller, (view = this.#make(caller)));
    return view;
  }

  #make({ user, role }: Pick<Caller, "user" | "role">): View {
    const shown = this.#collections.filter((name) => {
      const roles = Object.hasOwn(this.#visibleTo, name) ? this.#visibleTo[name] : undefined;
      return roles === undefined || (role !== undefined && roles.includes(role));
    });
    return new View(this.#collections, this.partitions, new Set(shown), idOf(user));
  }
}

/** Of a person whom records can belong to. */
function idOf(user: Json): string | undefined {
  const id = typeof user === "object" && user !== null && "id" in user ? user["id"] : undefined;
  return canOwn(id) ? id : undefined;
}
