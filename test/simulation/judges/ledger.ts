import type { Checkpoint, RoomRow } from "../../../src/room/storage/room-storage.ts";
import type { JournalRow } from "../../../src/room/engine/journal-row.ts";
import type { PlainRecord, PlainState } from "../board.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { RecordNames, type NamedChanges } from "../../support/frames/record-names.ts";
import { readRowClients } from "../../support/frames/journal-rows.ts";
import { HandleBook } from "./handle-book.ts";
import { applyPlainly } from "./plain-state.ts";

/** What became of a call: the text of its revision or refusal, as frames carry it, and where its row ends. */
interface DurableOutcome {
  readonly text: string;
  readonly isAccepted: boolean;
  /** Of the call that had the id. */
  readonly callHash: number;
  readonly to: number;
  /** The flush. */
  readonly n: number;
}

/** A client's calls that are on disk. */
interface DurableClient {
  lastCallId: number;
  readonly outcomes: Map<number, DurableOutcome>;
}

/** One history as disk has it: what was written, by whichever instance, and nothing that any instance says of it. */
export class Ledger {
  epoch = "";
  /** The last flush and the revision that it led to. */
  n = 0;
  rev = 0;
  /** By the revisions at which a flush ended. */
  readonly states: Map<number, PlainState>;
  /** By the same revisions, what a client knows of handles. */
  readonly names: Map<number, RecordNames>;
  readonly #handles: HandleBook;
  /** By client id. */
  readonly clientLog: Map<string, DurableClient>;
  /** Every text ever written for a call, by `client id#id`: more than one only when the client was forgotten between. */
  readonly texts: Map<string, Set<string>>;
  /** By token: the flush in which the call was executed. */
  readonly tokens: Map<string, { readonly from: number; readonly to: number }>;
  /** Who committed a revision. */
  readonly clientIds: Map<number, string>;
  /** Calls of a backend whose mark was forgotten: made again, they are executed again. */
  readonly repeatable: Set<string>;

  constructor(other?: Ledger) {
    this.epoch = other?.epoch ?? "";
    this.n = other?.n ?? 0;
    this.rev = other?.rev ?? 0;
    this.states = new Map<number, PlainState>(other?.states ?? new Map([[0, new Map()]]));
    this.names = new Map(other?.names ?? new Map([[0, new RecordNames()]]));
    this.#handles = other === undefined ? new HandleBook() : other.#handles.copy();
    this.clientLog = new Map(
      Array.from(other?.clientLog ?? [], ([clientId, { lastCallId, outcomes }]) => {
        return [clientId, { lastCallId, outcomes: new Map(outcomes) }];
      }),
    );
    this.texts = new Map(Array.from(other?.texts ?? [], ([key, texts]) => [key, new Set(texts)]));
    this.tokens = new Map(other?.tokens);
    this.clientIds = new Map(other?.clientIds);
    this.repeatable = new Set(other?.repeatable);
  }

  get state(): PlainState {
    return this.states.get(this.rev) as PlainState;
  }

  created({ epoch }: RoomRow): void {
    this.epoch = epoch;
  }

  /** Takes in a row that was written. Answers what is wrong with it. */
  appended(row: JournalRow): string | undefined {
    if (row.flushSeq !== this.n + 1) return `row ${row.flushSeq} follows row ${this.n}`;
    if (row.from !== this.rev || row.to < row.from)
      return `row ${row.flushSeq} goes from ${row.from} to ${row.to}, disk was at ${this.rev}`;
    if (row.epoch !== this.epoch)
      return `row ${row.flushSeq} is of epoch ${row.epoch}, disk is at ${this.epoch}`;
    this.n = row.flushSeq;
    this.rev = row.to;
    return this.#takeClientLog(row) ?? this.#takeChanges(row);
  }

  checkpointed({ room, forgottenClients }: Checkpoint): string | undefined {
    this.epoch = room.epoch;
    for (const clientId of forgottenClients) {
      this.clientLog.delete(clientId);
      if (clientId.startsWith("rpc:")) this.repeatable.add(clientId.slice("rpc:".length));
    }
    if (room.flushSeq === this.n && room.rev === this.rev) return undefined;
    return `a checkpoint of flush ${room.flushSeq} at ${room.rev}, disk is at ${this.n} and ${this.rev}`;
  }

