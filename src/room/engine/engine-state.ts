import type { Change, Changes } from "../../model/changes.ts";
import type { Fields } from "../../model/json.ts";
import type { RecordSource } from "../../model/state.ts";
import type { EncodedDelta, Entries } from "../../protocol/encoding/delta.ts";
import type { Partitions } from "../visibility/partitions.ts";
import type { AuthorshipIndex } from "./authorship.ts";
import type { ClientLog } from "./client-log/client-log.ts";

/** The delta of one flush; `n` is the number of its journal row. */
export interface FlushedDelta extends EncodedDelta {
  readonly flushSeq: number;
}

/** The records of a room: what a transaction reads, and what a commit changes. */
export interface RoomRecords extends RecordSource {
  /** Bytes of heap that all records take: an estimate, see `weight.ts`. */
  readonly weight: number;
  /** As `ids`, but the array may change with the state: a caller reads it at once and does not keep it. */
  order(collection: string, by?: string): readonly string[];
  /** The order of the records of a private collection that belong to `owner`. */
  ownOrder(collection: string, owner: string, by: string): readonly string[];
  set(collection: string, id: string, record: Fields | undefined): void;
}

/** The pages of the state, as far as a commit is concerned. */
export interface ChangedPages {
  /** Bytes of all pages as they were last encoded. */
  readonly bytes: number;
  /** Notes what kind of change was made to a record, and with it to its page. */
  touch(collection: string, id: string, kind: Change["kind"]): void;
}

/** Watches the reads from storage that happen while code of the app runs. */
export interface ReadGuard {
  /** Whether a page was taken in only in part: memory may then have records without their authors and handles. */
  readonly isTorn: boolean;
  /** Returns what `run` returns. Throws what storage threw meanwhile, also when `run` has caught that. */
  guard<T>(run: () => T): T;
}

/**
 * What the engine needs of the state of its room. `room/storage` provides it: there, records are read from storage when they
 * are first used. The engine itself knows no storage, and the members that it changes are those that a commit changes.
 */
export interface EngineState {
  readonly epoch: string;
  readonly partitions: Partitions;
  readonly records: RoomRecords;
  readonly authorship: AuthorshipIndex;
  readonly handles: { take(changes: Changes): Entries };
  readonly pages: ChangedPages;
  readonly pageReader: ReadGuard;
  readonly clientLog: ClientLog;
  readonly history: { push(flush: FlushedDelta): void };
  /** Revision of the newest commit, flushed or not. */
  rev: number;
  /** Number of the last flush. */
  flushSeq: number;
  /** Bytes of journal written since the last checkpoint. */
  journalBytes: number;
}
