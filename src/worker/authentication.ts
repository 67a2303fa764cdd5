import { checkParsedJson, copyJson, maxJsonDepth } from "../model/json.ts";
import { codes, type Code } from "../protocol/codes.ts";
import type { Identity } from "../room/sessions/admission.ts";
import { kindOf, logLine } from "../durable-object/log-line.ts";
import { isAccess, type Access } from "../schema/access.ts";
import type { Json } from "../schema/json.ts";
import { rejectionIn, type Rejection } from "../schema/rejection.ts";

/** Somebody who may enter. */
export interface Admission<Role extends string = string> {
  /** What everybody in the room sees of this person; fits the definition's `user`. Null for nobody in particular. */
  readonly user: Json;
  /** What the client may do. Required: any value but exactly `read` or `write` refuses the client, and the Worker logs it. */
  readonly access: Access;
  /**
   * The app's own word, which grants nothing by itself: `authorize`, `visibleTo`, mutators and hooks read it. 1 to 64 characters.
   * A room whose definition has `roles` refuses any other role.
   */
  readonly role?: Role | undefined;
  /**
   * Until when this person may stay, in milliseconds since the epoch; left out for ever. Then the session ends with
   * `token-expired`, and the client comes back with what `token()` says next.
   */
  readonly expiresAt?: number;
}

/** Who asks for what. */
export interface AdmissionRequest {
  /** Of the client's `token()`, or the bearer token of an HTTP request; undefined for none. Never part of the URL. */
  readonly token: string | undefined;
  /** The room's id, from the URL. */
  readonly roomId: string;
  /** Of the routes, the one that the room is under. A room of another path is another room, whatever its id. */
  readonly path: string;
  /** The request itself, with its headers. */
  readonly request: Request;
}

/**
 * Says who is asking, or null for nobody that may come in (`unauthorized`). Throws `Rejection` to refuse in other words: `forbidden`
 * for a person who may not enter this very room, `internal` for what will pass. Whatever else it throws, or answers, is a mistake
 * of the app's: nobody comes in, and a line in the log says why.
 */
export type Authenticate<Role extends string = string> = (
  asked: AdmissionRequest,
) => Admission<Role> | null | Promise<Admission<Role> | null>;

/** Why somebody does not come in. */
export interface Refusal {
  readonly code: Code;
  readonly status: number;
  readonly message: string;
  /** For the log, where it says more than the code. */
  readonly reason?: string;
  /** Of the answer over HTTP. */
  readonly headers?: { readonly [name: string]: string };
}

/** What an admission may have. */
const members: ReadonlySet<string> = new Set(["user", "access", "role", "expiresAt"]);
/** Of a role, in characters. */
const maxRoleLength = 64;
/** A time before that (in 1973) was meant in seconds. */
const leastExpiresAt = 1e11;
/** The last moment that a Date knows. */
const mostExpiresAt = 8.64e15;

/** A reason that may stand in the log, since it is a word of a program and not of a person. */
const reasonPattern = /^[a-z]+(-[a-z]+)*$/;

/** Asks `authenticate`, and judges what it answers. It never throws. */
export async function admit(
  authenticate: Authenticate,
  asked: AdmissionRequest,
): Promise<Identity | Refusal> {
  const { token, roomId: room } = asked;
  try {
    const answer: unknown = await authenticate(asked);
    if (answer === null) return refusalBy("unauthorized", token === undefined ? "no-token" : undefined);
    const identity = identityOf(answer);
    if ((identity.expiresAt ?? Infinity) <= Date.now()) return refusalBy("unauthorized", "expired");
    return identity;
  } catch (error) {
    const rejection = rejectionIn(error);
    if (rejection !== undefined && Object.hasOwn(codes, rejection.code)) return refusalOf(rejection);
    // What it was thrown may quote the token, so only a mistake that was found here is told in full.
    const problem = misfitIn(error);
    const found = problem === undefined ? { error: kindOf(error) } : { problem };
    logLine("authenticate-failed", { code: "internal", room, ...found });
    return refusalBy("internal");
  }
}

/** `authenticate` has answered what is no admission. */
class MisfitError extends Error {}

/** What is wrong with it, if that is what was thrown. */
function misfitIn(thrown: unknown): string | undefined {
  try {
    return thrown instanceof MisfitError ? thrown.message : undefined;
  } catch {
    return undefined; // to look at what the app throws can throw again
  }
}

/** Throws {@link MisfitError} with what is wrong. */
function identityOf(answer: unknown): Identity {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) {
    throw new MisfitError(
      `it answered ${describe(answer)}, which is neither null nor { user, access, role, expiresAt }`,
    );
  }
  // Misspelled it would be left out without a word: `expires` is a session without end.
  if (Object.keys(answer).some((name) => !members.has(name)))
    throw new MisfitError("it answered something besides user, access, role and expiresAt");
  const { user, access, role, expiresAt } = answer as Record<keyof Admission, unknown>;
  if (user === undefined) throw new MisfitError("it answered no user; null is nobody in particular");
  if (!isAccess(access)) throw new MisfitError('access must be "read" or "write"');
  if (role !== undefined && !isRole(role))
    throw new MisfitError(
      `the role is ${describe(role)}, and not a text of 1 to ${maxRoleLength} characters`,
    );
  const identity = { user: jsonOf(user), access, ...(role !== undefined && { role }) };
  if (expiresAt === undefined) return identity;
  if (typeof expiresAt !== "number" || !Number.isFinite(expiresAt) || expiresAt > mostExpiresAt)
    throw new MisfitError(`expiresAt is ${describe(expiresAt)}, and not milliseconds since the epoch`);
  // Nothing that was good once is as old as that, but the negative times of a broken clock are.
  if (expiresAt > 0 && expiresAt < leastExpiresAt)
    throw new MisfitError("expiresAt is in seconds, it seems: it is to be milliseconds since the epoch");
  return { ...identity, expiresAt };
}

export function isRole(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxRoleLength && value.isWellFormed();
}

function jsonOf(user: unknown): Json {
  try {
    // As strict as with a client's names: two ids must not become one by a repair.
    checkParsedJson(user as Json, maxJsonDepth);
    return copyJson(user);
  } catch {
    throw new MisfitError("the user is not JSON");
  }
}

function refusalOf({ code, message, data }: Rejection): Refusal {
  const reason = typeof data === "object" && data !== null && "reason" in data ? data["reason"] : undefined;
  const isWord = typeof reason === "string" && reason.length <= 40 && reasonPattern.test(reason);
  return { ...refusalBy(code as Code, isWord ? reason : undefined), message };
}

function refusalBy(code: Code, reason?: string): Refusal {
  const { status, sentence } = codes[code];
  // What went wrong is this side's, and may be right in a moment.
  return { code, status: code === "internal" ? 503 : status, message: sentence, ...(reason && { reason }) };
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
}
