import { isAccess, type Access } from "../../schema/access.ts";
import type { Caller } from "../../model/call.ts";
import type { Limits } from "../limits.ts";
import { checkParsedJson, maxJsonDepth, NotJsonError } from "../../model/json.ts";
import { ownerOf } from "../owners/owner.ts";
import type { RoomState } from "../storage/room-state.ts";
import { canOwn } from "../visibility/partitions.ts";
import { assertSize, parseWith } from "../../model/parse.ts";
import { encodeText } from "../../protocol/codec.ts";
import type { Code } from "../../protocol/codes.ts";
import type { Hello } from "../../protocol/handshake/hello.ts";
import type { AnyRoomDefinition } from "../../schema/definition.ts";
import type { Json } from "../../schema/json.ts";
import { Rejection } from "../../schema/rejection.ts";
import type { Session } from "./session.ts";

/** Who `authenticate` says is connecting. */
export interface Identity {
  readonly user: Json;
  readonly access: Access;
  readonly role?: string | undefined;
  /** Until when they may stay, in milliseconds since the epoch; left out for ever. */
  readonly expiresAt?: number;
}

/** Why a client does not come in, and when it may try again where that is known. */
export interface TurnedAway {
  readonly code: Code;
  readonly retryAfterMs?: number;
}

/**
 * A person as the room's schema reads it; null for a room that asks for none. Throws `Rejection` for a person that
 * `authenticate` or a backend should not have named. Half a character is refused here: by its repair two people would become one.
 */
export function userAs(definition: AnyRoomDefinition, user: Json, maxBytes: number): Json {
  if (definition.user === undefined || user === null) return null;
  try {
    checkParsedJson(user, maxJsonDepth);
  } catch (error) {
    if (error instanceof NotJsonError) throw new Rejection("invalid", `the user: ${error.message}`);
    throw error;
  }
  const checked = parseWith(definition.user, user, "the user");
  assertSize("the user", checked, maxBytes);
  if (definition.private.length > 0 && !canOwn((checked as { readonly id?: Json }).id))
    throw new Rejection(
      "invalid",
      "the user's id is empty or has a slash: no private record could be theirs",
    );
  return checked;
}

/** Whether the access is one of the two words, and the definition, where it has `roles`, lists the role. */
export function isAdmitted(
  { roles }: AnyRoomDefinition,
  { access, role }: Pick<Identity, "access" | "role">,
  refused: (error: string) => void,
): boolean {
  if (!isAccess(access)) return false;
  if (role === undefined || roles === undefined || roles.includes(role)) return true;
  refused("the definition does not list the role");
  return false;
}

/**
 * Why a client may not come in, undefined when it may. The client has proved its id by the secret that the id follows from. A client
 * that is here, or has made a call, also belongs to its user: another user who has stolen the secret is refused.
 */
export function refusalOf(
  { clientId, user }: Caller,
  { knownSince, attempt = 0 }: Pick<Hello, "knownSince" | "attempt">,
  { clientLog, horizons }: RoomState,
  sessions: ReadonlyMap<string, Session>,
  maxSessions: number,
): Code | undefined {
  const former = sessions.get(clientId);
  const logged = clientLog.get(clientId);
  const owner = ownerOf(user);
  if ((former ? ownerOf(former.client.user) : (logged?.owner ?? owner)) !== owner) return "id-conflict";
  if (former !== undefined && attempt < former.attempt) return "replaced";
  if (logged === undefined && knownSince !== null && knownSince < horizons.of(owner)) return "too-old";
  if (former === undefined && sessions.size >= maxSessions) return "room-full";
  return undefined;
}

/** The first frame of a session. */
export function sendWelcome(session: Session, { flushSeq }: RoomState, limits: Limits): void {
  const { clientId, user, access, role } = session.client;
  const welcome = {
    kind: "welcome",
    epoch: session.epoch,
    clientId,
    user,
    access,
    ...(role !== undefined && { role }),
    knownSince: flushSeq,
    acceptsBinary: session.acceptsBinary,
    limits: {
      callsPerSecond: limits.callsPerSecond,
      callsBurst: limits.callsBurst,
      maxCallsPerFrame: limits.maxCallsPerFrame,
      maxFrameBytes: limits.maxFrameBytes,
      maxUnacknowledgedBytes: session.sendBudgetBytes,
      maxUnacknowledgedFrames: limits.maxUnacknowledgedFrames,
      ephemeralPerSecond: limits.ephemeralPerSecond,
      ephemeralBurst: limits.ephemeralBurst,
    },
  } as const;
  session.send(encodeText(welcome));
}
