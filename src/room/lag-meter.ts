/** Flushes of which the time is known. */
const maxFlushes = 512;
/** A call that is older was not waiting to be read: its client has been away, or does not say what it has. */
const maxLagMs = 5_000;
/** The least lag is sought over one to two of these. */
const windowMs = 30_000;

/**
 * How far the room has fallen behind what comes in, where no clock says so: it stands still while code runs, and
 * messages that wait to be read are not seen. But a call says which revision its client had. A flush above that was
 * not there yet when the call was made, so the call is on its way since about when that flush was sent. Of the calls
 * between two flushes the quickest counts: others may come from a slow client. What the way itself takes is the
 * least that was seen lately; what is more is waiting.
 */
export class LagMeter {
  /** Oldest first. */
  readonly #flushes: { readonly from: number; readonly at: number }[] = [];
  #quickestMs: number | undefined;
  #leastMs = Number.POSITIVE_INFINITY;
  #leastBeforeMs = Number.POSITIVE_INFINITY;
  #windowFrom = Number.NEGATIVE_INFINITY;

  /** Notes that a flush from revision `from` was sent. */
  noteFlush(from: number, now: number): void {
    if (this.#flushes.length === maxFlushes) this.#flushes.shift();
    this.#flushes.push({ from, at: now });
  }

  /** Notes a call of a client that had revision `baseRev`. */
  noteCall(baseRev: number, now: number): void {
    if (this.#quickestMs === 0) return; // there can be none quicker
    const oldest = this.#flushes[0];
    // Of one that comes from further back nothing is known but that it is no quick one.
    if (oldest !== undefined && baseRev < oldest.from) return;
    const unseen = this.#firstFrom(baseRev);
    const lagMs = unseen === undefined ? 0 : Math.max(0, now - unseen.at);
    if (lagMs > maxLagMs) return;
    this.#quickestMs = Math.min(this.#quickestMs ?? Number.POSITIVE_INFINITY, lagMs);
  }

  /** Milliseconds that calls have waited to be read, of those since it was last asked; 0 when there were none. */
  takeWaitingMs(now: number): number {
    const quickestMs = this.#quickestMs;
    if (quickestMs === undefined) return 0;
    this.#quickestMs = undefined;
    if (Math.abs(now - this.#windowFrom) > windowMs) {
      this.#leastBeforeMs = this.#leastMs;
      this.#leastMs = Number.POSITIVE_INFINITY;
      this.#windowFrom = now;
    }
    this.#leastMs = Math.min(this.#leastMs, quickestMs);
    return quickestMs - Math.min(this.#leastMs, this.#leastBeforeMs);
  }

  /** The first flush that a client at `rev` has not seen. */
  #firstFrom(rev: number): { readonly at: number } | undefined {
    let low = 0;
    let high = this.#flushes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#flushes[middle] as { from: number }).from < rev) low = middle + 1;
      else high = middle;
    }
    return this.#flushes[low];
  }
}
