import { parseEvent } from "../../model/call.ts";
import { ephemeralUnits, workOf } from "../engine/cost/call-work.ts";
import type { Submission } from "../engine/submission.ts";
import { isCertainlyOver } from "../../model/json.ts";
import type { Limits } from "../limits.ts";
import { assertSize, parseWith } from "../../model/parse.ts";
import { encodeText } from "../../protocol/codec.ts";
import type { Code } from "../../protocol/codes.ts";
import type { ErrorFrame, UpFrame } from "../../protocol/down/down-frames.ts";
import type { AnyRoomDefinition } from "../../schema/definition.ts";
import type { Json } from "../../schema/json.ts";
import { Rejection } from "../../schema/rejection.ts";
import type { Journal } from "../storage/journal.ts";
import type { Broadcaster } from "../broadcast/broadcaster.ts";
import type { Session } from "../sessions/session.ts";
import type { EphemeralUpdates } from "../flush/ephemeral.ts";
import type { Workload } from "../owners/workload.ts";

/** What a frame may touch. */
export interface FrameHandlerRoom {
  readonly definition: AnyRoomDefinition;
  readonly limits: Limits;
  readonly journal: Journal;
  readonly broadcaster: Broadcaster;
  readonly ephemeral: EphemeralUpdates;
  readonly workload: Workload;
  /** Writes and sends what is there; a session may be gone or be told of a gap afterwards. */
  readonly flush: () => void;
  /** Goes on with a session that was waiting for an acknowledgement. */
  readonly resume: (session: Session) => void;
  /** Somebody is to be seen by the others from now on. */
  readonly shown: () => void;
  /** A client's copy of these collections was not what the room has. */
  readonly noteDiverged: (collections: readonly string[]) => void;
  /** Closes a session for good. */
  readonly closeSession: (session: Session, code: Code, retryAfterMs?: number) => void;
  /** Somebody has acknowledged something: whoever waits for that goes on. */
  readonly resumeThrottled: () => void;
}

/** Outcomes are confirmed by the next push or hello, and a client that has them can do so at once. */
const unconfirmedRetryMs = 100;

type PushFrame = Extract<UpFrame, { kind: "push" }>;
type ResyncFrame = Extract<UpFrame, { kind: "resync" }>;

/** Does what a frame asks that came at `now`. Throws {@link Rejection} when that is refused; then it has done nothing. */
export function handleFrame(room: FrameHandlerRoom, session: Session, frame: UpFrame, now: number): void {
  switch (frame.kind) {
    case "push":
      return push(room, session, frame, now);
    case "presence":
      return setPresence(room, session, frame.presence, now);
    case "event":
      return sendEvent(room, session, frame.event, frame.payload, now);
    case "ack":
      return acknowledge(room, session, frame.bytes);
    case "resync":
      return resync(room, session, frame, now);
    default:
      return frame satisfies never;
  }
}

/** Answers a message that was refused, as it should never have come. */
export function refuse(session: Session, now: number, error: Omit<ErrorFrame, "kind">): void {
  session.isAbusive ||= !session.rateLimits.noteRefusal(now);
  sendError(session, error);
}

/** Answers a message that was not carried out. */
export function sendError(session: Session, error: Omit<ErrorFrame, "kind">): void {
  session.send(encodeText({ kind: "error", ...error }));
}

function push(
  room: FrameHandlerRoom,
  session: Session,
  { first, calls, confirmed, received }: PushFrame,
  now: number,
): void {
  if (received !== undefined) acknowledge(room, session, received);
  room.journal.roomState.clientLog.confirm(session.client.clientId, confirmed);
  // It was on its way when the client was told to send again from an earlier one.
  if (session.expected !== undefined && first > session.expected) return;
  session.expected = undefined;
  if (calls.length > room.limits.maxCallsPerFrame) {
    const message = `a frame carries at most ${room.limits.maxCallsPerFrame} calls`;
    return refusePush(session, now, { code: "too-large", message, clientReqId: first });
  }
  const lastCallId = room.journal.roomState.clientLog.get(session.client.clientId)?.lastCallId ?? 0;
  for (const [index, [baseRev, type, payload]] of calls.entries()) {
    const clientReqId = first + index;
    // A call that was executed before is not counted among the calls, only by its work. It may come again, as any other.
    const { rateLimits } = session;
    const retryAfterMs =
      room.workload.waitOf(session.holder, now) ||
      (clientReqId <= lastCallId ? rateLimits.takeWork(now) : rateLimits.takeCall(now, calls.length - index));
    if (retryAfterMs > 0) {
      return refusePush(session, now, {
        code: "rate-limited",
        message: "too many calls, or too much work",
        clientReqId,
        retryAfterMs,
      });
    }
    const call = { clientReqId, baseRev, type, payload };
    let submission = room.journal.engine.submit(session.client, call, now);
    if (submission.kind === "full") {
      room.flush();
      submission = room.journal.engine.submit(session.client, call, now);
    }
    spendWork(room, session, room.journal.engine.takeWork(), now);
    if (!answer(room, session, clientReqId, submission, now)) return;
  }
}

