import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPayload, type Run } from "../../../src/model/call.ts";
import { encodeChanges } from "../../../src/model/changes.ts";
import type { EncodedDelta } from "../../../src/protocol/encoding/delta.ts";
import { defaultLimits } from "../../../src/room/limits.ts";
import { Overlay, rebase, type PendingCall } from "../../../client/replica/rebase.ts";
import { State } from "../../../src/model/state.ts";
import type { Json } from "../../../src/index.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { RecordNames } from "../../support/frames/record-names.ts";
import { applyDelta, namesOf } from "../../support/frames/applied-delta.ts";
import { JournaledRoom, tinyLimits } from "../../support/rooms/journaled-room.ts";
import { anyEdit, contentOf, copyOfState, operationOf, type Edit } from "../../support/random-edits.ts";
import { rulesBoard, writer } from "../../support/boards/rules-board.ts";

const options = { definition: rulesBoard, limits: defaultLimits, caller: writer("ann"), checkPayload };

function baseWith(notes: { [id: string]: { text: string; rank: number } }): State {
  const base = new State();
  for (const [id, note] of Object.entries(notes)) base.set("notes", id, Object.freeze(note));
  return base;
}

function pending(type: string, payload: Json, madeAt = 0): PendingCall {
  return { type, payload, madeAt };
}

function patching(id: string, set: { rank?: number; text?: string }): PendingCall {
  return pending("transact", { notes: [["patch", id, set]] });
}

describe("the view", () => {
  test("is the base with all pending calls run again on top, in order", () => {
    const base = baseWith({ a: { text: "base", rank: 0 } });
    const calls = [
      patching("a", { rank: 1 }),
      patching("a", { rank: 2 }),
      pending("add", { id: "c", by: 2 }),
      pending("add", { id: "c", by: 3 }),
    ];
    const view = rebase(base, calls, options);
    expect(contentOf(view)).toEqual({
      notes: { a: { text: "base", rank: 2 } },
      counters: { c: { value: 5 } },
    });
    expect(contentOf(base)).toEqual({ notes: { a: { text: "base", rank: 0 } } });
  });

  test("keeps the records that nobody touched the same objects", () => {
    const base = baseWith({ a: { text: "", rank: 0 }, b: { text: "", rank: 0 } });
    const view = rebase(base, [patching("a", { rank: 1 })], options);
    expect(view.get("notes", "b")).toBe(base.get("notes", "b"));
    expect([view.holds("notes", "a"), view.holds("notes", "b")]).toEqual([true, false]);
    expect([...view.records()]).toEqual([["notes", "a", { text: "", rank: 1 }]]);
  });

  test("has the ids that come and go in their order, in an array that stays while they do", () => {
    const base = baseWith({ a: { text: "", rank: 0 }, c: { text: "", rank: 0 } });
    const edit = {
      notes: [
        ["put", "b", { text: "", rank: 0 }],
        ["delete", "c"],
      ],
    };
    const view = rebase(base, [pending("transact", edit)], options);
    expect(view.ids("notes")).toEqual(["a", "b"]);
    expect(view.ids("notes")).toBe(view.ids("notes"));
    expect(view.ids("cards")).toBe(base.ids("cards"));
    view.predict(pending("clear", {}));
    expect(view.ids("notes")).toEqual([]);
  });

  test("runs a prediction at the time at which its call was made", () => {
    let seen: unknown;
    const roll: Run = (_tx, _payload, ctx) => void (seen = ctx);
    rebase(new State(), [pending("roll", { id: "d" }, 123)], { ...options, serverMutators: { roll } });
    expect(seen).toMatchObject({ now: 123, location: "client" });
  });
});