  #takeClientLog(row: JournalRow): string | undefined {
    const committed = new Set<number>();
    for (const { clientId, answers } of readRowClients(row.clientLog).clientLog) {
      let known = this.clientLog.get(clientId);
      if (known === undefined) this.clientLog.set(clientId, (known = { lastCallId: 0, outcomes: new Map() }));
      for (const [id, outcome, callHash] of answers) {
        if (id !== known.lastCallId + 1)
          return `call ${id} of ${clientId} was executed, its mark was ${known.lastCallId}`;
        known.lastCallId = id;
        const rev = typeof outcome === "number" ? outcome : undefined;
        const { kind: _, ...refusal } = typeof outcome === "number" ? { kind: "" } : outcome;
        const text = JSON.stringify(rev ?? refusal);
        known.outcomes.set(id, {
          text,
          isAccepted: rev !== undefined,
          callHash,
          to: row.to,
          n: row.flushSeq,
        });
        this.#noteText(`${clientId}#${id}`, text);
        if (rev === undefined) continue;
        if (rev <= row.from || rev > row.to || committed.has(rev))
          return `call ${id} of ${clientId} came to ${rev}, in a row from ${row.from} to ${row.to}`;
        committed.add(rev);
        this.clientIds.set(rev, clientId);
      }
    }
    return undefined;
  }

  #noteText(key: string, text: string): void {
    const texts = this.texts.get(key);
    if (texts === undefined) this.texts.set(key, new Set([text]));
    else texts.add(text);
  }

  #takeChanges(row: JournalRow): string | undefined {
    const before = this.states.get(row.from) as PlainState;
    const state = new Map(before);
    const delta = readDelta(row.body);
    const { from, to } = delta;
    if (from !== row.from || to !== row.to)
      return `the body of row ${row.flushSeq} goes from ${from} to ${to}`;
    let changes: NamedChanges;
    try {
      changes = this.#handles.take(delta, JSON.parse(row.ids) as string[]);
    } catch (error) {
      return `in row ${row.flushSeq} ${String(error)}`;
    }
    const problem = applyPlainly(state, changes);
    this.states.set(row.to, state);
    this.names.set(row.to, new RecordNames(this.#handles.names));
    if (problem !== undefined) return `in row ${row.flushSeq} ${problem}`;
    for (const [, key] of changes["tallies"] ?? []) {
      const newProblem = this.#takeTokens(
        row,
        before.get(`tallies/${key}`),
        state.get(`tallies/${key}`) as PlainRecord,
      );
      if (newProblem !== undefined) return newProblem;
    }
    return undefined;
  }

  #takeTokens(row: JournalRow, before: PlainRecord | undefined, after: PlainRecord): string | undefined {
    const old = (before?.["tokens"] as string | undefined)?.split(" ") ?? [];
    const tokens = (after["tokens"] as string).split(" ");
    if (old.some((token, index) => token !== tokens[index]))
      return `row ${row.flushSeq} forgets tokens: ${old.join(" ")} became ${tokens.join(" ")}`;
    for (const token of tokens.slice(old.length)) {
      if (this.tokens.has(token) && !this.repeatable.has(token))
        return `call ${token} was executed in row ${row.flushSeq} once more`;
      this.tokens.set(token, { from: row.from, to: row.to });
    }
    return undefined;
  }
}

/** The one history that disk has now, and those that a restore has ended. */
export class Histories {
  current = new Ledger();
  readonly #ofEpochs = new Map<string, Ledger>();

  /** Call it whenever the current one may have got another epoch. */
  noteEpoch(): void {
    this.#ofEpochs.set(this.current.epoch, this.current);
  }

  /** An epoch as somebody knows it who is not shown everything says behind a tilde what they are. */
  of(epoch: string): Ledger | undefined {
    return this.#ofEpochs.get(epoch.split("~")[0] as string);
  }
}
