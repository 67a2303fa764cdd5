import { utf8Bytes } from "../../model/json.ts";

/** One flush on disk. Rows are never sent as they are: `clientLog` and `authors` are the room's own. */
export interface JournalRow {
  /** Number of the flush, 1, 2, 3…; never restarts. */
  readonly flushSeq: number;
  readonly epoch: string;
  readonly from: number;
  /** Equal to `from` when every call of the flush was rejected. */
  readonly to: number;
  /** The delta, as every up-to-date session is sent it. */
  readonly body: Uint8Array;
  /** JSON of the ids of the records that `body` names by their handles alone, in its order. */
  readonly ids: string;
  /** What the flush adds to the client log, see `encodeClientLog`. */
  readonly clientLog: string;
  /** Authors of the changed records, in the order of `body`. */
  readonly authors: string;
}

/** Bytes of a row: what it weighs against the platform's limit and the checkpoint's. */
export function rowBytes({ body, ids, clientLog, authors }: JournalRow): number {
  return body.length + utf8Bytes(ids) + utf8Bytes(clientLog) + utf8Bytes(authors);
}
