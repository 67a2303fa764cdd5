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

/** Another page with the same client id, such as a copied tab, may have made the call that has this outcome. */
const conflictOutcome: Outcome = {
  kind: "rejected",
  code: "id-conflict",
  message: "another page has made a call under the same id",
};

export function outcomeOf({ type, payload }: PendingCall, told: WireOutcome | undefined): Outcome {
  if (told === undefined) return forgottenOutcome;
  const [, outcome, callHash] = told;
  return callHash === undefined || callHash === hashCall(type, payload) ? outcome : conflictOutcome;
}

export function notify(settle: Settle, { type, payload }: PendingCall, outcome: Outcome): void {
  if (outcome.kind === "accepted") return settle.resolve({ rev: outcome.rev });
  const { code, message, data } = outcome;
  settle.reject(new RejectedError(code, message, data, { type, payload }));
}
