import type { StoredClient } from "../engine/client-log/client-log.ts";
import type { JournalRow } from "../engine/journal-row.ts";

/** A page as storage holds it: a contiguous range of ids of one collection. */
export interface StoredPage {
  readonly number: number;
  readonly collection: string;
  /** Lowest id of the range, "" for a collection's first page; the range ends where the next page begins. */
  readonly firstId: string;
  /** The text of `PageRecords`, in order of id; it is that of a snapshot part too. */
  readonly records: string;
  /** Who changed them last, in the same order; never sent. */
  readonly authorship: string;
}

/** What a wake needs to know of a stored page before anybody needs its records. */
export interface PageHead extends Pick<StoredPage, "number" | "collection" | "firstId"> {
  /** Of `records`. */
  readonly bytes: number;
}

/** One thing that a checkpoint does to the stored pages. */
export type PageWrite =
  | { readonly kind: "put"; readonly page: StoredPage }
  | { readonly kind: "delete"; readonly number: number };

/** A merged part of history on disk. */
export interface StoredSegment {
  readonly from: number;
  readonly to: number;
  readonly level: number;
  readonly body: Uint8Array;
}

/** The one row about the room itself, written by each checkpoint. */
export interface RoomRow {
  readonly epoch: string;
  /** Checkpoints ever written; never restarts. With `n` of the journal it tells an instance whether it is the newest. */
  readonly checkpoints: number;
  /** Number of the last flush that the pages hold, 0 before the first checkpoint. */
  readonly flushSeq: number;
  /** Revision that the pages hold. */
  readonly rev: number;
  /** The lowest record handle that was never given. */
  readonly nextHandle: number;
  /** Bytes of heap that the records of the pages take, see `weight.ts`. */
  readonly weight: number;
  /** Where the ring buffer began; the segments end there. */
  readonly ringFrom: number;
  /** JSON of the flushes at which clients were last forgotten, by owner; see `Horizons`. */
  readonly horizons: string;
  /** JSON of the remembered deletions: `[[collection, id, rev, client id, othersRev], …]`. */
  readonly tombstones: string;
  /** JSON of the checksums of what the pages hold, by collection; without the private ones. */
  readonly checksums: string;
  /** JSON of the names of the private collections, sorted, by which journal and history are divided into partitions. */
  readonly privates: string;
}

/** What one checkpoint writes, in one transaction. */
export interface Checkpoint {
  readonly room: RoomRow;
  /** Encoded as they are asked for, once: together they may be the whole state. */
  readonly pages: Iterable<PageWrite>;
  readonly clientLog: readonly StoredClient[];
  readonly forgottenClients: readonly string[];
  readonly writtenSegments: readonly StoredSegment[];
  /** Segments that are no more, by `from`. */
  readonly removedSegments: readonly number[];
}

/**
 * Where a room is kept. All of it is synchronous, and each writing call is atomic: it happened or it threw.
 * Whatever reads may throw as well: then the instance is not fit to serve. Any call but `room` and `create` may throw
 * {@link DeletedError}; `room` then returns undefined.
 */
export interface RoomStorage {
  /** The room's row, or undefined when this room was never written to. */
  room(): RoomRow | undefined;
  /** Notes a new room's epoch before anything is served. Throws {@link SupersededError} when another instance has done so. */
  create(room: RoomRow): void;
  /** All pages, without what they hold. */
  pages(): Iterable<PageHead>;
  /** One page as checkpoint `checkpoints` left it. Throws {@link SupersededError} when there has been another since. */
  page(number: number, checkpoints: number): StoredPage;
  /** Its records alone. Throws as `page` does. */
  pageRecords(number: number, checkpoints: number): string;
  /** The records of several pages, by number, as far as {@link saveDeflated} has kept them. Throws as `page` does. */
  deflatedRecords(numbers: readonly number[], checkpoints: number): ReadonlyMap<number, Uint8Array>;
  /** Pages of at least `minBytes` of which no deflated form is kept. */
  undeflatedPages(minBytes: number): readonly number[];
  /** Keeps the deflated form of a page's records, unless a checkpoint has been written since number `checkpoints`. */
  saveDeflated(number: number, deflated: Uint8Array, checkpoints: number): void;
  /** Bytes of all pages, in their deflated form where there is one and `isDeflated` asks for it. */
  pagesBytes(isDeflated: boolean): number;
  clientLog(): Iterable<StoredClient>;
  /** Oldest first. */
  segments(): Iterable<StoredSegment>;
  /** The rows above flush `n`, in order of `n`. */
  journal(n: number): Iterable<JournalRow>;
  /** Of the rows up to flush `n` those that are still there and have a delta from revision `from` on, in order of `n`. */
  ring(from: number, n: number): Iterable<JournalRow>;
  /** Throws {@link SupersededError} when another instance has written `row.n` or more, or another than checkpoint `checkpoints`. */
  append(row: JournalRow, checkpoints: number): void;
  /** Throws {@link SupersededError} when another instance has written beyond flush `n` or another checkpoint. */
  assertNewest(n: number, checkpoints: number): void;
  /** Throws {@link SupersededError} when the one before `checkpoint.room.checkpoints` is not the last that was written. */
  checkpoint(checkpoint: Checkpoint): void;
}

/** The tables of the room are not there any more: the app has deleted its storage, or dropped them. */
export class DeletedError extends Error {
  override readonly name = "DeletedError";
}

/** Another instance of this room has taken over: this one must answer nobody any more. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";
}
