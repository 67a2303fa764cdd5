import { utf8Bytes } from "../src/model/json.ts";
import type { StoredClient } from "../src/room/engine/client-log/client-log.ts";
import {
  type PageHead,
  type StoredPage,
  DeletedError,
  SupersededError,
  type Checkpoint,
  type RoomRow,
  type RoomStorage,
  type StoredSegment,
} from "../src/room/storage/room-storage.ts";
import type { JournalRow } from "../src/room/engine/journal-row.ts";

/** Bytes that a row, and a text in it, may have: the platform's limit, which local workerd does not keep. */
export const maxStoredRowBytes = 2_000_000;

/** The rows of each table. None is changed once it is written. */
interface Tables {
  room: RoomRow | undefined;
  readonly pages: Map<number, StoredPage>;
  readonly clientLog: Map<string, StoredClient>;
  readonly segments: Map<number, StoredSegment>;
  /** By slot. */
  readonly journal: Map<number, JournalRow>;
}

function emptyTables(): Tables {
  return { room: undefined, pages: new Map(), clientLog: new Map(), segments: new Map(), journal: new Map() };
}

/**
 * A room's storage in memory, with the promises of the real one: a write happens whole or throws, whatever is
 * written or read is a copy, a journal slot takes only a greater `n`, and no row is larger than the platform allows.
 */
export class MemoryStorage implements RoomStorage {
  protected readonly slots: number;
  protected readonly tables: Tables;
  /** Of a page as it was written: another is another object. */
  readonly #deflated = new WeakMap<StoredPage, Uint8Array>();

  /** `slots`: rows of the journal; a slot is written again after that many flushes. `tables` are what another has written. */
  constructor(slots: number, tables: Tables = emptyTables()) {
    this.slots = slots;
    this.tables = tables;
  }

  /** Another storage with the same rows: what a crash at this moment would leave. */
  copy(): MemoryStorage {
    return new MemoryStorage(this.slots, this.copyTables());
  }

  protected copyTables(): Tables {
    const { room, pages, clientLog, segments, journal } = this.tables;
    return {
      room: copyOf(room),
      pages: new Map(pages),
      clientLog: new Map(clientLog),
      segments: new Map(segments),
      journal: new Map(journal),
    };
  }

  room(): RoomRow | undefined {
    return copyOf(this.tables.room);
  }

  create(room: RoomRow): void {
    if (this.tables.room !== undefined) throw new SupersededError("another instance has made the room");
    this.tables.room = storable(room);
  }

  pages(): Iterable<PageHead> {
    return Array.from(this.tables.pages.values(), ({ number, collection, firstId, records }) => {
      return { number, collection, firstId, bytes: utf8Bytes(records) };
    });
  }

