import type { Fields, ReadDelta } from "./decoded-frames.ts";

/** Collection → its changes: `[kind, id, fields?, removed?]`. */
export type NamedChanges = {
  [collection: string]: (readonly [kind: string, id: string, fields?: Fields, unset?: readonly string[]])[];
};

/** Which record each handle stands for, by docs/PROTOCOL.md: what a client keeps beside its copy. */
export class RecordNames {
  readonly #names: Map<number, readonly [collection: string, id: string]>;

  constructor(other?: RecordNames) {
    this.#names = new Map(other?.note);
  }

  get note(): ReadonlyMap<number, readonly [collection: string, id: string]> {
    return this.#names;
  }

  /** Notes what a put or a snapshot part says. Throws when the handle stands for another record. */
  name(collection: string, id: string, handle: number): void {
    const known = this.#names.get(handle);
    if (known !== undefined && (known[0] !== collection || known[1] !== id))
      throw new Error(`handle ${handle} was ${known.join("/")} and is ${collection}/${id}`);
    this.#names.set(handle, [collection, id]);
  }

  /**
   * What a delta changes, by id, in its order. Deletions of records that nobody has named are left out. Throws for a
   * patch of such a record.
   */
  take({ partitions }: Pick<ReadDelta, "partitions">): NamedChanges {
    const changes: NamedChanges = {};
    for (const [collection, entries] of partitions) {
      const partition = (changes[collection] ??= []);
      for (const entry of entries) {
        const [kind, handle] = entry;
        if (kind === "put") {
          this.name(collection, entry[2], handle);
          partition.push([kind, entry[2], entry[3]]);
          continue;
        }
        const [home, id] = this.#names.get(handle) ?? [];
        if (id !== undefined && home !== collection)
          throw new Error(`handle ${handle} is of ${home}, and not of ${collection}`);
        if (kind === "delete") this.#names.delete(handle);
        if (id === undefined && kind === "patch")
          throw new Error(`a patch is of handle ${handle}, which nobody has named`);
        if (id === undefined) continue;
        if (kind === "delete") partition.push([kind, id]);
        else partition.push(entry[3].length > 0 ? [kind, id, entry[2], entry[3]] : [kind, id, entry[2]]);
      }
    }
    return changes;
  }
}
