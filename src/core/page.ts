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

/** One thing that a checkpoint does to the stored pages. */
export type PageWrite =
  | { readonly kind: "put"; readonly page: StoredPage }
  | { readonly kind: "delete"; readonly number: number };

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
  /** Sorted. A list takes a fraction of a set's memory, and of one page it is short. */
  readonly ids: string[];
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
    const ids: string[] = [];
    records.forEach(([id, record], index) => {
      ids.push(id);
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
        const index = indexOf(page.ids, id);
        const isThere = page.ids[index] === id;
        if (change.kind === "delete" && isThere) page.ids.splice(index, 1);
        else if (change.kind !== "delete" && !isThere) page.ids.splice(index, 0, id);
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

  /**
   * Encodes the changed pages, splits those that grew too large, and joins those that ran low to the one before them.
   * One at a time, each to be written before the next is asked for: together they may be the whole state.
   */
  *encodeChanged(state: State, authorship: AuthorshipIndex): Generator<PageWrite> {
    for (const [collection, pages] of this.#pages) {
      if (!pages.some(({ changed }) => changed)) continue;
      const next: Page[] = [];
      for (const { page, lines, absorbed } of this.#drafts(collection, pages, state)) {
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
          const stored = encodePage(collection, chunk, chunkLines, authorship);
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
      ids: [...ids],
      bytes: 0,
      changed: false,
      stored: false,
    };
  }

  /** What becomes of the pages. A small one goes into the one before it when both together are at most half of a page. */
  *#drafts(collection: string, pages: readonly Page[], state: State): Generator<Draft> {
    let before: Draft | undefined;
    for (const page of pages) {
      const draft: Draft = {
        page,
        lines: page.changed ? linesOf(collection, page, state) : undefined,
        absorbed: [],
      };
      if (before !== undefined && this.#belongsTo(before, draft)) {
        before.absorbed.push(page);
        if (page.ids.length === 0) continue;
        before.lines = [
          ...(before.lines ?? linesOf(collection, before.page, state)),
          ...(draft.lines ?? linesOf(collection, page, state)),
        ];
        continue;
      }
      if (before !== undefined) yield before;
      before = draft;
    }
    if (before !== undefined) yield before;
  }

  #belongsTo(before: Draft, draft: Draft): boolean {
    if (draft.page.ids.length === 0) return true;
    if (before.lines === undefined && draft.lines === undefined) return false; // neither is to be written anyway
    return bytesOf(before) + bytesOf(draft) <= this.#pageBytes / 2;
  }

  /** The page itself, or as many of about the same size as its records need. A record larger than a page has its own. */
  #split(page: Page, lines: readonly Line[]): [Page, readonly Line[]][] {
    const total = sumOf(lines);
    const chunkBytes = total / Math.ceil(total / this.#pageBytes);
    const chunks: Line[][] = [[]];
    let bytes = 0;
    for (const line of lines) {
      const isFull = bytes + line.bytes / 2 > chunkBytes || bytes + line.bytes > this.#pageBytes;
      if (bytes > 0 && isFull) {
        chunks.push([]);
        bytes = 0;
      }
      (chunks.at(-1) as Line[]).push(line);
      bytes += line.bytes;
    }
    return chunks.map((chunk, index) => {
      const ids = chunk.map(({ id }) => id);
      return [index === 0 ? { ...page, ids, changed: false } : this.#newPage(ids[0] as string, ids), chunk];
    });
  }
}

/** A record as its page holds it. */
interface Line {
  readonly id: string;
  readonly text: string;
  /** With its comma. */
  readonly bytes: number;
}

/** A page, what it will hold (undefined: it stays as it is), and the pages that are no more since it holds theirs. */
interface Draft {
  readonly page: Page;
  lines: readonly Line[] | undefined;
  readonly absorbed: Page[];
}

function linesOf(collection: string, { ids }: Page, state: State): Line[] {
  return ids.map((id) => {
    const text = JSON.stringify([id, state.get(collection, id)]);
    return { id, text, bytes: utf8Bytes(text) + 1 };
  });
}

function bytesOf({ page, lines }: Draft): number {
  return lines === undefined ? page.bytes : sumOf(lines);
}

function sumOf(lines: readonly Line[]): number {
  return lines.reduce((total, { bytes }) => total + bytes, 0);
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

function encodePage(
  collection: string,
  { number, firstId, ids }: Page,
  lines: readonly Line[],
  authorship: AuthorshipIndex,
): StoredPage {
  const records = `[${lines.map(({ text }) => text).join()}]`;
  const authors = encodeAuthors(ids.map((id) => authorship.get(collection, id)));
  return { number, collection, firstId, records, authorship: authors };
}
