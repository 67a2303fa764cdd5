import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { remoteKeys } from "./remote-keys.ts";

/** What tokens are signed with: exactly one of the three. */
export type JwtKeys =
  | {
      /**
       * Shared with whoever signs, by HS256: at least 32 bytes in UTF-8, and random (`openssl rand -base64 48`). Of several any is good, so
       * that one can take the place of another.
       */
      readonly secret: string | readonly string[];
      readonly jwksUrl?: undefined;
      readonly keySet?: undefined;
      /** Who may have signed (`iss`), one of them. Left out or null, it is not looked at. */
      readonly issuer?: string | readonly string[] | null;
      /** What the token has to be made for (`aud`), one of them. Left out or null, it is not looked at. */
      readonly audience?: string | readonly string[] | null;
    }
  | (KnownSigner & {
      /** Where the signer publishes its public keys; `https:`, or `http:` on this machine. */
      readonly jwksUrl: string | URL;
      readonly secret?: undefined;
      readonly keySet?: undefined;
    })
  | (KnownSigner & {
      /** The public keys themselves. */
      readonly keySet: JSONWebKeySet;
      readonly secret?: undefined;
      readonly jwksUrl?: undefined;
    });

/** Whoever has a key pair signs for many: what these tokens have in common has to be said. */
export interface KnownSigner {
  /** Who may have signed (`iss`), one of them; null for whoever has the key. */
  readonly issuer: string | readonly string[] | null;
  /** What the token has to be made for (`aud`), one of them; null for tokens that do not say so. Then what was made for another app is good here. */
  readonly audience: string | readonly string[] | null;
}

/** How a signature is checked. */
export interface Verifier {
  /** What a token may say that it is signed by. It decides nothing: what the key is for does. */
  readonly algorithms: readonly string[];
  /** Any of them is good. */
  readonly keys: readonly (Uint8Array | JWTVerifyGetKey)[];
}

/** RFC 7518 wants a key of HS256 to be at least as long as the hash. */
const leastSecretBytes = 32;

/** Signatures by key pairs. None of them takes a public key for a secret. */
const publicKeyAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]; // prettier-ignore

/** Throws `TypeError` or `RangeError` for keys that would protect nothing. */
export function verifierOf({ secret, jwksUrl, keySet, issuer, audience }: JwtKeys): Verifier {
  if ([secret, jwksUrl, keySet].filter((given) => given !== undefined).length !== 1)
    throw new TypeError("jwtAuthenticator wants one of secret, jwksUrl and keySet");
  if (secret !== undefined) {
    const secrets = typeof secret === "string" ? [secret] : secret;
    if (secrets.length === 0) throw new TypeError("there is no secret in the list");
    return { algorithms: ["HS256"], keys: secrets.map(secretKey) };
  }
  if (issuer === undefined || audience === undefined)
    throw new TypeError("with public keys issuer and audience have to be said, null where there is none");
  if (keySet !== undefined) {
    if (!Array.isArray(keySet.keys) || keySet.keys.length === 0)
      throw new TypeError(
        "the key set has no keys: write { keys: [{ kty, … }] }, as the signer publishes it",
      );
    if (
      keySet.keys.every(
        ({ alg, use }) => use === "enc" || (alg !== undefined && !publicKeyAlgorithms.includes(alg)),
      )
    )
      throw new TypeError(
        `no key of the key set is for signatures by one of ${publicKeyAlgorithms.join(", ")}`,
      );
    for (const { kty, d } of keySet.keys) {
      if (kty === "oct" || d !== undefined)
        throw new TypeError("a key set holds public keys, and this has a secret one");
    }
    return { algorithms: publicKeyAlgorithms, keys: [createLocalJWKSet(keySet)] };
  }
  const url = new URL(jwksUrl);
  const isHere = url.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !isHere)
    throw new TypeError("jwksUrl has to be https: whoever is on the way could exchange the keys");
  return { algorithms: publicKeyAlgorithms, keys: [(...token) => remoteKeys(url).find(...token)] };
}

function secretKey(secret: string): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < leastSecretBytes)
    throw new RangeError(`a secret has ${bytes.length} bytes; HS256 wants ${leastSecretBytes} or more`);
  return bytes;
}
