import { hashCall, type Outcome } from "../../model/call.ts";
import type { Json } from "../../schema/json.ts";
import { Rejection } from "../../schema/rejection.ts";
import { answerTo, type LoggedClient } from "./client-log/client-log.ts";
import { rejectedOutcome } from "./rejected-outcome.ts";

/** One call as a client made it. */
export interface SubmittedCall {
  readonly clientReqId: number;
  /** Revision that the client had. Above one that the room has reached, nothing has been changed by others. */
  readonly baseRev: number;
  readonly type: string;
  readonly payload: Json;
}

/** What became of a submitted call. Only `executed` has changed anything. */
export type Submission =
  /** Its outcome leaves with the next flush. */
  | { readonly kind: "executed" }
  /** Its id was executed before; the outcome is that of then, unless it was confirmed or of another call. */
  | { readonly kind: "duplicate"; readonly outcome: Outcome }
  /** An earlier call is missing. */
  | { readonly kind: "gap"; readonly expected: number }
  /**
   * No more outcomes can be kept for the client until it confirms some: it has exceeded its own limit, or all clients together have
   * exceeded theirs and its user holds one of the largest shares.
   */
  | { readonly kind: "unconfirmed"; readonly limit: "own" | "shared" }
  /** The batch has to be flushed first. */
  | { readonly kind: "full" };

/** Returns the outcome of a call whose id was executed before. Nothing runs, whatever the call is. */
export function answerAgain(known: LoggedClient, { clientReqId, type, payload }: SubmittedCall): Outcome {
  const answer = answerTo(known, clientReqId);
  if (answer === undefined)
    return rejectedOutcome(
      new Rejection("too-old", "the outcome of this call was confirmed, and is forgotten"),
    );
  const [, outcome, callHash] = answer;
  if (callHash !== hashCall(type, payload))
    return rejectedOutcome(new Rejection("id-conflict", `another call was made under the id ${clientReqId}`));
  return outcome;
}
