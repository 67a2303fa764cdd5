import { describe, expect, test, vi } from "vitest";
import { outcomeOf } from "../../support/clients/joined-client.ts";
import { fakeTimers, joined, scripted, turn } from "../../support/rooms/scripted-room.ts";

fakeTimers();

describe("the way up", () => {
  test("is taken at once by the first call, and together by those that follow within a frame of the display", async () => {
    const { room, socket } = await joined();
    room.mutate.addUp({ id: "c1", by: 1 });
    room.mutate.addUp({ id: "c1", by: 2 });
    expect(socket.sent).toEqual([]); // what is made in one turn goes together
    await turn();
    room.mutate.addUp({ id: "c1", by: 3 });
    await vi.advanceTimersByTimeAsync(8);
    room.mutate.addUp({ id: "c1", by: 4 });
    expect(socket.frames("push")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(8);
    expect(socket.frames("push").map(({ first, calls }) => [first, calls.length])).toEqual([
      [1, 2],
      [3, 2],
    ]);
  });

  test("carries for each call the revision at which it was made, and what the client has been told", async () => {
    const { room, socket } = await joined({ rev: 4 });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(4, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 5]] });
    room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.frames("push").map(({ first, confirmed }) => [first, confirmed])).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(socket.calls.map(({ baseRev }) => baseRev)).toEqual([4, 5]);
  });

  test("is shared fairly: no frame holds more calls than the room takes, nor more bytes", async () => {
    const limits = { maxCallsPerFrame: 10, maxFrameBytes: 10_000 };
    const { room, socket } = await joined({ limits });
    for (let n = 0; n < 25; n++) room.mutate.addUp({ id: "c1", by: n });
    await turn();
    expect(socket.frames("push").map(({ calls }) => calls.length)).toEqual([10, 10, 5]);
    socket.delta(
      0,
      { counters: [["put", "c1", { value: 300 }]] },
      { lastCallId: 25, outcomes: outcomes(1, 25) },
      25,
    );
    for (let n = 0; n < 8; n++) room.transact((tx) => tx.papers.put(`p${n}`, { text: "x".repeat(2_900) }));
    await vi.advanceTimersByTimeAsync(16);
    const frames = socket.sent.slice(3);
    expect(frames.map(({ length }) => length < limits.maxFrameBytes)).toEqual(frames.map(() => true));
    expect(socket.calls).toHaveLength(33);
  });

  test("is bytes where the room has the same names, and text in a room with others", async () => {
    for (const acceptsBinary of [true, false]) {
      const { room, socket } = await joined({ acceptsBinary });
      room.transact((tx) => tx.papers.put("p1", { text: "é" }));
      await turn();
      expect(socket.sent.map((frame) => typeof frame)).toEqual([acceptsBinary ? "object" : "string"]);
      expect(socket.calls[0]?.payload).toEqual({ papers: [["put", "p1", { text: "é" }]] });
    }
  });

  test("is text again for what would be longer as bytes than the room takes", async () => {
    const limits = { maxFrameBytes: 2_000 };
    const { room, socket } = await joined({ limits });
    const path = Array.from({ length: 300 }, () => 1e-7);
    room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1, path }));
    await turn();
    const [frame] = socket.sent;
    expect(typeof frame).toBe("string");
    expect(frame?.length).toBeLessThan(limits.maxFrameBytes);
    expect(socket.calls[0]?.payload).toEqual({ shapes: [["put", "s1", { x: 1, y: 1, path }]] });
  });

  test("is not crowded: with enough on it, calls wait until something is answered", async () => {
    const { room, socket } = await joined();
    for (let n = 0; n < 20; n++) {
      room.mutate.addUp({ id: "c1", by: 1 });
      await vi.advanceTimersByTimeAsync(16);
    }
    const pushes = socket.frames("push").length;
    expect(pushes).toBeLessThan(20);
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.ids).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(socket.frames("push")).toHaveLength(pushes + 1);
  });
});

