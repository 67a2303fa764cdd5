import type { Json } from "../schema/json.ts";
import { FORBIDDEN_KEYS } from "../schema/name-rules.ts";
import type { FormLimits } from "./call-limits.ts";
import { utf8Encoder } from "./utf8.ts";

/** A record as the state holds it: field name → value. Frozen, like everything below it. */
export type Fields = { readonly [field: string]: Json };

/** Nesting that any JSON may have: deeper input would break recursion, here and in every client. From outside, see `Limits.maxDepth`. */
export const maxJsonDepth = 32;

/** What a value was that is not plain JSON, and where. */
export class NotJsonError extends Error {
  override readonly name = "NotJsonError";

  /** `path`: dotted, from the value that was given; "" for that value itself. */
  constructor(path: string, problem: string) {
    super(path === "" ? problem : `${path}: ${problem}`);
  }
}

/**
 * A frozen deep copy of `value`, the same on both sides of the wire: `undefined` members are left out and -0 is 0,
 * as JSON would have it, and each half of a character in a text is U+FFFD, as SQLite stores it. So memory never differs from disk.
 * Throws {@link NotJsonError} for anything that JSON cannot say, for forbidden keys, for half a character in a key, and for
 * nesting over `depth`.
 */
export function copyJson(value: unknown, depth: number = maxJsonDepth, path = ""): Json {
  switch (typeof value) {
    case "string":
      return value.toWellFormed();
    case "number":
      if (!Number.isFinite(value)) throw new NotJsonError(path, `${value} is not a JSON number`);
      return value === 0 ? 0 : value;
    case "boolean":
      return value;
    case "object":
      break;
    default:
      throw new NotJsonError(path, `${typeof value} is not JSON`);
  }
  if (value === null) return null;
  if (depth === 0) throw new NotJsonError(path, "is nested too deeply");
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (item, index) => copyJson(item, depth - 1, join(path, index))));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // Another realm's Object.prototype is another object, but its own prototype is null as well.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new NotJsonError(path, `${value.constructor?.name ?? "object"} is not JSON`);
  }
  const copy: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    checkKey(key, path);
    copy[key] = copyJson(member, depth - 1, join(path, key));
  }
  return Object.freeze(copy);
}

/** A text has half a character in it: a surrogate without the other one. */
export class HalfCharacterError extends NotJsonError {}

/**
 * Replaces each half of a character by U+FFFD in the texts within `value`, in place, as {@link copyJson} does in a copy. Keys stay,
 * as do texts that are nested deeper than `depth`.
 */
export function repairTexts(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null || depth === 0) return;
  const members = value as Record<string, unknown>;
  for (const [key, member] of Object.entries(members)) {
    if (typeof member !== "string") repairTexts(member, depth - 1);
    else if (!member.isWellFormed()) members[key] = member.toWellFormed();
  }
}

/**
 * Checks what `JSON.parse` answered for text from outside, without copying it, and answers a number of bytes that no
 * JSON text of it exceeds. Throws {@link NotJsonError} as {@link copyJson} does, and for keys that are over `limits`; and
 * {@link HalfCharacterError} for half a character in a text, which its caller may repair.
 */
export function checkParsedJson(
  value: Json,
  depth: number,
  path = "",
  limits: Partial<FormLimits> = {},
): number {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new HalfCharacterError(path, "is not well-formed Unicode");
    return mostTextBytes(value);
  }
  if (typeof value === "number") {
    // JSON.parse reads 1e400 as Infinity, which would be stored as null.
    if (!Number.isFinite(value)) throw new NotJsonError(path, "number out of range");
    return mostScalarBytes;
  }
  if (typeof value !== "object" || value === null) return mostScalarBytes;
  if (depth === 0) throw new NotJsonError(path, "is nested too deeply");
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) bytes += checkParsedJson(item, depth - 1, path, limits) + 1;
    return bytes;
  }
  const keys = Object.keys(value);
  const { maxKeys = Infinity, maxKeyLength = Infinity } = limits;
  if (keys.length > maxKeys) throw new NotJsonError(path, `has ${keys.length} keys, allowed are ${maxKeys}`);
  for (const key of keys) {
    checkKey(key, path);
    if (key.length > maxKeyLength)
      throw new NotJsonError(path, `has a key of ${key.length} characters, allowed are ${maxKeyLength}`);
    bytes += mostTextBytes(key) + checkParsedJson((value as Fields)[key] as Json, depth - 1, key, limits) + 2;
  }
  return bytes;
}

/** Whether two JSON values say the same, whatever the order of their keys. */
export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item: Json, index) => equalJson(item, b[index] as Json));
  }
  const left = a as Fields;
  const right = b as Fields;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && equalJson(left[key], right[key]));
}

/** Longer texts the platform counts faster, for all that it copies them; by far in an isolate that has just begun. */
const maxCountedLength = 1_024;

/** Length of `text` in UTF-8 bytes, which is what sockets and SQLite count. `text` is well-formed. */
export function utf8Bytes(text: string): number {
  if (text.length > maxCountedLength) return utf8Encoder().encode(text).length;
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair stands for two of the four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}

/** Bytes of `value` as JSON text when those are more than `maxBytes`; they are counted one by one only near that. */
export function bytesOver(value: Json, maxBytes: number): number | undefined {
  if (mostBytes(value) <= maxBytes) return undefined;
  const bytes = jsonBytes(value);
  return bytes > maxBytes ? bytes : undefined;
}

/**
 * Whether the JSON text of `value` is certainly longer than `maxBytes`. The function stops as soon as that is certain, so that
 * a large value costs no more than a small one. It does not recurse: `value` may be nested to any depth.
 */
export function isCertainlyOver(value: Json, maxBytes: number): boolean {
  const waiting: Json[] = [value];
  let bytes = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    bytes += typeof next === "string" ? next.length + 2 : 1;
    if (Array.isArray(next)) {
      // An item takes one byte at least, and its comma one more.
      if (bytes + 2 * next.length > maxBytes) return true;
      for (const item of next as readonly Json[]) waiting.push(item);
    } else if (typeof next === "object") {
      const members = next as Fields | null;
      for (const key in members) {
        bytes += key.length + 3;
        if (bytes > maxBytes) return true;
        waiting.push(members[key] as Json);
      }
    }
    if (bytes > maxBytes) return true;
  }
  return false;
}

/** No JSON text of `value` is longer, whatever its strings escape and its numbers say. */
export function mostBytes(value: Json): number {
  if (typeof value === "string") return mostTextBytes(value);
  if (typeof value !== "object" || value === null) return mostScalarBytes;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) bytes += mostBytes(item) + 1;
  } else {
    const fields = value as Fields;
    for (const key in fields) bytes += mostTextBytes(key) + mostBytes(fields[key] as Json) + 2;
  }
  return bytes;
}

/** Of a number; true, false and null are shorter. */
const mostScalarBytes = 25;

/** A control character takes six bytes, any other unit three at most. */
function mostTextBytes(text: string): number {
  return 6 * text.length + 2;
}

/** Bytes of `value` as JSON text. */
export function jsonBytes(value: Json): number {
  return utf8Bytes(JSON.stringify(value));
}

function join(path: string, key: string | number): string {
  return path === "" ? String(key) : `${path}.${key}`;
}

function checkKey(key: string, path: string): void {
  if (FORBIDDEN_KEYS.has(key)) throw new NotJsonError(path, `the key ${key} is refused`);
  if (!key.isWellFormed()) throw new NotJsonError(path, "has a key that is not well-formed Unicode");
}
