import type { StoredClient } from "../room/engine/client-log/client-log.ts";
import {
  type PageHead,
  type PageWrite,
  type StoredPage,
  DeletedError,
  SupersededError,
  type Checkpoint,
  type RoomRow,
  type RoomStorage,
  type StoredSegment,
} from "../room/storage/room-storage.ts";
import type { JournalRow } from "../room/engine/journal-row.ts";

/** Of the tables below. A room with another one was written by another version of deltaroom. */
const layout = 10;

// The app may keep tables of its own in the same database, so each name here begins with `deltaroom_`.
// SQLite finds a column by going through all that stands before it in the row: what joins read stands first.
const tables = `
  CREATE TABLE deltaroom_room (
    id INTEGER PRIMARY KEY CHECK (id = 1), layout INTEGER NOT NULL, epoch TEXT NOT NULL, checkpoints INTEGER NOT NULL, flushSeq INTEGER NOT NULL,
    rev INTEGER NOT NULL, nextHandle INTEGER NOT NULL, weight INTEGER NOT NULL, ringFrom INTEGER NOT NULL, horizons TEXT NOT NULL, tombstones TEXT NOT NULL,
    checksums TEXT NOT NULL, privates TEXT NOT NULL
  );
  CREATE TABLE deltaroom_journal (
    slot INTEGER PRIMARY KEY, flushSeq INTEGER NOT NULL, epoch TEXT NOT NULL, "from" INTEGER NOT NULL,
    "to" INTEGER NOT NULL, body BLOB NOT NULL, ids TEXT NOT NULL, clientLog TEXT NOT NULL, authors TEXT NOT NULL
  );
  CREATE TABLE deltaroom_page (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, firstId TEXT NOT NULL, deflated BLOB,
    records TEXT NOT NULL, authorship TEXT NOT NULL
  );
  CREATE TABLE deltaroom_segment (
    "from" INTEGER PRIMARY KEY, "to" INTEGER NOT NULL, level INTEGER NOT NULL, body BLOB NOT NULL
  );
  CREATE TABLE deltaroom_client (
    clientId TEXT PRIMARY KEY, owner TEXT NOT NULL, lastCallId INTEGER NOT NULL, confirmed INTEGER NOT NULL,
    seenAt INTEGER NOT NULL, outcomes TEXT NOT NULL
  ) WITHOUT ROWID;
`;

const tableNames = ["room", "journal", "page", "segment", "client"].map((name) => `deltaroom_${name}`);

type ClientRow = Omit<StoredClient, "outcomes"> & { readonly outcomes: string };
type Row = Record<string, SqlStorageValue>;

/** A room in the SQLite storage of its Durable Object. One flush writes exactly one row. */
export class SqliteStorage implements RoomStorage {
  readonly #storage: DurableObjectStorage;
  readonly #slots: number;

  /** `slots`: rows of the journal; a slot is written again after that many flushes. */
  constructor(storage: DurableObjectStorage, slots: number) {
    this.#storage = storage;
    this.#slots = slots;
  }

  room(): RoomRow | undefined {
    if (!this.#hasTables()) return undefined;
    const row = this.#rows<RoomRow & { layout: number }>("SELECT * FROM deltaroom_room")[0];
    if (row === undefined) throw new Error("the row of the table deltaroom_room is missing");
    if (row.layout !== layout) throw new Error(`storage has layout ${row.layout}, known is ${layout}`);
    return row;
  }

  create(room: RoomRow): void {
    if (this.#hasTables()) throw new SupersededError("another instance has made the room");
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec(tables);
      this.#writeRoom(room);
    });
  }

