import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { connect } from "../../../client/index.ts";
import { undo } from "../../../client/undo/index.ts";
import { defineRoom } from "../../../src/index.ts";
import { hushed } from "../../support/clients/joined-client.ts";
import { fakeTimers, joined, scripted, turn } from "../../support/rooms/scripted-room.ts";

fakeTimers();

const oneShape = { shapes: { s1: { x: 1, y: 1 } } };

describe("between pause and resume", () => {
  test("all edits are one step, as for a drag", async () => {
    const { room } = await joined({ records: oneShape });
    room.history.pause();
    for (let x = 2; x <= 60; x++) room.transact((tx) => tx.shapes.patch("s1", { x, y: x }));
    room.transact((tx) => tx.shapes.patch("s1", { color: "red" }));
    room.history.resume();
    room.transact((tx) => tx.shapes.patch("s1", { x: 100 }));
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 60, y: 60, color: "red" });
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1 });
    room.history.redo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 60, y: 60, color: "red" });
  });

  test("a record may be made, changed, deleted and made again", async () => {
    const { room } = await joined({ records: oneShape });
    room.history.pause();
    room.transact((tx) => tx.shapes.put("s2", { x: 1, y: 1 }));
    room.transact((tx) => tx.shapes.patch("s2", { x: 2 }));
    room.transact((tx) => tx.shapes.delete("s1"));
    room.transact((tx) => tx.shapes.put("s1", { x: 5, y: 1, color: "red" }));
    room.transact((tx) => tx.shapes.put("s3", { x: 1, y: 1 }));
    room.transact((tx) => tx.shapes.delete("s3"));
    room.history.resume();
    const after = room.state.shapes.entries();
    room.history.undo();
    expect(room.state.shapes.entries()).toEqual([["s1", { x: 1, y: 1 }]]);
    room.history.redo();
    expect(room.state.shapes.entries()).toEqual(after);
  });

  test("what somebody else does meanwhile stays", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.history.pause();
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    socket.delta(0, { shapes: [["patch", "s1", { y: 7 }]] });
    room.transact((tx) => tx.shapes.patch("s1", { x: 3 }));
    room.history.resume();
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 7 });
  });

  test("an undo ends the step, and what follows is another", async () => {
    const { room } = await joined({ records: oneShape });
    const x = () => room.state.shapes.get("s1")?.x;
    room.history.pause();
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.history.undo();
    room.transact((tx) => tx.shapes.patch("s1", { x: 3 }));
    room.transact((tx) => tx.shapes.patch("s1", { x: 4 }));
    room.history.resume();
    room.history.undo();
    expect(x()).toBe(1);
    expect(room.history.canUndo).toBe(false);
  });

  test("a drag that ends where it began is passed over", async () => {
    const { room } = await joined({ records: oneShape });
    room.transact((tx) => tx.shapes.patch("s1", { y: 2 }));
    room.history.pause();
    for (const x of [2, 3, 1]) room.transact((tx) => tx.shapes.patch("s1", { x }));
    room.history.resume();
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1 });
  });
});

