import { sha256 } from "../encoding/sha256.ts";
import { encodeBase64Url } from "../encoding/base64url.ts";

/** A client secret: base64url characters, of which 20 carry 120 random bits. */
export const clientSecretPattern = /^[A-Za-z0-9_-]{20,64}$/;

/** Bytes of the hash in a public id: with 96 bits, a second secret for the id of another client cannot be found. */
const clientIdBytes = 12;

/**
 * Returns the public id of the client that has this secret: 16 characters of base64url. The id follows from the secret alone, so
 * that the room need not remember which secret belongs to which id. No id is `room` or begins with `rpc:`.
 */
export function clientIdOf(secret: string): string {
  const digest = sha256(Uint8Array.from(secret, (character) => character.charCodeAt(0)));
  return encodeBase64Url(String.fromCharCode(...digest.subarray(0, clientIdBytes)));
}
