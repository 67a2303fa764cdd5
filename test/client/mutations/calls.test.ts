import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { connect, RejectedError } from "../../../client/index.ts";
import { callLimits } from "../../../src/model/call-limits.ts";
import { checkReceivedPayload } from "../../../src/room/engine/received-payload.ts";
import { defineRoom, type Json } from "../../../src/index.ts";
import { newPrivateRoom, newTestRoom } from "../../support/rooms/test-rooms.ts";
import { testBoard } from "../../support/boards/test-board.ts";
import {
  approach,
  enter,
  expectAgreement,
  hushed,
  leave,
  outcomeOf,
  until,
} from "../../support/clients/joined-client.ts";
import { joined, turn } from "../../support/rooms/scripted-room.ts";
import { Link } from "../../support/clients/worker-transport.ts";

describe("a call", () => {
  test("shows its effect before it returns, to the state, to selectors and to observers", async () => {
    const { room } = await enter(newTestRoom());
    const seen: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => seen.push(["selected", x]),
    );
    room.observe("shapes", (changes) => seen.push(["observed", changes.map(({ id }) => id)]));
    room.on("pending", (count) => seen.push(["pending", count]));
    const { committed } = room.mutate.addUp({ id: "s1", by: 5 });
    expect(room.state.shapes.get("s1")).toEqual({ x: 5, y: 0 });
    expect(seen).toEqual([
      ["observed", ["s1"]],
      ["selected", 5],
      ["pending", 1],
    ]);
    expect(room.pending).toBe(1);
    expect(room.isPending("shapes", "s1")).toBe(true);
    await committed;
    expect(room.pending).toBe(0);
    expect(room.isPending("shapes", "s1")).toBe(false);
    expect(seen.slice(3)).toEqual([["pending", 0]]);
  });

  test("resolves with its revision when the room has it on disk", async () => {
    const at = newTestRoom();
    const { room } = await enter(at);
    expect(await room.mutate.addTask({ id: "t1", title: "write tests" }).committed).toEqual({ rev: 1 });
    expect(await room.mutate.claim({ id: "t1" }).committed).toEqual({ rev: 2 });
    expect(room.rev).toBe(2);
    const { collections } = await at.json();
    expect(collections["tasks"]).toMatchObject({ t1: { title: "write tests" } });
  });

  test("stays in the view when its answer comes, and is told of no second time", async () => {
    const { room } = await enter(newTestRoom());
    const seen: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => seen.push(x),
    );
    await room.mutate.addUp({ id: "s1", by: 1 }).committed;
    await room.mutate.addUp({ id: "s1", by: 1 }).committed;
    expect(seen).toEqual([1, 2]);
  });

  test("that only the server can run predicts nothing and waits", async () => {
    const { room, link } = await enter(newTestRoom());
    link.hold("up");
    const { committed } = room.mutate.roll({});
    expect(room.state.shapes.has("dice")).toBe(false);
    expect(room.pending).toBe(1);
    link.release("up");
    await committed;
    expect(room.state.shapes.get("dice")).toEqual({ x: 4, y: 4 });
  });

  test("has a payload that the app may change afterwards", async () => {
    const { room, link } = await enter(newTestRoom());
    const tags = ["first"];
    const note = { text: "as it was", tags };
    const payload = { id: "t1", title: "as it was" };
    room.transact((tx) => tx.notes.put("n1", note));
    const { committed } = room.mutate.addTask(payload);
    payload.title = "changed";
    note.text = "changed";
    tags.push("second");
    const both = () => [room.state.notes.get("n1"), room.state.tasks.get("t1")?.title];
    const asItWas = [{ text: "as it was", tags: ["first"] }, "as it was"];
    expect(both()).toEqual(asItWas);
    await committed;
    expect(both()).toEqual(asItWas);
    expect(link.calls[1]?.payload).toEqual({ id: "t1", title: "as it was" });
  });

  test("of many records is one operation", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    const seen: unknown[] = [];
    other.room.observe("shapes", (changes) => seen.push(changes.map(({ id }) => id)));
    const { committed } = one.room.transact((tx) => {
      for (const id of ["a", "b", "c"]) tx.shapes.put(id, { x: 1, y: 1 });
    });
    expect(await committed).toEqual({ rev: 1 });
    await until(() => other.room.rev === 1);
    expect(seen).toEqual([["a", "b", "c"]]);
  });

  test("that changes nothing is answered at once and sends nothing", async () => {
    const { room, link } = await enter(newTestRoom());
    await room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 })).committed;
    expect(await room.transact((tx) => tx.shapes.patch("s1", { x: 1 })).committed).toEqual({ rev: 1 });
    expect(link.calls).toHaveLength(1);
  });

  test("carries the user whom the room has authenticated", async () => {
    const { room } = await enter(newPrivateRoom(), { token: () => "user:alice" });
    room.mutate.addTask({ id: "t1", title: "mine" });
    room.mutate.claim({ id: "t1" });
    expect(room.state.tasks.get("t1")?.assignee).toBe("alice");
    expect(room.self.user).toEqual({ id: "alice", name: "ALICE" });
  });
});

