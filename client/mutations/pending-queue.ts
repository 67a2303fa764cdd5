import type { Outcome } from "../../src/model/call.ts";
import { jsonBytes } from "../../src/model/json.ts";
import type { WireOutcome } from "../../src/protocol/down/down-frames.ts";
import type { Json } from "../../src/schema/json.ts";
import { clientLimits, type ClientLimits } from "../client-limits.ts";
import type { PendingCall } from "../replica/rebase.ts";
import { notify, outcomesBy, type Settle } from "./call-outcomes.ts";
import { ConnectionAttempts } from "./connection-attempts.ts";
import type { CallKeeper, KeptQueue } from "./kept-calls.ts";
import { squashEdits } from "./squash.ts";

/** A call on its way. */
export interface QueuedCall extends PendingCall {
  /** Given when the call is first handed to a socket, or kept. */
  clientReqId: number | undefined;
  /** Ids under which it may have been executed in other histories of the room, which was restored since. */
  formerIds?: readonly number[];
  /** It was handed to a socket, or comes from another page that may have done so: it is what it is. */
  isFrozen: boolean;
  /** What is kept of it is what it was before. */
  isStale: boolean;
  payload: Json;
  /** Bytes of the payload on the wire. */
  bytes: number;
  baseRev: number;
  /** Milliseconds since the epoch of the last time it was sent; undefined when it has to be sent (again). */
  sentAt: number | undefined;
  /** Which push took it along; calls that went together are answered together. */
  push: number;
  readonly settle: Settle[];
}

/** The calls of one client id that the room has not answered, in the order in which they were made. */
export class PendingQueue {
  readonly #limits: ClientLimits;
  /** The client secret that its calls are sent under. */
  readonly secret: string;
  readonly attempts: ConnectionAttempts;
  #keeper: CallKeeper | undefined;
  /** What waited to be kept may leave. */
  #onKept = () => {};
  /** What has to be written before any call may leave. */
  #unwritten = 0;
  /** Those that were sent stand before those that were not. */
  #calls: QueuedCall[] = [];
  /** Of their payloads. */
  #bytes = 0;
  #lastId = 0;
  /** Newest id whose outcome has arrived. */
  #answered = 0;
  #confirmed = 0;
  #pushes = 0;
  /** As it is kept: of calls that are still kept, older than the hello's perhaps. */
  #keptKnownSince: number | null = null;

  constructor(secret: string, limits: ClientLimits = clientLimits, attempts = new ConnectionAttempts()) {
    this.secret = secret;
    this.attempts = attempts;
    this.#limits = limits;
  }

