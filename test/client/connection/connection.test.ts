import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newId } from "../../../client/index.ts";
import { codes, type Code } from "../../../src/protocol/codes.ts";
import { hushed } from "../../support/clients/joined-client.ts";
import {
  fakeTimers,
  joined,
  pass,
  scripted,
  toldOf,
  turn,
  type ScriptedRoom,
} from "../../support/rooms/scripted-room.ts";

const hour = 3_600_000;

fakeTimers();
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const codesThat = (advice: "retry" | "final") =>
  (Object.keys(codes) as Code[]).filter((code) => code !== "closed" && codes[code].advice === advice);

describe("a room that refuses the client", () => {
  test.each(codesThat("final"))("for good with `%s` is not asked again", async (code) => {
    const { room, server } = scripted();
    const told = toldOf({ room });
    const socket = await server.attempt(1);
    socket.open();
    socket.drop(codes[code].closeCode);
    await expect(room.ready).rejects.toMatchObject({
      name: "RoomError",
      code,
      message: `the room has closed the connection: ${code}`,
      willRetry: false,
    });
    expect(told).toEqual(["closed", `${code}, final`]);
    expect([room.status, room.closeReason]).toEqual(["closed", code]);
    await pass(hour);
    expect(server.sockets).toHaveLength(1);
  });

  test.each(codesThat("retry"))("for now with `%s` is asked again", async (code) => {
    const { room, server } = scripted();
    const told = toldOf({ room });
    const socket = await server.attempt(1);
    socket.open();
    socket.drop(codes[code].closeCode);
    expect(told).toEqual(["offline", `${code}, will retry`]);
    expect(room.closeReason).toBeUndefined();
    await pass(250);
    server.newest.greet();
    await room.ready;
    expect(server.sockets).toHaveLength(2);
    expect(told.slice(2)).toEqual(["connecting", "online"]);
  });

  test("because it no longer knows what became of the calls has those that wait undone, then rejected", async () => {
    const { room, server, socket } = await joined({ rev: 4 });
    toldOf({ room });
    const undone: unknown[] = [];
    room.on("reject", ({ code }) => undone.push([code, room.state.counters.has("c1"), room.pending]));
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.drop();
    await pass(250);
    server.newest.open();
    server.newest.drop(codes["too-old"].closeCode);
    await expect(call.committed).rejects.toMatchObject({ code: "too-old", operation: { type: "addUp" } });
    expect(undone).toEqual([["too-old", false, 0]]);
    expect([room.status, room.rev]).toEqual(["closed", 4]);
  });

  test("is told in the console when nobody listens", async () => {
    const warned = hushed("warn");
    const { server } = scripted();
    (await server.attempt(1)).drop(codes["schema-mismatch"].closeCode);
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      "deltaroom: schema-mismatch, the room has closed the connection: schema-mismatch",
    );
  });

  test("has what waits sent when the app connects again", async () => {
    const { room, server, socket } = await joined();
    toldOf({ room });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.drop(codes.replaced.closeCode);
    room.mutate.addUp({ id: "c1", by: 2 });
    expect([room.status, room.pending, room.state.counters.get("c1")?.value]).toEqual(["closed", 2, 3]);
    room.reconnect();
    (await server.attempt(2)).greetAgain();
    expect(server.newest.calls.map(({ clientReqId, payload }) => [clientReqId, payload])).toEqual([
      [1, { id: "c1", by: 1 }],
      [2, { id: "c1", by: 2 }],
    ]);
  });

  test("and takes it later has a state, though `ready` has rejected", async () => {
    const { room, server } = scripted();
    toldOf({ room });
    (await server.attempt(1)).drop(codes.unauthorized.closeCode);
    await expect(room.ready).rejects.toThrow("unauthorized");
    room.reconnect();
    (await server.attempt(2)).greet({ rev: 5 });
    expect([room.status, room.rev, room.closeReason]).toEqual(["online", 5, undefined]);
  });

  test("says why to whoever is told that it is closed", async () => {
    const { room, socket } = await joined();
    const told: unknown[] = [];
    room.on("error", () => {});
    room.on("status", (status) => told.push([status, room.closeReason]));
    socket.drop(codes.forbidden.closeCode);
    room.close();
    expect(told).toEqual([["closed", "forbidden"]]);
    expect(room.closeReason).toBe("closed");
  });
});