describe("a call that the room refuses", () => {
  test("is undone, and says why to its caller and to the room's listeners", async () => {
    const at = newTestRoom();
    const { room } = await enter(at);
    const refused: RejectedError[] = [];
    const seen: unknown[] = [];
    room.on("reject", (error) => refused.push(error));
    room.subscribe(
      (s) => s.shapes.has("frozen"),
      (has) => seen.push(has),
    );
    const { committed } = room.mutate.addUp({ id: "frozen", by: 1 });
    expect(room.state.shapes.has("frozen")).toBe(true);
    const error = await committed.then(
      () => expect.unreachable(),
      (thrown: RejectedError) => thrown,
    );
    expect(error).toBeInstanceOf(RejectedError);
    expect(error).toMatchObject({
      code: "frozen",
      message: "this was frozen",
      data: { since: "yesterday" },
      operation: { type: "addUp", payload: { id: "frozen", by: 1 } },
    });
    expect(refused).toEqual([error]);
    expect(room.state.shapes.has("frozen")).toBe(false);
    expect(seen).toEqual([true, false]);
    expect((await at.json()).collections).toEqual({});
  });

  test("names a direct edit as `transact`, with its changes", async () => {
    const { room } = await enter(newTestRoom());
    const { committed } = room.transact((tx) => tx.shapes.put("frozen", { x: 1, y: 2 }));
    await expect(committed).rejects.toMatchObject({
      code: "frozen",
      operation: { type: "transact", payload: { shapes: [["put", "frozen", { x: 1, y: 2 }]] } },
    });
  });

  test("is told in the console when nobody listens", async () => {
    const warned = hushed("warn");
    const { room, socket } = await joined();
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.update({
      lastCallId: 1,
      outcomes: [[1, { code: "frozen", message: "this was frozen", data: { since: 3 } }]],
    });
    expect(await outcomeOf(call)).toBe("frozen");
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      "deltaroom: addUp was rejected and is undone: frozen, this was frozen",
      { since: 3 },
    );
  });

  test("takes along only itself: what was called before and after stands", async () => {
    const at = newTestRoom();
    const { room } = await enter(at);
    const calls = ["a", "frozen", "b"].map((id) => room.mutate.addUp({ id, by: 1 }));
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([1, "frozen", 2]);
    expect(await expectAgreement(at)).toEqual({ shapes: { a: { x: 1, y: 0 }, b: { x: 1, y: 0 } } });
    expect(room.state.shapes.ids()).toEqual(["a", "b"]);
  });

  test("takes along what was built on it", async () => {
    const { room } = await enter(newTestRoom());
    const first = room.transact((tx) => tx.shapes.put("frozen", { x: 1, y: 1 }));
    const second = room.transact((tx) => {
      tx.shapes.put("s1", { x: tx.shapes.get("frozen")?.x ?? 0, y: 0 });
      tx.shapes.patch("frozen", { x: 2 });
    });
    expect(await Promise.all([first, second].map(outcomeOf))).toEqual(["frozen", "not-found"]);
    expect(room.state.shapes.ids()).toEqual([]);
  });

  test("never counts as an unhandled rejection", async () => {
    const { room } = await enter(newTestRoom());
    const unhandled = vi.fn<() => void>();
    addEventListener("unhandledrejection", unhandled);
    room.mutate.addUp({ id: "frozen", by: 1 });
    room.mutate.refuse({ text: "x" });
    await until(() => room.pending === 0);
    await room.mutate.addUp({ id: "s1", by: 1 }).committed;
    removeEventListener("unhandledrejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("of a mutator that the room does not know is `invalid`", async () => {
    const at = newTestRoom();
    const newer = defineRoom({
      version: testBoard.version,
      collections: { shapes: testBoard.collections.shapes },
      mutators: (mutator) => ({ flip: mutator(z.object({}), (tx) => tx.shapes.put("s1", { x: 1, y: 1 })) }),
    });
    const link = new Link();
    const room = connect(at.url, newer, { transport: link.transport });
    onTestFinished(() => link.dispose());
    onTestFinished(() => leave(room));
    room.on("reject", () => {});
    await room.ready;
    const call = room.mutate.flip({});
    expect(room.state.shapes.has("s1")).toBe(true);
    expect(await outcomeOf(call)).toBe("invalid");
    expect(room.state.shapes.has("s1")).toBe(false);
  });
});

