import { RoomError, type RejectedError } from "./errors.ts";
import type { Settle } from "./mutations/call-outcomes.ts";
import type { CallKeeper, KeptQueue } from "./mutations/kept-calls.ts";
import type { MutationQueues } from "./mutations/mutation-queues.ts";
import { PendingQueue } from "./mutations/pending-queue.ts";
import type { KeptRoom, Persist, Persistence } from "./offline/persistence.ts";
import type { Runtime } from "./platform.ts";
import type { Replica, ViewChanges } from "./replica/replica.ts";
import type { BaseChange } from "./connection/sync.ts";
import { withResolvers } from "./with-resolvers.ts";

/** What is kept has to be read by then, or the room is opened without it. */
const restoreTimeoutMs = 5_000;

export interface RoomKeepingEvents {
  /** The view is another, since it was restored or calls of another page were adopted. */
  readonly advanced: (changes: ViewChanges) => void;
  /** There is a restored state to show, and the listeners know of it. */
  readonly shown: () => void;
  /** The next hello has to name another client or another base. */
  readonly greetAnew: () => void;
  /** Calls that waited to be kept may leave. */
  readonly written: () => void;
  /** A call that an earlier page has made was rejected. */
  readonly rejected: (error: RejectedError) => void;
  /** Nothing is kept at present. Called once until `works`. */
  readonly failed: (error: RoomError) => void;
  /** Everything is kept again. */
  readonly works: () => void;
}

/**
 * Keeps one room beyond its page: loads what `persist` gives, connects it with the replica and the queues, and counts its
 * failures. Invariant: the app hears of each failure once, and then once that everything is kept again.
 */
export class RoomKeeping {
  /** Resolves when what is kept is there, or the room is to be opened without it. */
  readonly restored: Promise<void>;
  readonly #replica: Replica;
  readonly #queues: MutationQueues;
  readonly #events: RoomKeepingEvents;
  #persistence: Persistence | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(
    persist: Persist,
    runtime: Runtime,
    replica: Replica,
    queues: MutationQueues,
    events: RoomKeepingEvents,
  ) {
    this.#replica = replica;
    this.#queues = queues;
    this.#events = events;
    this.restored = this.#restore(persist, runtime);
  }

  noteBase(change: BaseChange): void {
    this.#persistence?.noteBase(change);
  }

  /** What is kept waits for the next page. */
  close(): void {
    this.#isClosed = true;
    this.#persistence?.close();
  }

  async #restore(persist: Persist, runtime: Runtime): Promise<void> {
    const late = withResolvers<void>();
    const stopWaiting = runtime.startTimer(() => {
      this.#failed("the storage does not answer");
      late.resolve();
    }, restoreTimeoutMs);
    await Promise.race([this.#keep(persist), late.promise]);
    stopWaiting();
  }

  async #keep(persist: Persist): Promise<void> {
    try {
      await Promise.resolve(); // what is kept changes a room that is whole
      this.#persistence = await persist(this.#keptRoom());
      if (this.#isClosed) this.#persistence.close();
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  #keptRoom(): KeptRoom {
    const { own } = this.#queues;
    return {
      base: this.#replica,
      secret: own.secret,
      restore: (base) => {
        if (this.#replica.isReady) return false;
        this.#events.advanced(this.#replica.restore(base, this.#queues.calls));
        this.#events.shown();
        this.#events.greetAnew();
        return true;
      },
      keepOwn: (keeper) => {
        own.keepWith(keeper, this.#events.written);
        return own;
      },
      adopt: (left, keeper) => this.#adopt(left, keeper),
      fail: (problem) => this.#failed(problem),
      works: () => this.#works(),
    };
  }

  #adopt(left: KeptQueue, keeper: CallKeeper): PendingQueue {
    // The promises of these calls are gone with their page. Their rejections still reach the listeners.
    const settle: Settle = { resolve() {}, reject: this.#events.rejected };
    const queue = PendingQueue.of(left, settle, keeper, this.#events.written);
    this.#queues.adopt(queue);
    if (this.#replica.isReady) this.#events.advanced(this.#replica.advance(undefined, this.#queues.calls));
    // The page may be about to connect under its own id, even before there is a state.
    if (this.#queues.current === queue) this.#events.greetAnew();
    return queue;
  }

  #works(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#events.works();
  }

  #failed(problem: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const message = `what is done here is not kept beyond this page: ${problem}`;
    this.#events.failed(new RoomError("not-kept", message, true));
  }
}
