import type { Memory } from "../core/memory.ts";
import type { PageRange } from "../core/page.ts";
import type { RoomStorage } from "../core/storage.ts";
import { encodeSnapshotPart } from "../protocol/codec.ts";
import type { Session, SnapshotProgress } from "./session.ts";

/** Below the limit by a frame's worth: parts stop before the session has to be held back altogether. */
const partsShare = 0.75;

/** Begins a snapshot, or begins it anew: its first part tells the client to drop what it had of another. */
export function beginSnapshot(memory: Memory, tag: number | undefined): SnapshotProgress {
  return { tag, parts: 0, cursor: undefined, baseRev: memory.checkpointRev };
}

/**
 * Sends the stored pages from `progress` on, until all are sent (true) or the session owes an acknowledgement
 * (false). A page holds what the last checkpoint wrote; should another checkpoint come in between, later parts
 * are newer, and the closing delta begins at the oldest.
 */
export function sendParts(
  session: Session,
  progress: SnapshotProgress,
  memory: Memory,
  storage: RoomStorage,
): boolean {
  for (const range of rangesFrom(memory, progress.cursor)) {
    if (session.owesMoreThan(partsShare)) return false;
    const records = storage.pageRecords(range.number, memory.checkpoints);
    session.send(encodeSnapshotPart(progress.parts, range, records));
    progress.parts += 1;
    progress.cursor = { collection: range.collection, untilId: range.untilId };
  }
  return true;
}

/** The ranges that reach beyond the last one sent. One that begins before its end is sent whole: that does no harm. */
function* rangesFrom(memory: Memory, sent: SnapshotProgress["cursor"]): Generator<PageRange> {
  for (const range of memory.pages.ranges()) {
    if (sent === undefined || range.collection > sent.collection) yield range;
    if (sent === undefined || range.collection !== sent.collection || sent.untilId === null) continue;
    if (range.untilId === null || range.untilId > sent.untilId) yield range;
  }
}
