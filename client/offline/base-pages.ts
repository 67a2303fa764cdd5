import { readPageRecords, writePageRecords } from "../../src/protocol/encoding/page-records.ts";
import type { Fields } from "../../src/model/json.ts";
import type { KeptRoom } from "./persistence.ts";
import type { KeptBase } from "../replica/replica.ts";
import type { BaseChange } from "../connection/sync-options.ts";
import { under, type BaseRow, type Database, type Storage } from "./database.ts";

/** Records of following handles that share a row: few rows to read at a start, and little to write for one change. */
const pageBits = 6;

/** The base that is kept of a room; undefined when there is none that `schema` can read. */
export async function readBase(
  storage: Storage,
  room: string,
  schema: number,
): Promise<KeptBase | undefined> {
  const [row, keys, texts] = await storage.use(async (database) => {
    const transaction = database.transaction(["bases", "pages"]);
    return await Promise.all([
      transaction.objectStore("bases").get(room),
      transaction.objectStore("pages").getAllKeys(under(room)),
      transaction.objectStore("pages").getAll(under(room)),
    ]);
  });
  if (row?.schema !== schema) return undefined;
  const pages = texts.map((text, index) => {
    const [, collection = ""] = keys[index] ?? [];
    return [collection, readPageRecords(text)] as const;
  });
  return { ...row, pages };
}

/** Writes a room's base to disk, in pages: those that were touched, and all of them at first. */
export class BasePages {
  readonly #storage: Storage;
  readonly #room: string;
  readonly #schema: number;
  readonly #collections: readonly string[];
  readonly #base: KeptRoom["base"];
  /** Collection → numbers of pages that are not on disk as they are. */
  #touched = new Map<string, Set<number>>();
  /** What is on disk is of another base. */
  #isAnother: boolean;
  /** The room was deleted: nothing of its base stays on disk. */
  #isGone = false;

  /** `isOnDisk`: what the base is now has been read from there. */
  constructor(
    storage: Storage,
    room: string,
    schema: number,
    collections: readonly string[],
    base: KeptRoom["base"],
    isOnDisk: boolean,
  ) {
    this.#storage = storage;
    this.#room = room;
    this.#schema = schema;
    this.#collections = collections;
    this.#base = base;
    this.#isAnother = !isOnDisk;
  }

  note(change: BaseChange): void {
    this.#isGone = change === "gone";
    if (typeof change === "string") {
      this.#isAnother = true;
      this.#touched.clear();
    } else
      for (const [collection, records] of change.entries) {
        for (const handle of records.keys()) this.#touch(collection, handle);
      }
  }

  /** The database may hold nothing of what was written: the next write is of all pages. */
  doubt(): void {
    this.#isAnother = true;
  }

  /** Writes what is not on disk; answers the revision that is there then. Rejects when that fails, and nothing was written. */
  async write(): Promise<number> {
    return await this.#storage.use(async (database) => await this.#writeTo(database));
  }

  async #writeTo(database: Database): Promise<number> {
    const { epoch, rev } = this.#base;
    if (epoch === null) return 0;
    const isAnother = this.#isAnother;
    const isGone = this.#isGone;
    if (isAnother && !isGone) this.#touchAll();
    const touched = this.#touched;
    this.#touched = new Map();
    this.#isAnother = false;
    try {
      const transaction = database.transaction(["bases", "pages"], "readwrite");
      const pages = transaction.objectStore("pages");
      const done: Promise<unknown>[] = [];
      if (isAnother) done.push(pages.delete(under(this.#room)));
      for (const [collection, numbers] of touched) {
        for (const number of numbers) {
          const key: [string, string, number] = [this.#room, collection, number];
          const text = this.#textOf(collection, number);
          done.push(text === undefined ? pages.delete(key) : pages.put(text, key));
        }
      }
      const row: BaseRow = { epoch, rev, schema: this.#schema };
      const bases = transaction.objectStore("bases");
      done.push(isGone ? bases.delete(this.#room) : bases.put(row, this.#room));
      transaction.commit();
      await Promise.all([transaction.done, ...done]);
    } catch (error) {
      this.#isAnother = true;
      throw error;
    }
    return rev;
  }

  #touch(collection: string, handle: number): void {
    let pages = this.#touched.get(collection);
    if (pages === undefined) this.#touched.set(collection, (pages = new Set()));
    // Handles may be larger than what `>>` takes.
    pages.add(Math.floor(handle / 2 ** pageBits));
  }

  #touchAll(): void {
    for (const collection of this.#collections) {
      for (const handle of this.#base.handles(collection)) this.#touch(collection, handle);
    }
  }

  /** Of a page; undefined for one without records. */
  #textOf(collection: string, page: number): string | undefined {
    const first = page * 2 ** pageBits;
    const [ids, handles, records]: [string[], number[], Fields[]] = [[], [], []];
    for (let handle = first; handle < first + 2 ** pageBits; handle++) {
      const [id, record] = this.#base.recordOf(collection, handle) ?? [];
      if (id === undefined || record === undefined) continue;
      ids.push(id);
      handles.push(handle);
      records.push(record);
    }
    return ids.length === 0 ? undefined : writePageRecords({ ids, handles, records });
  }
}
