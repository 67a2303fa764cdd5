import type { Line } from "./page-codec.ts";

/** A page of the table: which records it holds, and what of it storage has. */
export interface Page {
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

/** A page, what it will hold (undefined: it stays as it is), and the pages that are no more since it holds theirs. */
export interface Draft {
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

/** What becomes of the pages. A small one goes into the one before it when both together are at most half of a page. */
export function* draftPages(
  pages: readonly Page[],
  linesOf: (page: Page) => readonly Line[],
  pageBytes: number,
): Generator<Draft> {
  let before: Draft | undefined;
  for (const page of pages) {
    const draft: Draft = {
      page,
      lines: page.changed ? linesOf(page) : undefined,
      absorbed: [],
    };
    if (before !== undefined && belongsTo(before, draft, pageBytes)) {
      before.absorbed.push(page);
      if (isEmpty(page)) continue;
      before.lines = [...(before.lines ?? linesOf(before.page)), ...(draft.lines ?? linesOf(page))];
      continue;
    }
    if (before !== undefined) yield before;
    before = draft;
  }
  if (before !== undefined) yield before;
}

/** Whether the records of a page go into the page before it. */
function belongsTo(before: Draft, draft: Draft, pageBytes: number): boolean {
  if (isEmpty(draft.page)) return true;
  if (before.lines === undefined && draft.lines === undefined) return false; // neither is to be written anyway
  return bytesOf(before) + bytesOf(draft) <= pageBytes / 2;
}

/** Divides the records of a page that grew too large into pages of about the same size. A record larger than a page has its own. */
export function splitLines(lines: readonly Line[], pageBytes: number): (readonly Line[])[] {
  const total = sumOf(lines);
  const chunkBytes = total / Math.ceil(total / pageBytes);
  const chunks: Line[][] = [[]];
  let bytes = 0;
  for (const line of lines) {
    const isFull = bytes + line.bytes / 2 > chunkBytes || bytes + line.bytes > pageBytes;
    if (bytes > 0 && isFull) {
      chunks.push([]);
      bytes = 0;
    }
    (chunks.at(-1) as Line[]).push(line);
    bytes += line.bytes;
  }
  return chunks;
}
