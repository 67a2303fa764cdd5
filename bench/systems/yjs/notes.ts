import * as Y from "yjs";
import { newNote, recordId } from "../../load/records.ts";
import type { Position } from "../system.ts";

type YNote = Y.Map<unknown>;

/** Notes as a document of Yjs: a map of maps, so that two people who change different fields do not undo each other. */
export class YNotes {
  readonly doc = new Y.Doc();
  readonly #notes = this.doc.getMap<YNote>("notes");

  get size(): number {
    return this.#notes.size;
  }

  put(first: number, count: number): void {
    this.doc.transact(() => {
      for (let record = first; record < first + count; record++) {
        this.#notes.set(recordId(record), new Y.Map(Object.entries(newNote(record))));
      }
    });
  }

  move(record: number, x: number, y: number): void {
    const note = this.#notes.get(recordId(record));
    if (note === undefined) throw new Error(`there is no record ${record}`);
    this.doc.transact(() => {
      note.set("x", x);
      note.set("y", y);
    });
  }

  position(record: number): Position | undefined {
    const note = this.#notes.get(recordId(record));
    return note && { x: Number(note.get("x")), y: Number(note.get("y")) };
  }
}