describe("direct edits of one record that were never sent", () => {
  test("become one call, and each of them is told of its revision", async () => {
    const { room, server } = scripted();
    const socket = await server.attempt(1);
    socket.greet({ records: { shapes: { s1: { x: 0, y: 0 } } } });
    socket.drop();
    const calls = [1, 2, 3].map((x) => room.transact((tx) => tx.shapes.patch("s1", { x })));
    calls.push(room.transact((tx) => tx.shapes.patch("s1", { y: 9 })));
    calls.push(room.transact((tx) => tx.shapes.put("s2", { x: 1, y: 1 })));
    calls.push(room.transact((tx) => tx.shapes.patch("s2", { color: "red" })));
    calls.push(room.transact((tx) => tx.shapes.unset("s2", "color")));
    expect(room.pending).toBe(2);
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    expect(server.newest.calls.map(({ payload }) => payload)).toEqual([
      { shapes: [["patch", "s1", { x: 3, y: 9 }]] },
      { shapes: [["put", "s2", { x: 1, y: 1 }]] },
    ]);
    server.newest.delta(
      0,
      {
        shapes: [
          ["patch", "s1", { x: 3, y: 9 }],
          ["put", "s2", { x: 1, y: 1 }],
        ],
      },
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      2,
    );
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([1, 1, 1, 1, 2, 2, 2]);
  });

  test("become one call as well when all of them are of the same several records, as a drag of a selection is", async () => {
    const { room, server, socket } = await joined({
      records: { shapes: { s1: { x: 0, y: 0 }, s2: { x: 0, y: 0 } } },
    });
    socket.drop();
    const calls = [1, 2, 3].map((x) =>
      room.transact((tx) => {
        // In another order each time.
        for (const id of x === 2 ? ["s2", "s1"] : ["s1", "s2"]) tx.shapes.patch(id, { x });
        tx.papers.put("p1", { text: `${x}` });
      }),
    );
    expect(room.pending).toBe(1);
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    expect(server.newest.calls.map(({ payload }) => payload)).toEqual([
      {
        shapes: [
          ["patch", "s1", { x: 3 }],
          ["patch", "s2", { x: 3 }],
        ],
        papers: [["put", "p1", { text: "3" }]],
      },
    ]);
    server.newest.update({ lastCallId: 1, outcomes: [[1, 1]] });
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([1, 1, 1]);
  });

  test("stay apart where together they would be more than a call may carry", async () => {
    const { room, server, socket } = await joined();
    socket.drop();
    const ids = ["p1", "p2", "p3"];
    const write = (fields: (id: string) => { text: string } | { layout: string }) =>
      room.transact((tx) => {
        for (const id of ids) tx.papers.patch(id, fields(id));
      });
    room.transact((tx) => {
      for (const id of ids) tx.papers.put(id, { text: "" });
    });
    write(() => ({ text: "x".repeat(100_000) }));
    expect(room.pending).toBe(1);
    write(() => ({ layout: "x".repeat(100_000) }));
    expect(room.pending).toBe(2);
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    expect(server.newest.calls.map(({ clientReqId }) => clientReqId)).toEqual([1, 2]);
  });

  test("stay apart where the later patches what the earlier has deleted in vain", async () => {
    const { room, socket } = await joined({
      records: { shapes: { s1: { x: 0, y: 0 }, s2: { x: 0, y: 0 } } },
    });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    const refusal = { code: "rate-limited", message: "", clientReqId: 1, retryAfterMs: 5_000 } as const;
    socket.say({ kind: "error", ...refusal });
    room.transact((tx) => {
      tx.shapes.patch("s1", { x: 1 });
      tx.shapes.delete("s2");
    });
    // Somebody has deleted s1, so that the edit does nothing here any more; what the room makes of it is not known yet.
    socket.delta(0, { shapes: [["delete", "s1"]] });
    expect(room.state.shapes.ids()).toEqual(["s2"]);
    room.transact((tx) => {
      tx.shapes.put("s1", { x: 5, y: 5 });
      tx.shapes.patch("s2", { x: 5 });
    });
    expect(room.pending).toBe(3);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(socket.ids).toEqual([1, 1, 2, 3]);
  });

  test("stay apart when something else was called between them, or when they are of other records", async () => {
    const { room, socket } = await joined({
      records: { shapes: { s1: { x: 0, y: 0 }, s2: { x: 0, y: 0 } } },
    });
    room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    room.mutate.addUp({ id: "c1", by: 1 });
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.transact((tx) => tx.shapes.patch("s2", { x: 3 }));
    room.transact((tx) => {
      tx.shapes.patch("s1", { x: 4 });
      tx.shapes.patch("s2", { x: 4 });
    });
    room.transact((tx) => tx.shapes.patch("s2", { x: 5 }));
    room.transact((tx) => tx.papers.put("s2", { text: "of another collection" }));
    await turn();
    expect(socket.calls).toHaveLength(7);
  });

  test("are all rejected together, and undone together", async () => {
    const { room, server, socket } = await joined();
    const refused: string[] = [];
    room.on("reject", ({ code }) => refused.push(code));
    socket.drop();
    const calls = [1, 2].map((x) => room.transact((tx) => tx.shapes.put("s1", { x, y: 0 })));
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    server.newest.update({ lastCallId: 1, outcomes: [[1, { code: "forbidden", message: "no" }]] });
    expect(await Promise.all(calls.map(outcomeOf))).toEqual(["forbidden", "forbidden"]);
    expect(refused).toEqual(["forbidden", "forbidden"]);
    expect(room.state.shapes.has("s1")).toBe(false);
  });

  test("leave alone what was handed to a socket once: a call that was sent is frozen", async () => {
    const { room, server, socket } = await joined({ records: { shapes: { s1: { x: 0, y: 0 } } } });
    room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    await turn();
    socket.drop();
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    room.transact((tx) => tx.shapes.patch("s1", { x: 3 }));
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    expect(server.newest.calls.map(({ clientReqId, payload }) => [clientReqId, payload])).toEqual([
      [1, { shapes: [["patch", "s1", { x: 1 }]] }],
      [2, { shapes: [["patch", "s1", { x: 3 }]] }],
    ]);
  });
});

