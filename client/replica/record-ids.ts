import { partitionOf, type Changes } from "../../src/model/changes.ts";
import type { Entries } from "../../src/protocol/encoding/delta.ts";
import type { PageRecords } from "../../src/protocol/encoding/page-records.ts";

/** Collection → record handle → id. */
export type RecordIds = Map<string, Map<number, string>>;

/** What `entries` change, by id. Throws when a patch is of a record that is not known. */
export function resolve(entries: Entries, ids: RecordIds): Changes {
  const changes: Changes = new Map();
  for (const [collection, records] of entries) {
    const partition = partitionOf(changes, collection);
    const known = ids.get(collection);
    for (const [handle, { change, id = known?.get(handle) }] of records) {
      if (id !== undefined) partition.set(id, change);
      // A deletion may be of a record that came and went while this client was away.
      else if (change.kind !== "delete")
        throw new Error(`a patch is of record ${handle}, which is not known`);
    }
  }
  return changes;
}

export function noteHandles(ids: RecordIds, entries: Entries): void {
  for (const [collection, records] of entries) {
    const partition = partitionOf(ids, collection);
    for (const [handle, { change, id }] of records) {
      if (id !== undefined) partition.set(handle, id);
      else if (change.kind === "delete") partition.delete(handle);
    }
  }
}

export function noteRecords(known: RecordIds, collection: string, { ids, handles }: PageRecords): void {
  const partition = partitionOf(known, collection);
  for (const [index, id] of ids.entries()) partition.set(handles[index] as number, id);
}
