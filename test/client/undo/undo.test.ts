import { describe, expect, test, vi } from "vitest";
import type { Room } from "../../../client/index.ts";
import type { ClientBoard } from "../../support/boards/client-board.ts";
import { fakeTimers, joined, turn } from "../../support/rooms/scripted-room.ts";

fakeTimers();

const oneShape = { shapes: { s1: { x: 1, y: 1 } } };

function setX(room: Room<ClientBoard>, x: number, id = "s1"): void {
  room.transact((tx) => tx.shapes.patch(id, { x }));
}

describe("undo takes back", () => {
  test("one edit after the other, the newest first, and redo makes them again", async () => {
    const { room } = await joined({ records: oneShape });
    const x = () => room.state.shapes.get("s1")?.x;
    setX(room, 2);
    setX(room, 3);
    const seen: unknown[] = [];
    for (const step of ["undo", "undo", "undo", "redo", "redo", "redo"] as const)
      seen.push([step, room.history[step](), x()]);
    expect(seen).toEqual([
      ["undo", true, 2],
      ["undo", true, 1],
      ["undo", false, 1],
      ["redo", true, 2],
      ["redo", true, 3],
      ["redo", false, 3],
    ]);
  });

  test("by a call like any other: shown at once, sent, and answered", async () => {
    const { room, socket } = await joined({ records: oneShape });
    setX(room, 2);
    await turn();
    socket.delta(0, { shapes: [["patch", "s1", { x: 2 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    const seen: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => seen.push(x),
    );
    room.history.undo();
    expect(seen).toEqual([1]);
    expect([room.pending, room.isPending("shapes", "s1")]).toEqual([1, true]);
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.calls.slice(1)).toEqual([
      { clientReqId: 2, baseRev: 1, type: "transact", payload: { shapes: [["patch", "s1", { x: 1 }]] } },
    ]);
  });

  test("a record that was made, and redo makes it again whole", async () => {
    const { room } = await joined();
    const path = [1, 2, 3];
    room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1, color: "red", path }));
    room.history.undo();
    expect(room.state.shapes.has("s1")).toBe(false);
    room.history.redo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1, color: "red", path });
  });

  test("a deletion, by bringing back the whole record", async () => {
    const { room } = await joined({ records: oneShape });
    setX(room, 2);
    room.transact((tx) => tx.shapes.delete("s1"));
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 2, y: 1 });
    room.history.redo();
    expect(room.state.shapes.has("s1")).toBe(false);
  });

  test("a field that was added or removed", async () => {
    const { room } = await joined({ records: oneShape });
    room.transact((tx) => tx.shapes.patch("s1", { color: "red" }));
    room.transact((tx) => tx.shapes.unset("s1", "color"));
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1, color: "red" });
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1 });
    room.history.redo();
    expect(room.state.shapes.get("s1")?.color).toBe("red");
  });

  test("a put over a record, field by field", async () => {
    const { room, socket } = await joined({ records: { shapes: { s1: { x: 1, y: 1, color: "red" } } } });
    room.transact((tx) => tx.shapes.put("s1", { x: 5, y: 1, path: [1] }));
    await turn();
    socket.delta(
      0,
      { shapes: [["put", "s1", { x: 5, y: 1, path: [1] }]] },
      { lastCallId: 1, outcomes: [[1, 1]] },
    );
    socket.delta(1, { shapes: [["patch", "s1", { y: 9 }]] });
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 9, color: "red" });
  });

  test("all records of an edit in one call", async () => {
    const { room, socket } = await joined({
      records: { shapes: { s1: { x: 1, y: 1 }, s2: { x: 2, y: 2 } }, papers: { p1: { text: "old" } } },
    });
    room.transact((tx) => {
      tx.shapes.patch("s1", { x: 9 });
      tx.shapes.delete("s2");
      tx.shapes.put("s3", { x: 3, y: 3 });
      tx.papers.patch("p1", { text: "new" });
    });
    await turn();
    room.history.undo();
    expect(room.state.shapes.entries()).toEqual([
      ["s1", { x: 1, y: 1 }],
      ["s2", { x: 2, y: 2 }],
    ]);
    expect(room.state.papers.get("p1")).toEqual({ text: "old" });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.calls).toHaveLength(2);
  });

  test("what was done offline, before any of it was sent", async () => {
    const { room, server, socket } = await joined({ records: oneShape });
    socket.drop();
    setX(room, 2);
    setX(room, 3);
    room.history.undo();
    expect([room.state.shapes.get("s1")?.x, room.pending]).toEqual([2, 1]);
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    expect(server.newest.calls.map(({ payload }) => payload)).toEqual([
      { shapes: [["patch", "s1", { x: 2 }]] },
    ]);
  });

  test("what takes more to bring back than a call may carry, in several", async () => {
    const { room, socket } = await joined();
    const text = "x".repeat(200_000);
    const ids = ["p1", "p2", "p3", "p4", "p5"];
    for (const id of ids) room.transact((tx) => tx.papers.put(id, { text }));
    room.history.clear();
    room.transact((tx) => {
      for (const id of ids) tx.papers.delete(id);
    });
    expect(room.history.undo()).toBe(true);
    expect(room.state.papers.ids()).toEqual(ids);
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.calls.length).toBeGreaterThan(7);
    room.history.redo();
    expect(room.state.papers.ids()).toEqual([]);
    expect(room.history.undo()).toBe(true);
    expect(room.state.papers.ids()).toEqual(ids);
    expect(room.history.canUndo).toBe(false);
  });
});

