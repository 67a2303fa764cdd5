import { AuthorshipIndex, decodeAuthors, type Authorship } from "../engine/authorship.ts";
import { partitionOf, type Changes } from "../../model/changes.ts";
import { collectionOf, Partitions } from "../visibility/partitions.ts";
import type { Checksums } from "../../model/checksum.ts";
import { decodeDelta, type Entries } from "../../protocol/encoding/delta.ts";
import { Handles } from "./handles.ts";
import { Horizons } from "../engine/client-log/horizons.ts";
import type { EngineState, FlushedDelta } from "../engine/engine-state.ts";
import { DeltaHistory, type Segment } from "./history.ts";
import { LazyHistory } from "./lazy-history.ts";
import type { Limits } from "../limits.ts";
import { ClientLog, type ForgottenClients } from "../engine/client-log/client-log.ts";
import { PageTable } from "./page-table.ts";
import { loadPage } from "./page-codec.ts";
import { PageReader } from "./page-reader.ts";
import { PagedState } from "./paged-state.ts";
import { rowBytes, type JournalRow } from "../engine/journal-row.ts";
import type { Checkpoint, RoomRow, RoomStorage, StoredPage, StoredSegment } from "./room-storage.ts";

/** Everything that a room knows, and nothing that storage could not tell again. */
export interface RoomState extends EngineState {
  epoch: string;
  /** Checkpoints ever written. */
  checkpoints: number;
  /** Whether storage knows of this room yet. */
  stored: boolean;
  readonly partitions: Partitions;
  readonly records: PagedState;
  readonly authorship: AuthorshipIndex;
  readonly handles: Handles;
  readonly pages: PageTable;
  /** Through which `state`, `authorship` and `pages` take in what only storage has. */
  readonly pageReader: PageReader;
  readonly clientLog: ClientLog;
  readonly history: LazyHistory;
  /** Storage divides the collections into other partitions: history is of no use, and a checkpoint is due before anything else. */
  isDividedAnew: boolean;
  /** Revision of the newest commit, flushed or not. */
  rev: number;
  /** Number of the last flush. */
  flushSeq: number;
  /** The last flush and revision that the pages in storage hold. */
  checkpointFlushSeq: number;
  checkpointRev: number;
  /** Bytes of journal written since. */
  journalBytes: number;
  /** When clients were last forgotten. */
  readonly horizons: Horizons;
  /** Segments in storage, once `history` was read. */
  storedSegments: ReadonlySet<Segment>;
}

/**
 * Reads a room from storage: the list of its pages, and the journal above them. A page is read when something in its
 * range is first needed, here by the journal, and history when a client needs it. A room never stored gets `newEpoch`.
 */
export function wake(
  storage: RoomStorage,
  limits: Limits,
  newEpoch: () => string,
  partitions = new Partitions([]),
): RoomState {
  const room = storage.room();
  if (room === undefined) {
    const nothing = { page: nothingStored, load: () => [], history: () => new DeltaHistory(limits) };
    return emptyRoomState(newRoomRow(newEpoch(), partitions), false, limits, nothing, partitions);
  }
  const roomState: RoomState = emptyRoomState(
    room,
    true,
    limits,
    {
      page: (number) => storage.page(number, roomState.checkpoints),
      load: (page) => loadPage(page, roomState),
      history: () =>
        roomState.isDividedAnew
          ? dropHistory(storage, roomState, limits)
          : readHistory(storage, roomState, room, limits),
    },
    partitions,
  );
  roomState.pages.list(storage.pages());
  roomState.records.loadChecksums(JSON.parse(room.checksums) as Checksums);
  roomState.records.loadWeight(room.weight);
  roomState.isDividedAnew = room.privates !== JSON.stringify(partitions.privates);
  for (const [collection, id, rev, clientId, othersRev] of JSON.parse(room.tombstones) as TombstoneRow[]) {
    roomState.authorship.loadTombstone(collection, id, { rev, clientId, othersRev });
  }
  for (const lastCallId of storage.clientLog()) roomState.clientLog.load(lastCallId);
  for (const row of storage.journal(room.flushSeq)) {
    if (row.epoch === roomState.epoch) replay(roomState, row); // others are left over from before a restore
  }
  if (roomState.isDividedAnew) divideAnew(roomState, JSON.parse(room.privates) as readonly string[]);
  return roomState;
}

