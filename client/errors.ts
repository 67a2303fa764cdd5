export { RejectedError, type RejectedOperation } from "../src/schema/rejected-error.ts";

/** Something went wrong that no call is to blame for: the connection was refused, or the room complained. */
export class RoomError extends Error {
  override readonly name = "RoomError";
  /** The code of the refusal (`unauthorized`, `room-full`, `schema-mismatch`, …), or `internal`. */
  readonly code: string;
  /** Whether the client goes on trying by itself. */
  readonly willRetry: boolean;

  /** `cause`: what the app's own `token()` has thrown. */
  constructor(code: string, message: string, willRetry: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.willRetry = willRetry;
  }
}
