import type { Batch } from "./batch.ts";
import type { Fields } from "../../model/json.ts";
import { mergeIds, type RecordSource } from "../../model/state.ts";

/**
 * The state as of the last flush: the records in memory, less the batch that no row holds yet. It may be shown to anyone at any
 * time, since no crash can undo it. To read it writes nothing, sends nothing, and costs in proportion to the batch.
 */
export class FlushedState implements RecordSource {
  readonly #state: RecordSource;
  readonly #batch: Batch | undefined;

  constructor(state: RecordSource, batch: Batch | undefined) {
    this.#state = state;
    this.#batch = batch;
  }

  get(collection: string, id: string): Fields | undefined {
    const before = this.#batch?.before.get(collection);
    return before?.has(id) === true ? before.get(id) : this.#state.get(collection, id);
  }

  ids(collection: string, by?: string): readonly string[] {
    const before = this.#batch?.before.get(collection);
    if (before === undefined) return this.#state.ids(collection, by);
    return mergeIds(this.#state, collection, before, by);
  }
}
