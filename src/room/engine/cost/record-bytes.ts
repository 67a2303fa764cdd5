import type { Json } from "../../../schema/json.ts";
import { jsonBytes, mostBytes, type Fields } from "../../../model/json.ts";

/** Exact bytes of records that may be over the limit. */
const measured = new WeakMap<Fields, number>();
/** Upper bounds of the bytes of records that take long to walk. */
const bounds = new WeakMap<Fields, number>();
/** Below this bound a record is walked again rather than remembered. */
const leastRemembered = 4_096;

/**
 * As `bytesOver`, of a record that was made of `before`. When `before` was measured, the cost is in proportion to what has
 * changed: a small patch of a large record walks the fields of the patch only.
 */
export function recordBytesOver(record: Fields, maxBytes: number, before?: Fields): number | undefined {
  const known = before && measured.get(before);
  if (known === undefined && boundOf(record, before) <= maxBytes) return undefined;
  const bytes =
    known === undefined ? jsonBytes(record) : known + difference(record, before as Fields, jsonBytes);
  measured.set(record, bytes);
  return bytes > maxBytes ? bytes : undefined;
}

/** A number of bytes that no JSON text of the record exceeds. */
function boundOf(record: Fields, before: Fields | undefined): number {
  const known = before && bounds.get(before);
  const bound =
    known === undefined ? mostBytes(record) : known + difference(record, before as Fields, mostBytes);
  if (bound >= leastRemembered) bounds.set(record, bound);
  return bound;
}

/** By how many bytes `record` is longer than `before`, by what `bytesOf` says of each field that differs. */
function difference(record: Fields, before: Fields, bytesOf: (value: Json) => number): number {
  return unlikeBytes(record, before, bytesOf) - unlikeBytes(before, record, bytesOf);
}

/** Bytes of the fields that `others` does not have, each with its colon and a comma. */
function unlikeBytes(fields: Fields, others: Fields, bytesOf: (value: Json) => number): number {
  let bytes = Object.keys(fields).length === 0 ? 1 : 0; // of no comma there is one less
  for (const name in fields)
    if (fields[name] !== others[name]) bytes += bytesOf(name) + bytesOf(fields[name] as Json) + 2;
  return bytes;
}
