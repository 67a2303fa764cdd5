import type { ReadFrame, ReadPart, ReadUpdate } from "../../support/frames/decoded-frames.ts";
import { RecordNames } from "../../support/frames/record-names.ts";
import { shownTo, type PlainRecord, type PlainState } from "../board.ts";
import { applyPlainly, differenceOf } from "./plain-state.ts";
import type { Histories } from "./ledger.ts";
import type { Stage } from "../stage.ts";

class Arriving {
  readonly state = new Map<string, PlainRecord>();
  readonly names = new RecordNames();
  parts = 0;
}

/**
 * What a page must have by the frames that have reached it: docs/PROTOCOL.md once more, beside the client that is
 * tested. Every state that it comes to is compared with the one that disk has at that revision.
 */
export class ProtocolCopy {
  epoch: string | null = null;
  rev = 0;
  state: PlainState = new Map();
  #names = new RecordNames();
  readonly #stage: Stage;
  readonly #histories: Histories;
  readonly #owner: string | undefined;
  /** Whose calls the frames are answers to. */
  #clientId = "";
  #greetedEpoch: string | null = null;
  #arriving: Arriving | undefined;
  #awaitedTag: number | undefined = 0;

  /** `owner`: whose notes it is shown, undefined for everybody's. */
  constructor(stage: Stage, histories: Histories, owner: string | undefined) {
    this.#owner = owner;
    this.#stage = stage;
    this.#histories = histories;
  }

  /** A hello of `client id` has gone out: what is taken in next is the reply to it. */
  reconnect(clientId: string): void {
    this.#clientId = clientId;
    this.#awaitedTag = 0;
  }

  /** The client shows a base that was kept. */
  restore(epoch: string, rev: number): void {
    const history = this.#histories.of(epoch);
    this.epoch = epoch;
    this.rev = rev;
    this.state = shownTo(this.#owner, history?.states.get(rev) ?? new Map());
    this.#names = new RecordNames(history?.names.get(rev));
  }

  /** The client sends calls. */
  push(): void {
    if (this.#awaitedTag === 0) this.#fail("calls leave before the reply to the hello has come");
  }

  /** The client has asked for a catch-up. */
  resync(tag: number): void {
    this.#stage.fail(`${this.#clientId} had to ask for a catch-up at ${this.rev}`);
    this.#awaitedTag = tag;
  }

  take(frame: ReadFrame): void {
    if (frame.kind === "welcome") this.#greetedEpoch = frame.epoch;
    else if (frame.kind === "snapshot") this.#takePart(frame);
    else if (frame.kind === "update") this.#takeUpdate(frame);
  }

  #takePart({ part, collection, from, until, records }: ReadPart): void {
    if (part === 0) this.#arriving = new Arriving();
    const arriving = this.#arriving;
    if (arriving === undefined || arriving.parts !== part)
      return this.#fail(`part ${part} of a snapshot follows ${arriving?.parts ?? "none"}`);
    const isInRange = (id: string) => id >= from && (until === null || id < until);
    for (const key of arriving.state.keys()) {
      const slash = key.indexOf("/");
      if (key.slice(0, slash) === collection && isInRange(key.slice(slash + 1))) arriving.state.delete(key);
    }
    for (const [id, record, handle] of records) {
      if (!isInRange(id)) this.#fail(`${id} is in a part from ${from} until ${until}`);
      arriving.state.set(`${collection}/${id}`, record);
      this.#attempt(() => arriving.names.name(collection, id, handle));
    }
    arriving.parts += 1;
  }

  #takeUpdate({ tag, parts, delta, lastCallId }: ReadUpdate): void {
    if (this.#awaitedTag !== undefined && tag !== this.#awaitedTag) return;
    if (tag !== undefined) this.#awaitedTag = undefined;
    if (delta !== undefined) {
      const { from, to } = delta;
      const isSnapshot = parts !== undefined;
      if (!isSnapshot && (this.epoch === null || from > this.rev))
        return this.#fail(`a delta from ${from} meets revision ${this.rev}`);
      const base = isSnapshot ? this.#finish(parts) : new Map(this.state);
      if (isSnapshot || to > this.rev) {
        const changes = this.#attempt(() => this.#names.take(delta));
        const problem = applyPlainly(base, changes ?? {});
        if (problem !== undefined) this.#fail(problem);
        this.#reach(to, base, isSnapshot);
      }
    }
    if (lastCallId !== undefined) this.#judgeLastCallId(lastCallId);
  }

  #finish(parts: number): Map<string, PlainRecord> {
    const arriving = parts === 0 ? new Arriving() : this.#arriving;
    this.#arriving = undefined;
    this.#names = arriving?.names ?? new RecordNames();
    if (arriving?.parts === parts) return arriving.state;
    this.#fail(`a snapshot of ${parts} parts has ${arriving?.parts}`);
    return new Map();
  }

  #reach(rev: number, state: PlainState, isSnapshot: boolean): void {
    if (isSnapshot && this.epoch === this.#greetedEpoch && rev < this.rev)
      this.#fail(`revision ${rev} comes after ${this.rev} in one epoch`);
    if (isSnapshot) this.epoch = this.#greetedEpoch;
    else if (this.epoch !== this.#greetedEpoch) this.#fail("a delta of another epoch");
    this.rev = rev;
    this.state = state;
    const expected = this.#histories.of(this.epoch ?? "")?.states.get(rev);
    if (expected === undefined) return this.#fail(`revision ${rev} is no end of a flush of ${this.epoch}`);
    const difference = differenceOf(state, shownTo(this.#owner, expected));
    if (difference !== undefined) this.#fail(`at revision ${rev} ${difference}`);
  }

  /** A mark says which calls are in the state: no fewer, and no more. */
  #judgeLastCallId(lastCallId: number): void {
    const outcomes = this.#histories.of(this.epoch ?? "")?.clientLog.get(this.#clientId)?.outcomes;
    for (const [id, { to, isAccepted }] of outcomes ?? []) {
      if (isAccepted && id <= lastCallId && to > this.rev)
        this.#fail(`mark ${lastCallId} counts call ${id}, which is in ${to} and not in ${this.rev}`);
      if (isAccepted && id > lastCallId && to <= this.rev)
        this.#fail(`mark ${lastCallId} leaves call ${id} out, which is in ${to} and so in ${this.rev}`);
    }
  }

  #attempt<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#fail(String(error));
      return undefined;
    }
  }

  #fail(what: string): void {
    this.#stage.fail(`${this.#clientId}: ${what}`);
  }
}
