/** What a client keeps at most. Each can be overridden by `connect(url, board, { limits })`. */
export interface ClientLimits {
  /**
   * Calls without an answer. Each of them is run again whenever the state below it changes, and a room that takes 200 a
   * second takes them in within a minute.
   */
  readonly maxPendingCalls: number;
  /** Bytes of their payloads as JSON text: half of the state that a room may hold. */
  readonly maxPendingBytes: number;
  /** Steps that can be undone, and as many redone: more than anybody goes back one by one. */
  readonly maxUndoSteps: number;
  /** Bytes of them, before and after, as JSON text; the oldest are forgotten. Enough to bring back a board that was cleared. */
  readonly maxUndoBytes: number;
}

const MB = 1_024 * 1_024;

export const clientLimits: ClientLimits = Object.freeze({
  maxPendingCalls: 10_000,
  maxPendingBytes: 16 * MB,
  maxUndoSteps: 200,
  maxUndoBytes: 4 * MB,
});