  /** Takes over what a page has left that is gone; `settle` is told what became of it. */
  static of(
    { secret, calls, ...introduction }: KeptQueue,
    settle: Settle,
    keeper: CallKeeper,
    onKept: () => void,
  ): PendingQueue {
    const queue = new PendingQueue(secret, clientLimits, new ConnectionAttempts(introduction));
    queue.#keeper = keeper;
    queue.#onKept = onKept;
    queue.#keptKnownSince = introduction.knownSince;
    queue.#calls = calls.map((call) => {
      const bytes = jsonBytes(call.payload);
      queue.#bytes += bytes;
      return { ...call, isFrozen: true, isStale: false, bytes, sentAt: undefined, push: 0, settle: [settle] };
    });
    queue.#lastId = calls.at(-1)?.clientReqId ?? 0;
    queue.#answered = queue.#confirmed = Math.max(0, (calls[0]?.clientReqId ?? 1) - 1);
    return queue;
  }

  /** Has the calls be kept that wait, and all further ones. `onKept` is told when one may leave that waited for that. */
  keepWith(keeper: CallKeeper, onKept: () => void): void {
    this.#keeper = keeper;
    this.#onKept = onKept;
    this.#introduce();
    for (const call of this.#calls) void this.#keep(call);
  }

  /** The next hello's number. */
  nextAttempt(now: number): number {
    return this.attempts.next(now, this.#calls[0]?.isFrozen === true);
  }

  get calls(): readonly QueuedCall[] {
    return this.#calls;
  }

  /** The outcomes up to this id will not be asked for again. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** What was kept of the calls up to `clientReqId` is forgotten. */
  confirm(clientReqId: number): void {
    this.#confirmed = Math.max(this.#confirmed, Math.min(clientReqId, this.#answered));
  }

  /** Whether there is room for one more call, of `bytes`. */
  admits(bytes: number): boolean {
    const { maxPendingCalls, maxPendingBytes } = this.#limits;
    return this.#calls.length < maxPendingCalls && this.#bytes + bytes <= maxPendingBytes;
  }

  /** Answers false for a call that there is no room for; then it was not taken. */
  add(type: string, payload: Json, baseRev: number, madeAt: number, settle: Settle): boolean {
    const bytes = jsonBytes(payload);
    if (!this.admits(bytes)) return false;
    const unsent = { clientReqId: undefined, isFrozen: false, isStale: false, sentAt: undefined, push: 0 };
    const call: QueuedCall = { ...unsent, type, payload, bytes, baseRev, madeAt, settle: [settle] };
    if (!this.#squash(call)) {
      this.#calls.push(call);
      this.#bytes += bytes;
      void this.#keep(call);
    }
    return true;
  }

  /** The calls to send now, in order, at most `maxCalls` and `maxBytes` of those that may go; they get their ids. */
  take(maxCalls: number, maxBytes: number, now: number): QueuedCall[] {
    const start = this.#calls.findIndex((call) => call.sentAt === undefined);
    if (start === -1 || maxCalls < 1) return [];
    const taken: QueuedCall[] = [];
    const push = this.#pushes + 1;
    let bytes = 0;
    for (const call of this.#calls.slice(start, start + Math.min(maxCalls, this.unsent))) {
      bytes += call.bytes + 128;
      if (taken.length > 0 && bytes > maxBytes) break;
      this.#name(call);
      call.isFrozen = true;
      call.sentAt = now;
      call.push = push;
      taken.push(call);
    }
    if (taken.length > 0) this.#pushes = push;
    return taken;
  }

  /** Calls that were sent and not answered. */
  get inFlight(): number {
    const unsent = this.#calls.findIndex((call) => call.sentAt === undefined);
    return unsent === -1 ? this.#calls.length : unsent;
  }

  /** Pushes that were sent and of which something is not answered. */
  get pushesInFlight(): number {
    const oldest = this.#calls[0];
    return oldest?.sentAt === undefined ? 0 : this.#pushes - oldest.push + 1;
  }

  /** Calls that may be sent, for the first time or again. */
  get unsent(): number {
    if (this.#unwritten > 0) return 0;
    const stale = this.#calls.findIndex((call) => call.isStale);
    return (stale === -1 ? this.#calls.length : stale) - this.inFlight;
  }

  /** Whether an answer is overdue: a call was sent more than `ms` ago, or by another clock, and is still here. */
  isOverdue(now: number, ms: number): boolean {
    const sentAt = this.#calls[0]?.sentAt;
    return sentAt !== undefined && Math.abs(now - sentAt) > ms;
  }

  /** The calls that the room has not executed, by what a frame says. */
  unexecuted(lastCallId: number, outcomes?: readonly WireOutcome[]): QueuedCall[] {
    const outcomeOf = outcomesBy(lastCallId, outcomes);
    return this.#calls.filter((call) => outcomeOf(call) === undefined);
  }

  /** Notes outcomes. Calls up to `lastCallId` have been executed and are not pending any more. */
  answer(lastCallId: number, outcomes?: readonly WireOutcome[]): (() => void)[] {
    const outcomeOf = outcomesBy(lastCallId, outcomes);
    const told: (() => void)[] = [];
    this.#calls = this.#calls.filter((call) => {
      const outcome = outcomeOf(call);
      if (call.clientReqId === undefined || outcome === undefined) return true;
      this.#bytes -= call.bytes;
      for (const settle of call.settle) {
        settle.decide?.(outcome.kind === "accepted" ? "committed" : "rejected");
        told.push(() => notify(settle, call, outcome));
      }
      this.#keeper?.settle(call.clientReqId, outcome.kind === "accepted" ? outcome.rev : undefined);
      return false;
    });
    this.#answered = Math.max(this.#answered, lastCallId);
    if (this.#keeper === undefined) this.#confirmed = this.#answered;
    // Another page with the same client id, such as a copied tab, may have used ids that this one has not.
    this.#lastId = Math.max(this.#lastId, lastCallId);
    return told;
  }

  /** Everything from `clientReqId` on has to be sent again: the room has executed nothing of it. */
  rewind(clientReqId: number): void {
    for (const call of this.#calls) if ((call.clientReqId ?? 0) >= clientReqId) call.sentAt = undefined;
  }

  /**
   * The room has said on a new connection which call it executed last. The client sends all later calls again. If the room was
   * restored to another moment, the ids are given anew: it has executed fewer calls, or other calls under the same ids.
   */
  resume(lastCallId: number): void {
    const ids = this.#calls.flatMap(({ clientReqId }) => clientReqId ?? []);
    if (ids.length === 0) ids.push(this.#lastId + 1);
    const isRestored = ids.some((id, index) => id !== lastCallId + 1 + index);
    if (isRestored) {
      this.#answered = lastCallId;
      this.#confirmed = Math.min(this.#confirmed, lastCallId);
      this.#lastId = lastCallId;
      this.#hold(this.#keeper?.clear());
    }
    this.#introduce();
    for (const call of this.#calls) {
      call.sentAt = undefined;
      if (!isRestored || call.clientReqId === undefined) continue;
      call.formerIds = [...(call.formerIds ?? []), call.clientReqId];
      call.clientReqId = ++this.#lastId;
      // Kept under its former id, it would be found there by a later page, and made once more.
      this.#hold(this.#keep(call));
    }
  }

  /** Gives every call up, for good: not even a later page will send them. */
  discardAll(code: string, message: string): (() => void)[] {
    void this.#keeper?.clear();
    return this.reject(code, message);
  }

  /** Gives every call up, as far as this page goes. */
  reject(code: string, message: string): (() => void)[] {
    const calls = this.#calls;
    this.#calls = [];
    this.#bytes = 0;
    const outcome: Outcome = { kind: "rejected", code, message };
    return calls.flatMap((call) => call.settle.map((settle) => () => notify(settle, call, outcome)));
  }

  #name(call: QueuedCall): number {
    return (call.clientReqId ??= ++this.#lastId);
  }

  #keep(call: QueuedCall): Promise<void> | undefined {
    if (this.#keeper === undefined) return undefined;
    const { type, payload, baseRev, madeAt, formerIds } = call;
    const clientReqId = this.#name(call);
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
    const { knownSince, introduction } = this.attempts;
    if (this.#keeper === undefined || knownSince === null) return;
    const former = this.#keptKnownSince ?? Infinity;
    const isOlderKept = this.#confirmed < this.#answered || this.#calls[0]?.isFrozen === true;
    this.#keptKnownSince = isOlderKept ? Math.min(former, knownSince) : knownSince;
    const kept = this.#keeper.introduce({ ...introduction, knownSince: this.#keptKnownSince });
    if (this.#keptKnownSince < former) this.#hold(kept);
  }

  /** Nothing leaves until this is written. */
  #hold(written: Promise<void> | undefined): void {
    if (written === undefined) return;
    this.#unwritten += 1;
    void written.then(() => {
      this.#unwritten -= 1;
      if (this.#unwritten === 0) this.#onKept();
    });
  }

  /** A kept call is another than it was: until that is kept too it may not leave, or its id would name two calls. */
  #keepAnew(call: QueuedCall): void {
    const kept = this.#keep(call);
    if (kept === undefined) return;
    call.isStale = true;
    const { payload } = call;
    void kept.then(() => {
      if (call.payload !== payload) return; // changed once more
      call.isStale = false;
      this.#onKept();
    });
  }

  /** Folds a direct edit into the one before it, when that was never sent and both are of the same records. */
  #squash(call: QueuedCall): boolean {
    const before = this.#calls.at(-1);
    if (before === undefined || before.isFrozen) return false;
    const squashed = squashEdits(before, call);
    if (squashed === undefined) return false;
    const { payload, bytes } = squashed;
    this.#bytes += bytes - before.bytes;
    before.payload = payload;
    before.bytes = bytes;
    before.settle.push(...call.settle);
    this.#keepAnew(before);
    return true;
  }
}
