import type { Json } from "./json.ts";

/** What a call asked for. */
export interface RejectedOperation {
  /** The mutator's name, or `transact`. */
  readonly type: string;
  /**
   * As it would have been sent; of a direct edit its changes. null where there is none: it was not JSON, or the edit
   * was not run to its end.
   */
  readonly payload: Json;
}

/** What a caller is told: its call was refused, by its own prediction or by the room, and has changed nothing. */
export class RejectedError extends Error {
  override readonly name = "RejectedError";
  /** One of the room's codes (`invalid`, `not-found`, `conflict`, `forbidden`, …) or the app's own. */
  readonly code: string;
  /** Whatever the mutator said beside it. */
  readonly data: Json | undefined;
  /** What the call asked for. */
  readonly operation: RejectedOperation;

  constructor(code: string, message: string, data: Json | undefined, operation: RejectedOperation) {
    super(message);
    this.code = code;
    this.data = data;
    this.operation = operation;
  }
}
