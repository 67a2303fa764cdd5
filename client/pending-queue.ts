import { hashCall, transactType, type Outcome } from "../src/core/call.ts";
import { callLimits } from "../src/core/call-limits.ts";
import { absorb, decodeChanges, encodeChanges, type Changes, type WireChanges } from "../src/core/changes.ts";
import { jsonBytes } from "../src/core/json.ts";
import type { PendingCall } from "../src/core/rebase.ts";
import type { WireOutcome } from "../src/protocol/frames.ts";
import type { Json } from "../src/schema/json.ts";
import { RejectedError } from "./errors.ts";
import type { ClientLimits } from "./limits.ts";

/** Tells a caller what its call came to. */
export interface Settle {
  readonly resolve: (committed: { readonly rev: number }) => void;
  readonly reject: (error: RejectedError) => void;
}

/** A call on its way. */
export interface QueuedCall extends PendingCall {
  /** Given when the call is first handed to a socket, or saved. */
  clientReqId: number | undefined;
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

/** A call as it is saved. */
interface SavedCall extends PendingCall {
  readonly clientReqId: number;
  readonly baseRev: number;
}

/** What a queue needs to go on in another page under the same client id. */
export interface SavedQueue {
  /** Newest id given to a call. */
  readonly lastId: number;
  readonly confirmed: number;
  readonly calls: readonly SavedCall[];
}

/** The calls that the room has not answered, in the order in which they were made. */
export class PendingQueue {
  readonly #limits: ClientLimits;
  /** Those that were sent stand before those that were not. */
  #calls: QueuedCall[] = [];
  /** Of their payloads. */
  #bytes = 0;
  #lastId = 0;
  #confirmed = 0;
  #pushes = 0;

