import type { PendingQueue, QueuedCall, QueueKeeping } from "../mutations/pending-queue.ts";
import type { CallKeeper } from "./kept-calls.ts";

/** By how much a clock may have been ahead: a minute, an hour, some days, some months. */
const leadsMs = [60_000, 3_600_000, 216_000_000, 12_960_000_000];

/**
 * Keeps one queue by its `CallKeeper`. Invariants: a call leaves only when it is kept as it is, and when it is kept since when the
 * room knows its client; calls that got other ids leave only when no earlier id of them is kept.
 */
export class QueueKeeper implements QueueKeeping {
  readonly #queue: PendingQueue;
  readonly #keeper: CallKeeper;
  /** What waited to be kept may leave. */
  readonly #onKept: () => void;
  /** As it is kept: of calls that are still kept, older than the hello's perhaps. */
  #keptKnownSince: number | null;
  /** What has to be written before any call may leave. */
  #unwritten = 0;
  /** Calls that are kept as they were before. */
  readonly #stale = new Set<QueuedCall>();
  #bids = 0;

  constructor(
    queue: PendingQueue,
    keeper: CallKeeper,
    onKept: () => void,
    keptKnownSince: number | null = null,
  ) {
    this.#queue = queue;
    this.#keeper = keeper;
    this.#onKept = onKept;
    this.#keptKnownSince = keptKnownSince;
    queue.keeping = this;
  }

  /** Has the calls be kept that wait already. */
  keepAll(): void {
    this.#introduce();
    for (const call of this.#queue.calls) this.added(call);
  }

  get calls(): readonly QueuedCall[] {
    return this.#queue.calls;
  }

  /**
   * The room knows a later attempt of a page that is gone, whose clock was ahead or whose hello was late. Later attempts come
   * behind that one, further each time; false when a further attempt is of no use, since another page connects.
   */
  outbid(): boolean {
    const leadMs = leadsMs[this.#bids++];
    if (leadMs === undefined) return false;
    const { introduction } = this.#queue;
    this.#queue.introduction = { ...introduction, attempt: introduction.attempt + leadMs };
    return true;
  }

  get sendable(): number {
    if (this.#unwritten > 0) return 0;
    const stale = this.#queue.calls.findIndex((call) => this.#stale.has(call));
    return stale === -1 ? Infinity : stale;
  }

  added(call: QueuedCall): void {
    void this.#keep(call);
  }

  /** Until a call is kept as it is now it may not leave, or its id would name two calls. */
  changed(call: QueuedCall): void {
    this.#stale.add(call);
    const { payload } = call;
    void this.#keep(call).then(() => {
      if (call.payload !== payload) return; // changed once more
      this.#stale.delete(call);
      this.#onKept();
    });
  }

  settle(clientReqId: number, rev: number | undefined): void {
    this.#keeper.settle(clientReqId, rev);
  }

  resumed(isRestored: boolean): void {
    if (isRestored) this.#hold(this.#keeper.clear());
    this.#introduce();
    if (!isRestored) return;
    // Kept under its former id, a call would be found there by a later page, and made once more.
    for (const call of this.#queue.calls) this.#hold(this.#keep(call));
  }

  clear(): void {
    void this.#keeper.clear();
  }

  /** What was kept of the calls up to `clientReqId` is forgotten. */
  confirm(clientReqId: number): void {
    const queue = this.#queue;
    queue.confirmed = Math.max(queue.confirmed, Math.min(clientReqId, queue.answered));
  }

  #keep(call: QueuedCall): Promise<void> {
    const { type, payload, baseRev, madeAt, formerIds } = call;
    const clientReqId = this.#queue.name(call);
    return this.#keeper.keep({
      clientReqId,
      type,
      payload,
      baseRev,
      madeAt,
      ...(formerIds && { formerIds }),
    });
  }

  /**
   * Has kept what a later page is to say of this client. A room that has forgotten the client tells by the `knownSince` that calls may
   * have been executed, so it is kept before they are, and does not become a later one while older calls are kept.
   */
  #introduce(): void {
    const { introduction, confirmed, answered, calls } = this.#queue;
    const { knownSince } = introduction;
    if (knownSince === null) return;
    const former = this.#keptKnownSince ?? Infinity;
    const isOlderKept = confirmed < answered || calls[0]?.isFrozen === true;
    this.#keptKnownSince = isOlderKept ? Math.min(former, knownSince) : knownSince;
    const kept = this.#keeper.introduce({ ...introduction, knownSince: this.#keptKnownSince });
    if (this.#keptKnownSince < former) this.#hold(kept);
  }

  /** Nothing leaves until this is written. */
  #hold(written: Promise<void>): void {
    this.#unwritten += 1;
    void written.then(() => {
      this.#unwritten -= 1;
      if (this.#unwritten === 0) this.#onKept();
    });
  }
}