describe("a call that fails when it is run again", () => {
  test.each<[string, PendingCall, string]>([
    ["that is rejected", patching("gone", { rank: 1 }), "rejected"],
    ["that crashes", pending("crash", {}), "failed"],
    ["whose payload no longer fits", pending("add", { id: 1 }), "rejected"],
    ["whose payload is no JSON at all", pending("add", undefined as never), "rejected"],
    ["whose mutator is gone", pending("was here", {}), "rejected"],
    ["of a direct edit that makes no sense", pending("transact", { notes: 7 }), "failed"],
    [
      "of a direct edit whose collection is gone",
      pending("transact", { gone: [["delete", "a"]] }),
      "rejected",
    ],
  ])("%s is left out, and those behind it are run", (_title, failing, kind) => {
    const base = baseWith({ a: { text: "", rank: 0 } });
    const calls = [patching("a", { rank: 1 }), failing, patching("a", { text: "after" })];
    expect(contentOf(rebase(base, calls, options))).toEqual({ notes: { a: { text: "after", rank: 1 } } });
    expect(new Overlay(base, options).predict(failing).kind).toBe(kind);
  });

  test("is in the view again once it works again", () => {
    const calls = [patching("a", { rank: 1 })];
    expect(contentOf(rebase(new State(), calls, options))).toEqual({});
    const base = baseWith({ a: { text: "back", rank: 0 } });
    expect(contentOf(rebase(base, calls, options))).toEqual({ notes: { a: { text: "back", rank: 1 } } });
  });

  test("leaves nothing behind of what it did before it failed", () => {
    const view = rebase(new State(), [pending("refuse", { code: "no" }), pending("crash", {})], options);
    expect([...view.records()]).toEqual([]);
  });
});

test("a call that only the server can run predicts nothing", () => {
  const view = new Overlay(new State(), options);
  expect(view.predict(pending("roll", { id: "d" }))).toMatchObject({ kind: "done", writes: new Map() });
  expect([...view.records()]).toEqual([]);
});

test("running a call tells what it would do and does not do it", () => {
  const view = new Overlay(new State(), options);
  expect(view.run(pending("add", { id: "c", by: 1 })).kind).toBe("done");
  expect(contentOf(view)).toEqual({});
});

test("nobody else has changed anything in a prediction", () => {
  const base = baseWith({ a: { text: "", rank: 0 } });
  expect(rebase(base, [pending("claim", { id: "a" })], options).get("notes", "a")).toMatchObject({
    tag: "ann",
  });
});

interface SentCall extends PendingCall {
  readonly clientReqId: number;
  readonly baseRev: number;
}

/** A client as small as it can be: its copy, what it waits for, and the wire in both directions. */
class SmallClient {
  readonly clientId: string;
  base = new State();
  names = new RecordNames();
  rev = 0;
  pending: SentCall[] = [];
  up: SentCall[] = [];
  down: { readonly body: Uint8Array | undefined; readonly lastCallId: number }[] = [];
  #lastId = 0;

  constructor(clientId: string) {
    this.clientId = clientId;
  }

  get view(): Overlay {
    return rebase(this.base, this.pending, { ...options, caller: writer(this.clientId) });
  }

  make(type: string, payload: Json): void {
    this.#lastId += 1;
    const call = { clientReqId: this.#lastId, baseRev: this.rev, type, payload, madeAt: 0 };
    this.pending.push(call);
    this.up.push(call);
  }

  receive(): void {
    const frame = this.down.shift();
    if (frame === undefined) return;
    if (frame.body !== undefined) {
      const { from, to } = readDelta(frame.body);
      if (from > this.rev) throw new Error(`gap: have ${this.rev}, got ${from}`);
      if (to > this.rev) {
        applyDelta(this.base, this.names, frame.body);
        this.rev = to;
      }
    }
    this.pending = this.pending.filter(({ clientReqId }) => clientReqId > frame.lastCallId);
  }
}

/** Two clients and their room, joined by nothing but queues. */
class Trio {
  readonly room = new JournaledRoom(tinyLimits);
  readonly clients = [new SmallClient("ann"), new SmallClient("ben")];

