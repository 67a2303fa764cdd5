import { isPromise } from "../../schema/promise.ts";
import type { Clock } from "./flush-timer.ts";

/** What one join, leave or commit by others has led to, by way of hooks that wrote in answer to it. */
interface Cause {
  writes: number;
}

interface Due {
  readonly call: () => unknown;
  readonly cause: Cause;
}

/** Hooks wrote in answer to their own writes until the room refused the next write. */
class HookLoopError extends Error {
  override readonly name = "HookLoopError";
}

/**
 * Calls the hooks of the app, in the order of what happened. A hook is never called in the middle of something else: the room
 * adds hooks while it works, and calls `run` when it is done, with everything on disk and sent. A hook that writes adds the hooks
 * of its own commit to the same queue. Such chains are bounded: all hooks together that one event leads to may write
 * `maxHookWrites` times. A hook can also write later, after an `await`; after as many of such writes the hooks wait for the next
 * turn of the event loop, so that a chain of promises cannot keep messages and timers from their turn.
 */
export class Hooks {
  readonly #maxWrites: number;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  readonly #due: Due[] = [];
  #running: Due | undefined;
  /** Of the write that a hook is making. */
  #cause: Cause | undefined;
  /** Writes of the room's own outside of hooks, since hooks last had a turn of their own. */
  #writesOutside = 0;
  #isTimerSet = false;

  /** `failed` is called with what a hook has thrown, or its promise was rejected with. */
  constructor(maxWrites: number, clock: Clock, failed: (error: unknown) => void) {
    this.#maxWrites = maxWrites;
    this.#clock = clock;
    this.#failed = failed;
  }

  /** Whether a hook runs, up to its first `await`. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Adds a hook, to be called by the next `run`. */
  add(call: () => unknown): void {
    this.#due.push({ call, cause: this.#cause ?? { writes: 0 } });
  }

  /**
   * Does a write of the room's own. If a hook has it done, the hooks of this write count as consequences of the same event.
   * Throws {@link HookLoopError}, and does nothing, when there have been too many.
   */
  write<T>(write: () => T): T {
    if (this.#running === undefined) {
      this.#writesOutside += 1;
      return write();
    }
    const { cause } = this.#running;
    if (cause.writes >= this.#maxWrites)
      throw new HookLoopError(
        `hooks have written ${this.#maxWrites} times (maxHookWrites) because of one event: a hook must not write each time that it hears of its own write`,
      );
    cause.writes += 1;
    this.#cause = cause;
    try {
      return write();
    } finally {
      this.#cause = undefined;
    }
  }

  /** Calls every hook that is due, and the hooks that those lead to. Does nothing within a hook. */
  run(): void {
    if (this.#running !== undefined || this.#due.length === 0) return;
    if (this.#writesOutside < this.#maxWrites) return this.#callAll();
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    this.#clock.setTimer(() => {
      this.#isTimerSet = false;
      this.#writesOutside = 0;
      this.#callAll();
    }, 0);
  }

  #callAll(): void {
    for (const due of this.#due) {
      this.#running = due;
      try {
        isPromise(due.call(), this.#failed);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#due.length = 0;
    this.#running = undefined;
  }
}
