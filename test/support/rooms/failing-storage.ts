import type { StoredPage, Checkpoint, RoomRow } from "../../../src/room/storage/room-storage.ts";
import type { JournalRow } from "../../../src/room/engine/journal-row.ts";
import { MemoryStorage } from "../../../testing/memory-storage.ts";

/** What writes. */
export type Write = "create" | "append" | "checkpoint";
/** What can be told to fail. */
type Access = Write | "page" | "ring";

/** A storage that fails when it is told to, and can be looked into. */
export class FailingStorage extends MemoryStorage {
  readonly #failing = new Map<Access, Error>();
  /** Numbers of the pages read so far. */
  readonly pagesRead: number[] = [];

  /** The next `access` throws `error`, and writes nothing. */
  failNext(access: Access, error: Error = new Error(`${access} failed`)): void {
    this.#failing.set(access, error);
  }

  /** All rows, for comparing. */
  get rows(): { readonly [table: string]: unknown } {
    const { room, ...tables } = this.tables;
    return {
      room,
      ...Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, [...rows.values()]])),
    };
  }

  /** Takes a journal row out, as no write of a room ever does. */
  loseJournalRow(n: number): void {
    const { journal } = this.tables;
    if (journal.get(n % this.slots)?.flushSeq === n) journal.delete(n % this.slots);
  }

  override copy(): FailingStorage {
    return new FailingStorage(this.slots, this.copyTables());
  }

  override create(room: RoomRow): void {
    this.#failWhenTold("create");
    super.create(room);
  }

  override append(row: JournalRow, checkpoints: number): void {
    this.#failWhenTold("append");
    super.append(row, checkpoints);
  }

  override checkpoint(checkpoint: Checkpoint): void {
    this.#failWhenTold("checkpoint");
    super.checkpoint(checkpoint);
  }

  override page(number: number, checkpoints: number): StoredPage {
    this.#failWhenTold("page");
    const page = super.page(number, checkpoints);
    this.pagesRead.push(number);
    return page;
  }

  override ring(from: number, n: number): Iterable<JournalRow> {
    this.#failWhenTold("ring");
    return super.ring(from, n);
  }

  #failWhenTold(access: Access): void {
    const error = this.#failing.get(access);
    this.#failing.delete(access);
    if (error !== undefined) throw error;
  }
}
