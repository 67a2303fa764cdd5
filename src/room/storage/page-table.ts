import type { Change } from "../../model/changes.ts";
import { utf8Bytes } from "../../model/json.ts";
import type { ChangedPages } from "../engine/engine-state.ts";
import type { Unread } from "../engine/unread.ts";
import type { PageRange } from "../visibility/view.ts";
import { encodeLines, encodePage, type Line, type PagedParts } from "./page-codec.ts";
import { draftPages, splitLines, type Page } from "./page-layout.ts";
import type { PageReader } from "./page-reader.ts";
import type { PageHead, PageWrite } from "./room-storage.ts";

/**
 * How the records of a state are divided into pages, which of them memory has taken in, and which have changed since they
 * were last encoded. Ids sort as JavaScript strings do, here and in snapshots.
 */
export class PageTable implements Unread, ChangedPages {
  /** Per collection, in order of `firstId`; the first page begins at "" and is never removed. */
  readonly #pages = new Map<string, Page[]>();
  readonly #pageBytes: number;
  readonly #reader: PageReader;
  /** Pages that are in storage only. */
  #unread = 0;
  #nextNumber = 1;
  #bytes = 0;

  constructor(pageBytes: number, reader: PageReader) {
    this.#pageBytes = pageBytes;
    this.#reader = reader;
  }

  /** Bytes of all pages as they were last encoded. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Notes all stored pages, in any order. Nothing of them is read until it is needed. */
  list(heads: Iterable<PageHead>): void {
    for (const { number, collection, firstId, bytes } of heads) {
      this.#of(collection).push({ number, firstId, ids: undefined, bytes, changed: false, stored: true });
      this.#unread += 1;
      this.#bytes += bytes;
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    }
    for (const pages of this.#pages.values()) pages.sort((a, b) => (a.firstId < b.firstId ? -1 : 1));
  }

  load(collection: string, id: string): boolean {
    if (this.#unread === 0) return false;
    const page = this.#find(collection, id);
    if (page === undefined || page.ids !== undefined) return false;
    this.#idsOf(page);
    return true;
  }

  loadAll(collection: string): void {
    if (this.#unread === 0) return;
    for (const page of this.#pages.get(collection) ?? []) this.#idsOf(page);
  }

  *idsWithin(collection: string, from: string, until: string): Generator<string> {
    for (const [index, page] of (this.#pages.get(collection) ?? []).entries()) {
      const next = this.#pages.get(collection)?.[index + 1];
      if (page.firstId >= until || (next !== undefined && next.firstId <= from)) continue;
      for (const id of this.#idsOf(page)) if (id >= from && id < until) yield id;
    }
  }

  collections(): Iterable<string> {
    return this.#pages.keys();
  }

  /** Notes what kind of change was made to a record, and with it to its page. */
  touch(collection: string, id: string, kind: Change["kind"]): void {
    const page = this.#pageOf(collection, id);
    const ids = this.#idsOf(page);
    page.changed = true;
    if (kind === "patch") return;
    const index = indexOf(ids, id);
    const isThere = ids[index] === id;
    if (kind === "delete" && isThere) ids.splice(index, 1);
    else if (kind !== "delete" && !isThere) ids.splice(index, 0, id);
  }

  /** The stored pages, by collection and then by id; a range covers every id that its page could hold. */
  *ranges(): Generator<PageRange> {
    for (const collection of [...this.#pages.keys()].toSorted()) {
      const pages = this.#of(collection).filter((page) => page.stored);
      for (const [index, page] of pages.entries()) {
        const untilId = pages[index + 1]?.firstId ?? null;
        yield { number: page.number, collection, firstId: page.firstId, untilId, bytes: page.bytes };
      }
    }
  }

  /**
   * Encodes the changed pages, splits those that grew too large, and joins those that ran low to the one before them.
   * One at a time, each to be written before the next is asked for: together they may be the whole state.
   */
  *encodeChanged(parts: PagedParts): Generator<PageWrite> {
    for (const [collection, pages] of this.#pages) {
      if (!pages.some(({ changed }) => changed)) continue;
      const next: Page[] = [];
      const linesOf = (page: Page) => encodeLines(collection, this.#idsOf(page), parts);
      for (const { page, lines, absorbed } of draftPages(pages, linesOf, this.#pageBytes)) {
        for (const { number, bytes, stored } of absorbed) {
          this.#bytes -= bytes;
          if (stored) yield { kind: "delete", number };
        }
        if (lines === undefined) {
          next.push(page);
          continue;
        }
        this.#bytes -= page.bytes;
        for (const [chunk, chunkLines] of this.#split(page, lines)) {
          const stored = encodePage(collection, chunk, chunkLines, parts);
          chunk.bytes = utf8Bytes(stored.records);
          chunk.stored = true;
          this.#bytes += chunk.bytes;
          next.push(chunk);
          yield { kind: "put", page: stored };
        }
      }
      this.#pages.set(collection, next);
    }
  }

  #of(collection: string): Page[] {
    let pages = this.#pages.get(collection);
    if (pages === undefined) this.#pages.set(collection, (pages = []));
    return pages;
  }

  #pageOf(collection: string, id: string): Page {
    const found = this.#find(collection, id);
    if (found !== undefined) return found;
    const first = this.#newPage("", []);
    this.#of(collection).push(first);
    return first;
  }

  #find(collection: string, id: string): Page | undefined {
    const pages = this.#pages.get(collection) ?? [];
    let low = 0;
    let high = pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((pages[middle] as Page).firstId <= id) low = middle;
      else high = middle - 1;
    }
    return pages[low];
  }

  /** Of a page that is in storage only, they are read with all that it holds. */
  #idsOf(page: Page): string[] {
    if (page.ids === undefined) {
      page.ids = this.#reader.read(page.number);
      this.#unread -= 1;
    }
    return page.ids;
  }

  /** The page itself, or as many pages as its records need. */
  #split(page: Page, lines: readonly Line[]): [Page, readonly Line[]][] {
    return splitLines(lines, this.#pageBytes).map((chunk, index) => {
      const ids = chunk.map(({ id }) => id);
      return [index === 0 ? { ...page, ids, changed: false } : this.#newPage(ids[0] as string, ids), chunk];
    });
  }

  #newPage(firstId: string, ids: readonly string[]): Page {
    return {
      number: this.#nextNumber++,
      firstId,
      ids: [...ids],
      bytes: 0,
      changed: false,
      stored: false,
    };
  }
}

/** Where `id` is in a sorted list, or belongs. */
function indexOf(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as string) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
