import { clientIdOf } from "../../src/protocol/handshake/client-secret.ts";
import { describe, expect, test, vi } from "vitest";
import { connect } from "../../client/index.ts";
import { clientBoard } from "../support/boards/client-board.ts";
import { fakeTimers, joined, scripted, turn } from "../support/rooms/scripted-room.ts";

fakeTimers();

describe("others", () => {
  test("never include oneself", async () => {
    const { room, socket } = await joined({}, { initialPresence: { x: 1, y: 1 } });
    const told = vi.fn<() => void>();
    room.onOthers(told);
    const { clientId } = room.self;
    socket.update({ presence: [["join", clientId, null, { x: 1, y: 1 }]] });
    socket.update({ presence: [["set", clientId, { x: 2, y: 1 }]] });
    socket.say({ kind: "peers", peers: [[clientId, null, { x: 1, y: 1 }]] });
    socket.update({ presence: [["leave", clientId]] });
    expect(told).not.toHaveBeenCalled();
    expect(room.others).toEqual([]);
  });

  test("who did not change are the same objects, and so is the list when nobody did", async () => {
    const { room, socket } = await joined();
    const told = vi.fn<() => void>();
    const a = ["actor-a", null, { x: 1, y: 1 }] as const;
    const b = ["actor-b", { id: "b", name: "B" }, { x: 2, y: 2 }] as const;
    socket.say({ kind: "peers", peers: [[...a], [...b]] });
    const before = room.others;
    expect(before.map(({ clientId }) => clientId)).toEqual(["actor-a", "actor-b"]);
    room.onOthers(told);
    socket.say({ kind: "peers", peers: [[...a], [...b]] }); // as after every reconnect
    socket.update({
      presence: [
        ["set", "actor-a", { y: 1, x: 1 }],
        ["join", ...b],
        ["leave", "nobody"],
      ],
    });
    socket.update({ presence: [["set", "nobody", { x: 1, y: 1 }]] });
    expect(room.others).toBe(before);
    expect(told).not.toHaveBeenCalled();
    socket.update({ presence: [["set", "actor-a", { x: 9, y: 1 }]] });
    expect(room.others).not.toBe(before);
    expect(room.others[0]).toEqual({ clientId: "actor-a", user: null, presence: { x: 9, y: 1 } });
    expect(room.others[1]).toBe(before[1]);
    expect(told).toHaveBeenCalledExactlyOnceWith(room.others);
  });
});

describe("what others show", () => {
  const shape = (x: number, y: number) => ({ x, y });

  test("keeps every value that did not change, so that a shallow comparison stays quiet", async () => {
    const { room, server } = scripted();
    const user = { id: "b", name: "B" };
    const socket = await server.attempt(1);
    const held = { ids: ["s1", "s2"], boxes: [shape(1, 1), shape(2, 2)], at: { page: { number: 1 } } };
    const whole = (more: object) => JSON.parse(JSON.stringify({ x: 1, y: 1, ...held, ...more })) as object;
    socket.greet({ peers: [["actor-b", { ...user }, whole({}) as never]] });
    const seen = () => room.others[0] as unknown as { user: object; presence: typeof held & { x: number } };
    const before = seen();
    const isKept = () => ({
      user: seen().user === before.user,
      ids: seen().presence.ids === before.presence.ids,
      boxes: seen().presence.boxes === before.presence.boxes,
      box: seen().presence.boxes?.[0] === before.presence.boxes[0],
      at: seen().presence.at === before.presence.at,
    });
    const all = { user: true, ids: true, boxes: true, box: true, at: true };
    socket.update({ presence: [["set", "actor-b", { x: 2 }]] });
    expect([seen().presence.x, isKept()]).toEqual([2, all]);
    const boxes = [shape(1, 1), shape(9, 2)];
    socket.update({ presence: [["set", "actor-b", { x: 2, boxes }]] });
    expect(isKept()).toEqual({ ...all, boxes: false });
    expect(seen().presence.boxes).toEqual(boxes);
    // Known anew, as after a reconnect, and as when a field was taken away.
    socket.say({ kind: "peers", peers: [["actor-b", { ...user }, whole({ x: 3 }) as never]] });
    expect([seen().presence.x, isKept()]).toEqual([3, { ...all, boxes: false }]);
    socket.update({ presence: [["join", "actor-b", { ...user }, { x: 3, y: 1, ids: ["s1", "s2"] }]] });
    expect(seen().presence).toEqual({ x: 3, y: 1, ids: ["s1", "s2"] });
    expect(isKept()).toMatchObject({ user: true, ids: true });
  });
});

