import type { Json } from "../../../schema/json.ts";
import type { Fields } from "../../../model/json.ts";

// Bytes of the heap in workerd, whose engine has pointers of four bytes: scaled from measurements in Node. docs/OPERATING.md has the figures.

/** Of a record with no field: its entries among the records, the handles, the authors and the ids of its page. */
const recordOverheadBytes = 160;
/** Of a field of a record: records of a schema share their shape. */
const fieldOverheadBytes = 8;
/** A record with more fields is kept as a hash table. */
const maxShapedFields = 128;
/** Of a member of a hash table, as a nested object may be one. */
const memberOverheadBytes = 28;
const textOverheadBytes = 16;
const arrayOverheadBytes = 24;
const objectOverheadBytes = 28;
const elementBytes = 4;
/** Of a number that is not a small integer. */
const numberBytes = 12;
/** No value weighs more for each of the bytes that an operation counts for it; the heaviest are empty objects in a list. */
export const maxWeightOfByte = 40;
const maxSmallInteger = 2 ** 30;

/** How much heavier a room becomes when its record `id` does. Costs in proportion to what has changed, and to the number of fields. */
export function weightDifference(id: string, before: Fields | undefined, after: Fields | undefined): number {
  if (before === after) return 0;
  return (
    overheadOf(id, after) - overheadOf(id, before) + weightUnlike(after, before) - weightUnlike(before, after)
  );
}

/** Of a record without its values. */
function overheadOf(id: string, record: Fields | undefined): number {
  if (record === undefined) return 0;
  const count = Object.keys(record).length;
  const fieldBytes = count > maxShapedFields ? memberOverheadBytes : fieldOverheadBytes;
  return recordOverheadBytes + textWeight(id) + count * fieldBytes;
}

/** Of the values of `fields` that `others` does not have. */
function weightUnlike(fields: Fields | undefined, others: Fields | undefined): number {
  let bytes = 0;
  for (const name in fields) {
    const value = fields[name] as Json;
    if (others?.[name] !== value) bytes += weightOf(value);
  }
  return bytes;
}

/** Bytes of heap that a value takes, its place in what holds it left out. */
function weightOf(value: Json): number {
  if (typeof value === "string") return textWeight(value);
  if (typeof value === "number") return isSmallInteger(value) ? 0 : numberBytes;
  if (typeof value !== "object" || value === null) return 0;
  if (Array.isArray(value)) {
    let bytes = arrayOverheadBytes;
    for (const item of value as readonly Json[]) bytes += elementBytes + weightOf(item);
    return bytes;
  }
  let bytes = objectOverheadBytes;
  for (const key in value as Fields)
    bytes += memberOverheadBytes + textWeight(key) + weightOf((value as Fields)[key] as Json);
  return bytes;
}

function isSmallInteger(value: number): boolean {
  return Number.isInteger(value) && value < maxSmallInteger && value >= -maxSmallInteger;
}

/** One character that is not of Latin-1 makes every character of its text take two bytes. */
function textWeight(text: string): number {
  for (let index = 0; index < text.length; index++)
    if (text.charCodeAt(index) > 0xff) return textOverheadBytes + 2 * text.length;
  return textOverheadBytes + text.length;
}
