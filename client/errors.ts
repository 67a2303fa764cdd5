import type { Json } from "../src/schema/json.ts";

/** What a call asked for. */
export interface RejectedOperation {
  /** The mutator's name, or `transact`. */
  readonly type: string;
  readonly payload: Json;
}

/** A call was refused, by its own prediction or by the room, and has changed nothing. */
export class RejectedError extends Error {
  override readonly name = "RejectedError";
  /** One of the room's codes (`invalid`, `not-found`, `conflict`, `forbidden`, …) or the app's own. */
  readonly code: string;
  /** Whatever the mutator said beside it. */
  readonly data: Json | undefined;
  readonly operation: RejectedOperation | undefined;

  constructor(code: string, message: string, data?: Json, operation?: RejectedOperation) {
    super(message);
    this.code = code;
    this.data = data;
    this.operation = operation;
  }
}

/** Something went wrong that no call is to blame for: the connection was refused, or the room complained. */
export class RoomError extends Error {
  override readonly name = "RoomError";
  readonly code: string;
  /** Whether the client goes on trying by itself. */
  readonly willRetry: boolean;

  constructor(code: string, message: string, willRetry: boolean) {
    super(message);
    this.code = code;
    this.willRetry = willRetry;
  }
}
