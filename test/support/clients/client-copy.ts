import type { PeerChange, TextFrame, Welcome } from "../../../src/protocol/down/down-frames.ts";
import type { ReadFrame, ReadPart, ReadUpdate, Result } from "../frames/decoded-frames.ts";
import { RecordNames, type NamedChanges } from "../frames/record-names.ts";

type Record = { readonly [field: string]: unknown };
/** Collection → id → record; collections without a record are left out. */
export type Collections = { [collection: string]: { [id: string]: Record } };

/** An update in which records go by their ids. */
export interface SeenUpdate extends Omit<ReadUpdate, "delta"> {
  readonly delta?: { readonly from: number; readonly to: number; readonly changes: NamedChanges };
}

/** A frame as whoever keeps a copy sees it. */
export type SeenFrame = TextFrame | ReadPart | SeenUpdate;

class Base {
  readonly records = new Map<string, Record>();
  readonly names = new RecordNames();
  parts = 0;
}

/**
 * What a client knows by the frames that it was sent, and a judge of them: `take` throws for a frame that breaks the
 * protocol. Written after docs/PROTOCOL.md only, with nothing of the room's or the client's own code.
 */
export class ClientCopy {
  welcome: Welcome | undefined;
  epoch: string | null = null;
  rev = 0;
  lastCallId = 0;
  /** Every outcome ever told, by `clientReqId`: a revision, or the refusal. */
  readonly outcomes = new Map<number, Result>();
  /** Everybody else who is here, by client id. */
  readonly peers = new Map<string, { user: unknown; presence: unknown }>();
  readonly events: (readonly [clientId: string | null, event: string, payload: unknown])[] = [];
  #base = new Base();
  #arriving: Base | undefined;
  /** The epoch that the welcome named; the copy's own once it has a state of it. */
  #greetedEpoch: string | null = null;

  /** A new socket begins with a welcome; what was half here is forgotten, unless the hello says that it was kept. */
  reconnect(keepsParts = false): void {
    this.welcome = undefined;
    if (!keepsParts) this.#arriving = undefined;
  }

  get collections(): Collections {
    const collections: Collections = {};
    for (const [key, record] of this.#base.records) {
      const [collection, id] = JSON.parse(key) as [string, string];
      (collections[collection] ??= {})[id] = record;
    }
    return collections;
  }

  get(collection: string, id: string): Record | undefined {
    return this.#base.records.get(keyOf(collection, id));
  }

  /** Newest id below which the outcome of every call is known. */
  get confirmed(): number {
    let confirmed = 0;
    while (this.outcomes.has(confirmed + 1)) confirmed += 1;
    return confirmed;
  }

  /** Takes a frame in, and answers it with ids in place of handles. */
  take(frame: ReadFrame): SeenFrame {
    // Who is not let in for a while is told for how long, and has no welcome.
    if (this.welcome !== undefined || frame.kind !== "error" || frame.code !== "rate-limited")
      check((this.welcome === undefined) === (frame.kind === "welcome"), "one welcome, and before all else");
    switch (frame.kind) {
      case "welcome":
        this.welcome = frame;
        this.#greetedEpoch = frame.epoch;
        return frame;
      case "snapshot":
        this.#takePart(frame);
        return frame;
      case "update":
        return this.#takeUpdate(frame);
      case "peers":
        this.peers.clear();
        for (const [clientId, user, presence] of frame.peers) this.peers.set(clientId, { user, presence });
        check(!this.peers.has(this.welcome?.clientId ?? ""), "the peers is of others");
        return frame;
      case "gap":
      case "error":
        return frame;
      default:
        return frame satisfies never;
    }
  }

