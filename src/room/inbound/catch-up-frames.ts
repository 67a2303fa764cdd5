import type { Code } from "../../protocol/codes.ts";
import type { UpFrame } from "../../protocol/up/up-frames.ts";
import type { AnyRoomDefinition } from "../../schema/definition.ts";
import type { CatchUpQueue } from "../broadcast/catch-up-queue.ts";
import type { Session } from "../sessions/session.ts";
import type { Journal } from "../storage/journal.ts";

type ResyncFrame = Extract<UpFrame, { kind: "resync" }>;

/** What a resync may touch. */
export interface ResyncRoom {
  readonly definition: AnyRoomDefinition;
  readonly journal: Journal;
  readonly catchUps: CatchUpQueue;
  /** Called when a client's copy of these collections was not what the room has. */
  readonly diverged: (collections: readonly string[]) => void;
  readonly closeSession: (session: Session, code: Code, retryAfterMs?: number) => void;
}

/** Has a session caught up anew, from where its client says that it is. */
export function resync(room: ResyncRoom, session: Session, frame: ResyncFrame, now: number): void {
  const { tag, epoch, rev, confirmed, diverged } = frame;
  // Refused, its tag would be waited for without end; to connect again is to be caught up.
  const retryAfterMs = session.rateLimits.takeResync(now);
  if (retryAfterMs > 0) return room.closeSession(session, "rate-limited", retryAfterMs);
  room.journal.roomState.clientLog.confirm(session.client.clientId, confirmed);
  if (diverged !== undefined)
    room.diverged(Object.keys(room.definition.collections).filter((name) => diverged.includes(name)));
  session.feed = { kind: "joining", position: { epoch, rev }, resumeSnapshot: undefined, tag };
  // Who owes too much is caught up when it acknowledges, lest it fill the memory by asking.
  if (session.isWaiting) room.catchUps.resume(session);
}

/** Notes bytes that the client has received, and goes on with sessions that waited for that. */
export function acknowledge(catchUps: CatchUpQueue, session: Session, bytes: number): void {
  session.acknowledge(bytes);
  if (session.isWaiting) catchUps.resume(session);
  catchUps.resumeThrottled();
}
