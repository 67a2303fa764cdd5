import type { RoomState } from "../storage/room-state.ts";
import { readPageRecords, writePageRecords } from "../../protocol/encoding/page-records.ts";
import type { RoomStorage } from "../storage/room-storage.ts";
import { utf8Encoder } from "../../model/utf8.ts";
import type { ShownRange } from "../visibility/view.ts";
import { encodeSnapshotPart } from "../../protocol/down/snapshot-part.ts";
import type { ResumeSnapshot } from "../../protocol/handshake/hello.ts";
import type { Session } from "../sessions/session.ts";
import type { SnapshotProgress } from "../sessions/feed.ts";

/** Below the limit by a frame's worth: parts stop before the session has to be held back altogether. */
const partsShare = 0.75;

/** Pages whose deflated form is read by one query, which takes longer than what it reads of one. As text they have 1 MB, or 4 where each is one of the largest records. */
const readAtOnce = 16;

/** Begins a snapshot, or begins it anew: its first part tells the client to drop what it had of another. */
export function beginSnapshot(roomState: RoomState, tag: number | undefined): SnapshotProgress {
  return { tag, parts: 0, cursor: undefined, baseRev: roomState.checkpointRev };
}

/**
 * Goes on where a snapshot was cut, if history reaches back to its oldest part; else begins it anew. `epoch` is the room's as
 * the session's view names it.
 */
export function resumedProgress(
  roomState: RoomState,
  epoch: string,
  tag: number | undefined,
  resumeSnapshot: ResumeSnapshot | undefined,
): SnapshotProgress {
  const isKnown =
    resumeSnapshot !== undefined &&
    resumeSnapshot.parts > 0 &&
    resumeSnapshot.epoch === epoch &&
    (resumeSnapshot.rev === roomState.rev ||
      (resumeSnapshot.rev < roomState.rev && roomState.history.since(resumeSnapshot.rev) !== undefined));
  if (!isKnown) return beginSnapshot(roomState, tag);
  const { parts, rev, collection, until } = resumeSnapshot;
  return {
    tag,
    parts,
    cursor: { collection, untilId: until },
    baseRev: Math.min(rev, roomState.checkpointRev),
  };
}

/**
 * Sends the stored pages from `progress` on, until all are sent (true) or the session owes an acknowledgement
 * (false). A page holds what the last checkpoint wrote; should another checkpoint come in between, later parts
 * are newer, and the closing delta begins at the oldest.
 */
export function sendParts(
  session: Session,
  progress: SnapshotProgress,
  roomState: RoomState,
  storage: RoomStorage,
): boolean {
  const { checkpoints } = roomState;
  const ranges = [...rangesFrom(session.view.ranges(roomState.pages.ranges()), progress.cursor)];
  let read: ReadonlyMap<number, Uint8Array> = new Map();
  for (const [index, range] of ranges.entries()) {
    if (session.owesMoreThan(partsShare)) return false;
    if (session.acceptsDeflate && index % readAtOnce === 0)
      read = storage.deflatedRecords(wholePages(ranges.slice(index, index + readAtOnce)), checkpoints);
    const { number, collection, firstId, untilId, isCut } = range;
    const deflated = isCut ? undefined : read.get(number);
    const recordsOf = () => storage.pageRecords(number, checkpoints);
    const frame = encodeSnapshotPart({
      part: progress.parts,
      left: ranges.length - index - 1,
      rev: roomState.checkpointRev,
      collection,
      from: firstId,
      until: untilId,
      isDeflated: deflated !== undefined,
      content: deflated ?? utf8Encoder().encode(isCut ? cut(recordsOf(), range) : recordsOf()),
    });
    session.send(frame);
    progress.parts += 1;
    progress.cursor = { collection, untilId };
  }
  return true;
}

/** Numbers of the pages that are shown whole. */
function wholePages(ranges: readonly ShownRange[]): number[] {
  return ranges.filter(({ isCut }) => !isCut).map(({ number }) => number);
}

/** The ranges that reach beyond the last one sent. One that begins before its end is sent whole: that does no harm. */
function* rangesFrom(ranges: Iterable<ShownRange>, sent: SnapshotProgress["cursor"]): Generator<ShownRange> {
  for (const range of ranges) {
    if (sent === undefined || range.collection > sent.collection) yield range;
    if (sent === undefined || range.collection !== sent.collection || sent.untilId === null) continue;
    if (range.untilId === null || range.untilId > sent.untilId) yield range;
  }
}

/** Of a page's records those of the range. */
function cut(records: string, { firstId, untilId }: ShownRange): string {
  const page = readPageRecords(records);
  const start = page.ids.filter((id) => id < firstId).length;
  const end = untilId === null ? undefined : page.ids.filter((id) => id < untilId).length;
  return writePageRecords({
    ids: page.ids.slice(start, end),
    handles: page.handles.slice(start, end),
    records: page.records.slice(start, end),
  });
}
