import type { Json } from "../../schema/json.ts";
import { jsonBytes, mostBytes, type Fields } from "../../model/json.ts";

/** Bytes of large records, so that a small patch of one need not have all of it counted again. */
const measured = new WeakMap<Fields, number>();

/** As `bytesOver`, of a record that was made of `before`: when that was measured, at the cost of what has changed. */
export function recordBytesOver(record: Fields, maxBytes: number, before?: Fields): number | undefined {
  const known = before && measured.get(before);
  if (known === undefined && mostBytes(record) <= maxBytes) return undefined;
  const bytes =
    known === undefined
      ? jsonBytes(record)
      : known + unlikeBytes(record, before as Fields) - unlikeBytes(before as Fields, record);
  measured.set(record, bytes);
  return bytes > maxBytes ? bytes : undefined;
}

/** Bytes of the fields that `others` does not have, each with its colon and a comma. */
function unlikeBytes(fields: Fields, others: Fields): number {
  let bytes = Object.keys(fields).length === 0 ? 1 : 0; // of no comma there is one less
  for (const name in fields)
    if (fields[name] !== others[name]) bytes += jsonBytes(name) + jsonBytes(fields[name] as Json) + 2;
  return bytes;
}
