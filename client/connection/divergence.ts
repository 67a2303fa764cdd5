import type { Update } from "../../src/protocol/down/down-frames.ts";
import type { Runtime } from "../platform.ts";
import type { Replica } from "../replica/replica.ts";

export interface DivergenceEvents {
  /** Whether there is a connection to heal on. */
  readonly isConnected: () => boolean;
  /** The base is not what the room has at `rev`. `isHealed`: the state is to be taken anew. */
  readonly diverged: (collections: readonly string[], rev: number, isHealed: boolean) => void;
}

/**
 * Compares the base with the checksums that the room sends. Where what was taken anew differs too, another snapshot would do no
 * better until the next connection.
 */
export class Divergence {
  readonly #replica: Replica;
  readonly #runtime: Runtime;
  readonly #events: DivergenceEvents;
  #isComparing = true;
  /** They differed, and have not been the same since. */
  #isHealing = false;
  /** Ends a comparison that is not done. */
  cancel = (): void => {};

  constructor(replica: Replica, runtime: Runtime, events: DivergenceEvents) {
    this.#replica = replica;
    this.#runtime = runtime;
    this.#events = events;
  }

  /** Begins anew, for a new connection. */
  reset(): void {
    this.#isComparing = true;
    this.#isHealing = false;
  }

  /**
   * Looks whether the base is what the room has at the same revision. To add up a state that has just come takes as long as to
   * read it, so the client does that in between other things. Updates that come meanwhile do not end the comparison: the room
   * may send no other checksums for as long as it is quiet.
   */
  compare({ delta, checksums }: Update): void {
    const { rev } = this.#replica;
    if (checksums === undefined || !this.#isComparing || (delta !== undefined && delta.to !== rev)) return;
    this.cancel();
    const compareSome = this.#replica.comparison(checksums);
    const goOn = () => {
      if (!this.#events.isConnected()) return;
      const diverged = compareSome();
      if (diverged === undefined) this.cancel = this.#runtime.startTimer(goOn, 0);
      else if (diverged.length > 0) this.#heal(diverged, rev);
      else this.#isHealing = false;
    };
    goOn();
  }

  #heal(diverged: readonly string[], rev: number): void {
    this.#isComparing = !this.#isHealing;
    this.#isHealing ||= this.#isComparing;
    this.#events.diverged(diverged, rev, this.#isComparing);
  }
}
