import type { Outcome } from "../../src/model/call.ts";
import { jsonBytes } from "../../src/model/json.ts";
import type { WireOutcome } from "../../src/protocol/down/down-frames.ts";
import type { Json } from "../../src/schema/json.ts";
import { clientLimits, type ClientLimits } from "../client-limits.ts";
import { notify, outcomesBy, type NamedCall, type Settle } from "./call-outcomes.ts";
import { squashEdits } from "./squash.ts";

/** A call on its way. */
export interface QueuedCall extends NamedCall {
  /** It was handed to a socket, or comes from another page that may have done so: it is what it is. */
  isFrozen: boolean;
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

/** What the hellos of a client id say of it. */
export interface Introduction {
  /** As the room's first welcome told it; null when there was none, or no call is in doubt. */
  readonly knownSince: number | null;
  /** Number of the newest attempt to connect. */
  readonly attempt: number;
}

/** Keeps the calls of a queue beyond their page. `persist` loads it. */
export interface QueueKeeping {
  /** How many calls may leave, from the first on: nothing leaves before it is kept as it is. */
  readonly sendable: number;
  /** A call was made. */
  added(call: QueuedCall): void;
  /** A call that may be kept is another than it was. */
  changed(call: QueuedCall): void;
  /** An answer has come: at `rev`, or a rejection. */
  settle(clientReqId: number, rev: number | undefined): void;
  /** The room has let the client in. `isRestored`: the calls have other ids than before. */
  resumed(isRestored: boolean): void;
  /** The calls are given up for good. */
  clear(): void;
}

/** The calls of one client id that the room has not answered, in the order in which they were made. */
export class PendingQueue {
  readonly #limits: ClientLimits;
  /** The client secret that its calls are sent under. */
  readonly secret: string;
  introduction: Introduction;
  keeping: QueueKeeping | undefined;
  /** Newest id whose outcome has arrived. */
  answered: number;
  /** The outcomes up to this id will not be asked for again. */
  confirmed: number;
  /** Those that were sent stand before those that were not. */
  #calls: QueuedCall[];
  /** Of their payloads. */
  #bytes = 0;
  #lastId: number;
  #pushes = 0;

  /** `calls`: what an earlier page has left. */
  constructor(
    secret: string,
    introduction: Introduction = { knownSince: null, attempt: 0 },
    calls: QueuedCall[] = [],
    limits: ClientLimits = clientLimits,
  ) {
    this.secret = secret;
    this.#limits = limits;
    this.introduction = introduction;
    this.#calls = calls;
    for (const { bytes } of calls) this.#bytes += bytes;
    this.answered = this.confirmed = (calls[0]?.clientReqId ?? 1) - 1;
    this.#lastId = this.answered + calls.length;
  }

  /**
   * The next hello's number. Each is greater than the one before, also those of a later page that goes on with this client id, so that
   * the room can tell a newer attempt from an older one that arrives late. It is the time, so that of two pages with a copied client
   * id the later attempt is that of the later. With no call in doubt, a room that has forgotten this client may take it for a new one.
   */
  nextAttempt(now: number): number {
    const { knownSince, attempt } = this.introduction;
    const isInDoubt = this.#calls[0]?.isFrozen === true;
    const next = Math.max(attempt + 1, now);
    this.introduction = { knownSince: isInDoubt ? knownSince : null, attempt: next };
    return next;
  }

  /** The room has said which moment of it this client is known from. A restored room counts its moments anew from an earlier one. */
  welcome(since: number): void {
    const { knownSince, attempt } = this.introduction;
    this.introduction = { knownSince: Math.min(knownSince ?? since, since), attempt };
  }

  get calls(): readonly QueuedCall[] {
    return this.#calls;
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
    const unsent = { clientReqId: undefined, isFrozen: false, sentAt: undefined, push: 0 };
    const call: QueuedCall = { ...unsent, type, payload, bytes, baseRev, madeAt, settle: [settle] };
    if (!this.#squash(call)) {
      this.#calls.push(call);
      this.#bytes += bytes;
      this.keeping?.added(call);
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
      this.name(call);
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
    return Math.min(this.#calls.length, this.keeping?.sendable ?? Infinity) - this.inFlight;
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
      this.keeping?.settle(call.clientReqId, outcome.kind === "accepted" ? outcome.rev : undefined);
      return false;
    });
    this.answered = Math.max(this.answered, lastCallId);
    if (this.keeping === undefined) this.confirmed = this.answered;
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
      this.answered = lastCallId;
      this.confirmed = Math.min(this.confirmed, lastCallId);
      this.#lastId = lastCallId;
    }
    for (const call of this.#calls) {
      call.sentAt = undefined;
      if (!isRestored || call.clientReqId === undefined) continue;
      call.formerIds = [...(call.formerIds ?? []), call.clientReqId];
      call.clientReqId = ++this.#lastId;
    }
    this.keeping?.resumed(isRestored);
  }

  /** Gives every call up, for good: not even a later page will send them. */
  discardAll(code: string, message: string): (() => void)[] {
    this.keeping?.clear();
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

  /** Gives a call its id. */
  name(call: QueuedCall): number {
    return (call.clientReqId ??= ++this.#lastId);
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
    this.keeping?.changed(before);
    return true;
  }
}
