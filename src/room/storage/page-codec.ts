import { utf8Bytes } from "../../model/json.ts";
import { joinPageRecords, readPageRecords } from "../../protocol/encoding/page-records.ts";
import { decodeAuthors, encodeAuthors, type AuthorshipIndex } from "../engine/authorship.ts";
import type { Handles } from "./handles.ts";
import type { PagedState } from "./paged-state.ts";
import type { StoredPage } from "./room-storage.ts";

/** What pages are made of. */
export interface PagedParts {
  readonly records: PagedState;
  readonly authorship: AuthorshipIndex;
  readonly handles: Handles;
}

/** Two quotes, which most ids need no more than, and a comma in each list. */
const lineExtraBytes = 5;

/** A record as its page holds it. */
export interface Line {
  readonly id: string;
  readonly handle: number;
  /** The record as JSON. */
  readonly text: string;
  /** What it adds to its page, but for what JSON escapes in its id. */
  readonly bytes: number;
}

/** Encodes the records of a page one by one. */
export function encodeLines(
  collection: string,
  ids: readonly string[],
  { records, handles }: PagedParts,
): Line[] {
  return ids.map((id) => {
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

/** A page as storage holds it. */
export function encodePage(
  collection: string,
  { number, firstId }: Pick<StoredPage, "number" | "firstId">,
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
