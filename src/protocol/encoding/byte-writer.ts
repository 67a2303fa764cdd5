import type { Json } from "../../schema/json.ts";
import { utf8Bytes, type Fields } from "../../model/json.ts";
import { utf8Encoder } from "../../model/utf8.ts";
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
  maxInt14,
  maxShortText,
  floatBytes,
  float,
} from "./byte-form.ts";

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