describe("presence", () => {
  const first = { initialPresence: { x: 1, y: 1 } };

  test("is changed by the fields that are named, and the rest stays", async () => {
    const { room, socket } = await joined({}, { initialPresence: { x: 1, y: 2, note: "here" } });
    room.presence.update({ x: 5 });
    expect(room.self.presence).toEqual({ x: 5, y: 2, note: "here" });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.frames("presence").map(({ presence }) => presence)).toEqual([
      { x: 1, y: 2, note: "here" },
      { x: 5, y: 2, note: "here" },
    ]);
  });

  test("loses an optional field that is set to undefined", async () => {
    const { room } = await joined({}, { initialPresence: { x: 1, y: 2, note: "here" } });
    room.presence.update({ note: undefined });
    expect(room.self.presence).toEqual({ x: 1, y: 2 });
  });

  test("is sent at most once in a display's frame, and the newest always", async () => {
    const { room, socket } = await joined({}, first);
    for (let x = 0; x < 1_000; x++) {
      room.presence.update({ x });
      if (x % 10 === 9) await vi.advanceTimersByTimeAsync(1);
    }
    await vi.advanceTimersByTimeAsync(16);
    const sent = socket.frames("presence").map(({ presence }) => (presence as { x: number }).x);
    expect(sent.length).toBeLessThanOrEqual(1 + Math.ceil(116 / 16));
    expect(sent.at(-1)).toBe(999);
  });

  test("is sent as seldom as the app wants, and the newest always", async () => {
    const { room, socket } = await joined({}, { ...first, sendIntervalMs: 100 });
    for (let x = 0; x < 1_000; x++) {
      room.presence.update({ x });
      await vi.advanceTimersByTimeAsync(1);
    }
    await vi.advanceTimersByTimeAsync(100);
    const sent = socket.frames("presence").map(({ presence }) => (presence as { x: number }).x);
    expect(sent.length).toBeGreaterThanOrEqual(10);
    expect(sent.length).toBeLessThanOrEqual(12);
    expect(sent.at(-1)).toBe(999);
  });

  test("waits where a room takes little, and the newest comes through", async () => {
    const limits = { ephemeralPerSecond: 10, ephemeralBurst: 5 };
    const { room, socket } = await joined({ limits }, first);
    for (let x = 0; x < 100; x++) {
      room.presence.update({ x });
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(200);
    const sent = socket.frames("presence").map(({ presence }) => (presence as { x: number }).x);
    expect(sent.length).toBeLessThanOrEqual(5 + 1.2 * 10);
    expect(sent.length).toBeGreaterThan(8);
    expect(sent.at(-1)).toBe(99);
  });

  test("is sent again after a reconnect, even though it has not changed", async () => {
    const { server, socket } = await joined({}, first);
    socket.drop();
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.newest.frames("presence").map(({ presence }) => presence)).toEqual([{ x: 1, y: 1 }]);
  });

  test("goes along with calls that wait for their moment", async () => {
    const { room, socket } = await joined({}, first);
    room.mutate.addUp({ id: "c1", by: 1 });
    room.presence.update({ x: 2 });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.kinds).toEqual(["presence", "push", "presence"]);
  });

  test("is sent again after a reconnect, as it is by then", async () => {
    const { room, server, socket } = await joined({}, first);
    room.presence.update({ x: 5 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.frames("presence")).toHaveLength(2);
    socket.drop();
    room.presence.update({ y: 7 });
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.newest.frames("presence").map(({ presence }) => presence)).toEqual([{ x: 5, y: 7 }]);
  });

  test("throws for what does not fit, and stays as it was", async () => {
    const { room, socket } = await joined({}, first);
    const update = () => room.presence.update({ x: "far" } as never);
    expect(update).toThrow(
      expect.objectContaining({ name: "RejectedError", code: "invalid", data: { x: expect.any(String) } }),
    );
    expect(room.self.presence).toEqual({ x: 1, y: 1 });
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.frames("presence")).toHaveLength(1);
    const start = () => connect("http://room.test/x", clientBoard, { initialPresence: { x: 1 } as never });
    expect(start).toThrow(expect.objectContaining({ code: "invalid" }));
  });

  test("is not sent by a client that has none, until its first", async () => {
    const { room, socket } = await joined();
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.sent).toEqual([]);
    expect(() => room.presence.update({ x: 1 })).toThrow("does not fit"); // the first has to be whole
    room.presence.update({ x: 1, y: 1 });
    await turn();
    expect(socket.kinds).toEqual(["presence"]);
  });

  test("is a copy of what the app gave", async () => {
    const mine = { x: 1, y: 1 };
    const { room } = await joined({}, { initialPresence: mine });
    mine.x = 9;
    expect(room.self.presence).toEqual({ x: 1, y: 1 });
  });

  test("may be changed before there is a room", async () => {
    const { room, server } = scripted(first);
    room.presence.update({ x: 2 });
    (await server.attempt(1)).greet();
    expect(server.newest.frames("presence").map(({ presence }) => presence)).toEqual([{ x: 2, y: 1 }]);
  });
});

