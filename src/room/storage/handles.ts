import type { Changes } from "../../model/changes.ts";
import { partitionOf } from "../../model/changes.ts";
import { collectionOf } from "../visibility/partitions.ts";
import type { Entries } from "../../protocol/encoding/delta.ts";
import type { PageRecords } from "../../protocol/encoding/page-records.ts";

/**
 * The number that stands for each record on the wire and in the journal, where its id would be most of a change.
 * A record keeps its handle for as long as it is there, and no handle is given twice within an epoch: whoever was
 * told of one need never be told that it means something else now.
 */
export class Handles {
  readonly #records = new Map<string, Map<string, number>>();
  #next: number;

  /** `next`: the lowest that was never given. */
  constructor(next: number) {
    this.#next = next;
  }

  get next(): number {
    return this.#next;
  }

  get(collection: string, id: string): number | undefined {
    return this.#records.get(collection)?.get(id);
  }

  /** Takes over the handles of records that storage has. */
  load(collection: string, { ids, handles }: Pick<PageRecords, "ids" | "handles">): void {
    const known = partitionOf(this.#records, collection);
    for (const [index, id] of ids.entries()) known.set(id, handles[index] as number);
  }

  /** What a flush that makes `changes`, by partition, is to say: new records get a handle, deleted ones have theirs for the last time. */
  take(changes: Changes): Entries {
    const entries: Entries = new Map();
    for (const [partition, records] of changes) {
      if (records.size === 0) continue;
      const handles = partitionOf(this.#records, collectionOf(partition));
      const said = partitionOf(entries, partition);
      for (const [id, change] of records) {
        let handle = handles.get(id);
        // One that came and went within a flush gets a handle as well: a deletion is always sent.
        if (handle === undefined) handles.set(id, (handle = this.#next++));
        if (change.kind === "delete") handles.delete(id);
        said.set(handle, { change, id: change.kind === "put" ? id : undefined });
      }
    }
    return entries;
  }

  /** Takes in what a flush said that is read back: `changes` and `entries` are the same, in the same order. */
  replay(changes: Changes, entries: Entries): void {
    for (const [partition, records] of changes) {
      const handles = partitionOf(this.#records, collectionOf(partition));
      const given = entries.get(partition)?.keys() ?? [];
      const ids = records.keys();
      for (const handle of given) {
        const id = ids.next().value as string;
        if (records.get(id)?.kind === "delete") handles.delete(id);
        else handles.set(id, handle);
        this.#next = Math.max(this.#next, handle + 1);
      }
    }
  }
}
