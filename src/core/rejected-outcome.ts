import type { Rejection } from "../schema/rejection.ts";
import type { Outcome } from "./call.ts";
import { copyJson, jsonBytes } from "./json.ts";

/** What a rejection may carry; more would crowd the row that it is written in. */
export const maxRejectionBytes = 4_096;
const maxRejectionCodeLength = 64;
const maxRejectionMessageLength = 500;

/** The outcome that tells of `rejection`, whatever the app has put into it: what it cannot carry is left out. */
export function rejectedOutcome(rejection: Rejection): Outcome {
  const given: unknown = rejection.code; // JavaScript may have put a number there
  const code = cut(String(given), maxRejectionCodeLength);
  const message = cut(rejection.message, maxRejectionMessageLength);
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
