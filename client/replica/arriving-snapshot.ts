import { State } from "../../src/model/state.ts";
import type { SnapshotPart } from "../../src/protocol/down/down-frames.ts";
import type { PageRecords } from "../../src/protocol/encoding/page-records.ts";
import type { ResumeSnapshot } from "../../src/protocol/handshake/hello.ts";
import { noteRecords, type RecordIds } from "./record-ids.ts";

/** A snapshot of which some parts have arrived. Nothing of it is shown before it is whole. */
export class ArrivingSnapshot {
  readonly epoch: string;
  /** Of its oldest part, which is the first. */
  readonly rev: number;
  readonly state = new State();
  readonly handles: RecordIds = new Map();
  parts = 0;
  /** The newest part's range. */
  #last: Pick<ResumeSnapshot, "collection" | "until"> | undefined;
  /** Where the last part of each collection ended; null: at its end. */
  readonly #reached = new Map<string, string | null>();

  constructor(epoch: string, rev: number) {
    this.epoch = epoch;
    this.rev = rev;
  }

  /** What the client says in its next hello, so that the room goes on behind it; undefined before the first part. */
  get progress(): ResumeSnapshot | undefined {
    const { epoch, rev, parts } = this;
    return this.#last && { epoch, rev, parts, ...this.#last };
  }

  /** Takes in the next part. */
  add({ collection, from, until }: SnapshotPart, records: PageRecords): void {
    const { state } = this;
    // Parts come in order, so that only one that begins before the end of the last can replace anything.
    const end = this.#reached.get(collection);
    if (end !== undefined && (end === null || from < end)) {
      for (const id of state.ids(collection)) {
        if (id >= from && (until === null || id < until)) state.set(collection, id, undefined);
      }
    }
    state.add(collection, records);
    noteRecords(this.handles, collection, records);
    this.#reached.set(collection, until);
    this.parts += 1;
    this.#last = { collection, until };
  }
}
