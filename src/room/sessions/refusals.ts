import { encodeText } from "../../protocol/codec.ts";
import { codes } from "../../protocol/codes.ts";
import type { ErrorFrame } from "../../protocol/down/down-frames.ts";
import type { Session } from "./session.ts";

/** The error of a client that sends more than a rate allows. */
export const tooMuch = { code: "rate-limited", message: codes["rate-limited"].sentence } as const;

/** Sends an error for a message that was not carried out. */
export function sendError(session: Session, error: Omit<ErrorFrame, "kind">): void {
  session.send(encodeText({ kind: "error", ...error }));
}

/** Sends an error for a message that should never have come. A session that goes on like this becomes abusive. */
export function refuse(session: Session, now: number, error: Omit<ErrorFrame, "kind">): void {
  session.isAbusive ||= !session.rateLimits.noteRefusal(now);
  sendError(session, error);
}

/** Refuses a push of which nothing from `clientReqId` on was executed. `now` is given when the client is to blame for that. */
export function refusePush(
  session: Session,
  now: number | undefined,
  error: Omit<ErrorFrame, "kind"> & { readonly clientReqId: number },
): void {
  session.expected = error.clientReqId;
  if (now === undefined) sendError(session, error);
  else refuse(session, now, error);
}
