import type {
  DownFrame,
  PeerChange,
  SnapshotPart,
  Update,
  WireOutcome,
  Welcome,
} from "../../src/protocol/frames.ts";

type Record = { readonly [field: string]: unknown };
/** Collection → id → record; collections without a record are left out. */
export type Collections = { [collection: string]: { [id: string]: Record } };

interface Base {
  readonly records: Map<string, Record>;
  parts: number;
}

/**
 * What a client knows by the frames that it was sent, and a judge of them: `take` throws for a frame that breaks the
 * protocol. Written against docs and frames only, with nothing of the room's or the client's own code.
 */
export class ClientCopy {
  welcome: Welcome | undefined;
  epoch: string | null = null;
  rev = 0;
  mark = 0;
  /** Every outcome ever told, by `clientReqId`: a revision, or the refusal. */
  readonly outcomes = new Map<number, WireOutcome[1]>();
  /** Everybody else who is here, by actor. */
  readonly peers = new Map<string, { user: unknown; presence: unknown }>();
  readonly events: [actor: string | null, event: string, payload: unknown][] = [];
  #base: Base = { records: new Map(), parts: 0 };
  #arriving: Base | undefined;
  /** The epoch that the welcome named; the copy's own once it has a state of it. */
  #greetedEpoch: string | null = null;

  /** A new socket begins with a welcome; what was half here is forgotten. */
  reconnect(): void {
    this.welcome = undefined;
    this.#arriving = undefined;
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

  take(frame: DownFrame): void {
    check((this.welcome === undefined) === (frame.kind === "welcome"), "one welcome, and before all else");
    switch (frame.kind) {
      case "welcome":
        this.welcome = frame;
        this.#greetedEpoch = frame.epoch;
        return;
      case "snapshot":
        return this.#takePart(frame);
      case "update":
        return this.#takeUpdate(frame);
      case "roster":
        this.peers.clear();
        for (const [actor, user, presence] of frame.peers) this.peers.set(actor, { user, presence });
        return check(!this.peers.has(this.welcome?.actor ?? ""), "the roster is of others");
      case "gap":
      case "error":
        return;
      default:
        frame satisfies never;
    }
  }

  #takePart({ part, collection, from, until, records }: SnapshotPart): void {
    if (part === 0) this.#arriving = { records: new Map(), parts: 0 };
    const arriving = this.#arriving;
    check(arriving !== undefined && arriving.parts === part, `part ${part} follows part ${part - 1}`);
    for (const key of arriving.records.keys()) {
      const [name, id] = JSON.parse(key) as [string, string];
      if (name === collection && id >= from && (until === null || id < until)) arriving.records.delete(key);
    }
    for (const [id, record] of records) {
      check(id >= from && (until === null || id < until), `${id} is in [${from}, ${until})`);
      arriving.records.set(keyOf(collection, id), record);
    }
    arriving.parts += 1;
  }

  #takeUpdate({ mark, outcomes, parts, delta, checksums, presence, events }: Update): void {
    const lowest = parts === undefined ? this.rev : this.#finishSnapshot(parts);
    if (delta !== undefined) {
      check(this.epoch === this.#greetedEpoch, "a delta is of the epoch that the client has");
      check(
        parts !== undefined || delta.from <= this.rev,
        `a delta from ${delta.from} meets revision ${this.rev}`,
      );
      check(delta.to >= lowest, `a delta to ${delta.to} does not lead back from ${lowest}`);
      for (const [collection, changes] of Object.entries(delta.changes)) {
        for (const change of changes) this.#apply(collection, change);
      }
      this.rev = delta.to;
    }
    if (checksums !== undefined) this.#compare(checksums);
    if (mark !== undefined) {
      check(mark >= this.mark, `mark ${mark} does not lead back from ${this.mark}`);
      this.mark = mark;
    }
    for (const [id, outcome] of outcomes ?? []) this.#takeOutcome(id, outcome);
    for (const change of presence ?? []) this.#takePeer(change);
    this.events.push(...(events ?? []));
  }

  /** Puts the parts in place of what was here, and answers the revision below which their delta may not end. */
  #finishSnapshot(parts: number): number {
    const arriving = parts === 0 ? { records: new Map(), parts: 0 } : this.#arriving;
    check(arriving?.parts === parts, `${parts} parts were sent, ${arriving?.parts} are here`);
    this.#base = arriving;
    this.#arriving = undefined;
    if (this.epoch === this.#greetedEpoch) return this.rev;
    this.epoch = this.#greetedEpoch;
    this.mark = 0;
    return 0;
  }

  #apply(
    collection: string,
    [kind, id, fields, unset = []]: readonly [string, string, Record?, string[]?],
  ): void {
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

  #takeOutcome(id: number, outcome: WireOutcome[1]): void {
    const known = this.outcomes.get(id);
    // Asked again for what was confirmed, or by another call under the id, the room says that it is so.
    const isNoAnswer = typeof outcome === "object" && ["too-old", "id-conflict"].includes(outcome.code);
    if (known !== undefined && isNoAnswer) return;
    check(
      known === undefined || JSON.stringify(known) === JSON.stringify(outcome),
      `call ${id} has one outcome`,
    );
    check(id <= this.mark, `call ${id} was executed, the mark is ${this.mark}`);
    check(typeof outcome !== "number" || outcome <= this.rev, `the change of call ${id} is here`);
    this.outcomes.set(id, outcome);
  }

  #takePeer(change: PeerChange): void {
    const [kind, actor] = change;
    if (actor === this.welcome?.actor) return;
    if (kind === "leave") return void this.peers.delete(actor);
    if (kind === "join") return void this.peers.set(actor, { user: change[2], presence: change[3] });
    const peer = this.peers.get(actor);
    check(peer !== undefined, `${actor} was announced before`);
    peer.presence = change[2];
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