describe("a token that was good once", () => {
  test("is asked for anew when it has expired, at once and once", async () => {
    const token = vi.fn<(isRefused: boolean) => string>((isRefused) => (isRefused ? "fresh" : "kept"));
    const { room, server, socket } = await joined({}, { token });
    const told = toldOf({ room });
    socket.drop(codes.unauthorized.closeCode);
    await turn();
    expect(server.sockets.map(({ hello }) => hello.token)).toEqual(["kept", "fresh"]);
    server.newest.greetAgain();
    expect(told).toEqual(["connecting", "online"]);
    server.newest.drop();
    await pass(250);
    server.newest.drop(codes.unauthorized.closeCode); // it was good before, in an earlier connection
    await turn();
    expect(server.newest.hello.token).toBe("fresh");
    server.newest.drop(codes.unauthorized.closeCode);
    await pass(hour);
    expect(told.slice(2)).toEqual(["offline", "connecting", "closed", "unauthorized, final"]);
    expect([server.sockets.length, room.closeReason]).toEqual([4, "unauthorized"]);
  });

  test("is asked for anew until one has been good, whatever comes in between", async () => {
    const asked: boolean[] = [];
    const token = (isRefused: boolean) => {
      asked.push(isRefused);
      return "a token";
    };
    const { room, server, socket } = await joined({}, { token });
    const told = toldOf({ room });
    socket.drop(codes["token-expired"].closeCode);
    await turn();
    server.newest.fail(); // the network, and then a room that is full
    await pass(250);
    server.newest.drop(codes["room-full"].closeCode);
    await pass(500);
    server.newest.greetAgain();
    server.newest.drop();
    await pass(250);
    expect(asked).toEqual([false, true, true, true, false]);
    expect(told.filter((word) => word.includes("final"))).toEqual([]);
  });

  test("and expires again before it is of use is asked for with pauses, and told", async () => {
    const { room, server, socket } = await joined({}, { token: () => "brief" });
    const told = toldOf({ room });
    socket.drop(codes["token-expired"].closeCode);
    await turn();
    server.newest.drop(codes["token-expired"].closeCode);
    expect(told).toEqual(["connecting", "offline", "token-expired, will retry"]);
    await turn();
    expect(server.sockets).toHaveLength(2);
    await pass(250);
    server.newest.greetAgain();
    expect([room.status, server.sockets.length]).toEqual(["online", 3]);
  });

  test("is not when it never was: the refusal is final", async () => {
    const token = vi.fn<() => string>(() => "wrong");
    const { room, server } = scripted({ token });
    toldOf({ room });
    (await server.attempt(1)).drop(codes.unauthorized.closeCode);
    await pass(hour);
    expect(token).toHaveBeenCalledExactlyOnceWith(false);
    expect(room.closeReason).toBe("unauthorized");
  });
});

describe("a connection that is lost", () => {
  test.each([1000, 1001, 1006, 1011, 1012, 4999])("with close code %i is made again", async (closeCode) => {
    const { room, server, socket } = await joined();
    const told = toldOf({ room });
    socket.drop(closeCode);
    await pass(250);
    server.newest.greetAgain();
    expect(told).toEqual(["offline", "connecting", "online"]);
  });

  test("is told of once, when an error comes before the close", async () => {
    const { room, server, socket } = await joined();
    const told = toldOf({ room });
    socket.fail();
    await pass(250);
    expect(server.sockets).toHaveLength(2);
    expect(told).toEqual(["offline", "connecting"]);
  });

  test("keeps the state, and takes edits", async () => {
    const { room, socket } = await joined({ records: { shapes: { s1: { x: 1, y: 1 } } } });
    socket.drop();
    room.transact((tx) => tx.shapes.patch("s1", { x: 2 }));
    expect(room.state.shapes.get("s1")).toEqual({ x: 2, y: 1 });
    expect([room.status, room.pending]).toEqual(["offline", 1]);
  });

  test("is noticed when a socket that has begun to close takes nothing any more", async () => {
    const { room, server, socket } = await joined();
    socket.refusesToSend = true;
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    expect(room.pending).toBe(1);
    socket.drop();
    await pass(250);
    server.newest.greetAgain();
    expect(server.newest.ids).toEqual([1]);
  });
});

