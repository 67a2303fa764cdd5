import type { UpFrame } from "../../protocol/up/up-frames.ts";
import type { Broadcaster } from "../broadcast/broadcaster.ts";
import type { CatchUpQueue } from "../broadcast/catch-up-queue.ts";
import type { Submission } from "../engine/submission.ts";
import type { Limits } from "../limits.ts";
import type { Workload } from "../owners/workload.ts";
import { refusePush } from "../sessions/refusals.ts";
import type { Session } from "../sessions/session.ts";
import type { Journal } from "../storage/journal.ts";
import { acknowledge } from "./catch-up-frames.ts";
import { spendWork } from "./spend-work.ts";

type PushFrame = Extract<UpFrame, { kind: "push" }>;

/** What a push may touch. */
export interface PushRoom {
  readonly limits: Limits;
  readonly journal: Journal;
  readonly workload: Workload;
  readonly broadcaster: Broadcaster;
  readonly catchUps: CatchUpQueue;
  /** Writes and sends what is there; afterwards a session may be closed, or be asked to send again. */
  readonly flush: () => void;
}

/** Outcomes are confirmed by the next push or hello, and a client that has them can do so at once. */
const unconfirmedRetryMs = 100;

/** Executes the calls of a push, in order, up to the first one that cannot be executed now. */
export function push(
  room: PushRoom,
  session: Session,
  { first, calls, confirmed, received }: PushFrame,
  now: number,
): void {
  if (received !== undefined) acknowledge(room.catchUps, session, received);
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
    spendWork(room.workload, session, room.journal.engine.takeWork(), now);
    if (!answer(room, session, clientReqId, submission, now)) return;
  }
}

/** Says what is to be said before the flush. False when the calls behind this one cannot be executed either. */
function answer(
  room: PushRoom,
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
