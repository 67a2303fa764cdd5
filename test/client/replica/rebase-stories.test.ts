import { describe, expect, onTestFinished, test, vi } from "vitest";
import { outcomeOf } from "../../support/clients/joined-client.ts";
import { expectAgreement, MemoryRoom } from "../support/memory-room.ts";
import { joined, turn } from "../../support/rooms/scripted-room.ts";

describe("pending calls", () => {
  test("run again on what the room says", async () => {
    const { room, socket } = await joined({ records: { counters: { c1: { value: 10 } } } });
    room.mutate.addUp({ id: "c1", by: 1 });
    room.mutate.addUp({ id: "c1", by: 1 });
    expect(room.state.counters.get("c1")?.value).toBe(12);
    socket.delta(0, { counters: [["patch", "c1", { value: 100 }]] });
    expect(room.state.counters.get("c1")?.value).toBe(102);
    expect([room.rev, room.pending]).toEqual([1, 2]);
  });

  test("run no more once the room has them, and those behind them still do", async () => {
    const { room, socket } = await joined({ records: { counters: { c1: { value: 10 } } } });
    room.mutate.addUp({ id: "c1", by: 1 });
    room.mutate.addUp({ id: "c1", by: 2 });
    await turn();
    socket.delta(
      0,
      { counters: [["patch", "c1", { value: 101 }]] },
      { lastCallId: 1, outcomes: [[1, 2]] },
      2,
    );
    expect(room.state.counters.get("c1")?.value).toBe(103);
    expect(room.pending).toBe(1);
  });

  test("keep the time at which they were made, and the person who made them", async () => {
    vi.useFakeTimers({ now: 1_000, toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const { room, socket } = await joined({ user: { id: "u1", name: "Ada" } });
    room.mutate.sign({ id: "p1" });
    vi.setSystemTime(2_000);
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] });
    expect(room.state.papers.get("p1")?.text).toBe("Ada write at 1000 on the client");
  });

  test("see what those before them did", async () => {
    const { room, socket } = await joined();
    room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 }));
    room.mutate.paint({ id: "s1", color: "red" });
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] });
    expect(room.state.shapes.get("s1")).toEqual({ x: 1, y: 1, color: "red" });
  });
});

describe("a prediction that a rebase rejects", () => {
  test("is dropped, is no rejection, and comes back when the base allows it again", async () => {
    const { room, socket } = await joined({ records: { shapes: { s1: { x: 1, y: 1 } } } });
    const refused = vi.fn<() => void>();
    room.on("reject", refused);
    const { committed } = room.mutate.paint({ id: "s1", color: "red" });
    await turn();
    socket.delta(0, { shapes: [["delete", "s1"]] });
    expect(room.state.shapes.has("s1")).toBe(false);
    expect(room.pending).toBe(1);
    socket.delta(1, { shapes: [["put", "s1", { x: 2, y: 2 }]] });
    expect(room.state.shapes.get("s1")).toEqual({ x: 2, y: 2, color: "red" });
    socket.delta(2, { shapes: [["patch", "s1", { color: "red" }]] }, { lastCallId: 1, outcomes: [[1, 3]] });
    expect(await committed).toEqual({ rev: 3 });
    expect(refused).not.toHaveBeenCalled();
  });

  test("is rejected when the server says so", async () => {
    const { room, socket } = await joined({ records: { shapes: { s1: { x: 1, y: 1 } } } });
    room.on("reject", () => {});
    const call = room.mutate.paint({ id: "s1", color: "red" });
    await turn();
    socket.delta(0, { shapes: [["delete", "s1"]] });
    socket.update({
      lastCallId: 1,
      outcomes: [[1, { code: "no-canvas", message: "there is nothing to paint" }]],
    });
    expect(await outcomeOf(call)).toBe("no-canvas");
  });

  test("may be a direct edit of a record that somebody has deleted", async () => {
    const at = new MemoryRoom();
    const [one, other] = [await at.enter(), await at.enter()];
    one.room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 }));
    await at.settle();
    one.network.hold("up");
    const call = one.room.transact((tx) => tx.shapes.patch("s1", { x: 9 }));
    other.room.transact((tx) => tx.shapes.delete("s1"));
    await at.settle();
    expect(one.room.state.shapes.has("s1")).toBe(false);
    expect([one.room.rev, one.room.pending]).toEqual([2, 1]);
    one.network.release();
    expect(await outcomeOf(call)).toBe("not-found");
    expect(await expectAgreement(at, one, other)).toEqual({});
  });
});