describe("a mutator with an undo rule", () => {
  test("is undone by the call that the rule named, and redone by the call itself", async () => {
    const { room, socket } = await joined({ records: { counters: { c1: { value: 10 } } } });
    room.mutate.addUp({ id: "c1", by: 5 });
    await turn();
    socket.delta(
      0,
      { counters: [["patch", "c1", { value: 115 }]] },
      { lastCallId: 1, outcomes: [[1, 2]] },
      2,
    );
    const value = () => room.state.counters.get("c1")?.value;
    expect([room.history.undo(), value()]).toEqual([true, 110]); // somebody else has added 100
    expect([room.history.redo(), value()]).toEqual([true, 115]);
    expect([room.history.undo(), value()]).toEqual([true, 110]);
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.calls.map(({ type, payload }) => [type, payload])).toEqual([
      ["addUp", { id: "c1", by: 5 }],
      ["addUp", { id: "c1", by: -5 }],
      ["addUp", { id: "c1", by: 5 }],
      ["addUp", { id: "c1", by: -5 }],
    ]);
  });

  test("asks the rule for the state before the call, and before each redo again", async () => {
    const { room, socket } = await joined({ records: { shapes: { s1: { x: 1, y: 1, color: "red" } } } });
    const color = () => room.state.shapes.get("s1")?.color;
    room.mutate.paint({ id: "s1", color: "blue" });
    room.history.undo();
    expect(color()).toBe("red");
    await turn();
    socket.delta(
      0,
      { shapes: [["patch", "s1", { color: "green" }]] },
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      3,
    );
    room.history.redo();
    expect(color()).toBe("blue");
    room.history.undo();
    expect(color()).toBe("green");
  });

  test("is in no history when the rule has no answer, or fails", async () => {
    const printed = hushed("error");
    const board = defineRoom({
      version: 7,
      collections: { counters: z.object({ value: z.number() }) },
      mutators: (mutator) => ({
        set: mutator(z.object({ value: z.number() }), (tx, { value }) => tx.counters.put("c1", { value })),
      }),
      undo: {
        set: ({ value }, state) => {
          if (value === 13) throw new Error("unlucky");
          const before = state.counters.get("c1");
          return before && ["set", { value: before.value }];
        },
      },
    });
    const { server } = scripted();
    const room = connect("http://room.test/rooms/lobby", board, { undo, transport: server.transport });
    room.on("reject", () => {});
    (await server.attempt(2)).greet();
    await room.ready;
    for (const value of [1, 13, 2]) expect(room.mutate.set({ value }).status).toBe("pending");
    expect(printed).toHaveBeenCalledOnce();
    expect([room.history.undo(), room.state.counters.get("c1")?.value]).toEqual([true, 13]);
    expect(room.history.undo()).toBe(false);
    room.close();
  });

  test("whose opposite is refused here says so, and takes no other step instead", async () => {
    const { room, socket } = await joined();
    const refused: string[] = [];
    room.on("reject", ({ code, operation }) => refused.push(`${operation.type}: ${code}`));
    room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 }));
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(
      0,
      { counters: [["put", "c1", { value: 3 }]], shapes: [["put", "s1", { x: 1, y: 1 }]] },
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      3,
    );
    expect(room.history.undo()).toBe(false);
    expect(refused).toEqual(["drop: conflict"]);
    expect(room.state.shapes.has("s1")).toBe(true);
    expect(room.history.undo()).toBe(true);
    expect(room.state.shapes.has("s1")).toBe(false);
  });

  test("is one step with the edits around it, and is taken back in order", async () => {
    const { room } = await joined();
    room.history.pause();
    room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1, color: "red" }));
    room.mutate.paint({ id: "s1", color: "blue" });
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.mutate.addUp({ id: "c1", by: 3 });
    room.history.resume();
    expect(room.history.undo()).toBe(true);
    expect([room.state.shapes.size, room.state.counters.size]).toEqual([0, 0]);
    expect(room.history.canUndo).toBe(false);
    expect(room.history.redo()).toBe(true);
    expect(room.state.shapes.get("s1")).toEqual({ x: 2, y: 1, color: "blue" });
    expect(room.state.counters.get("c1")).toEqual({ value: 3 });
    expect(room.history.undo()).toBe(true);
    expect([room.state.shapes.size, room.state.counters.size]).toEqual([0, 0]);
  });

  test("leaves the history when the room refuses the call", async () => {
    const { room, socket } = await joined();
    room.on("reject", () => {});
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.update({ lastCallId: 1, outcomes: [[1, { code: "forbidden", message: "no" }]] });
    await turn();
    expect(room.history.canUndo).toBe(false);
  });
});

