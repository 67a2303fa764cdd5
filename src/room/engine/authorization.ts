import type { Caller } from "../../model/call.ts";
import { equalJson, type Fields } from "../../model/json.ts";
import type { Writes } from "../../model/transaction.ts";
import type { Json } from "../../schema/json.ts";
import { isPromise } from "../../schema/promise.ts";
import { Rejection, rejectionIn } from "../../schema/rejection.ts";
import { changedRecords } from "./changed-records.ts";
import type { EngineState } from "./engine-state.ts";
import type { SubmittedCall } from "./submission.ts";

/** What a change does, for `authorize`. */
export interface ProposedChange {
  /** The name of the collection. */
  readonly collection: string;
  /** The record's id. */
  readonly id: string;
  /** The record as it is; undefined when there is none. */
  readonly before: Fields | undefined;
  /** The record as it would be; undefined when it would be deleted. */
  readonly after: Fields | undefined;
  /** Names of the fields that are set, changed or removed; all of them for a record that is new or deleted. */
  readonly fields: readonly string[];
}

/** An operation that has run and is not committed yet, for `authorize`. */
export interface ProposedOperation {
  /** The mutator's name, or `transact` for a direct edit. */
  readonly type: string;
  /** What the mutator was called with; of a direct edit its changes, by collection and id. */
  readonly payload: Json;
  /** Every record that it changes, as it was and as it would be. */
  readonly changes: readonly ProposedChange[];
  /**
   * False for what the caller wants. The room asks again with `true` when it would also give new order keys to records that the
   * caller has not written: `changes` are those records then. If the answer is not `true` they keep their keys, and the call
   * is committed all the same.
   */
  readonly isRepair: boolean;
}

/** Says whether an operation may be committed: false refuses it as `forbidden`, a thrown `Rejection` in its own words. */
export type Authorize = (operation: ProposedOperation, caller: Caller) => boolean;

/** What the authorization needs of the engine. */
export interface AuthorizationPorts {
  /** Undefined where the app has none: then every operation is allowed. */
  readonly authorize: Authorize | undefined;
  readonly onFailure: (error: unknown, type: string) => void;
  /** Counts the work of a record that the app's code is shown. */
  readonly noteShown: (record: Fields | undefined) => void;
  /** Runs code of the app, while the engine executes nothing else. */
  readonly run: <T>(code: () => T) => T;
}

/**
 * Asks the app's `authorize` about the operation of a call that has run and is not committed yet. Only the value `true` grants:
 * a promise, an exception and any other value refuse.
 */
export class Authorization {
  readonly #state: Pick<EngineState, "records" | "pageReader">;
  readonly #ports: AuthorizationPorts;

  constructor(state: Pick<EngineState, "records" | "pageReader">, ports: AuthorizationPorts) {
    this.#state = state;
    this.#ports = ports;
  }

  /**
   * Returns why the call may not make `writes`; undefined when it may. `isRepair`: the writes are order keys that the room would
   * give to records which the call does not write. Throws what storage throws.
   */
  refusal(
    caller: Caller,
    { type, payload }: SubmittedCall,
    writes: Writes,
    isRepair: boolean,
  ): Rejection | undefined {
    const { authorize, noteShown } = this.#ports;
    if (authorize === undefined) return undefined;
    const { records, pageReader } = this.#state;
    return pageReader.guard(() => {
      const changes = Array.from(changedRecords(records, writes), (change) => {
        noteShown(change.before);
        noteShown(change.after);
        return { ...change, fields: changedFields(change.before, change.after) };
      });
      return this.#judge(authorize, { type, payload, changes, isRepair }, caller);
    });
  }

  #judge(
    authorize: Authorize,
    proposed: ProposedOperation,
    { clientId, user, access, role }: Caller,
  ): Rejection | undefined {
    const { run, onFailure } = this.#ports;
    const { type } = proposed;
    try {
      const granted: unknown = run(() => authorize(proposed, { clientId, user, access, role }));
      if (granted === true) return undefined;
      if (isPromise(granted, (error) => onFailure(error, type)))
        onFailure(new TypeError("authorize returned a promise: it must return a boolean"), type);
      return new Rejection("forbidden", `you may not ${type} this`);
    } catch (error) {
      const rejection = rejectionIn(error);
      if (rejection !== undefined) return rejection;
      onFailure(error, type);
      return new Rejection("internal", "the room could not decide on this call");
    }
  }
}

/** Names of the fields that are not the same in both. */
function changedFields(before: Fields = {}, after: Fields = {}): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !equalJson(before[name], after[name]));
}
