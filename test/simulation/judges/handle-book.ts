import type { ReadDelta } from "../../support/frames/decoded-frames.ts";
import { RecordNames, type NamedChanges } from "../../support/frames/record-names.ts";

/** A delta of a row, in which a private collection has a partition for each owner, as somebody has it who is shown all. */
export function byCollection(delta: ReadDelta): ReadDelta {
  const partitions = delta.partitions.map(
    ([partition, entries]) => [partition.split("/")[0] as string, entries] as const,
  );
  return { ...delta, partitions };
}

/** The handles that rows on disk have given: each to one record for as long as it is there, and to none ever again. */
export class HandleBook {
  /** Of the records that are there. */
  names = new RecordNames();
  /** By `collection/id`. */
  #handles = new Map<string, number>();
  #highest = -1;

  copy(): HandleBook {
    const copy = new HandleBook();
    copy.names = new RecordNames(this.names);
    copy.#handles = new Map(this.#handles);
    copy.#highest = this.#highest;
    return copy;
  }

  /** What a row changes, by id; `ids` are those of its entries that are no puts. Throws for what breaks the rule. */
  take(delta: ReadDelta, ids: readonly string[]): NamedChanges {
    const changes: NamedChanges = {};
    let next = 0;
    for (const [partition, entries] of delta.partitions) {
      const [collection, owner] = partition.split("/") as [string, string?];
      for (const entry of entries) {
        const [kind, handle] = entry;
        const id = kind === "put" ? entry[2] : ids[next++];
        if (id === undefined) throw new Error(`${ids.length} ids are too few`);
        if (owner !== undefined && !id.startsWith(`${owner}/`))
          throw new Error(`${id} is in the section of ${owner}`);
        this.#judge(`${collection}/${id}`, kind, handle);
        if (kind === "delete") this.#handles.delete(`${collection}/${id}`);
        else this.#handles.set(`${collection}/${id}`, handle);
        const partition = (changes[collection] ??= []);
        if (kind === "put") partition.push([kind, id, entry[3]]);
        else if (kind === "patch") partition.push([kind, id, entry[2], entry[3]]);
        else partition.push([kind, id]);
      }
    }
    if (next < ids.length) throw new Error(`${ids.length} ids are too many`);
    this.names.take(byCollection(delta));
    return changes;
  }

  #judge(key: string, kind: string, handle: number): void {
    const known = this.#handles.get(key);
    if (known !== undefined && known !== handle)
      throw new Error(`${key} has the handle ${known}, and its ${kind} names ${handle}`);
    if (known !== undefined) return;
    if (kind === "patch") throw new Error(`a patch of ${key} meets no record`);
    if (handle <= this.#highest) throw new Error(`${key} gets the handle ${handle}, which was given before`);
    this.#highest = handle;
  }
}
