import type { EncodedDelta } from "../../protocol/encoding/delta.ts";
import type { DeltaHistory, Segment } from "./history.ts";
import type { FlushedDelta } from "../engine/engine-state.ts";

/**
 * A history of which storage has the older part. That is read for the first client who comes from there, or for the next
 * checkpoint, which folds it; each of these throws what storage throws. To add to it reads nothing.
 */
export class LazyHistory {
  readonly #read: () => DeltaHistory;
  #whole: DeltaHistory | undefined;
  /** What was added before the rest was read. The next checkpoint takes it over, so it cannot grow without end. */
  #newer: FlushedDelta[] = [];

  constructor(read: () => DeltaHistory) {
    this.#read = read;
  }

  push(flush: FlushedDelta): void {
    if (this.#whole === undefined) this.#newer.push(flush);
    else this.#whole.push(flush);
  }

  /** As {@link DeltaHistory.since}. */
  since(rev: number): EncodedDelta | undefined {
    return this.#open().since(rev);
  }

  /** As {@link DeltaHistory.trim}. */
  trim(maxBytes: number, keepRev: number): void {
    this.#open().trim(maxBytes, keepRev);
  }

  get segments(): readonly Segment[] {
    return this.#open().segments;
  }

  get bytes(): number {
    return this.#open().bytes;
  }

  get ringFrom(): number | undefined {
    return this.#open().ringFrom;
  }

  #open(): DeltaHistory {
    if (this.#whole === undefined) {
      const whole = this.#read();
      for (const flush of this.#newer) whole.push(flush);
      this.#newer = [];
      this.#whole = whole;
    }
    return this.#whole;
  }
}