describe("pacing", () => {
  test("keeps a burst below the room's, and then its rate", async () => {
    const { room, socket } = await joined({ limits: { callsPerSecond: 50, callsBurst: 20 } });
    for (let n = 0; n < 120; n++) room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    const burst = socket.calls.length;
    expect(burst).toBeGreaterThanOrEqual(15);
    expect(burst).toBeLessThanOrEqual(20);
    for (let second = 1; second <= 2; second++) {
      for (let answers = 0; answers < 50; answers++) {
        socket.update({ lastCallId: socket.calls.length, outcomes: socket.ids.map((id) => [id, 1]) });
        await vi.advanceTimersByTimeAsync(20);
      }
      expect(socket.calls.length - burst).toBeGreaterThanOrEqual(42 * second);
      expect(socket.calls.length - burst).toBeLessThanOrEqual(50 * second);
    }
    expect(socket.ids).toEqual(Array.from(socket.ids, (_, n) => n + 1));
  });

  test("waits as long as the room asks for, then sends again from the call that was refused", async () => {
    const { room, socket } = await joined();
    const errors = vi.fn<() => void>();
    room.on("error", errors);
    for (let n = 0; n < 5; n++) room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.say({
      kind: "error",
      code: "rate-limited",
      message: "too many calls",
      clientReqId: 3,
      retryAfterMs: 700,
    });
    socket.delta(
      0,
      { counters: [["put", "c1", { value: 2 }]] },
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      2,
    );
    room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(699);
    expect(socket.ids).toEqual([1, 2, 3, 4, 5]);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.ids).toEqual([1, 2, 3, 4, 5, 3, 4, 5, 6]);
    expect(room.state.counters.get("c1")?.value).toBe(6);
    expect(errors).not.toHaveBeenCalled();
  });

  test("does not hold presence and events back while calls have to wait", async () => {
    const { room, socket } = await joined();
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.say({
      kind: "error",
      code: "rate-limited",
      message: "too many calls",
      clientReqId: 1,
      retryAfterMs: 5_000,
    });
    room.presence.update({ x: 1, y: 1 });
    room.broadcast("wave", { text: "still here" });
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.kinds).toEqual(["push", "presence", "event"]);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(socket.ids).toEqual([1, 1]);
  });

  const tooMany = { kind: "error", code: "rate-limited", message: "too many messages" } as const;

  test("sends the newest presence, and no other, when the time is over for which the room refuses presence", async () => {
    const { room, socket } = await joined();
    const errors: string[] = [];
    room.on("error", ({ code }) => errors.push(code));
    room.presence.update({ x: 1, y: 1 });
    await vi.advanceTimersByTimeAsync(16);
    socket.say({ ...tooMany, retryAfterMs: 700 });
    for (const x of [2, 3]) {
      room.presence.update({ x, y: 1 });
      await vi.advanceTimersByTimeAsync(300);
    }
    expect(socket.frames("presence").map(({ presence }) => presence)).toEqual([{ x: 1, y: 1 }]);
    await vi.advanceTimersByTimeAsync(120);
    expect(socket.frames("presence").map(({ presence }) => presence)).toEqual([
      { x: 1, y: 1 },
      { x: 3, y: 1 },
    ]);
    expect(errors).toEqual(["rate-limited"]);
  });

  test("sends presence again that the room has refused", async () => {
    const { room, socket } = await joined();
    room.presence.update({ x: 1, y: 1 });
    await vi.advanceTimersByTimeAsync(16);
    socket.say({ ...tooMany, retryAfterMs: 700 });
    await vi.advanceTimersByTimeAsync(720);
    expect(socket.frames("presence").map(({ presence }) => presence)).toEqual([
      { x: 1, y: 1 },
      { x: 1, y: 1 },
    ]);
  });

  test("throws for an event while the room takes none, and holds back no call", async () => {
    const { room, socket } = await joined({ limits: { callsPerSecond: 50, callsBurst: 2 } });
    room.presence.update({ x: 1, y: 1 });
    await vi.advanceTimersByTimeAsync(16);
    socket.say({ ...tooMany, retryAfterMs: 5_000 });
    expect(() => room.broadcast("wave", { text: "too early" })).toThrow("too many events");
    for (let n = 0; n < 4; n++) room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(500);
    expect(socket.calls).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(5_000);
    room.broadcast("wave", { text: "in time" });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.kinds).toContain("event");
  });

  test("sends again from where the room says that there is a gap", async () => {
    const { room, socket } = await joined();
    for (let n = 0; n < 4; n++) room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.say({ kind: "gap", expected: 3 });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.ids).toEqual([1, 2, 3, 4, 3, 4]);
    socket.say({ kind: "gap", expected: 5 });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.ids).toEqual([1, 2, 3, 4, 3, 4]);
  });

  test("goes on at once although the clock was set back a day", async () => {
    const { room, socket } = await joined();
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.say({ kind: "error", code: "rate-limited", message: "", clientReqId: 1, retryAfterMs: 100 });
    vi.setSystemTime(Date.now() - 86_400_000);
    await vi.advanceTimersByTimeAsync(100);
    room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(20);
    expect(socket.ids).toEqual([1, 1, 2]);
  });

  test("keeps every call's id, also when a refusal comes that is of a push from long ago", async () => {
    const { room, socket } = await joined();
    for (let n = 0; n < 4; n++) room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(
      0,
      { counters: [["put", "c1", { value: 2 }]] },
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      2,
    );
    socket.say({ kind: "error", code: "rate-limited", message: "", clientReqId: 1, retryAfterMs: 100 });
    await vi.advanceTimersByTimeAsync(200);
    expect(socket.ids).toEqual([1, 2, 3, 4, 3, 4]);
  });
});

