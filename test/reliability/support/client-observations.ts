import { isDeepStrictEqual } from "node:util";
import type { ReadFrame, Result } from "../../support/frames/decoded-frames.ts";
import { longMark, textOf, type Entry, type LedgerJson } from "../rooms/ledger.ts";

/** What a call came to: the revision at which it was committed, or the refusal. */
export type Outcome = Result;

/** `lost`: shown to somebody, and gone. `doubled`: executed twice. `altered`: there, but not as it was told. */
export type Violation = {
  readonly kind: "lost" | "doubled" | "altered";
  readonly text: string;
};

/** Everything that a room has told anybody in its life. Whatever is on its disk later has to agree with all of it. */
export class ClientObservations {
  /** What contradicts itself in what was heard. */
  readonly violations: Violation[] = [];
  #epoch: string | undefined;
  #rev = 0;
  readonly #orders = new Map<string, number>();
  readonly #outcomes = new Map<string, Outcome>();

  /** Calls that were answered. */
  get outcomes(): ReadonlyMap<string, Outcome> {
    return this.#outcomes;
  }

  /** What was told up to now, to be compared with what the room says later. */
  copy(): ClientObservations {
    const copy = new ClientObservations();
    copy.#epoch = this.#epoch;
    copy.#rev = this.#rev;
    for (const [name, order] of this.#orders) copy.#orders.set(name, order);
    for (const [name, outcome] of this.#outcomes) copy.#outcomes.set(name, outcome);
    return copy;
  }

  accuse(kind: Violation["kind"], text: string): void {
    this.violations.push({ kind, text });
  }

  hearEpoch(epoch: string): void {
    if (epoch !== (this.#epoch ??= epoch)) this.accuse("altered", `epoch ${this.#epoch} became ${epoch}`);
  }

  /** Somebody was sent this frame; `names` are those of its client's calls, from `clientReqId` 1 on. */
  hearFrame(frame: ReadFrame, names: readonly string[]): void {
    if (frame.kind === "welcome") this.hearEpoch(frame.epoch);
    if (frame.kind === "snapshot" && frame.collection === "entries") {
      for (const [name, fields] of frame.records) this.hearEntry(name, fields as unknown as Entry);
    }
    if (frame.kind !== "update") return;
    for (const [collection, entries] of frame.delta?.partitions ?? []) {
      if (collection !== "entries") continue;
      for (const entry of entries) {
        if (entry[0] === "put") this.hearEntry(entry[2], entry[3] as unknown as Entry);
      }
    }
    if (frame.delta !== undefined) this.hearRev(frame.delta.to);
    for (const [id, outcome] of frame.outcomes ?? []) {
      this.hearOutcome(names[id - 1] ?? `call ${id}, which nobody has made`, outcome);
    }
  }

  /** Somebody was shown the state at this revision. */
  hearRev(rev: number): void {
    this.#rev = Math.max(this.#rev, rev);
  }

  /** Somebody was shown this entry. */
  hearEntry(name: string, { order, executions }: Entry): void {
    if (executions !== 1) this.accuse("doubled", `${name} was shown as executed ${executions} times`);
    const known = this.#orders.get(name) ?? order;
    if (known !== order) this.accuse("altered", `${name} was shown as number ${known}, then as ${order}`);
    this.#orders.set(name, known);
  }

  /** Somebody was told what became of a call. */
  hearOutcome(name: string, outcome: Outcome): void {
    const known = this.#outcomes.get(name) ?? outcome;
    if (!isDeepStrictEqual(known, outcome)) {
      const both = `${JSON.stringify(known).slice(0, 200)}, then ${JSON.stringify(outcome).slice(0, 200)}`;
      this.accuse("altered", `${name} was told to be ${both}`);
    }
    this.#outcomes.set(name, known);
  }

  /** Compares what was told up to now with what the room says that it is. */
  audit({ epoch, rev, collections }: LedgerJson): Violation[] {
    const found = [...auditEntries(rev, collections.entries), ...auditTexts(collections)];
    const accuse = (kind: Violation["kind"], text: string) => found.push({ kind, text });
    const executions = collections.totals["all"]?.executions ?? 0;
    if (executions !== rev) accuse("altered", `${executions} executions were counted at revision ${rev}`);
    if (this.#epoch !== undefined && this.#epoch !== epoch)
      accuse("altered", `epoch ${this.#epoch} became ${epoch}`);
    if (rev < this.#rev) accuse("lost", `revision ${this.#rev} was shown, the room is at ${rev}`);
    for (const [name, shown] of this.#orders) {
      const order = collections.entries[name]?.order;
      if (order === undefined) accuse("lost", `${name} was shown as number ${shown} and is gone`);
      else if (order !== shown) accuse("altered", `${name} was shown as number ${shown}, is ${order}`);
    }
    for (const [name, outcome] of this.#outcomes) {
      const order = collections.entries[name]?.order;
      const isCommitted = typeof outcome === "number";
      if (isCommitted && order === undefined)
        accuse("lost", `${name} was committed at ${outcome} and is gone`);
      else if (isCommitted && order !== outcome)
        accuse("altered", `${name} was committed at ${outcome}, is number ${order}`);
      else if (!isCommitted && order !== undefined)
        accuse("altered", `${name} was refused and is there as number ${order}`);
    }
    return found;
  }

  /** Compares a room that has answered all of `calls` with those answers: each revision is one call's, and each call is there. */
  settle(truth: LedgerJson, calls: readonly string[]): Violation[] {
    const found = this.audit(truth);
    for (const name of calls) {
      if (!this.#outcomes.has(name)) found.push({ kind: "lost", text: `${name} was never answered` });
    }
    const revs = [...this.#outcomes.values()].filter((outcome) => typeof outcome === "number");
    if (!isCount(revs, truth.rev)) {
      const text = `${revs.length} commits do not take revisions 1 to ${truth.rev}`;
      found.push({ kind: "altered", text });
    }
    const known = new Set(calls);
    for (const name of Object.keys(truth.collections.entries)) {
      if (!known.has(name)) found.push({ kind: "altered", text: `nobody made ${name}` });
    }
    return found;
  }
}

/** Every entry was made by one execution, and they take all numbers from 1 to the revision. */
function auditEntries(rev: number, entries: LedgerJson["collections"]["entries"]): Violation[] {
  const found: Violation[] = [];
  for (const [name, { executions }] of Object.entries(entries)) {
    if (executions !== 1) found.push({ kind: "doubled", text: `${name} was executed ${executions} times` });
  }
  const orders = Object.values(entries).map(({ order }) => order);
  if (!isCount(orders, rev)) {
    const text = `${orders.length} entries do not take numbers 1 to ${rev}`;
    found.push({ kind: "altered", text });
  }
  return found;
}

/** Each writer's text is the one that came with its newest entry that has any. */
function auditTexts({ entries, texts }: LedgerJson["collections"]): Violation[] {
  const found: Violation[] = [];
  const newest = new Map<string, string>();
  for (const [name, { order }] of Object.entries(entries)) {
    if (!name.endsWith(longMark)) continue;
    const writer = name.slice(0, name.indexOf("-"));
    const other = entries[newest.get(writer) ?? ""];
    if (other === undefined || other.order < order) newest.set(writer, name);
  }
  for (const [writer, name] of newest) {
    const text = texts[writer];
    if (text?.entry !== name)
      found.push({ kind: "lost", text: `${writer} has the text of ${text?.entry}, not of ${name}` });
    else if (text.text !== textOf(name, text.text.length))
      found.push({ kind: "altered", text: `the text of ${name} is torn` });
  }
  return found;
}

/** Whether these are the numbers from 1 to `count`, in any order, each once. */
function isCount(numbers: readonly number[], count: number): boolean {
  return (
    numbers.length === count &&
    numbers.toSorted((a, b) => a - b).every((number, index) => number === index + 1)
  );
}