describe("a call that is refused here already", () => {
  test("sends nothing, changes nothing and tells of itself in the same ways", async () => {
    const { room, link } = await enter(newTestRoom());
    const refused: RejectedError[] = [];
    room.on("reject", (error) => refused.push(error));
    const { committed } = room.mutate.refuse({ text: "please" });
    await expect(committed).rejects.toMatchObject({
      code: "no-way",
      message: "this is never allowed",
      data: { text: "please" },
      operation: { type: "refuse", payload: { text: "please" } },
    });
    expect(refused).toHaveLength(1);
    expect(room.pending).toBe(0);
    await room.mutate.addUp({ id: "s1", by: 1 }).committed;
    expect(link.calls.map(({ type }) => type)).toEqual(["addUp"]);
  });

  test("is `invalid` by field when its payload does not fit the schema", async () => {
    const { room, link } = await enter(newTestRoom());
    const { committed } = room.mutate.addTask({ id: "t1", title: 5 } as never);
    await expect(committed).rejects.toMatchObject({ code: "invalid", data: { title: expect.any(String) } });
    expect(link.calls).toEqual([]);
  });

  test("is `internal` when the mutator throws, and half of it is undone", async () => {
    const printed = hushed("error");
    const { room, link } = await enter(newTestRoom());
    await expect(room.mutate.stumble({}).committed).rejects.toMatchObject({ code: "internal" });
    expect(room.state.shapes.has("half-done")).toBe(false);
    expect(link.calls).toEqual([]);
    expect(printed).toHaveBeenCalledOnce();
  });

  class Point {
    x = 1;
  }
  const throwing = Object.defineProperty({}, "id", {
    enumerable: true,
    get: () => {
      throw new Error("no such luck");
    },
  });
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  test.each([
    ["nothing", undefined],
    ["a function", () => {}],
    ["a bigint", { id: 1n }],
    ["a date", { id: new Date() }],
    ["a map", new Map()],
    ["an object of a class", new Point()],
    ["a number that is none", { id: "a", by: Number.NaN }],
    ["half a character in a key", { id: "s1", by: 1, "\ud800": 1 }],
    ["itself", circular],
    ["a getter that throws", throwing],
    ["a key that reaches the prototype", JSON.parse('{"__proto__": 1}')],
  ])("is `invalid` for a payload that is %s, and never throws", async (_, payload) => {
    const { room, link } = await enter(newTestRoom());
    const { committed } = room.mutate.addUp(payload as never);
    await expect(committed).rejects.toMatchObject({
      code: "invalid",
      operation: { type: "addUp", payload: null },
    });
    expect(link.calls).toEqual([]);
  });

  test("is `not-ready` before there is a state", async () => {
    const { room } = approach(newTestRoom());
    await expect(room.mutate.addUp({ id: "s1", by: 1 }).committed).rejects.toMatchObject({
      code: "not-ready",
      operation: { type: "addUp", payload: { id: "s1", by: 1 } },
    });
    const edit = vi.fn<() => void>();
    await expect(room.transact(edit).committed).rejects.toMatchObject({
      code: "not-ready",
      operation: { type: "transact", payload: null },
    });
    expect(edit).not.toHaveBeenCalled();
    await room.ready;
    expect(await room.mutate.addUp({ id: "s1", by: 1 }).committed).toEqual({ rev: 1 });
  });

  test("is `closed` after `close`, and so are those that wait", async () => {
    const { room, link } = await enter(newTestRoom());
    const refused: string[] = [];
    room.on("reject", ({ code, operation }) => refused.push(`${operation.type}: ${code}`));
    link.hold("up");
    const calls = [
      room.mutate.addUp({ id: "s1", by: 1 }),
      room.transact((tx) => tx.shapes.put("s2", { x: 1, y: 1 })),
    ];
    room.close();
    calls.push(room.mutate.addUp({ id: "s1", by: 1 }));
    expect(await Promise.all(calls.map(outcomeOf))).toEqual(["closed", "closed", "closed"]);
    expect(refused).toEqual(["addUp: closed", "transact: closed", "addUp: closed"]);
    expect([room.pending, room.status]).toEqual([0, "closed"]);
  });
});

