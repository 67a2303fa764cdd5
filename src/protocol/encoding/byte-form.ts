// The form of values as bytes: what {@link ByteWriter} writes and {@link ByteReader} reads.

/** Bytes that do not have the form they should. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

// First bytes of values. Below `int14Tag` a byte is an integer itself; up to `textTag` it begins one of 14 bits. They are
// constants, not members of an object, so that a bundle has the numbers themselves.
export const int14Tag = 0x80;
export const textTag = 0xc0;
export const nullTag = 0xe0;
export const falseTag = 0xe1;
export const trueTag = 0xe2;
export const positiveTag = 0xe3;
export const negativeTag = 0xe4;
export const floatTag = 0xe5;
export const longTextTag = 0xe6;
export const arrayTag = 0xe7;
export const objectTag = 0xe8;
/** Of one digit behind the point, and so on up to {@link maxDigits}. */
export const decimalTag = 0xe9;
export const maxDigits = 4;
export const powers = [1, 10, 100, 1_000, 10_000];
export const maxInt14 = 0x3fff + int14Tag;
export const maxShortText = nullTag - textTag - 1;
export const floatBytes = new Uint8Array(8);
export const float = new DataView(floatBytes.buffer);
