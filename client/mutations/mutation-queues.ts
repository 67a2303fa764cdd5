import type { WireOutcome } from "../../src/protocol/down/down-frames.ts";
import type { PendingCall } from "../replica/rebase.ts";
import type { PendingQueue, QueuedCall } from "./pending-queue.ts";

/**
 * All calls that wait: what pages that are gone have left, and this page's own behind it. A client id belongs to one page, so
 * what is left is sent under the id that it was made with, before the page goes on under its own.
 */
export class MutationQueues {
  readonly own: PendingQueue;
  readonly left: PendingQueue[] = [];
  /**
   * The room does not let the current client id in. What another page has left is put aside where that is the reason, and its
   * callers are to be told; undefined where nobody would be let in. Only a room that is kept has it.
   */
  putAside: ((code: string, message: string) => (() => void)[] | undefined) | undefined;

  constructor(own: PendingQueue) {
    this.own = own;
  }

  /** The queue whose calls are sent now. */
  get current(): PendingQueue {
    return this.left[0] ?? this.own;
  }

  /** Whether the page is connected, or connects, under its own id. */
  get isOwn(): boolean {
    return this.current === this.own;
  }

  get calls(): readonly QueuedCall[] {
    if (this.isOwn) return this.own.calls;
    return [...this.left, this.own].flatMap(({ calls }) => calls);
  }

  /** The calls that are not executed, by what a frame says of the current queue. */
  waiting(lastCallId: number, outcomes?: readonly WireOutcome[]): readonly PendingCall[] {
    const { current } = this;
    return [...current.unexecuted(lastCallId, outcomes), ...this.calls.slice(current.calls.length)];
  }

  /** Goes on to the next queue when nothing of this one waits any more; false when it is not done, or the page's own. */
  next(): boolean {
    return this.current.calls.length === 0 && this.left.shift() !== undefined;
  }
}
