import { decodeAuthors, encodeAuthors, type AuthorshipIndex } from "./authorship.ts";
import { freeze, type Changes } from "./changes.ts";
import { utf8Bytes, type Fields } from "./json.ts";
import type { State } from "./state.ts";

/** A page as storage holds it: a contiguous range of ids of one collection. */
export interface StoredPage {
  readonly number: number;
  readonly collection: string;
  /** Lowest id of the range, "" for a collection's first page; the range ends where the next page begins. */
  readonly firstId: string;
  /** `[[id, record], …]` in order of id: the bytes of a snapshot part. */
  readonly records: string;
  /** Who changed them last, in the same order; never sent. */
  readonly authorship: string;
}

/** What a checkpoint writes of the pages. */
export interface PageWrites {
  readonly written: readonly StoredPage[];
  readonly removed: readonly number[];
}

/** The range of a stored page, for a snapshot part. */
export interface PageRange {
  readonly number: number;
  readonly collection: string;
  readonly firstId: string;
  /** First id beyond the range; null when it is open. */
  readonly untilId: string | null;
}

interface Page {
  readonly number: number;
  readonly firstId: string;
  readonly ids: Set<string>;
  /** Of its records when last encoded. */
  bytes: number;
  changed: boolean;
  /** Whether storage has it, in an older form perhaps. */
  stored: boolean;
}

/**
 * How the records of a state are divided into pages, and which pages have changed since they were last encoded.
 * Ids sort as JavaScript strings do, here and in snapshots.
 */
export class PageTable {
  /** Per collection, in order of `firstId`; the first page begins at "" and is never removed. */
  readonly #pages = new Map<string, Page[]>();
  readonly #pageBytes: number;
  #nextNumber = 1;
  #bytes = 0;

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
  }

  /** Bytes of all pages as they were last encoded. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a stored page in, with its records and their authors. Any order will do; `sort` follows the last. */
  load(page: StoredPage, state: State, authorship: AuthorshipIndex): void {
    const records = JSON.parse(page.records) as [id: string, record: Fields][];
    const authors = decodeAuthors(page.authorship);
    const ids = new Set<string>();
    records.forEach(([id, record], index) => {
      ids.add(id);
      state.loadRecord(page.collection, id, freeze(record));
      const author = authors[index];
      if (author !== undefined) authorship.set(page.collection, id, author, false);
    });
    const bytes = utf8Bytes(page.records);
    this.#of(page.collection).push({
      number: page.number,
      firstId: page.firstId,
      ids,
      bytes,
      changed: false,
      stored: true,
    });
    this.#bytes += bytes;
    this.#nextNumber = Math.max(this.#nextNumber, page.number + 1);
  }

  sort(): void {
    for (const pages of this.#pages.values()) pages.sort((a, b) => (a.firstId < b.firstId ? -1 : 1));
  }

  /** Notes which pages `changes` touch. */
  touch(changes: Changes): void {
    for (const [collection, records] of changes) {
      for (const [id, change] of records) {
        const page = this.#pageOf(collection, id);
        page.changed = true;
        if (change.kind === "delete") page.ids.delete(id);
        else page.ids.add(id);
      }
    }
  }

  /** The stored pages, by collection and then by id; a range covers every id that its page could hold. */
  *ranges(): Generator<PageRange> {
    for (const collection of [...this.#pages.keys()].toSorted()) {
      const pages = this.#of(collection).filter((page) => page.stored);
      for (const [index, page] of pages.entries()) {
        const untilId = pages[index + 1]?.firstId ?? null;
        yield { number: page.number, collection, firstId: page.firstId, untilId };
      }
    }
  }

  /** Encodes the changed pages, splits those that grew too large and drops those that ran empty. */
  encodeChanged(state: State, authorship: AuthorshipIndex): PageWrites {
    const written: StoredPage[] = [];
    const removed: number[] = [];
    for (const [collection, pages] of this.#pages) {
      const next: Page[] = [];
      for (const page of pages) {
        if (!page.changed) {
          next.push(page);
          continue;
        }
        this.#bytes -= page.bytes;
        for (const chunk of this.#split(collection, page, state)) {
          if (chunk.ids.size === 0 && chunk.firstId !== "") {
            if (page.stored) removed.push(chunk.number);
            continue;
          }
          const stored = encodePage(collection, chunk, state, authorship);
          chunk.bytes = utf8Bytes(stored.records);
          chunk.stored = true;
          this.#bytes += chunk.bytes;
          written.push(stored);
          next.push(chunk);
        }
      }
      this.#pages.set(collection, next);
    }
    return { written, removed };
  }

  #of(collection: string): Page[] {
    let pages = this.#pages.get(collection);
    if (pages === undefined) this.#pages.set(collection, (pages = []));
    return pages;
  }

  #pageOf(collection: string, id: string): Page {
    const pages = this.#of(collection);
    if (pages.length === 0) pages.push(this.#newPage("", []));
    let low = 0;
    let high = pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((pages[middle] as Page).firstId <= id) low = middle;
      else high = middle - 1;
    }
    return pages[low] as Page;
  }

  #newPage(firstId: string, ids: readonly string[]): Page {
    return {
      number: this.#nextNumber++,
      firstId,
      ids: new Set(ids),
      bytes: 0,
      changed: false,
      stored: false,
    };
  }

  /** The page itself, with the ids that fit, and new pages for the rest. */
  #split(collection: string, page: Page, state: State): Page[] {
    const chunks: string[][] = [[]];
    let bytes = 0;
    for (const id of [...page.ids].toSorted()) {
      const size = utf8Bytes(JSON.stringify([id, state.get(collection, id)])) + 1;
      if (bytes > 0 && bytes + size > this.#pageBytes) {
        chunks.push([]);
        bytes = 0;
      }
      (chunks.at(-1) as string[]).push(id);
      bytes += size;
    }
    const [first = [], ...rest] = chunks;
    const kept: Page = { ...page, ids: new Set(first), changed: false };
    return [kept, ...rest.map((ids) => this.#newPage(ids[0] as string, ids))];
  }
}

function encodePage(collection: string, page: Page, state: State, authorship: AuthorshipIndex): StoredPage {
  const ids = [...page.ids].toSorted();
  const records = JSON.stringify(ids.map((id) => [id, state.get(collection, id)]));
  const authors = encodeAuthors(ids.map((id) => authorship.get(collection, id)));
  return { number: page.number, collection, firstId: page.firstId, records, authorship: authors };
}
