import type { Flushed } from "../../../src/room/engine/engine.ts";
import { equalJson } from "../../../src/model/json.ts";
import { answerTo } from "../../../src/room/engine/client-log/client-log.ts";
import type { RoomState } from "../../../src/room/storage/room-state.ts";
import type { RecordSource } from "../../../src/model/state.ts";
import { weightDifference } from "../../../src/room/engine/cost/weight.ts";
import type { PlainRecord, PlainState } from "../board.ts";
import { byCollection } from "./handle-book.ts";
import type { Ledger } from "./ledger.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { RecordNames } from "../../support/frames/record-names.ts";
import { applyPlainly, differenceOf } from "./plain-state.ts";

export type DiskState = RoomState;

const collections = ["shapes", "notes", "tallies"];

/** Where a memory does not say what the ledger says of everything that was ever written. */
export function stateProblems(roomState: RoomState, ledger: Ledger): string[] {
  const problems: string[] = [];
  if (roomState.stored && roomState.epoch !== ledger.epoch)
    problems.push(`the epoch is ${roomState.epoch}, not ${ledger.epoch}`);
  if (roomState.flushSeq !== ledger.n || roomState.rev !== ledger.rev)
    problems.push(`flush ${roomState.flushSeq} led to ${roomState.rev}, not ${ledger.n} to ${ledger.rev}`);
  const difference = differenceOf(contentOf(roomState), ledger.state);
  const weight = weightOfAll(roomState);
  if (roomState.records.weight !== weight)
    problems.push(`the records weigh ${weight}, and the room counts ${roomState.records.weight}`);
  if (difference !== undefined) problems.push(`revision ${roomState.rev} differs: ${difference}`);
  if (roomState.clientLog.size !== ledger.clientLog.size)
    problems.push(`${roomState.clientLog.size} clientLog are known, not ${ledger.clientLog.size}`);
  for (const [clientId, { lastCallId, outcomes }] of ledger.clientLog) {
    const known = roomState.clientLog.get(clientId);
    if (known?.lastCallId !== lastCallId) {
      problems.push(`${clientId}'s mark is ${known?.lastCallId}, not ${lastCallId}`);
      continue;
    }
    for (let id = known.confirmed + 1; id <= lastCallId; id++) {
      const answer = answerTo(known, id);
      if (answer === undefined) problems.push(`the outcome of call ${id} of ${clientId} is lost`);
      else if (JSON.stringify(resultOf(answer[1])) !== outcomes.get(id)?.text)
        problems.push(`the outcome of call ${id} of ${clientId} is another`);
    }
  }
  return [...problems, ...historyProblems(roomState, ledger)];
}

function resultOf(outcome: { readonly kind: string; readonly rev?: number } | undefined): unknown {
  const { kind: _, ...result } = outcome ?? { kind: "" };
  return result.rev ?? result;
}

/** Where a delta does not lead from the state at its revision to the newest. */
function historyProblems(roomState: RoomState, ledger: Ledger): string[] {
  const problems: string[] = [];
  for (const [rev, state] of ledger.states) {
    if (rev >= roomState.rev) continue;
    const delta = roomState.history.since(rev);
    if (delta === undefined) {
      if (rev >= roomState.checkpointRev)
        problems.push(`there is no delta from ${rev}, though no page holds it`);
      continue;
    }
    const read = byCollection(readDelta(delta.body));
    const { from, to } = read;
    const reached = new Map(state);
    const lead = () => {
      if (from > rev || to !== roomState.rev) return `it goes from ${from} to ${to}`;
      const changes = new RecordNames(ledger.names.get(rev)).take(read);
      return applyPlainly(reached, changes) ?? differenceOf(reached, ledger.state);
    };
    const problem = textOfThrown(lead);
    if (problem !== undefined) problems.push(`the delta from ${rev} leads elsewhere: ${problem}`);
  }
  return problems;
}

function textOfThrown(run: () => string | undefined): string | undefined {
  try {
    return run();
  } catch (error) {
    return String(error);
  }
}

/** Where a room's memory is not what another instance would read from disk, of its records only if they are to be read. */
export function reloadProblems(roomState: RoomState, reloaded: RoomState, withRecords: boolean): string[] {
  const [before, after] = [roomState, reloaded].map((one) => ({
    ...factsOf(one),
    ...(withRecords && recordsOf(one)),
  })) as [Facts, Facts];
  return Object.keys(before)
    .filter((fact) => JSON.stringify(before[fact]) !== JSON.stringify(after[fact]))
    .map(
      (fact) => `${fact}: ${JSON.stringify(before[fact])} in memory, ${JSON.stringify(after[fact])} on disk`,
    );
}

/** Where the state that anyone may read is not the one on disk. */
export function readProblem({ rev, records }: Flushed, onDisk: RoomState): string | undefined {
  if (rev !== onDisk.rev) return `it is of revision ${rev}, and the disk has ${onDisk.rev}`;
  const idsOf = (source: RecordSource) => JSON.stringify(collections.map((name) => source.ids(name)));
  if (idsOf(records) !== idsOf(onDisk.records))
    return `it lists ${idsOf(records)}, and the disk has ${idsOf(onDisk.records)}`;
  for (const name of collections) {
    for (const id of onDisk.records.ids(name)) {
      const [read, stored] = [records.get(name, id), onDisk.records.get(name, id)];
      if (!equalJson(read, stored))
        return `${name} ${id} is ${JSON.stringify(read)}, and on disk ${JSON.stringify(stored)}`;
    }
  }
  return undefined;
}

type Facts = { readonly [fact: string]: unknown };

/** All of a memory but its records, history and client log, for comparing. */
function factsOf(roomState: RoomState): Facts {
  const { epoch, stored, rev, flushSeq, checkpoints, checkpointFlushSeq, checkpointRev, journalBytes } =
    roomState;
  return {
    numbers: {
      epoch,
      stored,
      rev,
      n: flushSeq,
      checkpoints,
      checkpointN: checkpointFlushSeq,
      checkpointRev,
      journalBytes,
    },
    horizons: roomState.horizons.toJson(),
    checksums: collections.map((name) => roomState.records.checksum(name)),
    weight: roomState.records.weight,
    nextHandle: roomState.handles.next,
    tombstones: [...roomState.authorship.tombstones()],
    pages: { bytes: roomState.pages.bytes, ranges: [...roomState.pages.ranges()] },
  };
}

function recordsOf({ records, authorship, handles }: RoomState): Facts {
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
  return {
    content: collections.map((name) => records.ids(name).map((id) => [id, records.get(name, id)])),
    handles: collections.map((name) => records.ids(name).map((id) => handles.get(name, id))),
    authors: collections.map((name) =>
      (name === "shapes" ? ids : records.ids(name)).map((id) => {
        const author = authorship.get(name, id);
        return author && [id, author.rev, author.clientId, author.othersRev];
      }),
    ),
  };
}

function weightOfAll({ records }: RoomState): number {
  let weight = 0;
  for (const name of collections)
    for (const id of records.ids(name)) weight += weightDifference(id, undefined, records.get(name, id));
  return weight;
}

function contentOf(roomState: RoomState): PlainState {
  const content = new Map<string, PlainRecord>();
  for (const name of collections) {
    for (const id of roomState.records.ids(name))
      content.set(`${name}/${id}`, roomState.records.get(name, id) as PlainRecord);
  }
  return content;
}
