import type { Json } from "../../schema/json.ts";
import { utf8Bytes, type Fields } from "../../model/json.ts";
import { decodeUtf8, utf8Encoder } from "../../model/utf8.ts";

/** Bytes that do not have the form they should. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

// First bytes of values. Below `int14Tag` a byte is an integer itself; up to `textTag` it begins one of 14 bits. They are
// constants, not members of an object, so that a bundle has the numbers themselves.
const int14Tag = 0x80;
const textTag = 0xc0;
const nullTag = 0xe0;
const falseTag = 0xe1;
const trueTag = 0xe2;
const positiveTag = 0xe3;
const negativeTag = 0xe4;
const floatTag = 0xe5;
const longTextTag = 0xe6;
const arrayTag = 0xe7;
const objectTag = 0xe8;
/** Of one digit behind the point, and so on up to {@link maxDigits}. */
const decimalTag = 0xe9;
const maxDigits = 4;
const powers = [1, 10, 100, 1_000, 10_000];
const maxInt14 = 0x3fff + int14Tag;
const maxShortText = nullTag - textTag - 1;
/** Shorter text is quicker read by hand than by the platform. */
const fewChars = 32;
/** What the last byte of the longest count stands for: 2⁵³ has 54 bits, and a byte seven of them. */
const maxFactor = 0x80 ** 7;
/** Deeper than any value that is not refused further in; recursion has to end. */
const maxDepth = 128;

const floatBytes = new Uint8Array(8);
const float = new DataView(floatBytes.buffer);

