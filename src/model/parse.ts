import { safeParse, type $ZodIssue } from "zod/v4/core";
import type { Json } from "../schema/json.ts";
import { Rejection } from "../schema/rejection.ts";
import { bytesOver, copyJson, NotJsonError } from "./json.ts";

/** Faults that a rejection names: of a list there may be as many as it has items, and nobody reads them. */
const maxFaults = 32;

/** `value` as `schema` reads it, as frozen JSON. Throws {@link Rejection} `invalid`, with `data` by field. */
export function parseWith(schema: Parameters<typeof safeParse>[0], value: unknown, what: string): Json {
  try {
    const result = safeParse(schema, value);
    if (!result.success)
      throw new Rejection(
        "invalid",
        `${what} does not fit its schema`,
        byField(result.error.issues.slice(0, maxFaults)),
      );
    return copyJson(result.data);
  } catch (error) {
    if (error instanceof NotJsonError) throw new Rejection("invalid", `${what}: ${error.message}`);
    // Of very many faults, a schema runs out of stack while it gathers them.
    if (error instanceof RangeError) throw new Rejection("invalid", `${what} is too much for its schema`);
    throw error;
  }
}

/** Throws {@link Rejection} `too-large` for a value of more than `maxBytes` as JSON text. */
export function assertSize(what: string, value: Json, maxBytes: number): void {
  const bytes = bytesOver(value, maxBytes);
  if (bytes !== undefined) throw tooLarge(what, bytes, maxBytes);
}

/** The refusal of a value that has too many bytes. */
export function tooLarge(what: string, bytes: number, maxBytes: number): Rejection {
  return new Rejection("too-large", `${what} has ${bytes} bytes, allowed are ${maxBytes}`);
}

function byField(issues: readonly $ZodIssue[]): Json {
  const data: Record<string, string> = {};
  for (const issue of issues) {
    const field = issue.path.map(String).join(".") || "(value)";
    if (Object.hasOwn(data, field)) continue;
    // zod/mini ships no sentences of its own, so the code says more.
    data[field] = issue.message === "Invalid input" ? issue.code : issue.message;
  }
  return data;
}
