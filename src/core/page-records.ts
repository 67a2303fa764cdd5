import type { Json } from "../schema/json.ts";
import { freeze } from "./changes.ts";
import type { Fields } from "./json.ts";

/** A record as its page's text holds it. */
export type PageRecord = readonly [id: string, record: Fields, handle: number];

/** The records of a page's text, frozen all the way down. Throws for a text that is none. */
export function readPageRecords(text: string): readonly PageRecord[] {
  const records = JSON.parse(text) as readonly PageRecord[];
  for (const [, record] of records) {
    // By hand what `freeze` does: fields of most records are no objects, and a list of them all would cost more than the rest.
    for (const field in record) {
      const value = record[field] as Json;
      if (typeof value === "object") freeze(value);
    }
    Object.freeze(record);
  }
  return records;
}
