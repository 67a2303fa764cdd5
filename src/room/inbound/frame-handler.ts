import { decodeUp } from "../../protocol/codec.ts";
import { codes } from "../../protocol/codes.ts";
import type { NameTable } from "../../protocol/names.ts";
import type { UpFrame } from "../../protocol/up/up-frames.ts";
import { rejectionIn } from "../../schema/rejection.ts";
import { frameByteUnits, frameUnits } from "../engine/cost/call-work.ts";
import { rejectedOutcome } from "../engine/rejected-outcome.ts";
import { refuse, sendError, tooMuch } from "../sessions/refusals.ts";
import type { Session } from "../sessions/session.ts";
import { acknowledge, resync, type ResyncRoom } from "./catch-up-frames.ts";
import { sendEvent, setPresence, type EphemeralRoom } from "./ephemeral-frames.ts";
import { push, type PushRoom } from "./push-frames.ts";
import { spendWork } from "./spend-work.ts";

/** What frames may touch: of each kind of frame what its file says. */
export interface FrameHandlerRoom extends PushRoom, EphemeralRoom, ResyncRoom {
  readonly names: NameTable;
  /** Recovers if a step that changes memory has thrown before its end. */
  readonly mend: (error: unknown) => void;
  /** Does something for one session, and closes the session when that fails. */
  readonly serve: (session: Session, work: () => void) => void;
  /** Called with what code of the app has thrown for a presence or an event. */
  readonly frameFailed: (error: unknown) => void;
}

/** Of the frames that may be unacknowledged: how many a session may have with all the errors that it provoked. */
const maxErrorsShare = 4;

/**
 * Reads one message of a session and does what it asks.
 *
 * Invariant: it throws for nothing that a client can send. A message that is refused has changed nothing, and its client is sent
 * one error; a client that goes on like this is closed.
 */
export class FrameHandler {
  readonly #room: FrameHandlerRoom;

  constructor(room: FrameHandlerRoom) {
    this.#room = room;
  }

  /** Handles a message that came at `now`. The session may be closed afterwards. */
  receive(session: Session, data: unknown, now: number): void {
    const { limits, workload } = this.#room;
    session.hear(now);
    const bytes = sizeOf(data);
    const retryAfterMs = session.rateLimits.takeFrame(now, bytes);
    if (retryAfterMs === 0) {
      const isRead = bytes <= limits.maxFrameBytes;
      spendWork(workload, session, isRead ? frameUnits + frameByteUnits * bytes : frameUnits, now);
    }
    if (retryAfterMs > 0) refuse(session, now, { ...tooMuch, retryAfterMs });
    else this.#read(session, data, now);
    // Errors are sent even to a session that acknowledges nothing. A client that provokes them would fill the memory.
    if (session.unacknowledgedFrames > maxErrorsShare * limits.maxUnacknowledgedFrames) {
      session.rateLimits.punish(now);
      session.isAbusive = true;
    }
    if (session.isAbusive)
      this.#room.closeSession(session, "rate-limited", session.rateLimits.refusals.take(now, 1, 0));
  }

  #read(session: Session, data: unknown, now: number): void {
    const { limits, names } = this.#room;
    const decoded = decodeUp(data, limits.maxFrameBytes, session.acceptsBinary ? names : undefined, limits);
    if (decoded.kind === "frame") this.#handle(session, decoded.frame, now);
    else refuse(session, now, { code: decoded.code, message: decoded.message });
  }

  #handle(session: Session, frame: UpFrame, now: number): void {
    try {
      this.#dispatch(session, frame, now);
    } catch (error) {
      this.#room.mend(error);
      this.#room.serve(session, () => this.#refuse(session, frame, error, now));
    }
  }

  /** Does what a frame asks. Throws `Rejection` when that is refused; then nothing was done. */
  #dispatch(session: Session, frame: UpFrame, now: number): void {
    switch (frame.kind) {
      case "push":
        return push(this.#room, session, frame, now);
      case "presence":
        return setPresence(this.#room, session, frame.presence, now);
      case "event":
        return sendEvent(this.#room, session, frame.event, frame.payload, now);
      case "ack":
        return acknowledge(this.#room.catchUps, session, frame.bytes);
      case "resync":
        return resync(this.#room, session, frame, now);
      default:
        return frame satisfies never;
    }
  }

  /** Sends an error for a frame that was not carried out. Throws again what leaves the client waiting for more than an error. */
  #refuse(session: Session, { kind }: UpFrame, error: unknown, now: number): void {
    const rejection = rejectionIn(error);
    if (rejection !== undefined) {
      const { code, message, data } = rejectedOutcome(rejection);
      // Any other data is by field of the app's own schema, and has no place in the frame.
      const wait = code === "rate-limited" ? (data as { retryAfterMs: number }) : undefined;
      return refuse(session, now, { code, message, ...wait });
    }
    if (kind !== "presence" && kind !== "event") throw error;
    this.#room.frameFailed(error); // such as of the app's schema
    sendError(session, { code: "internal", message: codes.internal.sentence });
  }
}

/** Near enough to the bytes of a message, and known without reading it. */
function sizeOf(data: unknown): number {
  return typeof data === "string" ? data.length : ((data as { byteLength?: number }).byteLength ?? 0);
}
