import type { Json } from "../../src/schema/json.ts";
import type { Rejection } from "../../src/schema/rejection.ts";
import { runCall, type CallOptions } from "../../src/model/call.ts";
import { partitionOf } from "../../src/model/changes.ts";
import type { Fields } from "../../src/model/json.ts";
import type { OrderBy } from "../../src/model/order.ts";
import { mergeIds, type RecordSource, type State } from "../../src/model/state.ts";
import type { Writes } from "../../src/model/transaction.ts";

/** A call that was made here and that the server has not answered. */
export interface PendingCall {
  readonly type: string;
  readonly payload: Json;
  /** Milliseconds since the epoch when it was made: `ctx.now` of every run of the prediction. */
  readonly madeAt: number;
}

/** What a prediction came to. A rejected one changes nothing; whether the call stands is for the server to say. */
export type Prediction =
  | { readonly kind: "done"; readonly writes: Writes }
  | { readonly kind: "rejected"; readonly rejection: Rejection }
  | { readonly kind: "failed"; readonly error: unknown };

/**
 * The server's state with the pending calls run on top, in order: what the app sees. Only records that a call has
 * changed are held here; all others are the base's own.
 */
export class Overlay implements RecordSource {
  readonly #base: State;
  readonly #options: Omit<CallOptions, "location" | "now">;
  readonly #records = new Map<string, Map<string, Fields | undefined>>();
  readonly #sortedIds = new Map<string, Map<OrderBy, readonly string[]>>();

  constructor(base: State, options: Omit<CallOptions, "location" | "now">) {
    this.#base = base;
    this.#options = options;
  }

  get(collection: string, id: string): Fields | undefined {
    const records = this.#records.get(collection);
    return records?.has(id) ? records.get(id) : this.#base.get(collection, id);
  }

  ids(collection: string, by?: string): readonly string[] {
    const records = this.#records.get(collection);
    if (records === undefined) return this.#base.ids(collection, by);
    const sorted = partitionOf(this.#sortedIds, collection);
    let ids = sorted.get(by);
    if (ids === undefined) sorted.set(by, (ids = mergeIds(this.#base, collection, records, by)));
    return ids;
  }

  /** Whether a pending call has changed this record. */
  holds(collection: string, id: string): boolean {
    return this.#records.get(collection)?.has(id) ?? false;
  }

  /** The records that pending calls have changed, as they leave them; undefined for a deleted one. */
  *records(): Generator<readonly [collection: string, id: string, record: Fields | undefined]> {
    for (const [collection, records] of this.#records) {
      for (const [id, record] of records) yield [collection, id, record];
    }
  }

  /** What `call` would do on top of everything before it. */
  run(call: PendingCall): Prediction {
    return runCall(this, call.type, call.payload, { ...this.#options, location: "client", now: call.madeAt });
  }

  /** Runs `call` on top of everything before it and keeps what it does. */
  predict(call: PendingCall): Prediction {
    const prediction = this.run(call);
    if (prediction.kind !== "done") return prediction;
    for (const [collection, records] of prediction.writes) {
      for (const [id, { record }] of records) this.set(collection, id, record);
    }
    return prediction;
  }

  set(collection: string, id: string, record: Fields | undefined): void {
    partitionOf(this.#records, collection).set(id, record);
    this.#sortedIds.delete(collection);
  }
}

/** The view over `base` with all of `pending` run again. A call that fails to run is left out of it, never fatal. */
export function rebase(
  base: State,
  pending: readonly PendingCall[],
  options: Omit<CallOptions, "location" | "now">,
): Overlay {
  const overlay = new Overlay(base, options);
  for (const call of pending) overlay.predict(call);
  return overlay;
}