  page(number: number, checkpoints: number): StoredPage {
    return copyOf(this.#page(number, checkpoints));
  }

  pageRecords(number: number, checkpoints: number): string {
    return this.#page(number, checkpoints).records;
  }

  deflatedRecords(numbers: readonly number[], checkpoints: number): ReadonlyMap<number, Uint8Array> {
    const kept = new Map<number, Uint8Array>();
    for (const number of numbers) {
      const deflated = this.#deflated.get(this.#page(number, checkpoints));
      if (deflated !== undefined) kept.set(number, deflated);
    }
    return kept;
  }

  undeflatedPages(minBytes: number): readonly number[] {
    return [...this.tables.pages.values()]
      .filter((page) => !this.#deflated.has(page) && utf8Bytes(page.records) >= minBytes)
      .map(({ number }) => number);
  }

  saveDeflated(number: number, deflated: Uint8Array, checkpoints: number): void {
    const page = this.tables.pages.get(number);
    if (page !== undefined && this.tables.room?.checkpoints === checkpoints)
      this.#deflated.set(page, deflated);
  }

  pagesBytes(isDeflated: boolean): number {
    let bytes = 0;
    for (const page of this.tables.pages.values()) {
      bytes += (isDeflated && this.#deflated.get(page)?.length) || utf8Bytes(page.records);
    }
    return bytes;
  }

  clientLog(): Iterable<StoredClient> {
    return copyOf([...this.tables.clientLog.values()]);
  }

  segments(): Iterable<StoredSegment> {
    return [...this.tables.segments.values()].toSorted((a, b) => a.from - b.from).map(copyOfRow);
  }

  journal(n: number): Iterable<JournalRow> {
    return this.#journalRows((row) => row.flushSeq > n);
  }

  ring(from: number, n: number): Iterable<JournalRow> {
    return this.#journalRows((row) => row.flushSeq <= n && row.from >= from && row.to > row.from);
  }

  append(row: JournalRow, checkpoints: number): void {
    this.#assertCheckpoint(checkpoints);
    const slot = row.flushSeq % this.slots;
    const held = this.tables.journal.get(slot);
    if (held !== undefined && held.flushSeq >= row.flushSeq)
      throw new SupersededError(`another instance has written flush ${row.flushSeq}`);
    this.tables.journal.set(slot, storable(row));
  }

  assertNewest(n: number, checkpoints: number): void {
    this.#assertCheckpoint(checkpoints);
    const next = this.tables.journal.get((n + 1) % this.slots);
    if (next !== undefined && next.flushSeq > n)
      throw new SupersededError(`another instance has written flush ${next.flushSeq}`);
  }

  checkpoint(checkpoint: Checkpoint): void {
    this.#assertCheckpoint(checkpoint.room.checkpoints - 1);
    // Everything that may throw comes first: a transaction writes all of it or nothing.
    const room = storable(checkpoint.room);
    const pages = Array.from(checkpoint.pages, (write) =>
      write.kind === "put" ? { ...write, page: storable(write.page) } : write,
    );
    const clientLog = checkpoint.clientLog.map((lastCallId) => copyOf(storable(lastCallId)));
    const segments = checkpoint.writtenSegments.map(({ from, to, level, body }) =>
      storable({ from, to, level, body }),
    );
    for (const write of pages) {
      if (write.kind === "put") this.tables.pages.set(write.page.number, write.page);
      else this.tables.pages.delete(write.number);
    }
    for (const client of clientLog) this.tables.clientLog.set(client.clientId, client);
    for (const clientId of checkpoint.forgottenClients) this.tables.clientLog.delete(clientId);
    for (const from of checkpoint.removedSegments) this.tables.segments.delete(from);
    for (const segment of segments) this.tables.segments.set(segment.from, segment);
    this.tables.room = room;
  }

  #journalRows(isAsked: (row: JournalRow) => boolean): JournalRow[] {
    return [...this.tables.journal.values()]
      .filter(isAsked)
      .toSorted((a, b) => a.flushSeq - b.flushSeq)
      .map(copyOfRow);
  }

  #page(number: number, checkpoints: number): StoredPage {
    this.#assertCheckpoint(checkpoints);
    const page = this.tables.pages.get(number);
    if (page === undefined) throw new Error(`page ${number} is missing`);
    return page;
  }

  #assertCheckpoint(checkpoints: number): void {
    const stored = this.tables.room?.checkpoints;
    if (stored === undefined) throw new DeletedError("storage has no room");
    if (stored !== checkpoints)
      throw new SupersededError(`another instance has written checkpoint ${stored}`);
  }
}

/** A copy of `row` as its columns hold it. Throws when the platform would. */
function storable<Row extends object>(row: Row): Row {
  let bytes = 0;
  for (const column of Object.values(row)) {
    if (column instanceof Uint8Array) bytes += column.length;
    else bytes += utf8Bytes(typeof column === "string" ? column : JSON.stringify(column));
  }
  if (bytes > maxStoredRowBytes) throw new Error(`string or blob too big: ${bytes} bytes`);
  return copyOfRow(row);
}

/** Of a row whose columns are texts, numbers and bytes. */
function copyOfRow<Row extends object>(row: Row): Row {
  const copy: Row = { ...row };
  for (const [name, column] of Object.entries(row)) {
    if (column instanceof Uint8Array) Object.assign(copy, { [name]: column.slice() });
  }
  return copy;
}

function copyOf<Value>(value: Value): Value {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as Value);
}