  #takePart({ part, collection, from, until, records }: ReadPart): void {
    if (part === 0) this.#arriving = new Base();
    const arriving = this.#arriving;
    check(arriving !== undefined && arriving.parts === part, `part ${part} follows part ${part - 1}`);
    for (const key of arriving.records.keys()) {
      const [name, id] = JSON.parse(key) as [string, string];
      if (name === collection && id >= from && (until === null || id < until)) arriving.records.delete(key);
    }
    for (const [id, record, handle] of records) {
      check(id >= from && (until === null || id < until), `${id} is in [${from}, ${until})`);
      arriving.records.set(keyOf(collection, id), record);
      arriving.names.name(collection, id, handle);
    }
    arriving.parts += 1;
  }

  #takeUpdate({ delta, ...update }: ReadUpdate): SeenUpdate {
    const { lastCallId, outcomes, parts, checksums, presence, events } = update;
    let changes: NamedChanges = {};
    const lowest = parts === undefined ? this.rev : this.#finishSnapshot(parts);
    if (delta !== undefined) {
      check(this.epoch === this.#greetedEpoch, "a delta is of the epoch that the client has");
      check(
        parts !== undefined || delta.from <= this.rev,
        `a delta from ${delta.from} meets revision ${this.rev}`,
      );
      check(delta.to >= lowest, `a delta to ${delta.to} does not lead back from ${lowest}`);
      changes = this.#base.names.take(delta);
      for (const [collection, partition] of Object.entries(changes)) {
        for (const change of partition) this.#apply(collection, change);
      }
      this.rev = delta.to;
    }
    if (checksums !== undefined) this.#compare(checksums);
    if (lastCallId !== undefined) {
      check(lastCallId >= this.lastCallId, `mark ${lastCallId} does not lead back from ${this.lastCallId}`);
      this.lastCallId = lastCallId;
    }
    for (const [id, outcome] of outcomes ?? []) this.#takeOutcome(id, outcome);
    for (const change of presence ?? []) this.#takePeer(change);
    this.events.push(...(events ?? []));
    return { ...update, ...(delta && { delta: { from: delta.from, to: delta.to, changes } }) };
  }

  /** Puts the parts in place of what was here, and answers the revision below which their delta may not end. */
  #finishSnapshot(parts: number): number {
    const arriving = parts === 0 ? new Base() : this.#arriving;
    check(arriving?.parts === parts, `${parts} parts were sent, ${arriving?.parts} are here`);
    this.#base = arriving;
    this.#arriving = undefined;
    if (this.epoch === this.#greetedEpoch) return this.rev;
    this.epoch = this.#greetedEpoch;
    this.lastCallId = 0;
    return 0;
  }

  #apply(collection: string, [kind, id, fields, unset = []]: NamedChanges[string][number]): void {
    const key = keyOf(collection, id);
    const before = this.#base.records.get(key);
    if (kind === "delete") return void this.#base.records.delete(key);
    if (kind === "put") return void this.#base.records.set(key, fields ?? {});
    check(before !== undefined, `the patch of ${key} meets a record`);
    const kept = Object.entries({ ...before, ...fields }).filter(([field]) => !unset.includes(field));
    this.#base.records.set(key, Object.fromEntries(kept));
  }

  #compare(checksums: { readonly [collection: string]: number }): void {
    const sums = new Map<string, number>();
    const add = (collection: string, text: string) =>
      sums.set(collection, ((sums.get(collection) ?? 0) + hash(text)) >>> 0);
    for (const [key, record] of this.#base.records) {
      const [collection, id] = JSON.parse(key) as [string, string];
      add(collection, `${collection}\0${id}\0`);
      for (const [field, value] of Object.entries(record))
        add(collection, `${collection}\0${id}\0${field}\0${sorted(value)}`);
    }
    const here = JSON.stringify(Object.fromEntries([...sums].toSorted(byName)));
    const there = JSON.stringify(Object.fromEntries(Object.entries(checksums).toSorted(byName)));
    check(here === there, `at revision ${this.rev} the checksums are ${here}, not ${there}`);
  }

  #takeOutcome(id: number, outcome: Result): void {
    const known = this.outcomes.get(id);
    // Asked again for what was confirmed, or by another call under the id, the room says that it is so.
    const isNoAnswer = typeof outcome === "object" && ["too-old", "id-conflict"].includes(outcome.code);
    if (known !== undefined && isNoAnswer) return;
    check(
      known === undefined || JSON.stringify(known) === JSON.stringify(outcome),
      `call ${id} has one outcome`,
    );
    check(id <= this.lastCallId, `call ${id} was executed, the mark is ${this.lastCallId}`);
    check(typeof outcome !== "number" || outcome <= this.rev, `the change of call ${id} is here`);
    this.outcomes.set(id, outcome);
  }

  #takePeer(change: PeerChange): void {
    const [kind, clientId] = change;
    if (clientId === this.welcome?.clientId) return;
    if (kind === "leave") return void this.peers.delete(clientId);
    if (kind === "join") return void this.peers.set(clientId, { user: change[2], presence: change[3] });
    const peer = this.peers.get(clientId);
    check(peer !== undefined, `${clientId} was announced before`);
    peer.presence = { ...(peer.presence as object), ...(change[2] as object) };
  }
}

/** The hash that docs/PROTOCOL.md defines. */
function hash(text: string): number {
  let bits = 0x811c9dc5;
  for (const unit of Array.from({ length: text.length }, (_, index) => text.charCodeAt(index)))
    bits = Math.imul(bits ^ unit, 0x01000193);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** JSON with the keys of every object in order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(byName))
      : member,
  );
}

function keyOf(collection: string, id: string): string {
  return JSON.stringify([collection, id]);
}

function check(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new Error(`the room broke the protocol: ${claim}`);
}
