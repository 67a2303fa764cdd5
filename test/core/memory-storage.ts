import { utf8Bytes } from "../../src/core/json.ts";
import type { StoredMark } from "../../src/core/marks.ts";
import type { PageHead, StoredPage } from "../../src/core/page.ts";
import {
  SupersededError,
  type Checkpoint,
  type JournalRow,
  type RoomRow,
  type RoomStorage,
  type StoredSegment,
} from "../../src/core/storage.ts";

/** What writes. */
export type Write = "create" | "append" | "checkpoint";
/** What can be told to fail. */
export type Access = Write | "page" | "ring";

/** Bytes that a row, and a text in it, may have: the platform's limit, which local workerd does not keep. */
export const maxStoredRowBytes = 2_000_000;

/**
 * A room's storage in memory, with the promises of the real one: a write happens whole or throws, whatever is
 * written or read is a copy, a journal slot takes only a greater `n`, and no row is larger than the platform allows.
 */
export class MemoryStorage implements RoomStorage {
  readonly #slots: number;
  readonly #failing = new Map<Access, Error>();
  /** Numbers of the pages read so far. */
  readonly pagesRead: number[] = [];
  #room: RoomRow | undefined;
  #pages = new Map<number, StoredPage>();
  /** Of a page as it was written: another is another object. */
  readonly #deflated = new WeakMap<StoredPage, Uint8Array>();
  #marks = new Map<string, StoredMark>();
  #segments = new Map<number, StoredSegment>();
  #journal = new Map<number, JournalRow>();

  /** `slots`: rows of the journal; a slot is written again after that many flushes. */
  constructor(slots: number) {
    this.#slots = slots;
  }

  /** The next `access` throws `error`, and writes nothing. */
  failNext(access: Access, error: Error = new Error(`${access} failed`)): void {
    this.#failing.set(access, error);
  }

  /** Another storage with the same rows: what a crash at this moment would leave. */
  copy(): MemoryStorage {
    const other = new MemoryStorage(this.#slots);
    other.#room = copyOf(this.#room);
    other.#pages = new Map(this.#pages);
    other.#marks = new Map(this.#marks);
    other.#segments = new Map(this.#segments);
    other.#journal = new Map(this.#journal);
    return other;
  }

  /** All rows, for comparing. */
  get rows(): { readonly [table: string]: unknown } {
    const [pages, marks, segments] = [this.#pages, this.#marks, this.#segments].map((table) => [
      ...table.values(),
    ]);
    return { room: this.#room, pages, marks, segments, journal: [...this.#journal.values()] };
  }

  /** Takes a journal row out, as no write of a room ever does. */
  loseJournalRow(n: number): void {
    if (this.#journal.get(n % this.#slots)?.n === n) this.#journal.delete(n % this.#slots);
  }

  room(): RoomRow | undefined {
    return copyOf(this.#room);
  }

  create(room: RoomRow): void {
    this.#failWhenTold("create");
    if (this.#room !== undefined) throw new SupersededError("another instance has made the room");
    this.#room = storable(room);
  }

  pages(): Iterable<PageHead> {
    return Array.from(this.#pages.values(), ({ number, collection, firstId, records }) => {
      return { number, collection, firstId, bytes: utf8Bytes(records) };
    });
  }

  page(number: number, checkpoints: number): StoredPage {
    this.#failWhenTold("page");
    const page = this.#page(number, checkpoints);
    this.pagesRead.push(number);
    return copyOf(page);
  }

  pageRecords(number: number, checkpoints: number): string {
    return this.#page(number, checkpoints).records;
  }

  deflatedRecords(number: number, checkpoints: number): Uint8Array | undefined {
    return this.#deflated.get(this.#page(number, checkpoints));
  }

  undeflatedPages(minBytes: number): readonly number[] {
    return [...this.#pages.values()]
      .filter((page) => !this.#deflated.has(page) && utf8Bytes(page.records) >= minBytes)
      .map(({ number }) => number);
  }

  saveDeflated(number: number, deflated: Uint8Array, checkpoints: number): void {
    const page = this.#pages.get(number);
    if (page !== undefined && this.#room?.checkpoints === checkpoints) this.#deflated.set(page, deflated);
  }

  pagesBytes(isDeflated: boolean): number {
    let bytes = 0;
    for (const page of this.#pages.values()) {
      bytes += (isDeflated && this.#deflated.get(page)?.length) || utf8Bytes(page.records);
    }
    return bytes;
  }

  marks(): Iterable<StoredMark> {
    return copyOf([...this.#marks.values()]);
  }

  segments(): Iterable<StoredSegment> {
    return [...this.#segments.values()].toSorted((a, b) => a.from - b.from).map(copyOfRow);
  }

  journal(n: number): Iterable<JournalRow> {
    return this.#journalRows((row) => row.n > n);
  }

  ring(from: number, n: number): Iterable<JournalRow> {
    this.#failWhenTold("ring");
    return this.#journalRows((row) => row.n <= n && row.from >= from && row.to > row.from);
  }

  append(row: JournalRow, checkpoints: number): void {
    this.#failWhenTold("append");
    this.#assertCheckpoint(checkpoints);
    const slot = row.n % this.#slots;
    const held = this.#journal.get(slot);
    if (held !== undefined && held.n >= row.n)
      throw new SupersededError(`another instance has written flush ${row.n}`);
    this.#journal.set(slot, storable(row));
  }

  assertNewest(n: number, checkpoints: number): void {
    this.#assertCheckpoint(checkpoints);
    const next = this.#journal.get((n + 1) % this.#slots);
    if (next !== undefined && next.n > n)
      throw new SupersededError(`another instance has written flush ${next.n}`);
  }

  checkpoint(checkpoint: Checkpoint): void {
    this.#failWhenTold("checkpoint");
    this.#assertCheckpoint(checkpoint.room.checkpoints - 1);
    // Everything that may throw comes first: a transaction writes all of it or nothing.
    const room = storable(checkpoint.room);
    const pages = Array.from(checkpoint.pages, (write) =>
      write.kind === "put" ? { ...write, page: storable(write.page) } : write,
    );
    const marks = checkpoint.marks.map((mark) => copyOf(storable(mark)));
    const segments = checkpoint.writtenSegments.map(({ from, to, level, body }) =>
      storable({ from, to, level, body }),
    );
    for (const write of pages) {
      if (write.kind === "put") this.#pages.set(write.page.number, write.page);
      else this.#pages.delete(write.number);
    }
    for (const mark of marks) this.#marks.set(mark.actor, mark);
    for (const actor of checkpoint.forgottenMarks) this.#marks.delete(actor);
    for (const from of checkpoint.removedSegments) this.#segments.delete(from);
    for (const segment of segments) this.#segments.set(segment.from, segment);
    this.#room = room;
  }

  #journalRows(isAsked: (row: JournalRow) => boolean): JournalRow[] {
    return [...this.#journal.values()]
      .filter(isAsked)
      .toSorted((a, b) => a.n - b.n)
      .map(copyOfRow);
  }

  #page(number: number, checkpoints: number): StoredPage {
    this.#assertCheckpoint(checkpoints);
    const page = this.#pages.get(number);
    if (page === undefined) throw new Error(`page ${number} is missing`);
    return page;
  }

  #assertCheckpoint(checkpoints: number): void {
    const stored = this.#room?.checkpoints;
    if (stored !== checkpoints)
      throw new SupersededError(`another instance has written checkpoint ${stored}`);
  }

  #failWhenTold(access: Access): void {
    const error = this.#failing.get(access);
    this.#failing.delete(access);
    if (error !== undefined) throw error;
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