  /** With `saved` it goes on where another left off; `settle` is told of those calls. */
  constructor(limits: ClientLimits, saved?: SavedQueue, settle?: Settle) {
    this.#limits = limits;
    if (saved === undefined || settle === undefined) return;
    this.#lastId = saved.lastId;
    this.#confirmed = saved.confirmed;
    this.#calls = saved.calls.map((call) => {
      const bytes = jsonBytes(call.payload);
      this.#bytes += bytes;
      return { ...call, isFrozen: true, bytes, sentAt: undefined, push: 0, settle: [settle] };
    });
  }

  /**
   * All that has to outlive this page; it has to be kept before a call is handed to a socket. Every call gets its id, so
   * that one that two pages have, by a copy of what was saved, is still executed once.
   */
  save(): SavedQueue {
    const calls = this.#calls.map((call) => {
      const { type, payload, baseRev, madeAt } = call;
      return { clientReqId: this.#name(call), type, payload, baseRev, madeAt };
    });
    return { lastId: this.#lastId, confirmed: this.#confirmed, calls };
  }

  get calls(): readonly QueuedCall[] {
    return this.#calls;
  }

  /** Newest id whose outcome has arrived. */
  get confirmed(): number {
    return this.#confirmed;
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
    }
    return true;
  }

  /** The calls to send now, in order, at most `maxCalls` and `maxBytes` of them; they get their ids. */
  take(maxCalls: number, maxBytes: number, now: number): QueuedCall[] {
    const start = this.#calls.findIndex((call) => call.sentAt === undefined);
    if (start === -1 || maxCalls < 1) return [];
    const taken: QueuedCall[] = [];
    this.#pushes += 1;
    let bytes = 0;
    for (const call of this.#calls.slice(start, start + maxCalls)) {
      bytes += call.bytes + 128;
      if (taken.length > 0 && bytes > maxBytes) break;
      this.#name(call);
      call.isFrozen = true;
      call.sentAt = now;
      call.push = this.#pushes;
      taken.push(call);
    }
    return taken;
  }

  /** Calls that were sent and not answered. */
  get inFlight(): number {
    const unsent = this.#calls.findIndex((call) => call.sentAt === undefined);
    return unsent === -1 ? this.#calls.length : unsent;
  }

  /** Whether a call without an answer may ever have been handed to a socket. */
  get hasSent(): boolean {
    return this.#calls[0]?.isFrozen ?? false;
  }

  /** Pushes that were sent and of which something is not answered. */
  get pushesInFlight(): number {
    const oldest = this.#calls[0];
    return oldest?.sentAt === undefined ? 0 : this.#pushes - oldest.push + 1;
  }

  /** Calls that have to be sent, for the first time or again. */
  get unsent(): number {
    return this.#calls.length - this.inFlight;
  }

  /** Whether an answer is overdue: a call was sent more than `ms` ago, or by another clock, and is still here. */
  isOverdue(now: number, ms: number): boolean {
    const sentAt = this.#calls[0]?.sentAt;
    return sentAt !== undefined && Math.abs(now - sentAt) > ms;
  }

  /** Notes outcomes. Calls up to `mark` have been executed and are not pending any more. */
  answer(mark: number, outcomes: readonly WireOutcome[]): (() => void)[] {
    const byId = new Map(outcomes.map((told) => [told[0], told]));
    const told: (() => void)[] = [];
    this.#calls = this.#calls.filter((call) => {
      if (call.clientReqId === undefined || call.clientReqId > mark) return true;
      this.#bytes -= call.bytes;
      const outcome = outcomeOf(call, byId.get(call.clientReqId));
      for (const settle of call.settle) told.push(() => tell(settle, call, outcome));
      return false;
    });
    this.#confirmed = Math.max(this.#confirmed, mark);
    // Another page with the same client id, such as a copied tab, may have used ids that this one has not.
    this.#lastId = Math.max(this.#lastId, mark);
    return told;
  }

  /** Everything from `clientReqId` on has to be sent again: the room has executed nothing of it. */
  rewind(clientReqId: number): void {
    for (const call of this.#calls) if ((call.clientReqId ?? 0) >= clientReqId) call.sentAt = undefined;
  }

  /**
   * A new connection has told the client's mark, and what was executed has been answered: the rest is sent again.
   * A restored room may know less than this client was once told; in its history the ids above its mark are free.
   */
  resume(mark: number): void {
    const first = this.#calls[0]?.clientReqId ?? this.#lastId + 1;
    const isRestored = first > mark + 1;
    if (isRestored) {
      this.#confirmed = mark;
      this.#lastId = mark;
    }
    for (const call of this.#calls) {
      call.sentAt = undefined;
      if (isRestored && call.clientReqId !== undefined) call.clientReqId = ++this.#lastId;
    }
  }

  /** Gives every call up. */
  reject(code: string, message: string): (() => void)[] {
    const calls = this.#calls;
    this.#calls = [];
    this.#bytes = 0;
    const outcome: Outcome = { kind: "rejected", code, message };
    return calls.flatMap((call) => call.settle.map((settle) => () => tell(settle, call, outcome)));
  }

  #name(call: QueuedCall): number {
    return (call.clientReqId ??= ++this.#lastId);
  }

  /** Folds a direct edit into the one before it, when that was never sent and both are of the same records. */
  #squash(call: QueuedCall): boolean {
    const before = this.#calls.at(-1);
    if (before === undefined || before.isFrozen) return false;
    if (before.type !== transactType || call.type !== transactType) return false;
    const earlier = decodeChanges(before.payload as WireChanges);
    const later = decodeChanges(call.payload as WireChanges);
    if (!continues(earlier, later)) return false;
    absorb(earlier, later);
    const payload = encodeChanges(earlier) as Json;
    const bytes = jsonBytes(payload);
    // Each was small enough; of many records both together may be refused.
    if (bytes > callLimits.maxPayloadBytes) return false;
    this.#bytes += bytes - before.bytes;
    before.payload = payload;
    before.bytes = bytes;
    before.settle.push(...call.settle);
    return true;
  }
}

/** A room answers every call up to its mark; this stands for an answer that it no longer has. */
const forgottenOutcome: Outcome = {
  kind: "rejected",
  code: "too-old",
  message: "the room no longer knows what became of this call",
};

/** Another page with the same client id, such as a copied tab, may have made the call that has this outcome. */
const conflictOutcome: Outcome = {
  kind: "rejected",
  code: "id-conflict",
  message: "another page has made a call under the same id",
};

function outcomeOf({ type, payload }: QueuedCall, told: WireOutcome | undefined): Outcome {
  if (told === undefined) return forgottenOutcome;
  const [, outcome, callHash] = told;
  return callHash === undefined || callHash === hashCall(type, payload) ? outcome : conflictOutcome;
}

function tell(settle: Settle, { type, payload }: QueuedCall, outcome: Outcome): void {
  if (outcome.kind === "accepted") return settle.resolve({ rev: outcome.rev });
  const { code, message, data } = outcome;
  settle.reject(new RejectedError(code, message, data, { type, payload }));
}

/** Whether `later` changes the same records as `earlier`, and none of them after its end. */
function continues(earlier: Changes, later: Changes): boolean {
  if (earlier.size !== later.size) return false;
  for (const [collection, records] of later) {
    const before = earlier.get(collection);
    if (before?.size !== records.size) return false;
    for (const [id, { kind }] of records) {
      const change = before.get(id);
      // A patch can follow a delete whose prediction was left out of the view.
      if (change === undefined || (change.kind === "delete" && kind === "patch")) return false;
    }
  }
  return true;
}