function nothingStored(number: number): never {
  throw new Error(`page ${number} of a room that was never stored`);
}

/** Takes the checksums over that are of the same records as before, and adds up the others. */
function divideAnew({ records, partitions }: RoomState, before: readonly string[]): void {
  for (const name of partitions.privates) records.loadChecksums({ [name]: 0 });
  for (const name of before) if (!partitions.isPrivate(name)) records.recount(name);
}

/** The row of a room in which nothing has happened. */
export function newRoomRow(epoch: string, partitions: Partitions): RoomRow {
  return {
    epoch,
    checkpoints: 0,
    flushSeq: 0,
    rev: 0,
    nextHandle: 0,
    weight: 0,
    ringFrom: 0,
    horizons: new Horizons().toJson(),
    tombstones: "[]",
    checksums: "{}",
    privates: JSON.stringify(partitions.privates),
  };
}

/** Reads what memory does without at first. */
interface Reads {
  readonly page: (number: number) => StoredPage;
  readonly load: (page: StoredPage) => string[];
  readonly history: () => DeltaHistory;
}

function emptyRoomState(
  room: RoomRow,
  stored: boolean,
  limits: Limits,
  reads: Reads,
  partitions: Partitions,
): RoomState {
  const pageReader = new PageReader(reads.page, reads.load);
  const pages = new PageTable(limits.pageBytes, pageReader);
  return {
    epoch: room.epoch,
    checkpoints: room.checkpoints,
    stored,
    partitions,
    records: new PagedState(pages, partitions),
    authorship: new AuthorshipIndex(limits.maxTombstones, pages),
    handles: new Handles(room.nextHandle),
    pages,
    pageReader,
    clientLog: new ClientLog(),
    history: new LazyHistory(reads.history),
    isDividedAnew: false,
    rev: room.rev,
    flushSeq: room.flushSeq,
    checkpointFlushSeq: room.flushSeq,
    checkpointRev: room.rev,
    journalBytes: 0,
    horizons: Horizons.fromJson(room.horizons),
    storedSegments: new Set(),
  };
}

/**
 * Reads the history behind the flushes that a wake replays. It is worth having, not worth failing for: what does not
 * join on to them is left out.
 */
function readHistory(
  storage: RoomStorage,
  roomState: RoomState,
  { epoch, flushSeq, rev, ringFrom }: RoomRow,
  limits: Limits,
): DeltaHistory {
  storage.assertNewest(roomState.flushSeq, roomState.checkpoints); // what another instance has folded since is of another history
  const segments = Array.from(storage.segments(), loadSegment);
  roomState.storedSegments = new Set(segments);
  let flushes: FlushedDelta[] = [];
  for (const row of storage.ring(ringFrom, flushSeq)) {
    if (row.epoch !== epoch) continue;
    if (flushes.at(-1)?.to !== row.from) flushes = [];
    flushes.push(loadDelta(row));
  }
  if (flushes.at(-1)?.to !== rev) flushes = [];
  const joins = segments.at(-1)?.to === (flushes[0]?.from ?? rev);
  const history = new DeltaHistory(limits, joins ? segments : []);
  for (const flush of flushes) history.push(flush);
  return history;
}

/** No history, of a room whose stored one is divided into other partitions; the next checkpoint deletes that. */
function dropHistory(storage: RoomStorage, roomState: RoomState, limits: Limits): DeltaHistory {
  roomState.storedSegments = new Set(Array.from(storage.segments(), loadSegment));
  return new DeltaHistory(limits);
}