/** Says what is to be said before the flush. False when the calls behind this one cannot be executed either. */
function answer(
  room: FrameHandlerRoom,
  session: Session,
  clientReqId: number,
  submission: Submission,
  now: number,
): boolean {
  switch (submission.kind) {
    case "executed":
      return true;
    case "duplicate":
      room.broadcaster.reply(session, clientReqId, submission.outcome);
      return true;
    case "gap":
      session.expect(submission.expected);
      return false;
    case "unconfirmed": {
      // Where others have a part in it, only a client that does not wait as long as it was told is to blame.
      const isToBlame = submission.limit === "own" || now < session.pausedUntil;
      session.pausedUntil = now + unconfirmedRetryMs;
      refusePush(session, isToBlame ? now : undefined, {
        code: "rate-limited",
        message: "outcomes wait to be confirmed",
        clientReqId,
        retryAfterMs: unconfirmedRetryMs,
      });
      return false;
    }
    case "full":
      throw new Error(`call ${clientReqId} does not fit an empty batch`);
    default:
      return submission satisfies never;
  }
}

/** Answers a push of which nothing from `clientReqId` on was executed; `now` when the client is to blame for that. */
export function refusePush(
  session: Session,
  now: number | undefined,
  error: Omit<ErrorFrame, "kind"> & { readonly clientReqId: number },
): void {
  session.expected = error.clientReqId;
  if (now === undefined) sendError(session, error);
  else refuse(session, now, error);
}

function setPresence(room: FrameHandlerRoom, session: Session, given: Json, now: number): void {
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

function sendEvent(room: FrameHandlerRoom, session: Session, event: string, given: Json, now: number): void {
  if (!takeEphemeral(room, session, workOf(given), now)) return;
  refuseLarge(`event ${event}`, given, room.limits.maxEventBytes);
  const payload = parseEvent(room.definition, event, given);
  assertSize(`event ${event}`, payload, room.limits.maxEventBytes);
  room.ephemeral.event([session.client.clientId, event, payload]);
}

function resync(room: FrameHandlerRoom, session: Session, frame: ResyncFrame, now: number): void {
  const { tag, epoch, rev, confirmed, diverged } = frame;
  // Refused, its tag would be waited for without end; to connect again is to be caught up.
  const retryAfterMs = session.rateLimits.takeResync(now);
  if (retryAfterMs > 0) return room.closeSession(session, "rate-limited", retryAfterMs);
  room.journal.roomState.clientLog.confirm(session.client.clientId, confirmed);
  if (diverged !== undefined)
    room.noteDiverged(Object.keys(room.definition.collections).filter((name) => diverged.includes(name)));
  session.feed = { kind: "joining", position: { epoch, rev }, resumeSnapshot: undefined, tag };
  // Who owes too much is caught up when it acknowledges, lest it fill the memory by asking.
  if (session.isWaiting) room.resume(session);
}

function acknowledge(room: FrameHandlerRoom, session: Session, bytes: number): void {
  session.acknowledge(bytes);
  if (session.isWaiting) room.resume(session);
  room.resumeThrottled();
}

/**
 * Presence and events cost everybody else something, so each session, and each user, has so many of them. False when the room has
 * too much work to take one more, for which its sender is not to blame.
 */
function takeEphemeral(room: FrameHandlerRoom, session: Session, units: number, now: number): boolean {
  const retryAfterMs = session.rateLimits.takeEphemeral(now);
  if (retryAfterMs > 0) throw new Rejection("rate-limited", "too many messages", { retryAfterMs });
  const waitMs = room.workload.waitOf(session.holder, now);
  if (waitMs > 0) {
    sendError(session, { code: "rate-limited", message: "the room has too much work", retryAfterMs: waitMs });
    return false;
  }
  spendWork(room, session, ephemeralUnits + units, now);
  return true;
}

/** Charges a session, its user, and all clients together for work of the room. */
export function spendWork(
  { workload }: Pick<FrameHandlerRoom, "workload">,
  { rateLimits, holder }: Session,
  units: number,
  now: number,
): void {
  rateLimits.work.take(now, 0, units);
  workload.note(holder, units, now);
}

/** Refuses a large value before the app's schema reads it: a schema takes a third of a second for 1 MB of small objects. */
function refuseLarge(what: string, given: Json, maxBytes: number): void {
  if (isCertainlyOver(given, maxBytes))
    throw new Rejection("too-large", `${what} has more than ${maxBytes} bytes`);
}