describe("the time until the next attempt", () => {
  /** How long the client waits before each of the next attempts, all of which fail at once. */
  async function waits(server: ScriptedRoom, count: number): Promise<number[]> {
    const waited: number[] = [];
    for (let n = 0; n < count; n++) {
      const attempts = server.sockets.length;
      const since = Date.now();
      server.newest.fail();
      while (server.sockets.length === attempts) await vi.advanceTimersToNextTimerAsync();
      waited.push(Date.now() - since);
    }
    return waited;
  }
  const ceilings = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000];

  test.each([
    ["nothing", 0],
    ["half of it", 0.5],
    ["nearly all of it", 0.999],
  ])("is a random part of a ceiling that doubles up to 15 s: %s", async (_, random) => {
    vi.mocked(Math.random).mockReturnValue(random);
    const { server } = scripted();
    await server.attempt(1);
    const waited = await waits(server, ceilings.length);
    for (const [n, ms] of waited.entries()) {
      const expected = (ceilings[n] as number) * random;
      expect(ms).toBeGreaterThanOrEqual(Math.floor(expected));
      expect(ms).toBeLessThanOrEqual(Math.ceil(expected) + 1);
    }
  });

  test("is short again after a success, and only then", async () => {
    const { room, server } = scripted();
    await server.attempt(1);
    await waits(server, 6);
    server.newest.open();
    server.newest.welcome(); // connected, but not caught up
    expect((await waits(server, 1))[0]).toBeGreaterThan(7_000);
    server.newest.greet();
    await room.ready;
    expect((await waits(server, 1))[0]).toBe(125);
  });

  test("does not keep an app waiting that asks to connect", async () => {
    const { room, server, socket } = await joined();
    socket.drop();
    await pass(125);
    await waits(server, 8);
    server.newest.fail();
    const attempts = server.sockets.length;
    room.reconnect();
    await pass(0);
    expect(server.sockets).toHaveLength(attempts + 1);
    server.newest.greetAgain();
    await pass(14_000);
    expect(server.sockets).toHaveLength(attempts + 1); // the timer that was set has been cancelled
  });
});

