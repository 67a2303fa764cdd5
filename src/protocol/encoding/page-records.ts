import type { Json } from "../../schema/json.ts";
import { freeze, isObject } from "../../model/changes.ts";
import type { IdsAndRecords } from "../../model/checksum.ts";

/** The records of a page: three lists of one length, each in the same order. */
export interface PageRecords extends IdsAndRecords {
  readonly handles: readonly number[];
}

/**
 * The text of a page: `[ids, handles, records]`. Like stands beside like, so that it deflates well, and an engine that has
 * read one record takes the next one to be of the same shape, and mostly is right.
 */
export function writePageRecords({ ids, handles, records }: PageRecords): string {
  return JSON.stringify([ids, handles, records]);
}

/** The same text, of records that are JSON already. */
export function joinPageRecords(
  ids: readonly string[],
  handles: readonly number[],
  records: readonly string[],
): string {
  return `[${JSON.stringify(ids)},${JSON.stringify(handles)},[${records.join()}]]`;
}

/** The records of a page's text, frozen all the way down. Throws for a text that is none. */
export function readPageRecords(text: string): PageRecords {
  const [ids, handles, records] = JSON.parse(text) as [
    PageRecords["ids"],
    PageRecords["handles"],
    PageRecords["records"],
  ];
  const isPage = ids.length === records.length && handles.length === records.length;
  if (!isPage || !records.every(isObject)) throw new Error("it is no page");
  for (const record of records) {
    // By hand what `freeze` does: fields of most records are no objects, and a list of them all would cost more than the rest.
    for (const field in record) {
      const value = record[field] as Json;
      if (typeof value === "object") freeze(value);
    }
    Object.freeze(record);
  }
  return { ids, handles, records };
}
