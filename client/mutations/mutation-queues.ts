import type { WireOutcome } from "../../src/protocol/down/down-frames.ts";
import type { PendingCall } from "../replica/rebase.ts";
import type { PendingQueue, QueuedCall } from "./pending-queue.ts";

/**
 * All calls that wait: what pages that are gone have left, and this page's own behind it. A client id belongs to one page, so
 * what is left is sent under the id that it was made with, before the page goes on under its own.
 */
export class MutationQueues {
  readonly own: PendingQueue;
  readonly #left: PendingQueue[] = [];

  constructor(own: PendingQueue) {
    this.own = own;
  }

  /** The queue whose calls are sent now. */
  get current(): PendingQueue {
    return this.#left[0] ?? this.own;
  }

  /** Whether the page is connected, or connects, under its own id. */
  get isOwn(): boolean {
    return this.#left.length === 0;
  }

  get calls(): readonly QueuedCall[] {
    if (this.isOwn) return this.own.calls;
    return [...this.#left, this.own].flatMap(({ calls }) => calls);
  }

  /** The calls that are not executed, by what a frame says of the current queue. */
  waiting(lastCallId: number, outcomes?: readonly WireOutcome[]): readonly PendingCall[] {
    const { current } = this;
    const unexecuted = current.unexecuted(lastCallId, outcomes);
    return this.isOwn ? unexecuted : [...unexecuted, ...this.calls.slice(current.calls.length)];
  }

  adopt(left: PendingQueue): void {
    this.#left.push(left);
  }

  /**
   * The room does not let the current client id in. What another page has left is put aside where that is the reason, and its
   * callers are to be told; undefined where nobody would be let in.
   */
  putAside(code: string, message: string): (() => void)[] | undefined {
    if (this.isOwn) return undefined;
    // By a page that is gone, or, should the lock between pages have failed, by one that sends its calls.
    if (code === "replaced") return (this.current.attempts.outbid() || this.#left.shift()) && [];
    if (code !== "too-old" && code !== "id-conflict" && code !== "gone") return undefined;
    return this.#left.shift()?.discardAll(code, message);
  }

  /** Goes on to the next queue when nothing of this one waits any more; false when it is not done, or the page's own. */
  next(): boolean {
    if (this.isOwn || this.current.calls.length > 0) return false;
    this.#left.shift();
    return true;
  }
}
