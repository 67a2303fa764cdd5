import { AuthorshipIndex, decodeAuthors, type Authorship } from "../engine/authorship.ts";
import { sectionOf, type Changes } from "../../model/changes.ts";
import { collectionOf, Sections } from "../visibility/partitions.ts";
import type { Checksums } from "../../model/checksum.ts";
import { decodeDelta, type Entries } from "../../protocol/encoding/delta.ts";
import { Handles } from "./handles.ts";
import { Horizons } from "../engine/horizons.ts";
import type { EngineState, FlushedDelta } from "../engine/engine-state.ts";
import { History, type Segment } from "./history.ts";
import { LazyHistory } from "./lazy-history.ts";
import type { Limits } from "../limits.ts";
import { Marks, type ForgottenMarks } from "../engine/client-log.ts";
import { loadPage, PageTable } from "./page-table.ts";
import { PageReader } from "./page-reader.ts";
import { PagedState } from "./paged-state.ts";
import { rowBytes, type JournalRow } from "../engine/journal-row.ts";
import type { Checkpoint, RoomRow, RoomStorage, StoredPage, StoredSegment } from "./room-storage.ts";

/** Everything that a room knows, and nothing that storage could not tell again. */
export interface Memory extends EngineState {
  epoch: string;
  /** Checkpoints ever written. */
  checkpoints: number;
  /** Whether storage knows of this room yet. */
  stored: boolean;
  readonly sections: Sections;
  readonly state: PagedState;
  readonly authorship: AuthorshipIndex;
  readonly handles: Handles;
  readonly pages: PageTable;
  /** Through which `state`, `authorship` and `pages` take in what only storage has. */
  readonly pageReader: PageReader;
  readonly marks: Marks;
  readonly history: LazyHistory;
  /** Storage divides the collections into other sections: history is of no use, and a checkpoint is due before anything else. */
  isDividedAnew: boolean;
  /** Revision of the newest commit, flushed or not. */
  rev: number;
  /** Number of the last flush. */
  n: number;
  /** The last flush and revision that the pages in storage hold. */
  checkpointN: number;
  checkpointRev: number;
  /** Bytes of journal written since. */
  journalBytes: number;
  /** When marks were last forgotten. */
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
  sections = new Sections([]),
): Memory {
  const room = storage.room();
  if (room === undefined) {
    const nothing = { page: nothingStored, load: () => [], history: () => new History(limits) };
    return emptyMemory(newRoomRow(newEpoch(), sections), false, limits, nothing, sections);
  }
  const memory: Memory = emptyMemory(
    room,
    true,
    limits,
    {
      page: (number) => storage.page(number, memory.checkpoints),
      load: (page) => loadPage(page, memory),
      history: () =>
        memory.isDividedAnew
          ? dropHistory(storage, memory, limits)
          : readHistory(storage, memory, room, limits),
    },
    sections,
  );
  memory.pages.list(storage.pages());
  memory.state.loadChecksums(JSON.parse(room.checksums) as Checksums);
  memory.state.loadWeight(room.weight);
  memory.isDividedAnew = room.privates !== JSON.stringify(sections.privates);
  for (const [collection, id, rev, actor, othersRev] of JSON.parse(room.tombstones) as TombstoneRow[]) {
    memory.authorship.loadTombstone(collection, id, { rev, actor, othersRev });
  }
  for (const mark of storage.marks()) memory.marks.load(mark);
  for (const row of storage.journal(room.n)) {
    if (row.epoch === memory.epoch) replay(memory, row); // others are left over from before a restore
  }
  if (memory.isDividedAnew) divideAnew(memory, JSON.parse(room.privates) as readonly string[]);
  return memory;
}

function nothingStored(number: number): never {
  throw new Error(`page ${number} of a room that was never stored`);
}

/** Takes the checksums over that are of the same records as before, and adds up the others. */
function divideAnew({ state, sections }: Memory, before: readonly string[]): void {
  for (const name of sections.privates) state.loadChecksums({ [name]: 0 });
  for (const name of before) if (!sections.isPrivate(name)) state.recount(name);
}

/** The row of a room in which nothing has happened. */
export function newRoomRow(epoch: string, sections: Sections): RoomRow {
  return {
    epoch,
    checkpoints: 0,
    n: 0,
    rev: 0,
    nextHandle: 0,
    weight: 0,
    ringFrom: 0,
    horizons: new Horizons().toJson(),
    tombstones: "[]",
    checksums: "{}",
    privates: JSON.stringify(sections.privates),
  };
}

/** Reads what memory does without at first. */
interface Reads {
  readonly page: (number: number) => StoredPage;
  readonly load: (page: StoredPage) => string[];
  readonly history: () => History;
}