/** What the next checkpoint writes; afterwards call {@link settleCheckpoint}. */
export function makeCheckpoint(roomState: RoomState, forgotten: ForgottenClients): Checkpoint {
  const { segments } = roomState.history;
  roomState.horizons.move(forgotten.owners, roomState.flushSeq);
  return {
    room: {
      epoch: roomState.epoch,
      checkpoints: roomState.checkpoints + 1,
      flushSeq: roomState.flushSeq,
      rev: roomState.rev,
      nextHandle: roomState.handles.next,
      weight: roomState.records.weight,
      ringFrom: roomState.history.ringFrom ?? roomState.rev,
      horizons: roomState.horizons.toJson(),
      tombstones: JSON.stringify(Array.from(roomState.authorship.tombstones(), encodeTombstone)),
      checksums: JSON.stringify(roomState.records.checksums),
      privates: JSON.stringify(roomState.partitions.privates),
    },
    pages: roomState.pages.encodeChanged(roomState),
    clientLog: roomState.clientLog.takeChanged(),
    forgottenClients: forgotten.clientIds,
    writtenSegments: segments.filter((segment) => !roomState.storedSegments.has(segment)),
    removedSegments: Array.from(roomState.storedSegments)
      .filter((stored) => !segments.some((segment) => segment.from === stored.from))
      .map((stored) => stored.from),
  };
}

/** Notes that `checkpoint` is on disk. */
export function settleCheckpoint(roomState: RoomState, checkpoint: Checkpoint): void {
  roomState.checkpoints = checkpoint.room.checkpoints;
  roomState.checkpointFlushSeq = checkpoint.room.flushSeq;
  roomState.checkpointRev = checkpoint.room.rev;
  roomState.journalBytes = 0;
  roomState.storedSegments = new Set(roomState.history.segments);
  roomState.isDividedAnew = false;
}

type TombstoneRow = [collection: string, id: string, rev: number, clientId: string, othersRev: number];

function encodeTombstone([collection, id, author]: readonly [string, string, Authorship]): TombstoneRow {
  return [collection, id, author.rev, author.clientId, author.othersRev];
}

function loadSegment({ from, to, level, body }: StoredSegment): Segment {
  return { from, to, level, body };
}

/** A row's delta as history has it. */
function loadDelta({ flushSeq, from, to, body }: JournalRow): FlushedDelta {
  return { flushSeq, from, to, body };
}

/** Takes in a row that the pages do not have yet. */
function replay(roomState: RoomState, row: JournalRow): void {
  if (row.flushSeq !== roomState.flushSeq + 1 || row.from !== roomState.rev) {
    throw new Error(
      `journal gap: have flush ${roomState.flushSeq} at ${roomState.rev}, got ${row.flushSeq} from ${row.from}`,
    );
  }
  if (row.to > row.from) {
    const { entries } = decodeDelta(row.body);
    const changes = changesOf(entries, row.ids);
    for (const [partition, records] of changes) {
      const collection = collectionOf(partition);
      for (const [id, change] of records) {
        roomState.records.applyOne(collection, id, change);
        roomState.pages.touch(collection, id, change.kind);
      }
    }
    // Behind the pages that these have brought in: those have the handles of before.
    roomState.handles.replay(changes, entries);
    noteAuthors(roomState.authorship, changes, row.authors);
    if (!roomState.isDividedAnew) roomState.history.push(loadDelta(row));
  }
  roomState.clientLog.replay(row.clientLog);
  roomState.flushSeq = row.flushSeq;
  roomState.rev = row.to;
  roomState.journalBytes += rowBytes(row);
}

/** The changes that a flush made, by partition; `ids` are those of the records that it names by handle alone. */
function changesOf(entries: Entries, ids: string): Changes {
  const named = JSON.parse(ids) as string[];
  const changes: Changes = new Map();
  let next = 0;
  for (const [partition, records] of entries) {
    const changed = partitionOf(changes, partition);
    for (const { change, id = named[next++] as string } of records.values()) changed.set(id, change);
  }
  return changes;
}

function noteAuthors(index: AuthorshipIndex, changes: Changes, authors: string): void {
  const decoded = decodeAuthors(authors);
  let next = 0;
  for (const [partition, records] of changes) {
    const collection = collectionOf(partition);
    for (const id of records.keys()) index.set(collection, id, decoded[next++] as Authorship);
  }
  index.settle(changes);
}