describe("an attempt", () => {
  test("asks for the token, each anew", async () => {
    let asked = 0;
    const { server } = scripted({ token: () => `token ${++asked}` });
    await server.attempt(1);
    for (let attempt = 2; attempt <= 4; attempt++) {
      server.newest.fail();
      await pass(15_000 * 0.5);
    }
    expect(server.sockets.map(({ hello }) => hello.token)).toEqual([
      "token 1",
      "token 2",
      "token 3",
      "token 4",
    ]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no network");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no network"))],
  ])("whose token() %s is followed by another", async (_, failing) => {
    const token = vi
      .fn<() => string | Promise<string>>()
      .mockImplementationOnce(failing)
      .mockReturnValue("good");
    const { room, server } = scripted({ token });
    const told = toldOf({ room });
    const causes: unknown[] = [];
    room.on("error", ({ cause }) => causes.push(cause));
    await pass(250);
    expect(causes).toEqual([new Error("no network")]);
    expect(server.newest.hello.token).toBe("good");
    server.newest.greet();
    expect(told).toEqual(["offline", "unauthorized, will retry", "connecting", "online"]);
  });

  test("whose transport throws is followed by another", async () => {
    const { room, server } = scripted();
    server.failure = new Error("no sockets here");
    await turn();
    expect(room.status).toBe("offline");
    server.failure = undefined;
    await pass(250);
    server.newest.greet();
    expect(room.status).toBe("online");
  });

  test("whose token() does not settle within 10 s is given up, and told, and its token comes too late", async () => {
    let give: (token: string) => void = () => {};
    const late = () => new Promise<string>((resolve) => (give = resolve));
    const token = vi
      .fn<() => string | Promise<string>>()
      .mockImplementationOnce(late)
      .mockReturnValue("good");
    const { room, server } = scripted({ token });
    const told = toldOf({ room });
    const errors: unknown[] = [];
    room.on("error", ({ message, cause }) => errors.push([message, cause]));
    await pass(9_999);
    expect([room.status, told]).toEqual(["connecting", []]);
    await pass(1);
    expect(told).toEqual(["offline", "unauthorized, will retry"]);
    expect(errors).toEqual([
      [
        "token() has failed: Error: token() has not answered for 10000 ms",
        new Error("token() has not answered for 10000 ms"),
      ],
    ]);
    give("late");
    await pass(250);
    server.newest.greet();
    expect(server.sockets.map(({ hello }) => hello.token)).toEqual(["good"]);
    expect(room.status).toBe("online");
  });

  test("has as long for its socket, however long the token took", async () => {
    const token = () => new Promise<string>((resolve) => setTimeout(() => resolve("good"), 9_000));
    const { room, server } = scripted({ token });
    await pass(18_999);
    expect([room.status, server.sockets.length]).toEqual(["connecting", 1]);
    await pass(1);
    expect(room.status).toBe("offline");
  });

  test("whose hello is never answered is followed by another within 15 s", async () => {
    const { room, server } = scripted();
    const told = toldOf({ room });
    (await server.attempt(1)).open();
    await pass(10_000);
    expect(server.sockets).toHaveLength(1);
    await pass(5_000);
    expect(server.sockets).toHaveLength(2);
    server.newest.greet();
    expect(told).toEqual(["online"]);
  });

  test("that does not open within 10 s is given up, and what it still does is not heard", async () => {
    const { room, server } = scripted();
    const slow = await server.attempt(1);
    await pass(9_999);
    expect(room.status).toBe("connecting");
    await pass(1);
    expect(room.status).toBe("offline");
    expect(slow.closedWith).toBe(1000);
    slow.greet({ rev: 99 });
    expect(room.rev).toBe(0);
    await pass(250);
    server.newest.greet({ rev: 1 });
    slow.delta(1, {});
    slow.drop(codes.unauthorized.closeCode);
    expect([room.rev, room.status]).toEqual([1, "online"]);
  });

  test("is not begun by a room that is closed before the token is there", async () => {
    let give: (token: string) => void = () => {};
    const { room, server } = scripted({ token: () => new Promise<string>((resolve) => (give = resolve)) });
    room.close();
    give("late");
    await pass(hour);
    expect(server.sockets).toEqual([]);
  });
});

describe("an abandoned socket", () => {
  test("is closed, and its late frames are ignored", async () => {
    const { room, server, socket } = await joined({ rev: 1 });
    room.disconnect();
    expect(socket.closedWith).toBe(1000);
    room.reconnect();
    (await server.attempt(2)).greetAgain();
    const told = toldOf({ room });
    socket.delta(1, { counters: [["put", "c1", { value: 1 }]] });
    socket.say({ kind: "peers", peers: [["actor-a", null, { x: 1, y: 1 }]] });
    socket.drop();
    socket.fail();
    expect([room.rev, room.others.length, told.length]).toEqual([1, 0, 0]);
    expect(server.sockets).toHaveLength(2);
  });
});

