import { hashCall, type Outcome } from "../../src/model/call.ts";
import type { WireOutcome } from "../../src/protocol/down/down-frames.ts";
import { RejectedError } from "../errors.ts";
import type { PendingCall } from "../replica/rebase.ts";

/** Tells a caller what its call came to. */
export interface Settle {
  /** The outcome is known; the caller is told of it once the listeners know of the new state. */
  readonly decide?: (status: "committed" | "rejected") => void;
  readonly resolve: (committed: { readonly rev: number }) => void;
  readonly reject: (error: RejectedError) => void;
}

/** The room returns an outcome for each executed call. This one stands for an outcome that the room no longer has. */
const forgottenOutcome: Outcome = {
  kind: "rejected",
  code: "too-old",
  message: "the room no longer knows what became of this call",
};

/** A call with the ids under which the room may know it. */
export interface NamedCall extends PendingCall {
  /** Given when the call is first handed to a socket, or kept. */
  clientReqId: number | undefined;
  /** Ids under which it may have been executed in other histories of the room, which was restored since. */
  formerIds?: readonly number[];
}

/**
 * Returns what finds the outcome of a call in a frame that has these members, undefined for a call that was not executed. A reply to
 * a hello or a resync has the hash of each call that was executed. Where the hash differs, the room was restored to a history in
 * which this client has made another call under the id.
 */
export function outcomesBy(
  lastCallId: number,
  outcomes: readonly WireOutcome[] = [],
): (call: NamedCall) => Outcome | undefined {
  const byId = new Map(outcomes.map((told) => [told[0], told]));
  return ({ type, payload, clientReqId = Infinity, formerIds = [] }) => {
    const told = byId.get(clientReqId);
    if (told !== undefined && told[2] === undefined) return told[1];
    const isWaiting = clientReqId > lastCallId;
    if (isWaiting && formerIds.length === 0) return undefined;
    const callHash = hashCall(type, payload);
    const found = [clientReqId, ...formerIds].map((id) => byId.get(id)).find((one) => one?.[2] === callHash);
    return found?.[1] ?? (isWaiting || told !== undefined ? undefined : forgottenOutcome);
  };
}

export function notify(settle: Settle, { type, payload }: PendingCall, outcome: Outcome): void {
  if (outcome.kind === "accepted") return settle.resolve({ rev: outcome.rev });
  const { code, message, data } = outcome;
  settle.reject(new RejectedError(code, message, data, { type, payload }));
}