describe("what somebody else has done since", () => {
  test("to the same field stays, and the other fields are put back", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.transact((tx) => tx.shapes.patch("s1", { x: 2, y: 2 }));
    await turn();
    socket.delta(0, { shapes: [["patch", "s1", { x: 2, y: 2 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    socket.delta(1, { shapes: [["patch", "s1", { y: 7, color: "red" }]] });
    expect(room.history.undo()).toBe(true);
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 7, color: "red" });
    expect(room.history.redo()).toBe(true);
    expect(room.state.shapes.get("s1")).toEqual({ x: 2, y: 7, color: "red" });
  });

  test("is not undone by an older step that had left the same value", async () => {
    const { room, socket } = await joined({ records: oneShape });
    for (const x of [2, 1]) setX(room, x);
    await turn();
    socket.update({ lastCallId: 1, outcomes: [[1, 1]], delta: { from: 0, to: 1, changes: {} } });
    socket.delta(1, { shapes: [["patch", "s1", { x: 2 }]] }); // as the first of the two steps had it
    expect(room.history.undo()).toBe(false);
    expect(room.state.shapes.get("s1")?.x).toBe(2);
  });

  test("is undone as well with `force`", async () => {
    const { room, socket } = await joined({ records: oneShape });
    setX(room, 2);
    await turn();
    socket.delta(0, { shapes: [["patch", "s1", { x: 2 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    socket.delta(1, { shapes: [["patch", "s1", { x: 7, y: 7 }]] });
    expect(room.history.undo({ force: true })).toBe(true);
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 7 });
    expect(room.history.redo()).toBe(true);
    expect(room.state.shapes.get("s1")).toEqual({ x: 7, y: 7 });
  });

  test("that deleted the record is no reason to bring it back, not even with `force`", async () => {
    const { room, socket } = await joined({ records: oneShape });
    setX(room, 2);
    setX(room, 3);
    await turn();
    socket.delta(0, { shapes: [["delete", "s1"]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    expect(room.history.undo({ force: true })).toBe(false);
    expect(room.history.undo()).toBe(false);
    expect(room.state.shapes.has("s1")).toBe(false);
    expect(room.history.canUndo).toBe(false);
  });

  test("to a record that was made here keeps it; `force` deletes it", async () => {
    for (const force of [false, true]) {
      const { room, socket } = await joined();
      room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 }));
      await turn();
      socket.delta(0, { shapes: [["put", "s1", { x: 1, y: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
      socket.delta(1, { shapes: [["patch", "s1", { y: 7 }]] });
      expect(room.history.undo({ force })).toBe(force);
      expect(room.state.shapes.has("s1")).toBe(!force);
      expect(room.history.canRedo).toBe(force);
    }
  });

  test("in the place of a record that was deleted here stays", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.transact((tx) => tx.shapes.delete("s1"));
    await turn();
    socket.delta(0, { shapes: [["delete", "s1"]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    socket.delta(1, { shapes: [["put", "s1", { x: 7, y: 7 }]] });
    expect(room.history.undo()).toBe(false);
    expect(room.state.shapes.get("s1")).toEqual({ x: 7, y: 7 });
  });

  test("is passed over: the step before it is taken back instead", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.transact((tx) => tx.shapes.patch("s1", { y: 2 }));
    setX(room, 2);
    await turn();
    socket.delta(
      0,
      { shapes: [["patch", "s1", { x: 2, y: 2 }]] },
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      2,
    );
    socket.delta(2, { shapes: [["patch", "s1", { x: 7 }]] });
    expect(room.history.undo()).toBe(true);
    expect(room.state.shapes.get("s1")).toEqual({ x: 7, y: 1 });
    expect(room.history.undo()).toBe(false);
  });

  test("that does not go together with what was there leaves that record as it is", async () => {
    const spans = { a: { from: 1, to: 2 }, b: { from: 1, to: 2 } };
    const { room, socket } = await joined({ records: { spans } });
    const patches = (["a", "b"] as const).map((id) => ["patch", id, { from: 7, to: 8 }] as const);
    room.transact((tx) => {
      for (const [, id, fields] of patches) tx.spans.patch(id, fields);
    });
    await turn();
    socket.delta(0, { spans: patches }, { lastCallId: 1, outcomes: [[1, 1]] });
    socket.delta(1, { spans: [["patch", "a", { from: 5 }]] }); // 5 to 2 would be no span
    expect(room.history.undo()).toBe(true);
    expect(room.state.spans.entries()).toEqual([
      ["a", { from: 5, to: 8 }],
      ["b", { from: 1, to: 2 }],
    ]);
  });
});

describe("an edit that the room refuses", () => {
  const refusal = { code: "forbidden", message: "no" };

  test("leaves the history, and its undo with it", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.on("reject", () => {});
    room.transact((tx) => tx.shapes.patch("s1", { y: 2 }));
    setX(room, 2);
    await turn();
    const told: unknown[] = [];
    room.on("history", (history) => told.push(history));
    socket.update({
      lastCallId: 2,
      outcomes: [
        [1, 1],
        [2, refusal],
      ],
      delta: { from: 0, to: 1, changes: { shapes: [["patch", "s1", { y: 2 }]] } },
    });
    await turn();
    room.history.undo();
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1 });
    expect(told).toEqual([{ canUndo: false, canRedo: true }]);
    await vi.advanceTimersByTimeAsync(16);
    socket.update({ lastCallId: 3, outcomes: [[3, refusal]] });
    await turn();
    expect(told.slice(1)).toEqual([{ canUndo: false, canRedo: false }]);
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 2 });
  });

  test("is not put back by the undo of a later one that stood on it", async () => {
    const { room, socket } = await joined({ records: oneShape });
    room.on("reject", () => {});
    setX(room, 2);
    await turn();
    setX(room, 3);
    await vi.advanceTimersByTimeAsync(16);
    socket.update({ lastCallId: 1, outcomes: [[1, refusal]] });
    await turn();
    room.history.undo();
    expect(room.state.shapes.get("s1")?.x).toBe(1);
  });
});
