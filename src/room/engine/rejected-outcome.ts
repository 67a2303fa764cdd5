import type { Rejection } from "../../schema/rejection.ts";
import type { Outcome } from "../../model/call.ts";
import { copyJson, jsonBytes } from "../../model/json.ts";

/** What a rejection may carry; more would crowd the row that it is written in. */
export const maxRejectionBytes = 4_096;
const maxRejectionCodeLength = 64;
const maxRejectionMessageLength = 500;

type Rejected = Extract<Outcome, { kind: "rejected" }>;

const failed = { kind: "rejected", code: "internal", message: "the room could not run this call" } as const;

/**
 * The outcome that tells of `rejection`, whatever the app has put into it: what it cannot carry is left out, and one
 * that cannot even be read is `internal`.
 */
export function rejectedOutcome(rejection: Rejection): Rejected {
  try {
    return outcomeOf(rejection);
  } catch {
    return failed; // its members are traps, or what no text can be made of
  }
}

function outcomeOf(rejection: Rejection): Rejected {
  const given: { readonly [member in "code" | "message"]: unknown } = rejection; // JavaScript may have put a number there
  const code = cut(String(given.code), maxRejectionCodeLength);
  const message = cut(String(given.message), maxRejectionMessageLength);
  const outcome = { kind: "rejected", code, message } as const;
  if (rejection.data === undefined) return outcome;
  try {
    const whole = { ...outcome, data: copyJson(rejection.data) };
    return jsonBytes(whole) <= maxRejectionBytes ? whole : outcome;
  } catch {
    return outcome; // its data is not JSON
  }
}

function cut(text: string, maxLength: number): string {
  return text.slice(0, maxLength).toWellFormed();
}
