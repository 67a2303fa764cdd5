import type { Flushed } from "../../../src/room/engine/engine.ts";
import { equalJson } from "../../../src/model/json.ts";
import { answerTo } from "../../../src/room/engine/client-log.ts";
import type { Memory } from "../../../src/room/storage/room-state.ts";
import type { Source } from "../../../src/model/state.ts";
import { weightDifference } from "../../../src/room/engine/weight.ts";
import type { PlainRecord, PlainState } from "../board.ts";
import { byCollection } from "./handle-book.ts";
import type { Ledger } from "./ledger.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { RecordNames } from "../../support/frames/record-names.ts";
import { applyPlainly, differenceOf } from "./plain-state.ts";

export type DiskMemory = Memory;

const collections = ["shapes", "notes", "tallies"];

/** Where a memory does not say what the ledger says of everything that was ever written. */
export function memoryProblems(memory: Memory, ledger: Ledger): string[] {
  const problems: string[] = [];
  if (memory.stored && memory.epoch !== ledger.epoch)
    problems.push(`the epoch is ${memory.epoch}, not ${ledger.epoch}`);
  if (memory.n !== ledger.n || memory.rev !== ledger.rev)
    problems.push(`flush ${memory.n} led to ${memory.rev}, not ${ledger.n} to ${ledger.rev}`);
  const difference = differenceOf(contentOf(memory), ledger.state);
  const weight = weightOfAll(memory);
  if (memory.state.weight !== weight)
    problems.push(`the records weigh ${weight}, and the room counts ${memory.state.weight}`);
  if (difference !== undefined) problems.push(`revision ${memory.rev} differs: ${difference}`);
  if (memory.marks.size !== ledger.marks.size)
    problems.push(`${memory.marks.size} marks are known, not ${ledger.marks.size}`);
  for (const [actor, { mark, outcomes }] of ledger.marks) {
    const known = memory.marks.get(actor);
    if (known?.mark !== mark) {
      problems.push(`${actor}'s mark is ${known?.mark}, not ${mark}`);
      continue;
    }
    for (let id = known.confirmed + 1; id <= mark; id++) {
      const answer = answerTo(known, id);
      if (answer === undefined) problems.push(`the outcome of call ${id} of ${actor} is lost`);
      else if (JSON.stringify(resultOf(answer[1])) !== outcomes.get(id)?.text)
        problems.push(`the outcome of call ${id} of ${actor} is another`);
    }
  }
  return [...problems, ...historyProblems(memory, ledger)];
}

function resultOf(outcome: { readonly kind: string; readonly rev?: number } | undefined): unknown {
  const { kind: _, ...result } = outcome ?? { kind: "" };
  return result.rev ?? result;
}

/** Where a delta does not lead from the state at its revision to the newest. */
function historyProblems(memory: Memory, ledger: Ledger): string[] {
  const problems: string[] = [];
  for (const [rev, state] of ledger.states) {
    if (rev >= memory.rev) continue;
    const delta = memory.history.since(rev);
    if (delta === undefined) {
      if (rev >= memory.checkpointRev)
        problems.push(`there is no delta from ${rev}, though no page holds it`);
      continue;
    }
    const read = byCollection(readDelta(delta.body));
    const { from, to } = read;
    const reached = new Map(state);
    const lead = () => {
      if (from > rev || to !== memory.rev) return `it goes from ${from} to ${to}`;
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
export function reloadProblems(memory: Memory, reloaded: Memory, withRecords: boolean): string[] {
  const [before, after] = [memory, reloaded].map((one) => ({
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
export function readProblem({ rev, state }: Flushed, onDisk: Memory): string | undefined {
  if (rev !== onDisk.rev) return `it is of revision ${rev}, and the disk has ${onDisk.rev}`;
  const idsOf = (source: Source) => JSON.stringify(collections.map((name) => source.ids(name)));
  if (idsOf(state) !== idsOf(onDisk.state))
    return `it lists ${idsOf(state)}, and the disk has ${idsOf(onDisk.state)}`;
  for (const name of collections) {
    for (const id of onDisk.state.ids(name)) {
      const [read, stored] = [state.get(name, id), onDisk.state.get(name, id)];
      if (!equalJson(read, stored))
        return `${name} ${id} is ${JSON.stringify(read)}, and on disk ${JSON.stringify(stored)}`;
    }
  }
  return undefined;
}

type Facts = { readonly [fact: string]: unknown };

/** All of a memory but its records, history and marks, for comparing. */
function factsOf(memory: Memory): Facts {
  const { epoch, stored, rev, n, checkpoints, checkpointN, checkpointRev, journalBytes } = memory;
  return {
    numbers: { epoch, stored, rev, n, checkpoints, checkpointN, checkpointRev, journalBytes },
    horizons: memory.horizons.toJson(),
    checksums: collections.map((name) => memory.state.checksum(name)),
    weight: memory.state.weight,
    nextHandle: memory.handles.next,
    tombstones: [...memory.authorship.tombstones()],
    pages: { bytes: memory.pages.bytes, ranges: [...memory.pages.ranges()] },
  };
}

function recordsOf({ state, authorship, handles }: Memory): Facts {
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
  return {
    content: collections.map((name) => state.ids(name).map((id) => [id, state.get(name, id)])),
    handles: collections.map((name) => state.ids(name).map((id) => handles.get(name, id))),
    authors: collections.map((name) =>
      (name === "shapes" ? ids : state.ids(name)).map((id) => {
        const author = authorship.get(name, id);
        return author && [id, author.rev, author.actor, author.othersRev];
      }),
    ),
  };
}

function weightOfAll({ state }: Memory): number {
  let weight = 0;
  for (const name of collections)
    for (const id of state.ids(name)) weight += weightDifference(id, undefined, state.get(name, id));
  return weight;
}

function contentOf(memory: Memory): PlainState {
  const content = new Map<string, PlainRecord>();
  for (const name of collections) {
    for (const id of memory.state.ids(name))
      content.set(`${name}/${id}`, memory.state.get(name, id) as PlainRecord);
  }
  return content;
}
