import { decodeAuthors, encodeAuthors, type AuthorshipIndex } from "../engine/authorship.ts";
import type { ChangedPages } from "../engine/engine-state.ts";
import type { Unread } from "../engine/unread.ts";
import type { Change } from "../../model/changes.ts";
import { utf8Bytes } from "../../model/json.ts";
import { joinPageRecords, readPageRecords } from "../../protocol/encoding/page-records.ts";
import type { PageReader } from "./page-reader.ts";
import type { PageRange } from "../visibility/view.ts";
import type { Handles } from "./handles.ts";
import type { PagedState } from "./paged-state.ts";
import type { PageHead, PageWrite, StoredPage } from "./room-storage.ts";

/** What pages are made of. */
interface PagedParts {
  readonly records: PagedState;
  readonly authorship: AuthorshipIndex;
  readonly handles: Handles;
}

interface Page {
  readonly number: number;
  readonly firstId: string;
  /** Sorted; undefined while the page is in storage only. A list takes a fraction of a set's memory, and of one page it is short. */
  ids: string[] | undefined;
  /** Of its records when last encoded. */
  bytes: number;
  changed: boolean;
  /** Whether storage has it, in an older form perhaps. */
  stored: boolean;
}

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
  *encodeChanged(roomState: PagedParts): Generator<PageWrite> {
    for (const [collection, pages] of this.#pages) {
      if (!pages.some(({ changed }) => changed)) continue;
      const next: Page[] = [];
      for (const { page, lines, absorbed } of this.#drafts(collection, pages, roomState)) {
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
          const stored = encodePage(collection, chunk, chunkLines, roomState);
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
  *#drafts(collection: string, pages: readonly Page[], roomState: PagedParts): Generator<Draft> {
    let before: Draft | undefined;
    for (const page of pages) {
      const draft: Draft = {
        page,
        lines: page.changed ? this.#linesOf(collection, page, roomState) : undefined,
        absorbed: [],
      };
      if (before !== undefined && this.#belongsTo(before, draft)) {
        before.absorbed.push(page);
        if (isEmpty(page)) continue;
        before.lines = [
          ...(before.lines ?? this.#linesOf(collection, before.page, roomState)),
          ...(draft.lines ?? this.#linesOf(collection, page, roomState)),
        ];
        continue;
      }
      if (before !== undefined) yield before;
      before = draft;
    }
    if (before !== undefined) yield before;
  }

  #linesOf(collection: string, page: Page, { records, handles }: PagedParts): Line[] {
    return this.#idsOf(page).map((id) => {
      const handle = handles.get(collection, id) as number;
      const text = JSON.stringify(records.get(collection, id));
      return {
        id,
        handle,
        text,
        bytes: utf8Bytes(text) + utf8Bytes(id) + String(handle).length + lineExtraBytes,
      };
    });
  }

  #belongsTo(before: Draft, draft: Draft): boolean {
    if (isEmpty(draft.page)) return true;
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

/** Two quotes, which most ids need no more than, and a comma in each list. */
const lineExtraBytes = 5;

/** A record as its page holds it. */
interface Line {
  readonly id: string;
  readonly handle: number;
  /** The record as JSON. */
  readonly text: string;
  /** What it adds to its page, but for what JSON escapes in its id. */
  readonly bytes: number;
}

/** A page, what it will hold (undefined: it stays as it is), and the pages that are no more since it holds theirs. */
interface Draft {
  readonly page: Page;
  lines: readonly Line[] | undefined;
  readonly absorbed: Page[];
}

/** Whether its last record has gone: a page that storage has and nobody has read had one, or is a collection's first. */
function isEmpty({ ids }: Page): boolean {
  return ids?.length === 0;
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

/** Takes in all that a page holds, and answers its ids. The reverse of `encodePage`. */
export function loadPage(
  { collection, ...page }: StoredPage,
  { records, authorship, handles }: PagedParts,
): string[] {
  const content = readPageRecords(page.records);
  const authors = decodeAuthors(page.authorship);
  records.loadRecords(collection, content);
  authorship.load(collection, content.ids, authors);
  handles.load(collection, content);
  return [...content.ids];
}

function encodePage(
  collection: string,
  { number, firstId }: Page,
  lines: readonly Line[],
  { authorship }: PagedParts,
): StoredPage {
  const ids = lines.map(({ id }) => id);
  const handles = lines.map(({ handle }) => handle);
  const texts = lines.map(({ text }) => text);
  const records = joinPageRecords(ids, handles, texts);
  const authors = encodeAuthors(ids.map((id) => authorship.get(collection, id)));
  return { number, collection, firstId, records, authorship: authors };
}
