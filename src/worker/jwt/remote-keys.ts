import { createLocalJWKSet, createRemoteJWKSet, errors, jwksCache, type JWKSCacheInput } from "jose";
import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters } from "jose";
import { logLine } from "../../durable-object/log-line.ts";
import { Rejection } from "../../schema/rejection.ts";

/** How long a key set is good without being asked for again. */
const maxAgeMs = 10 * 60_000;
/** For as long after that the last one is used while its host does not answer. A key that was withdrawn meanwhile is good so long. */
const maxStaleMs = 60 * 60_000;
/** A key that nobody knows has the set asked for again, but not more often than this: anybody can make one up. */
const unknownKeyCooldownMs = 5_000;
/** A host that has not answered is left alone so long. */
const failureCooldownMs = 2_000;
const timeoutMs = 5_000;
/** Hosts whose keys one isolate keeps, for apps that choose one by tenant. */
const maxKeySets = 32;

/**
 * The key set at a URL. It is kept, fetched anew when it is old or a token names a key that is not in it, and, while its host is
 * down, used a while longer.
 */
export class RemoteKeys {
  readonly #url: URL;
  readonly #fetched: JWKSCacheInput = {};
  readonly #find: ReturnType<typeof createRemoteJWKSet>;
  #failedAt = -Infinity;

  constructor(url: URL) {
    this.#url = url;
    this.#find = createRemoteJWKSet(url, {
      cacheMaxAge: maxAgeMs,
      cooldownDuration: unknownKeyCooldownMs,
      timeoutDuration: timeoutMs,
      [jwksCache]: this.#fetched,
    });
  }

  /** The key that a token was signed with. Throws what `jose` does for one that there is not, and `Rejection` when that cannot be known. */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (Date.now() - this.#failedAt >= failureCooldownMs) {
      try {
        return await this.#find(header, token);
      } catch (error) {
        if (isOfToken(error)) throw error;
        this.#failedAt = Date.now();
        const { name } = error as Error;
        logLine("key-set-unreachable", { code: "internal", host: this.#url.host, error: name });
      }
    }
    return await this.#findInLast(header, token);
  }

  async #findInLast(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const { jwks, uat } = this.#fetched as Partial<{
      jwks: Parameters<typeof createLocalJWKSet>[0];
      uat: number;
    }>;
    if (jwks === undefined || uat === undefined || Date.now() - uat > maxAgeMs + maxStaleMs)
      throw unreachable();
    try {
      return await createLocalJWKSet(jwks)(header, token);
    } catch (error) {
      // It may be a new one, of which only the host knows.
      throw error instanceof errors.JWKSNoMatchingKey ? unreachable() : error;
    }
  }
}

const known = new Map<string, RemoteKeys>();

/** The same for the same URL: an authenticator may be made anew for each request, and its keys are not fetched for each. */
export function remoteKeys(url: URL): RemoteKeys {
  const { href } = url;
  let keys = known.get(href);
  if (keys !== undefined) return keys;
  keys = new RemoteKeys(url);
  const [oldest] = known.keys();
  if (known.size >= maxKeySets && oldest !== undefined) known.delete(oldest);
  known.set(href, keys);
  return keys;
}

/** Whether the token is to blame, and not the host of the keys. */
function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

/** Told as what will pass: who is refused so tries again, and is not signed out. */
function unreachable(): Rejection {
  const message = "the keys that tokens are checked with cannot be had right now";
  return new Rejection("internal", message, { reason: "key-set-unreachable" });
}
