import { hashText } from "../model/checksum.ts";
import type { AnyRoomDefinition } from "../schema/definition.ts";

/** More fields than this of one collection are not numbered: a list of fields is one integer of 53 bits. */
const maxFields = 48;

/** The names of a definition, each in a place of its own: what stands for them in pushes that are bytes. */
export interface NameTable {
  readonly collections: readonly string[];
  /** Per collection, in the same order, the fields that its schema declares. */
  readonly fields: readonly (readonly string[])[];
  readonly mutators: readonly string[];
  /** The same on both sides when their tables are. */
  readonly hash: number;
}

export function nameTable({ collections, mutators }: AnyRoomDefinition): NameTable {
  const collectionNames = Object.keys(collections).toSorted();
  const fields = collectionNames.map((name) => fieldsOf(collections[name]));
  const mutatorNames = Object.keys(mutators).toSorted();
  const hash = hashText(JSON.stringify([collectionNames, fields, mutatorNames]));
  return { collections: collectionNames, fields, mutators: mutatorNames, hash };
}

/** None for a schema that is not a plain object's, such as a union of them. */
function fieldsOf(schema: AnyRoomDefinition["collections"][string] | undefined): string[] {
  // Objects of zod, and of zod/mini, have their shape here; the type of any schema does not say so.
  const { shape } = (schema?._zod.def ?? {}) as { shape?: object };
  return Object.keys(shape ?? {})
    .toSorted()
    .slice(0, maxFields);
}
