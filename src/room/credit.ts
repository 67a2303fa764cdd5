import type { Limits } from "../core/limits.ts";
import type { Session } from "./session.ts";

/** Of all that may be unacknowledged: from here on who owes much is held back. The rest is for those who owe little. */
const tightShare = 2 / 3;
/** What a session is told that it may owe, where there are many: acknowledgements of a few bytes would cost more than they are worth. */
const leastBytes = 64 * 1_024;
/** Of what a session was told: it should have acknowledged some of it. Clients do so at a quarter. */
export const overdueShare = 0.375;

/**
 * What all sessions together owe acknowledgements for, which is in memory for as long as they do not read. What each is told to
 * acknowledge in time for is less, the more are here, so that those who have read everything owe little together.
 */
export class Credit {
  /** Sessions that could be sent more if others owed less; they wait for that, and not for their own acknowledgement. */
  readonly waiting = new Set<Session>();
  readonly #maxSessionBytes: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(limits: Pick<Limits, "maxUnacknowledgedBytes" | "maxAllUnacknowledgedBytes">) {
    this.#maxSessionBytes = limits.maxUnacknowledgedBytes;
    this.#maxBytes = limits.maxAllUnacknowledgedBytes;
  }

  /** What a session may owe that comes as one of so many: a quarter of that it will owe all the time. */
  bytesFor(sessions: number): number {
    return Math.min(this.#maxSessionBytes, Math.max(leastBytes, this.#maxBytes / (4 * sessions)));
  }

  /** Whether who owes most is to be held back. */
  get isTight(): boolean {
    return this.#bytes > tightShare * this.#maxBytes;
  }

  /** Whether so much more can be sent to somebody, whatever they owe. */
  bears(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes;
  }

  lend(bytes: number): void {
    this.#bytes += bytes;
  }

  settle(bytes: number): void {
    this.#bytes -= bytes;
  }
}
