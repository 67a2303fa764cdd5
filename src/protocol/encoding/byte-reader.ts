import type { Json } from "../../schema/json.ts";
import { decodeUtf8 } from "../../model/utf8.ts";
import {
  int14Tag,
  textTag,
  nullTag,
  falseTag,
  trueTag,
  positiveTag,
  negativeTag,
  floatTag,
  longTextTag,
  arrayTag,
  objectTag,
  decimalTag,
  maxDigits,
  powers,
  floatBytes,
  float,
  FormatError,
} from "./byte-form.ts";

/** Shorter text is quicker read by hand than by the platform. */
const fewChars = 32;
/** What the last byte of the longest count stands for: 2⁵³ has 54 bits, and a byte seven of them. */
const maxFactor = 0x80 ** 7;
/** Deeper than any value that is not refused further in; recursion has to end. */
const maxDepth = 128;

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