  pages(): Iterable<PageHead> {
    // The length is in the row's header: what is behind it is not read.
    return this.#rows<PageHead>(
      "SELECT number, collection, firstId, octet_length(records) AS bytes FROM deltaroom_page",
    );
  }

  page(number: number, checkpoints: number): StoredPage {
    return this.#page<StoredPage>("number, collection, firstId, records, authorship", number, checkpoints);
  }

  pageRecords(number: number, checkpoints: number): string {
    return this.#page<Pick<StoredPage, "records">>("records", number, checkpoints).records;
  }

  deflatedRecords(numbers: readonly number[], checkpoints: number): ReadonlyMap<number, Uint8Array> {
    const rows = this.#rows<{ number: number; deflated: ArrayBuffer | null }>(
      "SELECT number, deflated FROM deltaroom_page, deltaroom_room WHERE number IN (SELECT value FROM json_each(?)) AND checkpoints = ?",
      JSON.stringify(numbers),
      checkpoints,
    );
    if (rows.length < numbers.length) this.#assertCheckpoint(checkpoints);
    const kept = new Map<number, Uint8Array>();
    for (const { number, deflated } of rows)
      if (deflated !== null) kept.set(number, new Uint8Array(deflated));
    return kept;
  }

  undeflatedPages(minBytes: number): readonly number[] {
    const query = "SELECT number FROM deltaroom_page WHERE deflated IS NULL AND octet_length(records) >= ?";
    return this.#rows<{ number: number }>(query, minBytes).map(({ number }) => number);
  }

  saveDeflated(number: number, deflated: Uint8Array, checkpoints: number): void {
    this.#exec(
      "UPDATE deltaroom_page SET deflated = ? WHERE number = ? AND (SELECT checkpoints FROM deltaroom_room) = ?",
      bufferOf(deflated),
      number,
      checkpoints,
    );
  }

  pagesBytes(isDeflated: boolean): number {
    const column = isDeflated ? "coalesce(deflated, records)" : "records";
    const [row] = this.#rows<{ bytes: number | null }>(
      `SELECT sum(octet_length(${column})) AS bytes FROM deltaroom_page`,
    );
    return row?.bytes ?? 0;
  }

  *clientLog(): Generator<StoredClient> {
    for (const row of this.#rows<ClientRow>("SELECT * FROM deltaroom_client")) {
      // Of most clients every outcome is confirmed, and there may be thousands of them.
      const outcomes = row.outcomes === "[]" ? [] : (JSON.parse(row.outcomes) as StoredClient["outcomes"]);
      yield Object.assign(row, { outcomes });
    }
  }

  segments(): Iterable<StoredSegment> {
    return this.#withBodies<StoredSegment>('SELECT * FROM deltaroom_segment ORDER BY "from"');
  }

  journal(n: number): Iterable<JournalRow> {
    return this.#journalRows("flushSeq > ?", n);
  }

  ring(from: number, n: number): Iterable<JournalRow> {
    return this.#journalRows('flushSeq <= ? AND "from" >= ? AND "to" > "from"', n, from);
  }

  append(row: JournalRow, checkpoints: number): void {
    const { rowsWritten } = this.#exec(
      `INSERT INTO deltaroom_journal (slot, flushSeq, epoch, "from", "to", body, ids, clientLog, authors)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? FROM deltaroom_room WHERE checkpoints = ?
       ON CONFLICT (slot) DO UPDATE SET flushSeq = excluded.flushSeq, epoch = excluded.epoch, "from" = excluded."from",
         "to" = excluded."to", body = excluded.body, ids = excluded.ids, clientLog = excluded.clientLog, authors = excluded.authors
       WHERE excluded.flushSeq > deltaroom_journal.flushSeq`,
      row.flushSeq % this.#slots,
      row.flushSeq,
      row.epoch,
      row.from,
      row.to,
      bufferOf(row.body),
      row.ids,
      row.clientLog,
      row.authors,
      checkpoints,
    );
    if (rowsWritten === 1) return;
    this.#assertCheckpoint(checkpoints);
    throw new SupersededError(`another instance has written flush ${row.flushSeq}`);
  }

  assertNewest(n: number, checkpoints: number): void {
    const slot = (n + 1) % this.#slots;
    const next = this.#rows<{ flushSeq: number }>(
      "SELECT flushSeq FROM deltaroom_journal WHERE slot = ?",
      slot,
    )[0];
    if (next !== undefined && next.flushSeq > n)
      throw new SupersededError(`another instance has written flush ${next.flushSeq}`);
    this.#assertCheckpoint(checkpoints);
  }

  checkpoint({
    room,
    pages,
    clientLog,
    forgottenClients,
    writtenSegments,
    removedSegments,
  }: Checkpoint): void {
    this.#storage.transactionSync(() => {
      this.#assertCheckpoint(room.checkpoints - 1);
      for (const write of pages) this.#writePage(write);
      for (const { clientId, owner, lastCallId, confirmed, seenAt, outcomes } of clientLog) {
        const values = [clientId, owner, lastCallId, confirmed, seenAt, JSON.stringify(outcomes)];
        this.#exec("REPLACE INTO deltaroom_client VALUES (?, ?, ?, ?, ?, ?)", ...values);
      }
      for (const clientId of forgottenClients)
        this.#exec("DELETE FROM deltaroom_client WHERE clientId = ?", clientId);
      for (const from of removedSegments) this.#exec('DELETE FROM deltaroom_segment WHERE "from" = ?', from);
      for (const { from, to, level, body } of writtenSegments) {
        this.#exec("REPLACE INTO deltaroom_segment VALUES (?, ?, ?, ?)", from, to, level, bufferOf(body));
      }
      this.#writeRoom(room);
    });
  }

  #journalRows(condition: string, ...bindings: SqlStorageValue[]): JournalRow[] {
    const rows = this.#withBodies<JournalRow>(
      `SELECT * FROM deltaroom_journal WHERE ${condition}`,
      ...bindings,
    );
    // To have SQLite sort them would be to copy them all once more.
    return [...rows].toSorted((a, b) => a.flushSeq - b.flushSeq);
  }

  #page<T extends object>(columns: string, number: number, checkpoints: number): T {
    const query = `SELECT ${columns} FROM deltaroom_page, deltaroom_room WHERE number = ? AND checkpoints = ?`;
    const [page] = this.#rows<T>(query, number, checkpoints);
    if (page !== undefined) return page;
    this.#assertCheckpoint(checkpoints);
    throw new Error(`page ${number} is missing`);
  }

  #writePage(write: PageWrite): void {
    if (write.kind === "delete")
      return void this.#exec("DELETE FROM deltaroom_page WHERE number = ?", write.number);
    const { number, collection, firstId, records, authorship } = write.page;
    this.#exec(
      "REPLACE INTO deltaroom_page VALUES (?, ?, ?, NULL, ?, ?)",
      number,
      collection,
      firstId,
      records,
      authorship,
    );
  }

  /** Whether the room was ever created. Throws when only some of its tables are there: it must not be begun anew over the rest. */
  #hasTables(): boolean {
    const missing = this.#missingTables;
    if (missing.length > 0 && missing.length < tableNames.length)
      throw new Error(`storage has no table ${missing.join(", ")}: the table was dropped or renamed`);
    return missing.length === 0;
  }

  get #missingTables(): readonly string[] {
    const query = "SELECT name FROM sqlite_master WHERE type = 'table'";
    const there = this.#storage.sql.exec<{ name: string }>(query).toArray();
    return tableNames.filter((table) => !there.some(({ name }) => name === table));
  }

  #assertCheckpoint(checkpoints: number): void {
    const stored = this.#rows<{ checkpoints: number }>("SELECT checkpoints FROM deltaroom_room")[0]
      ?.checkpoints;
    if (stored === undefined) throw new DeletedError("the row of the table deltaroom_room is missing");
    if (stored !== checkpoints)
      throw new SupersededError(`another instance has written checkpoint ${stored}`);
  }

  #writeRoom(room: RoomRow): void {
    const {
      epoch,
      checkpoints,
      flushSeq,
      rev,
      nextHandle,
      weight,
      ringFrom,
      horizons,
      tombstones,
      checksums,
      privates,
    } = room;
    const numbers = [checkpoints, flushSeq, rev, nextHandle, weight, ringFrom];
    const values = [layout, epoch, ...numbers, horizons, tombstones, checksums, privates];
    this.#exec("REPLACE INTO deltaroom_room VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ...values);
  }

  *#withBodies<T extends { readonly body: Uint8Array }>(
    query: string,
    ...bindings: SqlStorageValue[]
  ): Generator<T> {
    for (const row of this.#exec<Row & { body: ArrayBuffer }>(query, ...bindings)) {
      yield { ...row, body: new Uint8Array(row.body) } as unknown as T;
    }
  }

  #rows<T extends object = Row>(query: string, ...bindings: SqlStorageValue[]): T[] {
    return this.#exec<Row>(query, ...bindings).toArray() as T[];
  }

  #exec<T extends Row>(query: string, ...bindings: SqlStorageValue[]) {
    try {
      return this.#storage.sql.exec<T>(query, ...bindings);
    } catch (error) {
      if (this.#missingTables.length === 0) throw error;
      throw new DeletedError(`storage has no table ${this.#missingTables.join(", ")}`, { cause: error });
    }
  }
}

/** What the platform takes for a BLOB. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  const isWhole = byteLength === buffer.byteLength;
  // Nothing here was ever made over shared memory.
  return (isWhole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
}