describe("disconnect and close", () => {
  test("stay offline until reconnect, and take edits meanwhile", async () => {
    const { room, server, socket } = await joined();
    room.disconnect();
    expect([room.status, socket.closedWith]).toEqual(["offline", 1000]);
    room.mutate.addUp({ id: "c1", by: 1 });
    await pass(hour);
    expect(server.sockets).toHaveLength(1);
    room.reconnect();
    room.reconnect();
    (await server.attempt(2)).greetAgain();
    expect(server.newest.ids).toEqual([1]);
    await pass(1_000);
    expect(server.sockets).toHaveLength(2);
  });

  test("leave nothing behind: no timer, no socket, no way back", async () => {
    const { room, server, socket } = await joined({}, { initialPresence: { x: 1, y: 1 } });
    room.on("reject", () => {});
    room.mutate.addUp({ id: "c1", by: 1 });
    room.close();
    room.close();
    expect([vi.getTimerCount(), socket.closedWith, room.status]).toEqual([0, 1000, "closed"]);
    room.reconnect();
    room.disconnect();
    await pass(hour);
    expect([server.sockets.length, room.status]).toEqual([1, "closed"]);
    expect(() => room.presence.update({ x: 2 })).not.toThrow();
    expect(() => room.broadcast("wave", { text: "anybody?" })).not.toThrow();
  });

  test("while it waits for the next attempt ends the waiting", async () => {
    const { room, server, socket } = await joined();
    socket.drop();
    room.disconnect();
    await pass(hour);
    expect(server.sockets).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a listener", () => {
  test("of the status may close the room", async () => {
    const { room, server, socket } = await joined();
    room.on("status", (status) => status === "offline" && room.close());
    socket.drop();
    await pass(hour);
    expect([room.status, server.sockets.length, vi.getTimerCount()]).toEqual(["closed", 1, 0]);
  });

  test("of the status may go offline while the client is on its way", async () => {
    const token = vi.fn<() => string>(() => "token");
    const { room, server, socket } = await joined({}, { token });
    room.on("status", (status) => status === "connecting" && room.disconnect());
    socket.drop();
    await pass(hour);
    expect([room.status, server.sockets.length, vi.getTimerCount()]).toEqual(["offline", 1, 0]);
    expect(token).toHaveBeenCalledOnce();
  });

  test("of the status may ask to connect, which is one attempt and not two", async () => {
    const { room, server, socket } = await joined();
    room.on("status", (status) => status === "offline" && room.reconnect());
    socket.drop();
    await turn();
    server.newest.greetAgain();
    await pass(1_000);
    expect([room.status, server.sockets.length]).toEqual(["online", 2]);
    await pass(14_000);
    expect(server.sockets).toHaveLength(2);
  });

  test("of an error may ask to connect, as an app does that gets itself a new token", async () => {
    const { room, server, socket } = await joined();
    room.on("error", ({ willRetry }) => willRetry || room.reconnect());
    socket.drop(codes.unauthorized.closeCode);
    (await server.attempt(2)).greetAgain();
    expect(room.status).toBe("online");
  });

  test.each(["close", "disconnect"] as const)(
    "of the state may %s in the midst of a catch-up",
    async (leave) => {
      const { room, server, socket } = await joined();
      room.on("reject", () => {});
      room.mutate.addUp({ id: "c2", by: 1 });
      const told = toldOf({ room });
      room.subscribe(
        (s) => s.counters.get("c1"),
        () => room[leave](),
      );
      socket.drop();
      await pass(250);
      server.newest.greetAgain({
        delta: { from: 0, to: 1, changes: { counters: [["put", "c1", { value: 1 }]] } },
      });
      const status = leave === "close" ? "closed" : "offline";
      expect(told).toEqual(["offline", "connecting", status]);
      await pass(hour);
      expect([room.status, server.sockets.length, server.newest.sent]).toEqual([status, 2, []]);
    },
  );
});

test("newId makes ids that a room takes, and none twice", () => {
  const ids = Array.from({ length: 1_000 }, newId);
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{20}$/);
});
