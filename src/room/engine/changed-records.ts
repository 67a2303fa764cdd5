import type { Fields } from "../../model/json.ts";
import type { RecordSource } from "../../model/state.ts";
import type { Writes } from "../../model/transaction.ts";

/** A record that writes would change. */
interface ChangedRecord {
  readonly collection: string;
  readonly id: string;
  /** The record as it is; undefined when there is none. */
  readonly before: Fields | undefined;
  /** The record as it would be; undefined when it would be deleted. */
  readonly after: Fields | undefined;
}

/** Yields the records that `writes` would change. `records` must not have the writes yet. */
export function* changedRecords(records: RecordSource, writes: Writes): Generator<ChangedRecord> {
  for (const [collection, written] of writes)
    for (const [id, { record }] of written)
      yield { collection, id, before: records.get(collection, id), after: record };
}
