import { jsonBytes, type Fields } from "../../../model/json.ts";
import type { Writes } from "../../../model/transaction.ts";
import { Rejection } from "../../../schema/rejection.ts";
import type { Limits } from "../../limits.ts";
import { changedRecords } from "../changed-records.ts";
import type { EngineState } from "../engine-state.ts";
import { maxWeightOfByte, weightDifference } from "./weight.ts";

/** The state, as far as its size is concerned. */
export type SizedState = Pick<EngineState, "records" | "pages" | "journalBytes">;

type CapacityLimits = Pick<Limits, "maxOperationBytes" | "maxStateBytes" | "maxStateWeight">;

/**
 * Refuses operations that the room has no place for: an operation that is too large by itself, and one that grows a state which
 * is full. An operation that makes the state smaller, or leaves its size as it is, always has a place.
 *
 * The exact growth costs a walk over the records of the operation. It is computed only where the largest possible growth
 * would exceed a limit.
 */
export class Capacity {
  readonly #state: SizedState;
  readonly #limits: CapacityLimits;

  constructor(state: SizedState, limits: CapacityLimits) {
    this.#state = state;
    this.#limits = limits;
  }

  /** Returns why the room does not take `writes`, which have so many `bytes`. `batchBytes`: of the operations not flushed yet. */
  refusal(writes: Writes, bytes: number, batchBytes: number): Rejection | undefined {
    const { maxOperationBytes, maxStateBytes, maxStateWeight } = this.#limits;
    // The message does not say how much the call changes: a mutator may change what its caller is not shown.
    if (bytes > maxOperationBytes)
      return new Rejection("too-large", `it changes more than ${maxOperationBytes} bytes`);
    if (this.#outgrows(writes, bytes, batchBytes))
      return new Rejection("too-large", `the room is full: it may hold ${maxStateBytes} bytes`);
    if (this.#outweighs(writes, bytes))
      return new Rejection(
        "too-large",
        `the room is full: its records may weigh ${maxStateWeight} bytes of memory`,
      );
    return undefined;
  }

  /** Whether the state would exceed `maxStateBytes`. What it holds is bounded by the pages, the journal and the batch. */
  #outgrows(writes: Writes, bytes: number, batchBytes: number): boolean {
    const { records, pages, journalBytes } = this.#state;
    const held = pages.bytes + journalBytes + batchBytes;
    if (held + bytes <= this.#limits.maxStateBytes) return false;
    let growth = 0;
    for (const { id, before, after } of changedRecords(records, writes))
      growth += (after ? recordBytes(id, after) : 0) - (before ? recordBytes(id, before) : 0);
    return growth > 0 && held + growth > this.#limits.maxStateBytes;
  }

  /** Whether the records would exceed `maxStateWeight`. */
  #outweighs(writes: Writes, bytes: number): boolean {
    const { records } = this.#state;
    const { maxStateWeight } = this.#limits;
    if (records.weight + maxWeightOfByte * bytes <= maxStateWeight) return false;
    let growth = 0;
    for (const { id, before, after } of changedRecords(records, writes))
      growth += weightDifference(id, before, after);
    return growth > 0 && records.weight + growth > maxStateWeight;
  }
}

/** Bytes of a record in its page. */
function recordBytes(id: string, record: Fields): number {
  return jsonBytes(id) + jsonBytes(record);
}