test("a mutator that throws in a rebase loses its own prediction and nothing else", async () => {
  const { room, socket } = await joined({ records: { counters: { c1: { value: 5 } } } });
  room.on("reject", () => {});
  const before = room.mutate.addUp({ id: "c2", by: 1 });
  const stumbling = room.mutate.stumble({ id: "c1" });
  const behind = room.mutate.addUp({ id: "c2", by: 1 });
  expect(room.state.counters.get("c1")?.value).toBe(10);
  await turn();
  socket.delta(0, { counters: [["delete", "c1"]] });
  expect(room.state.counters.entries()).toEqual([["c2", { value: 2 }]]);
  socket.delta(
    1,
    { counters: [["put", "c2", { value: 2 }]] },
    {
      lastCallId: 3,
      outcomes: [
        [1, 2],
        [2, { code: "internal", message: "the room could not run this call" }],
        [3, 3],
      ],
    },
    3,
  );
  expect(await Promise.all([before, stumbling, behind].map(outcomeOf))).toEqual([2, "internal", 3]);
  room.mutate.addUp({ id: "c3", by: 1 });
  expect(room.state.counters.has("c3")).toBe(true);
});

describe("two clients", () => {
  test("who change different fields of a record at the same time both have their way", async () => {
    const at = new MemoryRoom();
    const [one, other] = [await at.enter(), await at.enter()];
    one.room.transact((tx) => tx.shapes.put("s1", { x: 0, y: 0 }));
    await at.settle();
    one.room.transact((tx) => tx.shapes.patch("s1", { x: 7 }));
    other.room.transact((tx) => tx.shapes.patch("s1", { y: 8, color: "red" }));
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { s1: { x: 7, y: 8, color: "red" } } });
  });

  test("who change the same field see the one that came last to the room, on both sides", async () => {
    const at = new MemoryRoom();
    const [one, other] = [await at.enter(), await at.enter()];
    one.room.transact((tx) => tx.shapes.put("s1", { x: 0, y: 0 }));
    await at.settle();
    one.network.hold("up");
    one.room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    other.room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    await at.settle();
    expect([one.room.rev, one.room.state.shapes.get("s1")?.x]).toEqual([2, 1]); // its own edit is newer, as far as it knows
    one.network.release();
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { s1: { x: 1, y: 0 } } });
  });

  test("who both count up lose nothing", async () => {
    const at = new MemoryRoom();
    const clients = [await at.enter(), await at.enter(), await at.enter()];
    for (let round = 0; round < 20; round++) {
      for (const { room } of clients) room.mutate.addUp({ id: "c1", by: 1 });
      clients[round % 3]?.room.mutate.addUp({ id: "c1", by: 1 });
      await at.server.clock.advance(round); // some of it has arrived, and some not
    }
    expect(await expectAgreement(at, ...clients)).toEqual({ shapes: { c1: { x: 80, y: 0 } } });
  });

  test("of whom one saw the other's change too late are told of a conflict", async () => {
    const at = new MemoryRoom();
    const [one, other] = [await at.enter(), await at.enter()];
    one.room.mutate.addTask({ id: "t1", title: "x" });
    await at.settle();
    one.network.hold("up");
    const late = one.room.mutate.claim({ id: "t1" });
    expect(await outcomeOf(other.room.mutate.claim({ id: "t1" }))).toBe(2);
    await at.settle();
    expect(one.room.rev).toBe(2);
    one.network.release();
    expect(await outcomeOf(late)).toBe("conflict");
    expect(one.room.state.tasks.get("t1")?.assignee).toBe(other.room.self.clientId);
  });
});
