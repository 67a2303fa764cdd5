import type { Limits } from "../room/limits.ts";
import type { Clock } from "../room/flush/flush-timer.ts";
import { jsonSnapshot, type ShownState } from "./json-snapshot.ts";

/** A state that some reads under way share. */
interface HeldState {
  readonly shown: ShownState;
  /** Of all that it may be the last to hold. */
  readonly bytes: number;
  reads: number;
}

/** What a newcomer has to wait when every place is taken by readers who read. */
const retryMs = 1_000;
/** A reader that has taken nothing for so long makes way for another. */
const yieldMs = 2_000;

/**
 * The answers to `GET` that are under way. An answer whose reader does not read keeps records in memory, so they are limited in
 * number, in the bytes of the states that they hold, and in time. When there is no place, the reader that has not read for the
 * longest makes way, then one of the user who has the most; a user who has the most already waits.
 */
export class StateReads {
  readonly #limits: StateReadLimits;
  readonly #clock: Clock;
  readonly #reads = new Set<StateRead>();
  readonly #held = new Map<string, HeldState>();
  #cancelTimer: (() => void) | undefined;

  constructor(limits: StateReadLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Answers under way. */
  get size(): number {
    return this.#reads.size;
  }

  /** States that they hold. */
  get heldStates(): number {
    return this.#held.size;
  }

  /**
   * Begins an answer for `owner`, or returns the milliseconds to wait. `key` names what is shown; what `show` returns is kept for
   * all who ask for the same key meanwhile. `bytes` is the size of the whole state.
   */
  open(owner: string, key: string, bytes: number, show: () => ShownState): StateRead | number {
    const now = this.#clock.now();
    while (!this.#hasPlace(key, bytes)) {
      const other = this.#whoMakesWay(owner, now);
      if (other === undefined) return retryMs;
      other.cut("another reader has taken its place");
    }
    const held = this.#held.get(key) ?? { shown: show(), bytes, reads: 0 };
    this.#held.set(key, held);
    held.reads += 1;
    const read = new StateRead(owner, held.shown, this.#clock, () => {
      if (!this.#reads.delete(read)) return;
      held.reads -= 1;
      if (held.reads === 0) this.#held.delete(key);
      if (this.#reads.size === 0) this.#unwatch();
    });
    this.#reads.add(read);
    this.#watch();
    return read;
  }

  #hasPlace(key: string, bytes: number): boolean {
    if (this.#reads.size >= this.#limits.maxReads) return false;
    if (this.#held.size === 0 || this.#held.has(key)) return true;
    let heldBytes = bytes;
    for (const held of this.#held.values()) heldBytes += held.bytes;
    return heldBytes <= this.#limits.maxReadBytes;
  }

  #whoMakesWay(owner: string, now: number): StateRead | undefined {
    const reads = [...this.#reads].toSorted((a, b) => a.readAt - b.readAt);
    const slowest = reads[0];
    if (slowest !== undefined && now - slowest.readAt >= yieldMs) return slowest;
    const countOf = (who: string) => reads.filter((read) => read.owner === who).length;
    const largest = reads.toSorted((a, b) => countOf(b.owner) - countOf(a.owner))[0];
    return largest !== undefined && countOf(largest.owner) > countOf(owner) + 1 ? largest : undefined;
  }

  /** Has those that take too long cut. There is no timer while there is no read, so that the room can sleep. */
  #watch(): void {
    if (this.#cancelTimer !== undefined || this.#reads.size === 0) return;
    const { maxReadStallMs, maxReadMs } = this.#limits;
    const endOf = (read: StateRead) => Math.min(read.readAt + maxReadStallMs, read.startedAt + maxReadMs);
    const dueAt = Math.min(...Array.from(this.#reads, endOf));
    this.#cancelTimer = this.#clock.setTimer(
      () => {
        this.#cancelTimer = undefined;
        const now = this.#clock.now();
        for (const read of this.#reads) if (endOf(read) <= now) read.cut("it was not read in time");
        this.#watch();
      },
      Math.max(0, dueAt - this.#clock.now()),
    );
  }

  #unwatch(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

export type StateReadLimits = Pick<Limits, "maxReads" | "maxReadBytes" | "maxReadStallMs" | "maxReadMs">;

/** One answer: pieces of the state, each made when its reader is ready for it. */
export class StateRead {
  readonly owner: string;
  readonly startedAt: number;
  /** Called when the room ends the answer before its reader has all of it. */
  onCut: (reason: string) => void = () => {};
  readonly #clock: Clock;
  readonly #ended: () => void;
  #pieces: Iterator<string, void> | undefined;
  #readAt: number;

  constructor(owner: string, shown: ShownState, clock: Clock, ended: () => void) {
    this.owner = owner;
    this.#clock = clock;
    this.#ended = ended;
    this.#pieces = jsonSnapshot(shown);
    this.startedAt = clock.now();
    this.#readAt = this.startedAt;
  }

  /** When its reader last took a piece. */
  get readAt(): number {
    return this.#readAt;
  }

  /** The next piece; undefined at the end. */
  next(): string | undefined {
    this.#readAt = this.#clock.now();
    const piece = this.#pieces?.next().value ?? undefined;
    if (piece === undefined) this.end();
    return piece;
  }

  /** Its reader has all of it, or has gone. */
  end(): void {
    this.#pieces = undefined;
    this.#ended();
  }

  cut(reason: string): void {
    this.end();
    this.onCut(reason);
  }
}
