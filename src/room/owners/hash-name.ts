import { sha256 } from "../../protocol/encoding/sha256.ts";

// Part of every runtime that this runs in; `src/core` is compiled without the types of any platform.
declare class TextEncoder {
  encode(text: string): Uint8Array;
}

/** Bytes of the hash: with 96 bits, no two texts are found that have the same name. */
const nameBytes = 12;

/** Returns a name of 24 hex digits for a text that is too long to be an identity itself. */
export function hashName(text: string): string {
  const digest = sha256(new TextEncoder().encode(text));
  return Array.from(digest.subarray(0, nameBytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
