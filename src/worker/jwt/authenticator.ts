import { errors, jwtVerify, type JWTPayload } from "jose";
import { isRole, type Admission, type AdmissionRequest, type Authenticate } from "../authentication.ts";
import { isAccess } from "../../schema/access.ts";
import type { Json } from "../../schema/json.ts";
import { requireKnownOptions } from "../../schema/option-names.ts";
import { Rejection } from "../../schema/rejection.ts";
import { isGranted } from "./grant.ts";
import { verifierOf, type JwtKeys, type Verifier } from "./keys.ts";

/** What a token says, once its signature and times were found good. */
export type JwtClaims = JWTPayload;

/** What tokens are signed with, and what is read from one that is good. */
export type JwtOptions = JwtKeys & {
  /** The person as the definition's `user` has it; `{ id: sub, name: name ?? sub }` when left out. */
  readonly user?: (claims: JwtClaims) => Json;
  /**
   * The access of the token: the claim `access` when left out. Any value but exactly `read` or `write` refuses the token, and so does a
   * missing claim. `() => "read"` lets every good token read.
   */
  readonly access?: (claims: JwtClaims) => unknown;
  /** The role of the token, which grants nothing by itself: the claim `role` when left out. A token may have none. */
  readonly role?: (claims: JwtClaims) => unknown;
  /**
   * The rooms that the token is good for: their ids, or beginnings of ids with `*` behind, as `["lobby", "team-*"]`. The claim `rooms` when left
   * out; undefined is refused. `() => ["*"]` lets every good token into every room.
   */
  readonly rooms?: (claims: JwtClaims, asked: Pick<AdmissionRequest, "roomId" | "path">) => unknown;
  /** How far the signer's clock may be off, in seconds; 5 when left out, 300 at most. */
  readonly clockToleranceSeconds?: number;
};

const optionNames = [
  "secret",
  "jwksUrl",
  "keySet",
  "issuer",
  "audience",
  "user",
  "access",
  "role",
  "rooms",
  "clockToleranceSeconds",
];
const maxClockToleranceSeconds = 300;
/** The last second that a Date knows. */
const mostSeconds = 8.64e12;

/**
 * An `authenticate` for `routeRooms` that admits by JSON Web Tokens. A token has to be signed with the keys given, and to have an `exp`; the
 * session ends then. Refuses as `forbidden` a good token that is for other rooms, as `unauthorized` any other, and as `internal`, to be
 * tried again, while the keys cannot be had. A token may be used again and again until it expires: keep them short-lived.
 * Throws `TypeError` or `RangeError` for options that would protect nothing, such as a short secret.
 */
export function jwtAuthenticator(options: JwtOptions): Authenticate {
  const { clockToleranceSeconds = 5 } = options;
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= maxClockToleranceSeconds))
    throw new RangeError(`clockToleranceSeconds is 0 to ${maxClockToleranceSeconds}`);
  requireKnownOptions(options, optionNames, "jwtAuthenticator");
  for (const name of ["user", "access", "role", "rooms"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "function")
      throw new TypeError(`${name} must be a function of the claims`);
  }
  requireNames("issuer", options.issuer);
  requireNames("audience", options.audience);
  const verifier = verifierOf(options);
  const {
    user = personOf,
    access = (claims: JwtClaims) => claims["access"],
    role = (claims: JwtClaims) => claims["role"],
    rooms = (claims: JwtClaims) => claims["rooms"],
  } = options;
  const check = {
    algorithms: [...verifier.algorithms],
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ["exp"],
    ...(isSaid(options.issuer) && { issuer: listOf(options.issuer) }),
    ...(isSaid(options.audience) && { audience: listOf(options.audience) }),
  };
  return async ({ token, roomId, path }): Promise<Admission | null> => {
    if (token === undefined || token === "") return null;
    const claims = await claimsOf(token, verifier, check);
    const granted = rooms(claims, { roomId, path });
    if (granted === undefined)
      throw new Rejection("forbidden", "the token names no rooms that it is for", { reason: "no-grant" });
    if (!Array.isArray(granted) || !granted.every((room) => typeof room === "string")) throw misfit("rooms");
    if (!isGranted(granted, roomId))
      throw new Rejection("forbidden", "the token is for other rooms", { reason: "other-room" });
    const allowed = access(claims);
    if (!isAccess(allowed))
      throw new Rejection("forbidden", "the token must grant access: read or write", { reason: "no-access" });
    const given = role(claims) ?? undefined;
    if (given !== undefined && !isRole(given)) throw misfit("role");
    // `exp` was required, and found to be a number.
    const expiresAt = Math.min((claims.exp as number) + clockToleranceSeconds, mostSeconds) * 1_000;
    return { user: user(claims), access: allowed, ...(given !== undefined && { role: given }), expiresAt };
  };
}

async function claimsOf(
  token: string,
  { keys }: Verifier,
  check: NonNullable<Parameters<typeof jwtVerify>[2]>,
): Promise<JwtClaims> {
  let problem: unknown;
  for (const key of keys) {
    try {
      // The overloads of `jwtVerify` tell a key from a function that finds one, and do the same with both.
      return (await jwtVerify(token, key as Uint8Array, check)).payload;
    } catch (error) {
      problem = error;
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) break; // another secret would do no better
    }
  }
  if (problem instanceof Rejection) throw problem;
  throw new Rejection("unauthorized", "the token is not good", { reason: reasonOf(problem) });
}

/** A word for the log, and never what the token says. */
function reasonOf(problem: unknown): string {
  if (problem instanceof errors.JWTExpired) return "expired";
  if (problem instanceof errors.JWTClaimValidationFailed) return claimReasons[problem.claim] ?? "claims";
  if (problem instanceof errors.JWSSignatureVerificationFailed) return "signature";
  if (problem instanceof errors.JOSEAlgNotAllowed) return "algorithm";
  if (problem instanceof errors.JWKSNoMatchingKey) return "unknown-key";
  if (problem instanceof errors.JWKSMultipleMatchingKeys) return "ambiguous-key";
  return "malformed";
}

const claimReasons: { readonly [claim: string]: string } = {
  aud: "audience",
  exp: "no-expiry",
  iss: "issuer",
  nbf: "not-yet",
};

function misfit(claim: string): Rejection {
  return new Rejection("unauthorized", `the token's ${claim} cannot be read`, { reason: "claims" });
}

function personOf({ sub, name }: JwtClaims): Json {
  if (sub === undefined || sub === "") throw misfit("sub");
  return { id: sub, name: typeof name === "string" ? name : sub };
}

/** Throws `TypeError` for names that no token can have. */
function requireNames(option: string, names: unknown): void {
  if (names === undefined || names === null) return;
  const list: readonly unknown[] = Array.isArray(names) ? names : [names];
  if (list.length === 0 || !list.every((name) => typeof name === "string" && name !== ""))
    throw new TypeError(
      `${option} must be a text, or a list of at least one, and none of them empty; or null`,
    );
}

function isSaid<T>(names: T | null | undefined): names is T {
  return names !== undefined && names !== null;
}

function listOf(names: string | readonly string[]): string[] {
  return typeof names === "string" ? [names] : [...names];
}
