import type { Code } from "../src/protocol/codes.ts";

export { RejectedError, type RejectedOperation } from "../src/schema/rejected-error.ts";

/**
 * Why a room is told to `room.on("error")`: a code of the room's own, or of the client: `unreachable` (no socket opens; it goes on
 * trying), `unsupported` (this page can never open that socket), `not-kept` (nothing is kept beyond the page).
 */
export type RoomErrorCode = Code | "unreachable" | "unsupported" | "not-kept";

/** Something went wrong that no call is to blame for: the connection was refused, or the room complained. */
export class RoomError extends Error {
  override readonly name = "RoomError";
  /** The code of the refusal (`unauthorized`, `room-full`, `schema-mismatch`, …), or of what the client itself has met. */
  readonly code: RoomErrorCode | (string & Record<never, never>);
  /** Whether the client goes on trying by itself. */
  readonly willRetry: boolean;

  /** `cause`: what `token()` or the transport has thrown, or the `status` and `code` that a GET of the room's URL is answered with. */
  constructor(code: string, message: string, willRetry: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.willRetry = willRetry;
  }
}