  constructor() {
    this.room.journal.create();
  }

  client(clientId: string): SmallClient {
    return this.clients.find((client) => client.clientId === clientId) as SmallClient;
  }

  /** The room takes one call off the wire. What it has executed before, or cannot execute yet, does nothing. */
  execute(client: SmallClient): void {
    const call = client.up.shift();
    if (call !== undefined) this.room.journal.engine.submit(writer(client.clientId), call, 0);
    this.room.noteState();
  }

  flush(): void {
    const { rev } = this.room.roomState;
    const before = this.room.flushedRev;
    this.room.flush();
    if (rev === before) return this.#tell(undefined);
    this.#tell(this.room.roomState.history.since(before));
  }

  #tell(delta: EncodedDelta | undefined): void {
    for (const client of this.clients)
      client.down.push({ body: delta?.body, lastCallId: this.#loggedClientOf(client) });
  }

  /** Everything on the wire is lost; the client catches up and sends again what was not answered. */
  reconnect(client: SmallClient): void {
    this.flush();
    client.up = [];
    client.down = [];
    const { roomState } = this.room;
    const delta = client.rev === roomState.rev ? undefined : roomState.history.since(client.rev);
    if (delta === undefined && client.rev !== roomState.rev) {
      client.base = copyOfState(roomState.records);
      client.names = namesOf(roomState.records, roomState.handles, Object.keys(rulesBoard.collections));
      client.rev = roomState.rev;
    }
    client.down.push({ body: delta?.body, lastCallId: this.#loggedClientOf(client) });
    client.receive();
    client.up = [...client.pending];
  }

  /** The room loses what is not on disk, and everybody their connection. */
  crash(): void {
    this.room.crash();
    for (const client of this.clients) this.reconnect(client);
  }

  settle(): void {
    for (const client of this.clients) this.reconnect(client);
    for (const client of this.clients) while (client.up.length > 0) this.execute(client);
    this.flush();
    for (const client of this.clients) while (client.down.length > 0) client.receive();
  }

  #loggedClientOf(client: SmallClient): number {
    return this.room.roomState.clientLog.get(client.clientId)?.lastCallId ?? 0;
  }
}

const command = fc.record({
  kind: fc.constantFrom(
    ...(["edit", "edit", "add", "clear", "execute", "execute", "flush", "receive", "receive"] as const),
    ...(["reconnect", "crash", "send again"] as const),
  ),
  clientId: fc.constantFrom("ann", "ben"),
  edits: fc.array(anyEdit, { minLength: 1, maxLength: 3 }),
});

function carryOut(
  trio: Trio,
  { kind, clientId, edits }: { kind: string; clientId: string; edits: readonly Edit[] },
): void {
  const client = trio.client(clientId);
  if (kind === "edit") client.make("transact", encodeChanges(operationOf(copyOfState(client.view), edits)));
  if (kind === "add") client.make("add", { id: "c", by: 1 });
  if (kind === "clear") client.make("clear", {});
  if (kind === "execute") trio.execute(client);
  if (kind === "flush") trio.flush();
  if (kind === "receive") client.receive();
  if (kind === "reconnect") trio.reconnect(client);
  if (kind === "crash") trio.crash();
  if (kind === "send again") client.up = [...client.pending, ...client.up];
}

test("two clients come to see what the room has, each call once, whatever is lost, repeated or late", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: "max" }), (commands) => {
      const trio = new Trio();
      for (const command of commands) carryOut(trio, command);
      trio.settle();
      const { records } = trio.room.roomState;
      for (const client of trio.clients) {
        expect(client.pending).toEqual([]);
        expect(contentOf(client.view)).toEqual(contentOf(records));
      }
      const added = commands.filter(({ kind }) => kind === "add").length;
      expect(records.get("counters", "c")?.["value"] ?? 0).toBe(added);
    }),
    { numRuns: 100 },
  );
});
