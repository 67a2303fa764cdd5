import type { Limits } from "../limits.ts";
import { Shares, type Holder } from "../owners/shares.ts";

/** Of all that may be unacknowledged: from here on the largest holders are held back. The rest is for all others. */
const tightShare = 2 / 3;
/** Of all that may be unacknowledged: so much must be free before a session goes on that waits for others. */
const reliefShare = 1 / 6;
/** What a session is told that it may owe, where there are many: acknowledgements of a few bytes would cost more than they are worth. */
const leastBytes = 64 * 1_024;
/** Of what a session was told: it should have acknowledged some of it. Clients do so at a quarter. */
export const overdueShare = 0.375;

/**
 * What all sessions together owe acknowledgements for, which is in memory for as long as they do not read. What each is told to
 * acknowledge in time for is less, the more are here, so that those who have read everything owe little together.
 *
 * From two thirds of the limit on, the room holds back the users who owe most: they cannot use the last third, however many
 * sockets they open. So the sessions of all other users are sent what they lack.
 */
export class SendBudget<Waiting = unknown> {
  /** Sessions that could be sent more if others owed less; they wait for that, and not for their own acknowledgement. */
  readonly waiting = new Set<Waiting>();
  readonly #maxSessionBytes: number;
  readonly #maxBytes: number;
  readonly #owed = new Shares();

  constructor(limits: Pick<Limits, "maxUnacknowledgedBytes" | "maxAllUnacknowledgedBytes">) {
    this.#maxSessionBytes = limits.maxUnacknowledgedBytes;
    this.#maxBytes = limits.maxAllUnacknowledgedBytes;
  }

  /** What a session may owe that comes as one of so many: a quarter of that it will owe all the time. */
  bytesFor(sessions: number): number {
    return Math.min(this.#maxSessionBytes, Math.max(leastBytes, this.#maxBytes / (4 * sessions)));
  }

  /** Whether `holder` is held back: all together owe much, and its user is among those who owe most. */
  holdsBack(holder: Holder): boolean {
    return this.#owed.isAmongLargest(holder, tightShare * this.#maxBytes);
  }

  /** Whether so much more can be sent to `holder`. */
  bears(holder: Holder, bytes: number): boolean {
    return this.#owed.total + bytes <= this.#maxBytes && !this.holdsBack(holder);
  }

  /** Whether `holder` may go on, which waits for others: so that the room does not send to the last byte, and hold back again at once. */
  canResume(holder: Holder): boolean {
    return this.bears(holder, reliefShare * this.#maxBytes);
  }

  /** Notes that so much more was sent to `holder`; less than 0 for what it acknowledged. */
  add(holder: Holder, bytes: number): void {
    this.#owed.add(holder, bytes);
  }
}
