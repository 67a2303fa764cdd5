import type { Memory } from "../core/memory.ts";
import type { PageRange } from "../core/page.ts";
import type { RoomStorage } from "../core/storage.ts";
import { encodeSnapshotPart } from "../protocol/snapshot.ts";
import type { Arrived } from "../protocol/hello.ts";
import type { Session, SnapshotProgress } from "./session.ts";

/** Below the limit by a frame's worth: parts stop before the session has to be held back altogether. */
const partsShare = 0.75;

const encoder = new TextEncoder();

/** Begins a snapshot, or begins it anew: its first part tells the client to drop what it had of another. */
export function beginSnapshot(memory: Memory, tag: number | undefined): SnapshotProgress {
  return { tag, parts: 0, cursor: undefined, baseRev: memory.checkpointRev };
}

/** Goes on where a snapshot was cut, if history reaches back to its oldest part; else begins it anew. */
export function resumeSnapshot(
  memory: Memory,
  tag: number | undefined,
  arrived: Arrived | undefined,
): SnapshotProgress {
  const isKnown =
    arrived !== undefined &&
    arrived.parts > 0 &&
    arrived.epoch === memory.epoch &&
    (arrived.rev === memory.rev ||
      (arrived.rev < memory.rev && memory.history.since(arrived.rev) !== undefined));
  if (!isKnown) return beginSnapshot(memory, tag);
  const { parts, rev, collection, until } = arrived;
  return { tag, parts, cursor: { collection, untilId: until }, baseRev: Math.min(rev, memory.checkpointRev) };
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
  const ranges = [...rangesFrom(memory, progress.cursor)];
  for (const [index, { number, collection, firstId, untilId }] of ranges.entries()) {
    if (session.owesMoreThan(partsShare)) return false;
    const { checkpoints } = memory;
    const deflated = session.inflates ? storage.deflatedRecords(number, checkpoints) : undefined;
    const frame = encodeSnapshotPart({
      part: progress.parts,
      left: ranges.length - index - 1,
      rev: memory.checkpointRev,
      collection,
      from: firstId,
      until: untilId,
      isDeflated: deflated !== undefined,
      content: deflated ?? encoder.encode(storage.pageRecords(number, checkpoints)),
    });
    session.send(frame);
    progress.parts += 1;
    progress.cursor = { collection, untilId };
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
