import { describe, expect, test, vi } from "vitest";
import { outcomeOf } from "../../support/clients/joined-client.ts";
import { fakeTimers, joined, turn } from "../../support/rooms/scripted-room.ts";

fakeTimers();

const twoShapes = { shapes: { s1: { x: 0, y: 0 }, s2: { x: 0, y: 0 } } };

describe("a call says what became of it", () => {
  test("`pending` until the room has answered, then `committed`", async () => {
    const { room, socket } = await joined();
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    expect(call.status).toBe("pending");
    await turn();
    expect(call.status).toBe("pending");
    const seen: string[] = [];
    room.on("pending", () => seen.push(call.status));
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    expect(seen).toEqual(["committed"]);
  });

  test("`rejected` when the room refuses it, for each of those that went as one", async () => {
    const { room, server, socket } = await joined();
    room.on("reject", () => {});
    socket.drop();
    const calls = [1, 2].map((x) => room.transact((tx) => tx.shapes.put("s1", { x, y: 0 })));
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    expect(calls.map(({ status }) => status)).toEqual(["pending", "pending"]);
    server.newest.update({ lastCallId: 1, outcomes: [[1, { code: "forbidden", message: "no" }]] });
    expect(calls.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("at once when it is refused here, or has nothing to do", async () => {
    const { room } = await joined({ records: twoShapes });
    room.on("reject", () => {});
    expect(room.mutate.paint({ id: "nothing", color: "red" }).status).toBe("rejected");
    expect(room.transact((tx) => tx.shapes.patch("s1", { x: 0 })).status).toBe("committed");
    room.close();
    expect(room.mutate.addUp({ id: "c1", by: 1 }).status).toBe("rejected");
  });

  test("`pending` for as long as the client is offline", async () => {
    const { room, socket } = await joined();
    room.disconnect();
    socket.drop();
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(call.status).toBe("pending");
  });
});

describe("a record's listener", () => {
  test("is told when the record begins to wait and when it ceases to, though its value stays the same", async () => {
    const { room, socket } = await joined({ records: twoShapes });
    const told: unknown[] = [];
    room.onPending("shapes", "s1", (isPending) => told.push(isPending));
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => told.push(x),
    );
    room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    expect(told).toEqual([1, true]);
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    expect(told.splice(0)).toEqual([1, true, 2]);
    await turn();
    socket.delta(0, { shapes: [["patch", "s1", { x: 2 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    expect(told).toEqual([false]);
    expect(room.isPending("shapes", "s1")).toBe(false);
  });

  test("is told of nothing that becomes of other records", async () => {
    const { room, socket } = await joined({ records: twoShapes });
    const told = vi.fn<(isPending: boolean) => void>();
    room.onPending("shapes", "s1", told);
    room.transact((tx) => tx.shapes.patch("s2", { x: 1 }));
    room.transact((tx) => tx.papers.put("s1", { text: "" })); // of the same name in another collection
    await turn();
    socket.delta(0, { shapes: [["patch", "s1", { x: 7 }]] });
    expect(told).not.toHaveBeenCalled();
  });

  test("is told that the wait is over when the edit is refused", async () => {
    const { room, socket } = await joined({ records: twoShapes });
    room.on("reject", () => {});
    const told: boolean[] = [];
    room.onPending("shapes", "s1", (isPending) => told.push(isPending));
    room.transact((tx) => tx.shapes.delete("s1"));
    await turn();
    socket.update({ lastCallId: 1, outcomes: [[1, { code: "forbidden", message: "no" }]] });
    expect(told).toEqual([true, false]);
    expect(room.state.shapes.has("s1")).toBe(true);
  });

  test("that comes while the record waits is told of the end alone, and one that has gone of nothing", async () => {
    const { room, socket } = await joined({ records: twoShapes });
    room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    const [late, gone] = [vi.fn<(isPending: boolean) => void>(), vi.fn<(isPending: boolean) => void>()];
    room.onPending("shapes", "s1", late);
    const stop = room.onPending("shapes", "s1", gone);
    stop();
    await turn();
    socket.delta(0, { shapes: [["patch", "s1", { x: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    expect(late.mock.calls).toEqual([[false]]);
    expect(gone).not.toHaveBeenCalled();
  });
});

describe("a full queue", () => {
  test("refuses a call beyond its count, of which nothing is shown or sent, and takes calls again when there is room", async () => {
    const { room, socket } = await joined({}, { limits: { maxPendingCalls: 2 } });
    const refused: unknown[] = [];
    room.on("reject", ({ code, operation }) => refused.push([code, operation]));
    const seen = vi.fn<() => void>();
    room.mutate.addUp({ id: "c1", by: 1 });
    room.mutate.addUp({ id: "c1", by: 1 });
    room.observe("counters", seen);
    room.observe("shapes", seen);
    const beyond = [
      room.mutate.addUp({ id: "c1", by: 5 }),
      room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 })),
    ];
    expect(beyond.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await Promise.all(beyond.map(outcomeOf))).toEqual(["queue-full", "queue-full"]);
    expect(refused).toEqual([
      ["queue-full", { type: "addUp", payload: { id: "c1", by: 5 } }],
      ["queue-full", { type: "transact", payload: { shapes: [["put", "s1", { x: 1, y: 1 }]] } }],
    ]);
    expect(seen).not.toHaveBeenCalled();
    expect([room.pending, room.state.counters.get("c1")?.value, room.state.shapes.size]).toEqual([2, 2, 0]);
    await turn();
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    expect(room.mutate.addUp({ id: "c1", by: 5 }).status).toBe("pending");
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.calls.map(({ payload }) => (payload as { by: number }).by)).toEqual([1, 1, 5]);
  });

  test("refuses a call beyond its bytes", async () => {
    const { room } = await joined({}, { limits: { maxPendingBytes: 1_000 } });
    room.on("reject", () => {});
    const write = (id: string, length: number) =>
      room.transact((tx) => tx.papers.put(id, { text: "x".repeat(length) })).status;
    expect(write("p1", 600)).toBe("pending");
    expect(write("p2", 600)).toBe("rejected");
    expect(write("p3", 200)).toBe("pending");
    expect(room.state.papers.ids()).toEqual(["p1", "p3"]);
  });

  test("has a limit of ten thousand calls by default", async () => {
    const { room } = await joined();
    room.on("reject", () => {});
    room.disconnect();
    const statuses = new Map<string, number>();
    for (let n = 0; n < 10_001; n++) {
      const { status } = room.mutate.roll({ sides: 6 });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(Object.fromEntries(statuses)).toEqual({ pending: 10_000, rejected: 1 });
  });
});