describe("transact", () => {
  test("throws what its callback throws, and then nothing has happened", async () => {
    const { room, link } = await enter(newTestRoom());
    const seen = vi.fn<() => void>();
    room.observe("shapes", seen);
    const mistake = new Error("the app's own");
    const edit = () =>
      room.transact((tx) => {
        tx.shapes.put("s1", { x: 1, y: 1 });
        throw mistake;
      });
    expect(edit).toThrow(mistake);
    expect(room.state.shapes.has("s1")).toBe(false);
    expect([room.pending, link.calls.length]).toEqual([0, 0]);
    expect(seen).not.toHaveBeenCalled();
  });

  test.each([
    ["a record that does not fit", "invalid", (tx: any) => tx.shapes.put("s1", { x: "1", y: 1 })],
    ["a patch of nothing", "not-found", (tx: any) => tx.shapes.patch("s1", { x: 1 })],
    [
      "a collection that is not direct",
      "forbidden",
      (tx: any) => tx.tasks.put("t1", { title: "", assignee: null }),
    ],
    ["a record id that is none", "invalid", (tx: any) => tx.shapes.put("", { x: 1, y: 1 })],
    ["a record of 300 KB", "too-large", (tx: any) => tx.notes.put("n1", { text: "x".repeat(300_000) })],
  ])("throws a RejectedError for %s", async (_, code, edit) => {
    const { room } = await enter(newTestRoom());
    const operation = { type: "transact", payload: null };
    expect(() => room.transact(edit)).toThrow(
      expect.objectContaining({ name: "RejectedError", code, operation }),
    );
    expect(room.pending).toBe(0);
  });

  test("refuses a collection that there is not", async () => {
    const { room } = await enter(newTestRoom());
    expect(() => room.transact((tx: any) => tx.nothing.put("a", {}))).toThrow(TypeError);
  });

  test("refuses at once what no frame could carry, instead of sending it for ever", async () => {
    const { room } = await enter(newTestRoom());
    const seen = vi.fn<() => void>();
    room.observe("notes", seen);
    const call = room.transact((tx) => {
      for (const id of ["a", "b", "c", "d", "e"]) tx.notes.put(id, { text: "x".repeat(250_000) });
    });
    expect(call.status).toBe("rejected");
    await expect(call.committed).rejects.toMatchObject({
      code: "too-large",
      operation: { type: "transact", payload: { notes: { length: 5 } } },
    });
    expect(room.state.notes.size).toBe(0);
    expect(seen).not.toHaveBeenCalled();
    expect(await room.mutate.addUp({ id: "s1", by: 1 }).committed).toEqual({ rev: 1 });
  });

  test("refuses at once what is nested so deeply that no room would read it, and nothing else", async () => {
    const { room, socket } = await joined();
    const nested = (depth: number): never => (depth === 0 ? 1 : [nested(depth - 1)]) as never;
    const layOut = (depth: number) => () =>
      room.transact((tx) => tx.papers.put(`p${depth}`, { text: "", layout: nested(depth) }));
    for (const depth of [28, 29, 30, 31]) expect(layOut(depth)).not.toThrow();
    for (const depth of [32, 33, 100])
      expect(layOut(depth)).toThrow(expect.objectContaining({ code: "invalid" }));
    await turn();
    expect(socket.calls).toHaveLength(4);
    for (const { type, payload } of socket.calls) {
      expect(() => checkReceivedPayload(type, payload as Json, callLimits)).not.toThrow(); // the room's own judgement
    }
  });

  test("hands out a `tx` that is of no use afterwards", async () => {
    const { room } = await enter(newTestRoom());
    let kept: { put(id: string, record: { x: number; y: number }): void } | undefined;
    room.transact((tx) => void (kept = tx.shapes));
    expect(() => kept?.put("s1", { x: 1, y: 1 })).toThrow("this transaction is over");
  });
});