function emptyMemory(
  room: RoomRow,
  stored: boolean,
  limits: Limits,
  reads: Reads,
  sections: Sections,
): Memory {
  const pageReader = new PageReader(reads.page, reads.load);
  const pages = new PageTable(limits.pageBytes, pageReader);
  return {
    epoch: room.epoch,
    checkpoints: room.checkpoints,
    stored,
    sections,
    state: new PagedState(pages, sections),
    authorship: new AuthorshipIndex(limits.maxTombstones, pages),
    handles: new Handles(room.nextHandle),
    pages,
    pageReader,
    marks: new Marks(),
    history: new LazyHistory(reads.history),
    isDividedAnew: false,
    rev: room.rev,
    n: room.n,
    checkpointN: room.n,
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
  memory: Memory,
  { epoch, n, rev, ringFrom }: RoomRow,
  limits: Limits,
): History {
  storage.assertNewest(memory.n, memory.checkpoints); // what another instance has folded since is of another history
  const segments = Array.from(storage.segments(), loadSegment);
  memory.storedSegments = new Set(segments);
  let flushes: FlushedDelta[] = [];
  for (const row of storage.ring(ringFrom, n)) {
    if (row.epoch !== epoch) continue;
    if (flushes.at(-1)?.to !== row.from) flushes = [];
    flushes.push(loadDelta(row));
  }
  if (flushes.at(-1)?.to !== rev) flushes = [];
  const joins = segments.at(-1)?.to === (flushes[0]?.from ?? rev);
  const history = new History(limits, joins ? segments : []);
  for (const flush of flushes) history.push(flush);
  return history;
}

/** No history, of a room whose stored one is divided into other sections; the next checkpoint deletes that. */
function dropHistory(storage: RoomStorage, memory: Memory, limits: Limits): History {
  memory.storedSegments = new Set(Array.from(storage.segments(), loadSegment));
  return new History(limits);
}

/** What the next checkpoint writes; afterwards call {@link settleCheckpoint}. */
export function makeCheckpoint(memory: Memory, forgotten: ForgottenMarks): Checkpoint {
  const { segments } = memory.history;
  memory.horizons.move(forgotten.owners, memory.n);
  return {
    room: {
      epoch: memory.epoch,
      checkpoints: memory.checkpoints + 1,
      n: memory.n,
      rev: memory.rev,
      nextHandle: memory.handles.next,
      weight: memory.state.weight,
      ringFrom: memory.history.ringFrom ?? memory.rev,
      horizons: memory.horizons.toJson(),
      tombstones: JSON.stringify(Array.from(memory.authorship.tombstones(), encodeTombstone)),
      checksums: JSON.stringify(memory.state.checksums),
      privates: JSON.stringify(memory.sections.privates),
    },
    pages: memory.pages.encodeChanged(memory),
    marks: memory.marks.takeChanged(),
    forgottenMarks: forgotten.actors,
    writtenSegments: segments.filter((segment) => !memory.storedSegments.has(segment)),
    removedSegments: Array.from(memory.storedSegments)
      .filter((stored) => !segments.some((segment) => segment.from === stored.from))
      .map((stored) => stored.from),
  };
}

/** Notes that `checkpoint` is on disk. */
export function settleCheckpoint(memory: Memory, checkpoint: Checkpoint): void {
  memory.checkpoints = checkpoint.room.checkpoints;
  memory.checkpointN = checkpoint.room.n;
  memory.checkpointRev = checkpoint.room.rev;
  memory.journalBytes = 0;
  memory.storedSegments = new Set(memory.history.segments);
  memory.isDividedAnew = false;
}

type TombstoneRow = [collection: string, id: string, rev: number, actor: string, othersRev: number];

function encodeTombstone([collection, id, author]: readonly [string, string, Authorship]): TombstoneRow {
  return [collection, id, author.rev, author.actor, author.othersRev];
}

function loadSegment({ from, to, level, body }: StoredSegment): Segment {
  return { from, to, level, body };
}

/** A row's delta as history has it. */
function loadDelta({ n, from, to, body }: JournalRow): FlushedDelta {
  return { n, from, to, body };
}

/** Takes in a row that the pages do not have yet. */
function replay(memory: Memory, row: JournalRow): void {
  if (row.n !== memory.n + 1 || row.from !== memory.rev) {
    throw new Error(`journal gap: have flush ${memory.n} at ${memory.rev}, got ${row.n} from ${row.from}`);
  }
  if (row.to > row.from) {
    const { entries } = decodeDelta(row.body);
    const changes = changesOf(entries, row.ids);
    for (const [section, records] of changes) {
      const collection = collectionOf(section);
      for (const [id, change] of records) {
        memory.state.applyOne(collection, id, change);
        memory.pages.touch(collection, id, change.kind);
      }
    }
    // Behind the pages that these have brought in: those have the handles of before.
    memory.handles.replay(changes, entries);
    noteAuthors(memory.authorship, changes, row.authors);
    if (!memory.isDividedAnew) memory.history.push(loadDelta(row));
  }
  memory.marks.replay(row.marks);
  memory.n = row.n;
  memory.rev = row.to;
  memory.journalBytes += rowBytes(row);
}

/** The changes that a flush made, by section; `ids` are those of the records that it names by handle alone. */
function changesOf(entries: Entries, ids: string): Changes {
  const named = JSON.parse(ids) as string[];
  const changes: Changes = new Map();
  let next = 0;
  for (const [section, records] of entries) {
    const changed = sectionOf(changes, section);
    for (const { change, id = named[next++] as string } of records.values()) changed.set(id, change);
  }
  return changes;
}

function noteAuthors(index: AuthorshipIndex, changes: Changes, authors: string): void {
  const decoded = decodeAuthors(authors);
  let next = 0;
  for (const [section, records] of changes) {
    const collection = collectionOf(section);
    for (const id of records.keys()) index.set(collection, id, decoded[next++] as Authorship);
  }
  index.settle(changes);
}