/** Bytes as they are written, one thing behind another. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Begins anew in the same memory. */
  reset(): this {
    this.#length = 0;
    return this;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** An integer from 0 to 2⁵³ - 1, seven bits a byte, the lowest first. */
  count(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80))
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#length++] = rest | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  /** An integer of either sign: 0, -1, 1, -2… as 0, 1, 2, 3… */
  signed(value: number): void {
    this.count(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Well-formed text, behind its length in bytes. */
  text(text: string): void {
    if (this.#shortText(text, 0)) return;
    const bytes = utf8Bytes(text);
    this.count(bytes);
    this.#text(text, bytes);
  }

  value(value: Json): void {
    switch (typeof value) {
      case "number":
        return this.#number(value);
      case "string": {
        if (this.#shortText(value, textTag)) return;
        const bytes = utf8Bytes(value);
        if (bytes <= maxShortText) this.byte(textTag + bytes);
        else {
          this.byte(longTextTag);
          this.count(bytes);
        }
        return this.#text(value, bytes);
      }
      case "boolean":
        return this.byte(value ? trueTag : falseTag);
      default:
    }
    if (value === null) return this.byte(nullTag);
    if (Array.isArray(value)) {
      this.byte(arrayTag);
      this.count(value.length);
      for (const item of value as readonly Json[]) this.value(item);
      return;
    }
    const keys = Object.keys(value);
    this.byte(objectTag);
    this.count(keys.length);
    for (const key of keys) {
      this.text(key);
      this.value((value as Fields)[key] as Json);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) return this.#fraction(value);
    if (value < 0) {
      this.byte(negativeTag);
      return this.count(-1 - value);
    }
    if (value < int14Tag) return this.byte(value);
    if (value <= maxInt14) {
      const offset = value - int14Tag;
      this.byte(int14Tag + (offset >>> 8));
      return this.byte(offset & 0xff);
    }
    this.byte(positiveTag);
    this.count(value);
  }

  /** Few digits behind the point are common, and then an integer and a place are shorter than a float. */
  #fraction(value: number): void {
    for (let digits = 1; digits <= maxDigits; digits++) {
      const power = powers[digits] as number;
      const scaled = Math.round(value * power);
      if (Math.abs(scaled) > 0x7fff_ffff) break;
      if (scaled / power !== value) continue;
      this.byte(decimalTag + digits - 1);
      return this.signed(scaled);
    }
    this.#float(value);
  }

  #float(value: number): void {
    this.byte(floatTag);
    this.#reserve(8);
    float.setFloat64(0, value);
    for (let index = 0; index < 8; index++) this.#bytes[this.#length++] = floatBytes[index] as number;
  }

  #text(text: string, bytes: number): void {
    this.#reserve(bytes);
    utf8Encoder().encodeInto(text, this.#bytes.subarray(this.#length));
    this.#length += bytes;
  }

  /** Short ASCII behind a byte of `base` and its length, by hand: quicker than to ask the platform. False: it is none. */
  #shortText(text: string, base: number): boolean {
    const { length } = text;
    if (length > maxShortText) return false;
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    const start = this.#length + 1;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      bytes[start + index] = unit;
    }
    bytes[this.#length] = base + length;
    this.#length = start + length;
    return true;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/**
 * Reads what a {@link ByteWriter} wrote. It trusts nothing, and throws {@link FormatError} for bytes that nobody
 * could have written. Values are frozen.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  assertEnd(): void {
    if (!this.isAtEnd) throw new FormatError(`${this.left} bytes are left over`);
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new FormatError("it ends too early");
    return byte;
  }

  /** The next bytes themselves, not a copy. */
  bytes(length: number): Uint8Array {
    if (length > this.left) throw new FormatError("it ends too early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  count(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value -= 0x80;
    // Without an end to it, enough empty bytes would make a factor of Infinity and a count that is no number.
    for (let factor = 0x80; factor <= maxFactor; factor *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) return value;
    }
    throw new FormatError("a count is too large");
  }

  /** How many things follow, of which each takes a byte at least: nobody is made to hold more than was sent. */
  size(): number {
    const size = this.count();
    if (size > this.left) throw new FormatError("it ends too early");
    return size;
  }

  signed(): number {
    const value = this.count();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  text(): string {
    return this.#text(this.count());
  }

  value(depth = maxDepth): Json {
    const tag = this.byte();
    if (tag < int14Tag) return tag;
    if (tag < textTag) return ((tag & 0x3f) << 8) + this.byte() + int14Tag;
    if (tag < nullTag) return this.#text(tag - textTag);
    switch (tag) {
      case nullTag:
        return null;
      case falseTag:
        return false;
      case trueTag:
        return true;
      case positiveTag:
        return this.count();
      case negativeTag:
        return -1 - this.count();
      case floatTag:
        return this.#float();
      case longTextTag:
        return this.text();
      case arrayTag:
        return this.#array(depth);
      case objectTag:
        return this.#object(depth);
      default: {
        const digits = tag - decimalTag + 1;
        if (digits > maxDigits) throw new FormatError(`nothing begins with ${tag}`);
        return this.signed() / (powers[digits] as number);
      }
    }
  }

  #float(): number {
    for (let index = 0; index < 8; index++) floatBytes[index] = this.byte();
    const value = float.getFloat64(0);
    if (!Number.isFinite(value)) throw new FormatError("a number is not finite");
    return value;
  }

  #array(depth: number): Json {
    if (depth === 0) throw new FormatError("it is nested too deeply");
    const items: Json[] = [];
    for (let left = this.size(); left > 0; left--) items.push(this.value(depth - 1));
    return Object.freeze(items);
  }

  #object(depth: number): Json {
    if (depth === 0) throw new FormatError("it is nested too deeply");
    const members: Record<string, Json> = {};
    for (let left = this.size(); left > 0; left--) setMember(members, this.text(), this.value(depth - 1));
    return Object.freeze(members);
  }

  #text(length: number): string {
    const bytes = this.bytes(length);
    if (length <= fewChars) {
      let text = "";
      let index = 0;
      for (; index < length; index++) {
        const byte = bytes[index] as number;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (index === length) return text;
    }
    try {
      return decodeUtf8(bytes);
    } catch {
      throw new FormatError("text is not UTF-8");
    }
  }
}

/** Sets a member that came from outside: `__proto__` is one as any other, for whoever refuses it to see. */
export function setMember(members: Record<string, Json>, key: string, value: Json): void {
  if (key !== "__proto__") members[key] = value;
  else Object.defineProperty(members, key, { value, enumerable: true });
}
