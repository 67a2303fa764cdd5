import { jsonBytes } from "../../src/model/json.ts";
import { clientIdOf } from "../../src/protocol/handshake/client-secret.ts";
import type { Settle } from "../mutations/call-outcomes.ts";
import type { PendingQueue, QueuedCall } from "../mutations/pending-queue.ts";
import type { KeptBase } from "../replica/replica.ts";
import type { CallKeeper, KeptQueue } from "./kept-calls.ts";
import type { KeptRoom, Persistence, RoomParts } from "./persistence.ts";
import { QueueKeeper } from "./queue-keeper.ts";

/** What is kept has to be read by then, or the app is told that it is not there. */
const restoreTimeoutMs = 5_000;

/** Refusals of a client id that do not end with the page's own id. */
const ofLeft: ReadonlySet<string> = new Set(["too-old", "id-conflict", "gone"]);

/** Begins to keep a room by what `open` returns. Resolves when what is kept is there, or nothing can be kept. */
export async function keepParts(
  parts: RoomParts,
  open: (room: KeptRoom) => Promise<Persistence>,
): Promise<Persistence> {
  const keeping = new RoomKeeping(parts);
  const stopWaiting = parts.runtime.startTimer(() => {
    keeping.fail("the storage does not answer");
  }, restoreTimeoutMs);
  try {
    return await open(keeping);
  } catch (error) {
    keeping.fail(error instanceof Error ? error.message : String(error));
    return { noteBase() {}, close() {} };
  } finally {
    stopWaiting();
  }
}

/**
 * Keeps one room beyond its page: connects what persistence reads with the replica and the queues, and counts its failures.
 * Invariant: the app hears of each failure once, and then once that everything is kept again.
 */
class RoomKeeping implements KeptRoom {
  readonly base: KeptRoom["base"];
  readonly secret: string;
  readonly #parts: RoomParts;
  /** Of the queues that pages have left which are gone. */
  readonly #adopted = new Map<PendingQueue, QueueKeeper>();
  #isFailing = false;

  constructor(parts: RoomParts) {
    const { replica, queues } = parts;
    this.#parts = parts;
    this.base = replica;
    this.secret = queues.own.secret;
    parts.identify(clientIdOf(this.secret)); // mutators are predicted on a restored state before the room has told the id
    queues.putAside = (code, message) => this.#putAside(code, message);
  }

  restore(base: KeptBase): boolean {
    const { replica, queues, advanced, shown, greetAnew } = this.#parts;
    if (replica.isReady) return false;
    advanced(replica.restore(base, queues.calls));
    shown();
    greetAnew();
    return true;
  }

  keepOwn(keeper: CallKeeper): QueueKeeper {
    const { queues, written } = this.#parts;
    const kept = new QueueKeeper(queues.own, keeper, written);
    kept.keepAll();
    return kept;
  }

  adopt({ secret, calls, ...introduction }: KeptQueue, keeper: CallKeeper): QueueKeeper {
    const { replica, queues, newQueue, rejected, written, advanced, greetAnew } = this.#parts;
    // The promises of these calls are gone with their page. Their rejections still reach the listeners.
    const settle: Settle = { resolve() {}, reject: rejected };
    const queued = calls.map((call): QueuedCall => {
      const bytes = jsonBytes(call.payload);
      return { ...call, isFrozen: true, bytes, sentAt: undefined, push: 0, settle: [settle] };
    });
    const queue = newQueue(secret, introduction, queued);
    const kept = new QueueKeeper(queue, keeper, written, introduction.knownSince);
    this.#adopted.set(queue, kept);
    queues.left.push(queue);
    if (replica.isReady) advanced(replica.advance(undefined, queues.calls));
    // The page may be about to connect under its own id, even before there is a state.
    if (queues.current === queue) greetAnew();
    return kept;
  }

  fail(problem: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#parts.fail(problem);
  }

  works(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#parts.works();
  }

  #putAside(code: string, message: string): (() => void)[] | undefined {
    const { current, left } = this.#parts.queues;
    const kept = this.#adopted.get(current);
    if (kept === undefined) return undefined;
    // By a page that is gone, or, should the lock between pages have failed, by one that sends its calls.
    if (code === "replaced" && kept.outbid()) return [];
    if (code !== "replaced" && !ofLeft.has(code)) return undefined;
    left.shift();
    return code === "replaced" ? [] : current.discardAll(code, message);
  }
}
