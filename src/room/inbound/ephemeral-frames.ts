import { parseEvent } from "../../model/call.ts";
import { isCertainlyOver } from "../../model/json.ts";
import { assertSize, parseWith } from "../../model/parse.ts";
import type { AnyRoomDefinition } from "../../schema/definition.ts";
import type { Json } from "../../schema/json.ts";
import { Rejection } from "../../schema/rejection.ts";
import { ephemeralUnits, workOf } from "../engine/cost/call-work.ts";
import type { EphemeralUpdates } from "../flush/ephemeral.ts";
import type { Limits } from "../limits.ts";
import type { Workload } from "../owners/workload.ts";
import { sendError } from "../sessions/refusals.ts";
import type { Session } from "../sessions/session.ts";
import { spendWork } from "./spend-work.ts";

/** What presence and events may touch. */
export interface EphemeralRoom {
  readonly definition: AnyRoomDefinition;
  readonly limits: Limits;
  readonly workload: Workload;
  readonly ephemeral: EphemeralUpdates;
  /** Called when the others see one more client. */
  readonly shown: () => void;
}

/** Sets the presence of the session's client. Throws `Rejection` for one that does not fit. */
export function setPresence(room: EphemeralRoom, session: Session, given: Json, now: number): void {
  const { definition, limits, ephemeral } = room;
  if (!takeEphemeral(room, session, workOf(given), now)) return;
  refuseLarge("presence", given, limits.maxPresenceBytes);
  const presence = definition.presence === undefined ? {} : parseWith(definition.presence, given, "presence");
  assertSize("presence", presence, limits.maxPresenceBytes);
  const { clientId, user } = session.client;
  const before = session.presence;
  session.presence = presence;
  if (before !== undefined) return ephemeral.set(clientId, user, before, presence);
  ephemeral.join(clientId, user, presence);
  room.shown();
}

/** Sends an event to all others. Throws `Rejection` for one that does not fit. */
export function sendEvent(
  room: EphemeralRoom,
  session: Session,
  event: string,
  given: Json,
  now: number,
): void {
  if (!takeEphemeral(room, session, workOf(given), now)) return;
  refuseLarge(`event ${event}`, given, room.limits.maxEventBytes);
  const payload = parseEvent(room.definition, event, given);
  assertSize(`event ${event}`, payload, room.limits.maxEventBytes);
  room.ephemeral.event([session.client.clientId, event, payload]);
}

/**
 * Presence and events cost everybody else something, so each session, and each user, has so many of them. False when the room has
 * too much work to take one more, for which its sender is not to blame.
 */
function takeEphemeral(room: EphemeralRoom, session: Session, units: number, now: number): boolean {
  const retryAfterMs = session.rateLimits.takeEphemeral(now);
  if (retryAfterMs > 0) throw new Rejection("rate-limited", "too many messages", { retryAfterMs });
  const waitMs = room.workload.waitOf(session.holder, now);
  if (waitMs > 0) {
    sendError(session, { code: "rate-limited", message: "the room has too much work", retryAfterMs: waitMs });
    return false;
  }
  spendWork(room.workload, session, ephemeralUnits + units, now);
  return true;
}

/** Refuses a large value before the app's schema reads it: a schema takes a third of a second for 1 MB of small objects. */
function refuseLarge(what: string, given: Json, maxBytes: number): void {
  if (isCertainlyOver(given, maxBytes))
    throw new Rejection("too-large", `${what} has more than ${maxBytes} bytes`);
}
