import { isDeepStrictEqual } from "node:util";
import type { ReadFrame } from "../../support/frames/decoded-frames.ts";
import type { StoredClient, StoredRoom } from "./stored-room.ts";
import { ClientObservations, type Outcome, type Violation } from "../support/client-observations.ts";
import type { WireWriter } from "../clients/wire-writer.ts";

/** All that has left a room up to a moment, and what therefore has to be in its storage at that moment. */
export class Told {
  readonly observations = new ClientObservations();
  readonly #writers: readonly WireWriter[];
  readonly #outcomes = new Map<string, Map<number, Outcome>>();

  constructor(writers: readonly WireWriter[]) {
    this.#writers = writers;
  }

  hear(clientId: string, frame: ReadFrame): void {
    this.observations.hearFrame(frame, this.#writerAt(clientId).names);
    const known = this.#outcomes.get(clientId) ?? new Map<number, Outcome>();
    this.#outcomes.set(clientId, known);
    if (frame.kind !== "update") return;
    for (const [id, outcome] of frame.outcomes ?? []) known.set(id, outcome);
  }

  audit({ ledger, clientLog }: StoredRoom): Violation[] {
    const found = this.observations.audit(ledger);
    for (const clientId of this.#outcomes.keys())
      found.push(...this.auditMark(clientId, clientLog.get(clientId)));
    return found;
  }

  /** Every outcome that a client was told is kept until the client can have said that it has it. */
  auditMark(clientId: string, stored: StoredClient | undefined): Violation[] {
    const { name, confirms } = this.#writerAt(clientId);
    const told = this.#outcomes.get(clientId) ?? new Map<number, Outcome>();
    const { lastCallId = 0, confirmed = 0, outcomes = new Map<number, Outcome>() } = stored ?? {};
    const found: Violation[] = [];
    const accuse = (kind: Violation["kind"], text: string) => found.push({ kind, text: `${name}: ${text}` });
    let answered = 0;
    while (told.has(answered + 1)) answered += 1;
    if (confirmed > (confirms ? answered : 0))
      accuse("lost", `call ${confirmed} counts as confirmed, it cannot be`);
    if (lastCallId < Math.max(0, ...told.keys()))
      accuse("lost", `the mark is ${lastCallId}, and a later call was answered`);
    for (const [id, outcome] of told) {
      const kept = outcomes.get(id);
      if (kept === undefined && id > confirmed) accuse("lost", `the outcome of call ${id} is gone`);
      else if (kept !== undefined && !isDeepStrictEqual(kept, outcome))
        accuse("altered", `call ${id} has another outcome`);
    }
    return found;
  }

  #writerAt(clientId: string): WireWriter {
    const writer = this.#writers.find((candidate) => candidate.clientId === clientId);
    if (writer === undefined) throw new Error(`the room spoke to ${clientId}, who is none of its clients`);
    return writer;
  }
}