describe("acknowledgements", () => {
  test("are sent for every quarter of the bytes that the room lets be unacknowledged", async () => {
    const { socket } = await joined({ limits: { maxUnacknowledgedBytes: 40_000 } });
    let bytes = 0;
    for (let rev = 0; rev < 20; rev++) {
      const before = socket.frames("ack").length;
      socket.delta(rev, { papers: [["put", "p1", { text: "é".repeat(1_000) }]] });
      bytes += 2_000;
      if (socket.frames("ack").length > before) bytes = 0;
      expect(bytes).toBeLessThan(10_000);
    }
    const sum = socket.frames("ack").reduce((total, frame) => total + frame.bytes, 0);
    expect(sum).toBeGreaterThan(30_000);
    expect(sum).toBeLessThan(44_000);
  });

  test("are sent for every quarter of the frames that the room lets be unacknowledged", async () => {
    const { socket } = await joined({ limits: { maxUnacknowledgedFrames: 40 } });
    for (let rev = 0; rev < 100; rev++) socket.delta(rev, {});
    expect(socket.frames("ack")).toHaveLength(10);
  });

  test("ride along with calls", async () => {
    const { room, socket } = await joined();
    const before = socket.sent.length;
    socket.delta(0, { papers: [["put", "p1", { text: "x".repeat(1_000) }]] });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    expect(socket.sent).toHaveLength(before + 1);
    expect(socket.frames("push")[0]?.received).toBeGreaterThan(1_000);
  });

  test("count each byte once, from each connection on its own", async () => {
    const { room, server, socket } = await joined({ limits: { maxUnacknowledgedBytes: 8_000 } });
    socket.delta(0, { papers: [["put", "p1", { text: "x".repeat(1_000) }]] });
    socket.drop();
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain(
      { delta: { from: 1, to: 1, changes: {} } },
      { limits: { maxUnacknowledgedBytes: 8_000 } },
    );
    const said = () => server.newest.frames("ack").reduce((sum, { bytes }) => sum + bytes, 0);
    for (let rev = 1; rev < 12; rev++) {
      server.newest.delta(rev, { papers: [["put", "p1", { text: "x".repeat(1_000) }]] });
      expect(said()).toBeLessThanOrEqual(rev * 1_100 + 500);
    }
    expect(said()).toBeGreaterThan(10_000);
    expect(room.rev).toBe(12);
  });
});

function outcomes(from: number, to: number): [number, number][] {
  return Array.from({ length: to - from + 1 }, (_, n) => [from + n, from + n]);
}