describe("self", () => {
  test("is the same object until something of it changes", async () => {
    const user = { id: "u1", name: "Ada" };
    const { room, socket } = await joined({ user }, { initialPresence: { x: 1, y: 1 } });
    const { self } = room;
    expect(self).toEqual({
      clientId: clientIdOf(socket.hello.secret),
      user,
      access: "write",
      presence: { x: 1, y: 1 },
    });
    socket.welcome({ user: { ...user } }); // as after every reconnect
    expect(room.self).toBe(self);
    room.presence.update({ x: 1 });
    expect(room.self).toBe(self);
    socket.welcome({ user: { id: "u1", name: "Ada L." } });
    expect(room.self).not.toBe(self);
    expect(room.self.user?.name).toBe("Ada L.");
  });

  test("is told of whenever it is another, and only then", async () => {
    const { room, server } = scripted({ initialPresence: { x: 1, y: 1 } });
    const told: unknown[] = [];
    room.on("self", () => told.push([room.self.user?.name, room.self.presence.x]));
    (await server.attempt(1)).greet({ user: { id: "u1", name: "Ada" } });
    server.newest.welcome({ user: { id: "u1", name: "Ada" } });
    room.presence.update({ x: 1 });
    room.presence.update({ x: 2 });
    expect(told).toEqual([
      ["Ada", 1],
      ["Ada", 2],
    ]);
  });
});

describe("events", () => {
  test("throw when they do not fit or are not known, and then nothing is sent", async () => {
    const { room, socket } = await joined();
    expect(() => room.broadcast("wave", { text: 5 } as never)).toThrow(
      expect.objectContaining({ code: "invalid" }),
    );
    expect(() => room.broadcast("nothing" as never, {} as never)).toThrow("there is no event nothing");
    await turn();
    expect(socket.sent).toEqual([]);
  });

  test("leave in their order and together, and too many are refused to the app before the room has to", async () => {
    const limits = { ephemeralPerSecond: 10, ephemeralBurst: 10 };
    const { room, socket } = await joined({ limits });
    const wave = (n: number) => room.broadcast("wave", { text: `${n}` });
    for (let n = 0; n < 9; n++) wave(n);
    expect(() => wave(9)).toThrow(
      expect.objectContaining({
        name: "RejectedError",
        code: "rate-limited",
        data: { retryAfterMs: expect.any(Number) },
      }),
    );
    expect(socket.sent).toEqual([]);
    await turn();
    const texts = Array.from({ length: 9 }, (_, n) => `${n}`);
    expect(socket.frames("event").map(({ payload }) => (payload as { text: string }).text)).toEqual(texts);
    await vi.advanceTimersByTimeAsync(1_000);
    for (let n = 0; n < 9; n++) wave(n);
    expect(() => wave(9)).toThrow("too many events");
  });

  test("are dropped when nobody can be reached", async () => {
    const { room, server, socket } = await joined();
    socket.drop();
    room.broadcast("wave", { text: "too early" });
    await vi.advanceTimersByTimeAsync(250);
    room.broadcast("wave", { text: "still too early" });
    expect(room.status).toBe("connecting");
    server.newest.greetAgain();
    room.broadcast("wave", { text: "now" });
    await vi.advanceTimersByTimeAsync(16);
    expect(server.newest.frames("event").map(({ payload }) => payload)).toEqual([{ text: "now" }]);
  });

  test("leave behind the calls and the presence of the same turn", async () => {
    const { room, socket } = await joined();
    room.broadcast("wave", { text: "look" });
    room.presence.update({ x: 1, y: 1 });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    expect(socket.kinds).toEqual(["push", "presence", "event"]);
  });

  test("are told last in a frame: state, then presence, then events", async () => {
    const { room, socket } = await joined();
    const told: unknown[] = [];
    const now = () => [room.rev, room.others.length];
    room.onEvent("wave", () => told.push(["event", ...now()]));
    room.onOthers(() => told.push(["others", ...now()]));
    room.subscribe(
      (s) => s.counters.size,
      () => told.push(["state", ...now()]),
    );
    socket.delta(
      0,
      { counters: [["put", "c1", { value: 1 }]] },
      {
        presence: [["join", "actor-a", null, { x: 1, y: 1 }]],
        events: [["actor-a", "wave", { text: "hi" }]],
      },
    );
    expect(told).toEqual([
      ["state", 1, 0],
      ["others", 1, 1],
      ["event", 1, 1],
    ]);
  });
});
