import { describe, expect, test } from "vitest";
import type { Room } from "../../../client/index.ts";
import type { ClientBoard } from "../../support/boards/client-board.ts";
import { fakeTimers, joined, pass, turn } from "../../support/rooms/scripted-room.ts";

fakeTimers();

const refusal = { code: "forbidden", message: "no" };
const redShape = { shapes: { s1: { x: 1, y: 1, color: "red" } } };

type Board = Room<ClientBoard>;
const shapeOf = (room: Board) => room.state.shapes.get("s1");
const paint = (room: Board, color: string) => room.transact((tx) => tx.shapes.patch("s1", { color }));
const strip = (room: Board) => room.transact((tx) => tx.shapes.unset("s1", "color"));

/** A client that has removed the color of a shape, which the room has committed at revision 1. */
async function stripped() {
  const joiner = await joined({ records: redShape });
  strip(joiner.room);
  await turn();
  joiner.socket.delta(0, { shapes: [["patch", "s1", {}, ["color"]]] }, { lastCallId: 1, outcomes: [[1, 1]] });
  joiner.room.on("reject", () => {});
  return joiner;
}

describe("a field that another client has set, and set back to what the edit left, stays when", () => {
  test("a put leaves the field out", async () => {
    const { room, socket } = await stripped();
    socket.delta(1, { shapes: [["patch", "s1", { color: "sea" }]] });
    socket.delta(2, { shapes: [["put", "s1", { x: 7, y: 7 }]] });
    expect(room.history.undo()).toBe(false);
    expect(shapeOf(room)).toEqual({ x: 7, y: 7 });
  });

  test("a put or a patch sets the value again", async () => {
    for (const kind of ["put", "patch"] as const) {
      const { room, socket } = await joined({ records: redShape });
      paint(room, "blue");
      await turn();
      socket.delta(
        0,
        { shapes: [["patch", "s1", { color: "blue" }]] },
        { lastCallId: 1, outcomes: [[1, 1]] },
      );
      socket.delta(1, { shapes: [["patch", "s1", { color: "sea" }]] });
      socket.delta(2, { shapes: [[kind, "s1", { x: 1, y: 1, color: "blue" }]] });
      expect(room.history.undo()).toBe(false);
      expect(shapeOf(room)?.color).toBe("blue");
    }
  });

  test("the record was deleted and made again as it was", async () => {
    const { room, socket } = await stripped();
    socket.delta(1, { shapes: [["delete", "s1"]] });
    socket.delta(2, { shapes: [["put", "s1", { x: 1, y: 1 }]] });
    expect(room.history.undo()).toBe(false);
    expect(shapeOf(room)).toEqual({ x: 1, y: 1 });
  });

  test("the step is one that was undone", async () => {
    const { room, socket } = await joined({ records: redShape });
    strip(room);
    room.history.undo();
    await turn();
    socket.update({ lastCallId: 1, outcomes: [[1, 1]], delta: { from: 0, to: 1, changes: {} } });
    socket.delta(1, { shapes: [["patch", "s1", { color: "sea" }]] });
    socket.delta(2, { shapes: [["patch", "s1", { color: "red" }]] });
    expect(room.history.redo()).toBe(false);
    expect(shapeOf(room)?.color).toBe("red");
  });

  test("a call of this client hides it, which the room then refuses", async () => {
    const { room, socket } = await stripped();
    paint(room, "blue");
    await pass(20);
    socket.delta(1, { shapes: [["patch", "s1", { color: "sea" }]] });
    socket.delta(2, { shapes: [["patch", "s1", {}, ["color"]]] });
    expect(shapeOf(room)?.color).toBe("blue");
    socket.update({ lastCallId: 2, outcomes: [[2, refusal]] });
    await turn();
    expect(room.history.undo()).toBe(false);
    expect(shapeOf(room)).toEqual({ x: 1, y: 1 });
  });

  test("a listener undoes as soon as it hears of it", async () => {
    const { room, socket } = await stripped();
    socket.delta(1, { shapes: [["patch", "s1", { color: "sea" }]] });
    const undone: boolean[] = [];
    room.observe("shapes", () => undone.push(room.history.undo()));
    socket.delta(2, { shapes: [["patch", "s1", {}, ["color"]]] });
    expect([undone, shapeOf(room)]).toEqual([[false], { x: 1, y: 1 }]);
  });
});

describe("a record that another client has changed and set back", () => {
  test("is not deleted by the undo of its creation, except with `force`", async () => {
    for (const force of [false, true]) {
      const { room, socket } = await joined();
      room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 }));
      await turn();
      socket.delta(0, { shapes: [["put", "s1", { x: 1, y: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
      socket.delta(1, { shapes: [["patch", "s1", { x: 7 }]] });
      socket.delta(2, { shapes: [["patch", "s1", { x: 1 }]] });
      expect(room.history.undo({ force })).toBe(force);
      expect(room.state.shapes.has("s1")).toBe(!force);
    }
  });

  test("is not brought back after another client has made and deleted it again", async () => {
    const { room, socket } = await joined({ records: redShape });
    room.transact((tx) => tx.shapes.delete("s1"));
    await turn();
    socket.delta(0, { shapes: [["delete", "s1"]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    socket.delta(1, { shapes: [["put", "s1", { x: 7, y: 7 }]] });
    socket.delta(2, { shapes: [["delete", "s1"]] });
    expect(room.history.undo()).toBe(false);
    expect(room.state.shapes.has("s1")).toBe(false);
  });
});

describe("what this client has done itself is no change of another client", () => {
  test("when the room refuses a later edit of the field", async () => {
    const { room, socket } = await stripped();
    paint(room, "blue");
    await pass(20);
    socket.update({ lastCallId: 2, outcomes: [[2, refusal]] });
    await turn();
    expect(room.history.undo()).toBe(true);
    expect(shapeOf(room)?.color).toBe("red");
  });

  test("when the room commits one edit after the other, each undo among them", async () => {
    const { room, socket } = await stripped();
    paint(room, "blue");
    await pass(20);
    room.history.undo();
    await pass(20);
    socket.delta(1, { shapes: [["patch", "s1", { color: "blue" }]] }, { lastCallId: 2, outcomes: [[2, 2]] });
    socket.delta(2, { shapes: [["patch", "s1", {}, ["color"]]] }, { lastCallId: 3, outcomes: [[3, 3]] });
    expect(room.history.undo()).toBe(true);
    expect(shapeOf(room)?.color).toBe("red");
  });

  test("when a listener undoes in the update that brings a refusal", async () => {
    const { room, socket } = await stripped();
    paint(room, "blue");
    await pass(20);
    const undone: boolean[] = [];
    const stop = room.observe("shapes", () => {
      stop();
      undone.push(room.history.undo());
    });
    socket.update({ lastCallId: 2, outcomes: [[2, refusal]] });
    expect([undone, shapeOf(room)?.color]).toEqual([[true], "red"]);
  });
});
