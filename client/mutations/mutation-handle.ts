import { copyJson } from "../../src/model/json.ts";
import type { Json } from "../../src/schema/json.ts";
import { Rejection } from "../../src/schema/rejection.ts";
import { RejectedError } from "../errors.ts";
import type { Settle } from "./call-outcomes.ts";
import type { Call, CallStatus } from "../room.ts";
import { withResolvers, type Resolvers } from "../with-resolvers.ts";

/** A call of this client, and how to tell it what it came to. */
export function newCall(): { call: Call; settle: Settle } {
  const { promise, resolve, reject } = ignorable<{ readonly rev: number }>();
  let status: CallStatus = "pending";
  const call: Call = {
    committed: promise,
    get status() {
      return status;
    },
  };
  const settle: Settle = {
    decide(outcome) {
      status = outcome;
    },
    resolve(committed) {
      status = "committed";
      resolve(committed);
    },
    reject(error) {
      status = "rejected";
      reject(error);
    },
  };
  return { call, settle };
}

/** A promise that may be ignored: its rejection never counts as unhandled. */
export function ignorable<T>(): Resolvers<T> {
  const resolvers = withResolvers<T>();
  resolvers.promise.catch(() => {});
  return resolvers;
}

/** What a caller is told in the place of a refusal by the core; any other error is what it is. */
export function asRejected(error: unknown, type: string, payload?: unknown): unknown {
  if (!(error instanceof Rejection)) return error;
  return new RejectedError(error.code, error.message, error.data, { type, payload: asJson(payload) });
}

/** null for what is not JSON. */
function asJson(value: unknown): Json {
  try {
    return copyJson(value);
  } catch {
    return null;
  }
}
