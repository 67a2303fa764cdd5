import { callLimits } from "../src/model/call-limits.ts";
import { checkPayload, transactType } from "../src/model/call.ts";
import { encodeChanges } from "../src/model/changes.ts";
import { copyJson } from "../src/model/json.ts";
import type { RecordsReader } from "../src/model/reader.ts";
import { changesOf, type Tx, type Writes } from "../src/model/transaction.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import type { Json } from "../src/schema/json.ts";
import { RejectedError } from "./errors.ts";
import type { ClientLimits } from "./client-limits.ts";
import type { Settle } from "./mutations/call-outcomes.ts";
import { asRejected, newCall } from "./mutations/mutation-handle.ts";
import type { PendingQueue } from "./mutations/pending-queue.ts";
import { reportThrown, type Runtime } from "./platform.ts";
import type { AnyPeer } from "./replica/peers.ts";
import type { Replica, ViewChanges } from "./replica/replica.ts";
import type { Call } from "./room.ts";
import type { UndoableOperation } from "./undo/undo-entry.ts";
import type { Undo, UndoHistory } from "./undo/undo-history.ts";

export interface RoomCallsOptions {
  readonly definition: AnyRoomDefinition;
  readonly runtime: Runtime;
  readonly limits: ClientLimits;
  readonly replica: Replica;
  /** Where the calls wait for their outcome. */
  readonly queue: PendingQueue;
  readonly state: { readonly [collection: string]: RecordsReader };
  readonly self: () => AnyPeer;
  readonly undo: Undo | undefined;
}

export interface RoomCallsEvents {
  /** A call was predicted and queued: it wants to be sent, and then the listeners are to be notified. */
  readonly queued: (changes: ViewChanges) => void;
  readonly rejected: (error: RejectedError) => void;
  readonly historyChanged: () => void;
}

/**
 * Makes the calls of one page: predicts each on the replica, queues it, and notes how to undo it. A call that the client can
 * refuse by itself (closed, not ready, invalid, queue full) never reaches the queue and changes nothing.
 */
export class RoomCalls {
  /** Undefined in a room without `undo`. */
  readonly history: UndoHistory | undefined;
  readonly #options: RoomCallsOptions;
  readonly #events: RoomCallsEvents;
  #isClosed = false;

  constructor(options: RoomCallsOptions, events: RoomCallsEvents) {
    this.#options = options;
    this.#events = events;
    const { definition, limits, queue, replica, self, state, undo } = options;
    this.history = undo?.(limits, {
      transact: (edit) => this.transact(edit),
      call: ({ type, payload }, inverse) => this.call(type, payload, inverse),
      rules: definition.undo,
      state,
      self,
      admits: (bytes) => !this.#isClosed && replica.isReady && queue.admits(bytes),
      confirmed: (collection, id) => replica.confirmed(collection, id),
      changed: events.historyChanged,
    });
  }

  /** From now on every call is rejected. */
  close(): void {
    this.#isClosed = true;
  }

  transact(edit: (tx: Tx) => unknown): Call {
    const { replica } = this.#options;
    const { call, settle } = newCall();
    if (this.#refuseUnready(settle, transactType, null)) return call;
    let writes: Writes;
    try {
      writes = replica.edit(edit);
    } catch (error) {
      throw asRejected(error, transactType);
    }
    const payload = encodeChanges(changesOf(writes));
    try {
      checkPayload(transactType, payload, callLimits); // sent all the same, it would only come back
    } catch (error) {
      this.#reject(settle, asRejected(error, transactType, payload) as RejectedError);
      return call;
    }
    if (writes.size === 0) settle.resolve({ rev: replica.rev });
    else
      this.#enqueue(transactType, payload, settle, writes, (changes) =>
        this.history?.noteEdit(changes, call),
      );
    return call;
  }

  /** `known` takes it back; left out, the mutator's rule says what does. */
  call(type: string, given: unknown, known?: UndoableOperation): Call {
    const { call, settle } = newCall();
    let payload: Json;
    try {
      payload = copyJson(given);
    } catch (error) {
      // Not JSON, or a getter of the app's has thrown: either way there is nothing to send.
      const problem = error instanceof Error ? error.message : String(error);
      this.#refuse(settle, "invalid", `the payload of ${type}: ${problem}`, type, null);
      return call;
    }
    if (this.#refuseUnready(settle, type, payload)) return call;
    const { replica, runtime } = this.#options;
    const prediction = replica.run({ type, payload, madeAt: runtime.now() });
    switch (prediction.kind) {
      case "done": {
        const inverse = known ?? this.history?.inverseOf({ type, payload });
        this.#enqueue(type, payload, settle, prediction.writes, (changes) => {
          this.history?.noteCall(changes, call, { type, payload }, inverse);
        });
        break;
      }
      case "rejected": {
        const { code, message, data } = prediction.rejection;
        this.#refuse(settle, code, message, type, payload, data);
        break;
      }
      case "failed":
        reportThrown(prediction.error);
        this.#refuse(settle, "internal", `${type} threw`, type, payload);
        break;
      default:
        prediction satisfies never;
    }
    return call;
  }

  #enqueue(
    type: string,
    payload: Json,
    settle: Settle,
    writes: Writes,
    note: (changes: ViewChanges) => void,
  ): void {
    const { queue, replica, runtime } = this.#options;
    const reject = (error: RejectedError) => this.#reject(settle, error);
    const told = { ...settle, reject };
    if (!queue.add(type, payload, replica.rev, runtime.now(), told)) {
      return this.#refuse(settle, "queue-full", "too many calls wait for their answer", type, payload);
    }
    const changes = replica.put(writes);
    note(changes); // before a listener makes the next
    this.#events.queued(changes);
  }

  #refuseUnready(settle: Settle, type: string, payload: Json): boolean {
    const code = this.#isClosed ? "closed" : "not-ready";
    if (!this.#isClosed && this.#options.replica.isReady) return false;
    const message = `${type} was called on a room that is ${code.replace("-", " ")}`;
    this.#refuse(settle, code, message, type, payload);
    return true;
  }

  #refuse(settle: Settle, code: string, message: string, type: string, payload: Json, data?: Json): void {
    this.#reject(settle, new RejectedError(code, message, data, { type, payload }));
  }

  #reject(settle: Settle, error: RejectedError): void {
    settle.reject(error);
    this.#events.rejected(error);
  }
}