describe("the history", () => {
  test("holds nothing of mutators without a rule, and nothing of what others do", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.mutate.sign({ id: "p1" });
    room.mutate.roll({ sides: 6 });
    room.transact((tx) => tx.shapes.patch("s1", { x: 1 })); // which it is already
    socket.delta(0, { shapes: [["patch", "s1", { x: 7 }]] });
    expect([room.history.canUndo, room.history.undo()]).toEqual([false, false]);
  });

  test("says when there is something to undo or to redo, and when there no longer is", async () => {
    const { room } = await joined({ records: oneShape });
    const told: unknown[] = [];
    const edit = (x: number) => room.transact((tx) => tx.shapes.patch("s1", { x }));
    room.on("history", ({ canUndo, canRedo }) => told.push([canUndo, canRedo]));
    edit(2);
    edit(3);
    expect(told.splice(0)).toEqual([[true, false]]);
    room.history.undo();
    room.history.undo();
    expect(told.splice(0)).toEqual([
      [true, true],
      [false, true],
    ]);
    edit(5); // what was undone cannot be redone any more
    expect(told.splice(0)).toEqual([[true, false]]);
    expect(room.history.redo()).toBe(false);
    room.history.clear();
    expect(told.splice(0)).toEqual([[false, false]]);
    expect(room.history.undo()).toBe(false);
  });

  test("knows of an edit before anybody hears of it", async () => {
    const { room } = await joined({ records: oneShape });
    const seen: unknown[] = [];
    room.observe("shapes", () => seen.push([room.history.canUndo, room.history.canRedo]));
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.history.undo();
    expect(seen).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  test("keeps apart what a listener does when it hears of an undo", async () => {
    const { room } = await joined({ records: oneShape });
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => room.transact((tx) => tx.papers.put("log", { text: `${x}` })),
    );
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.history.undo(); // of the log
    room.history.undo(); // of the shape, which is logged
    expect([room.state.shapes.get("s1")?.x, room.state.papers.get("log")?.text]).toEqual([1, "1"]);
    room.history.undo();
    expect(room.state.papers.has("log")).toBe(false);
  });

  test("is in no room that was connected without `undo`, and says how to get it", () => {
    const { room } = scripted({ undo: undefined });
    expect(() => room.history).toThrow("room.history needs undo: import it from deltaroom/client/undo");
  });

  test("forgets the oldest steps beyond its count", async () => {
    const { room } = await joined({ records: oneShape }, { limits: { maxUndoSteps: 3 } });
    for (const x of [2, 3, 4, 5, 6]) room.transact((tx) => tx.shapes.patch("s1", { x }));
    while (room.history.undo());
    expect(room.state.shapes.get("s1")?.x).toBe(3);
  });

  test("forgets the oldest steps beyond its bytes, and what is too large for it alone", async () => {
    const { room } = await joined({}, { limits: { maxUndoBytes: 10_000 } });
    const text = (length: number) => "x".repeat(length);
    for (const id of ["p1", "p2", "p3"]) room.transact((tx) => tx.papers.put(id, { text: text(4_000) }));
    while (room.history.undo());
    expect(room.state.papers.ids()).toEqual(["p1"]);
    while (room.history.redo());
    expect(room.state.papers.ids()).toEqual(["p1", "p2", "p3"]);
    room.transact((tx) => tx.papers.put("p4", { text: text(20_000) }));
    expect(room.history.canUndo).toBe(false);
  });

  test("waits with a step for as long as no call can be made", async () => {
    const { room, socket } = await joined({ records: oneShape }, { limits: { maxPendingCalls: 2 } });
    expect(scripted().room.history.undo()).toBe(false); // not ready
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.mutate.roll({ sides: 6 });
    await turn();
    expect([room.history.undo(), room.history.canUndo]).toEqual([false, true]);
    socket.update({
      lastCallId: 2,
      outcomes: [
        [1, 1],
        [2, 2],
      ],
      delta: { from: 0, to: 2, changes: { shapes: [["patch", "s1", { x: 2 }]] } },
    });
    expect([room.history.undo(), room.state.shapes.get("s1")?.x]).toEqual([true, 1]);
    room.on("reject", () => {});
    room.close();
    expect(room.history.redo()).toBe(false);
  });
});
