import { requireKnownOptions } from "../src/schema/option-names.ts";

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
  /** Bytes of one part of a snapshot, inflated: a room stores a page in one SQLite row, of at most 2 MB. */
  readonly maxPartBytes: number;
  /** Bytes of all parts that one catch-up brings, inflated: eight times what a room holds by default. */
  readonly maxSnapshotBytes: number;
  /** Others in the room: ten times as many as a room lets in by default. */
  readonly maxPeers: number;
  /**
   * Catch-ups and gaps a minute that the client follows. A room needs a few after a network failure. A room that sends more is broken,
   * so the client reconnects with back-off.
   */
  readonly correctionsPerMinute: number;
  /** How many of them the client follows at once: a cut with four pushes on their way causes as many gaps. */
  readonly correctionsBurst: number;
}

const MB = 1_024 * 1_024;

export const clientLimits: ClientLimits = Object.freeze({
  maxPendingCalls: 10_000,
  maxPendingBytes: 16 * MB,
  maxUndoSteps: 200,
  maxUndoBytes: 4 * MB,
  maxPartBytes: 4 * MB,
  maxSnapshotBytes: 256 * MB,
  maxPeers: 10_000,
  correctionsPerMinute: 12,
  correctionsBurst: 20,
});

/** The limits of a client whose app has set `given`. Throws `TypeError` for an unknown name, and `RangeError` for an invalid number. */
export function clientLimitsWith(given: Partial<ClientLimits> = {}): ClientLimits {
  requireKnownOptions(given, Object.keys(clientLimits), "limits");
  const said = Object.entries(given).filter(([, limit]) => limit !== undefined);
  for (const [name, limit] of said) requireNumber(`limits.${name}`, limit);
  return { ...clientLimits, ...Object.fromEntries(said) };
}

/** Throws `RangeError` unless `value` is a number from 0 on: with NaN every comparison would be false, and no limit would hold. */
export function requireNumber(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw new RangeError(`connect: ${name} is ${String(value)}; it must be a finite number from 0 on`);
}
