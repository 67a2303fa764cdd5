import type { Limits } from "../limits.ts";
import type { Holder } from "../owners/shares.ts";
import { overdueShare, type SendBudget } from "./send-budget.ts";

/** Of what it was told that it may owe: a session that owes too much must acknowledge so much in `maxStallMs`. Clients acknowledge by quarters. */
const progressShare = 0.25;

/** What a send window needs of the room. */
export interface SendWindowRoom {
  readonly limits: Pick<Limits, "maxUnacknowledgedBytes" | "maxUnacknowledgedFrames">;
  readonly sendBudget: Pick<SendBudget, "add" | "bears" | "holdsBack">;
  readonly now: () => number;
}

/**
 * The frames that one session was sent and has not acknowledged. It keeps their sizes, and since when the session should have
 * acknowledged something.
 *
 * Invariants: the send budget of the room counts the same bytes for the holder as the window does. A window that is overdue
 * stays so until it owes little, or until the session has acknowledged a good part.
 */
export class SendWindow {
  readonly #room: SendWindowRoom;
  readonly #holder: Holder;
  /** What the session was told that it may owe. */
  readonly #budgetBytes: number;
  /** Bytes of each frame that was sent and not acknowledged, oldest first. */
  readonly #unacknowledged: number[] = [];
  #unacknowledgedBytes = 0;
  /** Acknowledged of a frame that was not acknowledged whole. */
  #surplusBytes = 0;
  #overdueSince: number | undefined;
  /** Acknowledged since then. */
  #progress = { bytes: 0, frames: 0 };

  /** After hibernation, `overdueSince` is what was saved. The frames that were sent before are not counted any more. */
  constructor(room: SendWindowRoom, holder: Holder, budgetBytes: number, overdueSince: number | undefined) {
    this.#room = room;
    this.#holder = holder;
    this.#budgetBytes = budgetBytes;
    this.#overdueSince = overdueSince;
  }

  get frames(): number {
    return this.#unacknowledged.length;
  }

  /** Since when the session should have acknowledged something, by its last acknowledgement; undefined when it owes little. */
  get overdueSince(): number | undefined {
    return this.#overdueSince;
  }

  /**
   * Whether more was sent than `share` of what may be unacknowledged, in bytes or in frames. While all sessions together owe much, and
   * this user's among the most, that is what should have been acknowledged.
   */
  owesMoreThan(share: number): boolean {
    const { limits, sendBudget } = this.#room;
    if (this.#unacknowledgedBytes > share * limits.maxUnacknowledgedBytes) return true;
    if (this.#unacknowledged.length > share * limits.maxUnacknowledgedFrames) return true;
    const tightBytes = (share < 1 ? 0.25 : overdueShare) * this.#budgetBytes;
    return this.#unacknowledgedBytes > tightBytes && sendBudget.holdsBack(this.#holder);
  }

  /** Whether a frame of so many bytes may be sent, of those that go to all at once. */
  bears(bytes: number): boolean {
    return (
      this.#room.sendBudget.bears(this.#holder, bytes) ||
      this.#unacknowledgedBytes + bytes <= overdueShare * this.#budgetBytes
    );
  }

  /** Counts a frame that is being sent. */
  add(bytes: number): void {
    this.#unacknowledged.push(bytes);
    this.#unacknowledgedBytes += bytes;
    this.#room.sendBudget.add(this.#holder, bytes);
  }

  /** Begins the time to acknowledge, if the session owes too much and was not overdue. Returns whether it did. */
  beginOverdue(): boolean {
    if (this.#overdueSince !== undefined || !this.#isOverdue) return false;
    this.#startOverdue();
    return true;
  }

  /** Takes `bytes` that the client has received off the oldest frames. Returns whether `overdueSince` has changed. */
  acknowledge(bytes: number): boolean {
    let acknowledged = this.#surplusBytes + bytes;
    let frames = 0;
    const owedBytes = this.#unacknowledgedBytes;
    for (const size of this.#unacknowledged) {
      if (size > acknowledged) break;
      acknowledged -= size;
      this.#unacknowledgedBytes -= size;
      frames += 1;
    }
    this.#unacknowledged.splice(0, frames);
    this.#room.sendBudget.add(this.#holder, this.#unacknowledgedBytes - owedBytes);
    this.#surplusBytes = this.#unacknowledged.length === 0 ? 0 : acknowledged;
    return this.#noteProgress(owedBytes - this.#unacknowledgedBytes, frames);
  }

  /** Forgets the frames of a session that has ended. */
  clear(): void {
    this.#room.sendBudget.add(this.#holder, -this.#unacknowledgedBytes);
    this.#unacknowledgedBytes = 0;
    this.#unacknowledged.length = 0;
  }

  /** From now on the session has `maxStallMs` to acknowledge a good part of what it owes. */
  #startOverdue(): void {
    this.#overdueSince = this.#room.now();
    this.#progress = { bytes: 0, frames: 0 };
  }

  /** Ends or restarts the time in which the session has to acknowledge. A frame now and then is no progress when bytes are owed. */
  #noteProgress(bytes: number, frames: number): boolean {
    if (this.#overdueSince === undefined) return false;
    this.#progress.bytes += bytes;
    this.#progress.frames += frames;
    if (!this.#isOverdue) this.#overdueSince = undefined;
    else if (this.#hasProgressed) this.#startOverdue();
    else return false;
    return true;
  }

  get #hasProgressed(): boolean {
    if (this.#progress.bytes >= progressShare * this.#budgetBytes) return true;
    const owesFramesAlone = this.#unacknowledgedBytes <= overdueShare * this.#budgetBytes;
    return (
      owesFramesAlone && this.#progress.frames >= progressShare * this.#room.limits.maxUnacknowledgedFrames
    );
  }

  /** Whether more is unacknowledged than a client lets there be that reads. */
  get #isOverdue(): boolean {
    return (
      this.#unacknowledgedBytes > overdueShare * this.#budgetBytes ||
      this.#unacknowledged.length > overdueShare * this.#room.limits.maxUnacknowledgedFrames
    );
  }
}
