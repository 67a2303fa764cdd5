import { createRecordType, StoreSchema, type BaseRecord, type RecordId } from "@tldraw/store";
import type { Note } from "../../load/records.ts";

/** A note as a record of tldraw's store. */
export interface NoteRecord extends BaseRecord<"note", RecordId<NoteRecord>>, Note {}

const Notes = createRecordType<NoteRecord>("note", {
  scope: "document",
  validator: { validate: (record: unknown) => record as NoteRecord },
});

/** One type of record, which is not even validated: less than what tldraw's own shapes cost. */
export function createSchema() {
  return StoreSchema.create<NoteRecord>({ note: Notes });
}
