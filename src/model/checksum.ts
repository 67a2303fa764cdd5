import type { Json } from "../schema/json.ts";
import type { Fields } from "./json.ts";

/** Records, and their ids in the same order. */
export interface IdsAndRecords {
  readonly ids: readonly string[];
  readonly records: readonly Fields[];
}

/** Sums by collection; one without records is left out or 0. */
export type Checksums = { readonly [collection: string]: number };

/**
 * How much a collection's checksum changes when its record `id` does, to be added modulo 2³². A collection's checksum is the sum
 * of {@link hashText} of `collection NUL id NUL` for each record, and of `collection NUL id NUL field NUL value` for
 * each field, the value as canonical JSON. A sum can be kept up to date at the cost of what has changed.
 */
export function checksumDifference(
  collection: string,
  id: string,
  before: Fields | undefined,
  after: Fields | undefined,
): number {
  if (before === after) return 0;
  const record = foldPart(foldPart(offset, collection), id);
  return sumUnlike(record, after, before) - sumUnlike(record, before, after);
}

/** How much a collection's checksum grows by records that are new to it, to be added modulo 2³². */
export function checksumOf(collection: string, { ids, records }: IdsAndRecords): number {
  const start = foldPart(offset, collection);
  let sum = 0;
  for (const [index, id] of ids.entries())
    sum = (sum + sumUnlike(foldPart(start, id), records[index], undefined)) | 0;
  return sum;
}

/** The hashes of what `fields` say and `others` do not, behind the hash of what is before them. */
function sumUnlike(record: number, fields: Fields | undefined, others: Fields | undefined): number {
  let sum = fields !== undefined && others === undefined ? finish(record) : 0;
  for (const field in fields) {
    const value = fields[field] as Json;
    if (others?.[field] !== value) sum += finish(foldJson(foldPart(record, field), value));
  }
  return sum;
}

/** 32 bits of `text`: FNV-1a over its UTF-16 code units, and murmur3's finish, so that sums of hashes spread. */
export function hashText(text: string): number {
  return finish(fold(offset, text));
}

/** JSON text that is the same for two values that say the same: keys in order. What is nested too deeply to be valid is left out. */
export function canonicalJson(value: Json, depth: number = maxHashedDepth): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (depth === 0) return "";
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item, depth - 1)).join()}]`;
  const members = Object.entries(value as Fields).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member, depth - 1)}`).join()}}`;
}

/** More than any payload that is not refused; recursion into one that is must end. */
const maxHashedDepth = 64;

/**
 * 32 bits that are the same for two values that say the same, whatever the order of their keys, and without making
 * text of them. What is nested too deeply to be valid is left out.
 */
export function hashJson(value: Json, depth: number = maxHashedDepth): number {
  switch (typeof value) {
    case "number":
      return hashNumber(value);
    case "string":
      return finish(fold(offset ^ 1, value));
    case "boolean":
      return finish(value ? 2 : 3);
    default:
  }
  if (value === null) return finish(4);
  if (depth === 0) return 0;
  let hash = offset;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) hash = Math.imul(hash ^ hashJson(item, depth - 1), prime);
    return finish(hash ^ 5);
  }
  // A sum, so that the order is no matter.
  for (const key in value as Fields) {
    const member = hashJson((value as Fields)[key] as Json, depth - 1);
    hash = (hash + finish(Math.imul(fold(offset, key) ^ member, prime))) | 0;
  }
  return finish(hash ^ 6);
}

const double = new DataView(new ArrayBuffer(8));

function hashNumber(value: number): number {
  double.setFloat64(0, value);
  return finish(Math.imul(double.getInt32(0) ^ offset, prime) ^ double.getInt32(4));
}

const offset = 0x811c9dc5;
const prime = 0x01000193;

/** Folds the canonical JSON of `value` in, of which most is never made. */
function foldJson(hash: number, value: Json): number {
  if (typeof value === "string") return foldString(hash, value);
  return fold(hash, typeof value === "number" ? String(value) : canonicalJson(value));
}

function foldString(hash: number, text: string): number {
  let folded = foldUnit(hash, quote);
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // What JSON does not write as it is: control characters, quotes, backslashes, and halves of surrogate pairs perhaps.
    if (unit < 0x20 || unit === quote || unit === 0x5c || (unit & 0xf800) === 0xd800)
      return fold(hash, JSON.stringify(text));
    folded = foldUnit(folded, unit);
  }
  return foldUnit(folded, quote);
}

const quote = 0x22;

/** A text and the NUL behind it. */
function foldPart(hash: number, text: string): number {
  return foldUnit(fold(hash, text), 0);
}

function foldUnit(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, prime);
}

function fold(hash: number, text: string): number {
  let folded = hash;
  for (let index = 0; index < text.length; index++) folded = foldUnit(folded, text.charCodeAt(index));
  return folded;
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
