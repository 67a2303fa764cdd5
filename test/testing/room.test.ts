import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { RejectedError, RoomError, type Room } from "../../client/index.ts";
import { Rejection } from "../../src/index.ts";
import type { TestCall } from "../../testing/index.ts";
import { ada, bob, newTeamRoom, outcomeOf, withTwo, type TeamBoard } from "./support/team-board.ts";

const records = { tasks: { t1: { title: "Water the plants", assignee: null } } };

describe("a client", () => {
  test("is a room as `connect` gives it, up to date and known to the others", async () => {
    const server = newTeamRoom({ records });
    const one = await server.connect({ user: ada, presence: { x: 1 } });
    const other = await server.connect({ user: bob });
    expectTypeOf(one.room).toEqualTypeOf<Room<TeamBoard>>();
    expect([one.room.status, one.room.rev, one.room.self.user]).toEqual(["online", 1, ada]);
    expect(one.room.state.tasks.get("t1")).toEqual(records.tasks.t1);
    expect(other.room.others).toEqual([{ clientId: one.room.self.clientId, user: ada, presence: { x: 1 } }]);
    other.room.presence.update({ x: 2 });
    await server.settle();
    expect(one.room.others).toEqual([{ clientId: other.room.self.clientId, user: bob, presence: { x: 2 } }]);
  });

  test("sees what others do, and the room has it", async () => {
    const { server, one, other } = await withTwo({ records });
    one.room.mutate.claim({ id: "t1" });
    expect(one.room.state.tasks.get("t1")?.assignee).toBe("ada");
    expect(other.room.state.tasks.get("t1")?.assignee).toBeNull();
    await server.settle();
    expect(other.room.state.tasks.get("t1")?.assignee).toBe("ada");
    expect(server.state.tasks.get("t1")?.assignee).toBe("ada");
    expect(server.records("tasks")).toEqual({ t1: { title: "Water the plants", assignee: "ada" } });
    expect(server.records()).toEqual({ tasks: server.records("tasks"), shapes: {} });
    expect([server.rev, one.room.rev, other.room.rev]).toEqual([2, 2, 2]);
  });

  test("may be one who only looks", async () => {
    const server = newTeamRoom({ records });
    const reader = await server.connect({ user: ada, access: "read" });
    reader.room.on("reject", () => {});
    expect(await outcomeOf(reader.room.mutate.claim({ id: "t1" }))).toBe("forbidden");
  });

  test("that has only just been opened is still loading", async () => {
    const server = newTeamRoom({ records });
    const { room } = server.open({ user: ada });
    expect([room.status, room.state.tasks.size]).toEqual(["connecting", 0]);
    await server.settle();
    expect([room.status, room.state.tasks.size]).toEqual(["online", 1]);
  });

  test("that the room has no place for is told so", async () => {
    const server = newTeamRoom({ limits: { maxSessions: 1 } });
    const first = await server.connect();
    await expect(server.connect()).rejects.toThrow(RoomError);
    await expect(server.connect()).rejects.toMatchObject({ code: "room-full" });
    await server.settle(); // whoever was not let in is not waited for
    first.room.close();
    await server.settle();
    expect((await server.connect()).room.status).toBe("online");
  });

  test.each([
    ["a user", { user: { id: "ada" } as never }],
    ["a presence", { presence: { x: "far" } as never }],
  ])("is refused with %s that does not fit", async (_, options) => {
    const server = newTeamRoom();
    expect(() => server.open(options)).toThrow(RejectedError);
    await expect(server.connect(options)).rejects.toMatchObject({ code: "invalid" });
  });

  test("sends events to the others", async () => {
    const { server, one, other } = await withTwo();
    const heard = vi.fn<(...told: unknown[]) => void>();
    other.room.onEvent("wave", heard);
    one.room.broadcast("wave", { text: "hello" });
    await server.settle();
    expect(heard).toHaveBeenCalledExactlyOnceWith(
      { text: "hello" },
      { clientId: one.room.self.clientId, user: null },
    );
  });
});

describe("the room", () => {
  test("refuses records that do not fit, by name", () => {
    const wrong = { tasks: { t1: { title: 5, assignee: null } } } as never;
    const attempt = () => newTeamRoom({ records: wrong });
    expect(attempt).toThrow(RejectedError);
    expect(attempt).toThrow(
      expect.objectContaining({ code: "invalid", data: { title: expect.any(String) } }),
    );
    expect(() => newTeamRoom({ records: { planets: {} } as never })).toThrow(
      "there is no collection planets",
    );
  });

  test("takes the calls of a backend, once for each key", async () => {
    const { server, one } = await withTwo();
    const options = { idempotencyKey: "nightly", user: bob };
    expect(await server.mutate.push({ id: "s" }, options)).toEqual({ rev: 1 });
    expect(await server.mutate.push({ id: "s" }, options)).toEqual({ rev: 1 });
    expect(await server.mutate.push({ id: "s" })).toEqual({ rev: 2 });
    await expect(server.mutate.claim({ id: "none" })).rejects.toBeInstanceOf(RejectedError);
    await server.settle();
    expect(one.room.state.shapes.get("s")).toEqual({ x: 2, y: 0 });
    expect(server.calls.map(({ clientId }) => clientId)).toEqual(["rpc:nightly", "rpc:call-1", "rpc:call-2"]);
  });

  test("transacts and broadcasts as the app's class does", async () => {
    const { server, one } = await withTwo();
    const heard = vi.fn<(...told: unknown[]) => void>();
    one.room.onEvent("wave", heard);
    expect(server.transact((tx) => tx.tasks.put("t9", { title: "T", assignee: null }))).toEqual({ rev: 1 });
    server.broadcast("wave", { text: "from the room" });
    await server.settle();
    expect(one.room.state.tasks.ids()).toEqual(["t9"]);
    expect(heard).toHaveBeenCalledExactlyOnceWith({ text: "from the room" }, null);
  });

  test("shows its state as it is by now, also after a sleep and a crash", async () => {
    const { server, one } = await withTwo();
    const { shapes } = server.state;
    for (const [count, meanwhile] of [() => {}, () => server.evict(), () => server.crash()].entries()) {
      expect([shapes.size, shapes.values().length, shapes.entries().length]).toEqual([count, count, count]);
      meanwhile();
      one.room.transact((tx) => tx.shapes.put(`s${count}`, { x: 1, y: 1 }));
      await server.settle();
    }
    expect(shapes.ids()).toEqual(["s0", "s1", "s2"]);
    server.transact((tx) => tx.shapes.delete("s0"));
    expect(server.records("shapes")).toEqual({ s1: { x: 1, y: 1 }, s2: { x: 1, y: 1 } });
  });

  test("runs the hooks and the rules of the app", async () => {
    const heard: string[] = [];
    const server = newTeamRoom({
      records,
      authorize: ({ changes }) => changes.every(({ id }) => id !== "locked"),
      onJoin({ clientId }, room) {
        heard.push(`join ${clientId}`);
        room.broadcast("wave", { text: "welcome" });
      },
      onLeave: ({ clientId }) => heard.push(`leave ${clientId}`),
      onCommit({ type, clientId }, room) {
        heard.push(`${type} by ${clientId}`);
        if (type === "claim") room.transact((tx) => tx.shapes.put("lastCallId", { x: 1, y: 1 }));
      },
    });
    const { room } = await server.connect({ user: ada });
    room.on("reject", () => {});
    room.mutate.claim({ id: "t1" });
    expect(await outcomeOf(room.mutate.push({ id: "locked" }))).toBe("forbidden");
    room.close();
    await server.settle();
    expect(heard).toEqual([
      `join ${room.self.clientId}`,
      `claim by ${room.self.clientId}`,
      "transact by room",
      `leave ${room.self.clientId}`,
    ]);
    expect(server.records("shapes")).toEqual({ lastCallId: { x: 1, y: 1 } });
  });

  test("wakes from what it has stored, with its clients and what they show", async () => {
    const { server, one, other } = await withTwo({ records });
    one.room.presence.update({ x: 7 });
    one.room.mutate.claim({ id: "t1" });
    await server.settle();
    const statuses: string[] = [];
    one.room.on("status", (status) => statuses.push(status));
    server.evict();
    other.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    await server.settle();
    expect(one.room.state.shapes.get("s")).toEqual({ x: 1, y: 1 });
    expect(server.state.tasks.get("t1")?.assignee).toBe("ada");
    expect(statuses).toEqual([]);
    expect((await server.connect()).room.others[0]?.presence).toEqual({ x: 7 });
  });

  test("wakes again and again, past checkpoints", async () => {
    const { server, one, other } = await withTwo({ limits: { maxRingFlushes: 4, pageBytes: 256 } });
    for (let round = 0; round < 20; round++) {
      one.room.mutate.push({ id: `s${round % 7}` });
      await server.clock.advance(4_000);
      if (round % 3 === 0) server.evict();
    }
    await server.settle();
    expect(other.room.state.shapes.values().reduce((sum, { x }) => sum + x, 0)).toBe(20);
    expect(server.rev).toBe(20);
    const late = await server.connect();
    expect(late.room.state.shapes.entries()).toEqual(other.room.state.shapes.entries());
  });

  test("loses in a crash what it has not written, and nothing of it is lost in the end, nor done twice", async () => {
    const { server, one, other } = await withTwo();
    server.clock.stop();
    await server.clock.advance(1_000);
    const written = one.room.mutate.push({ id: "s" });
    await written.committed;
    const unwritten = one.room.mutate.push({ id: "s" });
    await server.clock.advance(20); // it has arrived, and waits for the next flush
    expect(server.calls.map(({ outcome }) => outcome?.kind)).toEqual(["accepted", undefined]);
    server.crash();
    expect([one.room.status, other.room.status]).toEqual(["offline", "offline"]);
    expect(server.records("shapes")).toEqual({ s: { x: 1, y: 0 } });
    await server.settle();
    expect(await outcomeOf(unwritten)).toBe(2);
    expect(other.room.state.shapes.get("s")).toEqual({ x: 2, y: 0 });
    expect(server.calls.map(({ arrivals }) => arrivals)).toEqual([1, 2]);
  });

  test("closes with its clients, and is over", async () => {
    const { server, one, other } = await withTwo();
    one.network.cut();
    const call = one.room.mutate.push({ id: "s" });
    server.close();
    expect(await outcomeOf(call)).toBe("closed");
    expect([one.room.status, other.room.status]).toEqual(["closed", "closed"]);
  });
});

function textOf(error: unknown): string | undefined {
  return error instanceof Error ? `${error.name}: ${error.message}` : undefined;
}

describe("the log of calls", () => {
  const told = ({ type, clientId, arrivals, outcome }: TestCall<TeamBoard>) => [
    type,
    clientId,
    arrivals,
    outcome?.kind === "accepted" ? outcome.rev : outcome?.code,
  ];

  test("has each with what it came to, whoever has made it", async () => {
    const { server, one, other } = await withTwo({ records });
    for (const { room } of [one, other]) room.on("reject", () => {});
    one.network.hold("up");
    one.room.mutate.claim({ id: "t1" });
    other.network.hold("down");
    server.transact((tx) => tx.tasks.patch("t1", { title: "Feed the cat" }));
    other.room.mutate.claim({ id: "t1" });
    other.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    await server.settle();
    other.network.release();
    await server.mutate.addTask({ id: "t2" }, { idempotencyKey: "k" });
    one.network.release();
    await server.settle();
    expect(server.calls.map(told)).toEqual([
      ["claim", other.room.self.clientId, 1, "conflict"],
      ["transact", other.room.self.clientId, 1, 3],
      ["addTask", "rpc:k", 1, 4],
      ["claim", one.room.self.clientId, 1, "conflict"],
    ]);
    expect(server.calls[0]).toMatchObject({ user: bob, payload: { id: "t1" } });
    expect(server.calls[1]?.payload).toEqual({ shapes: [["put", "s", { x: 1, y: 1 }]] });
  });

  test("has what the app's code has thrown in the room, of which the caller is told nothing", async () => {
    const onError = vi.fn<(error: unknown, what: string) => void>();
    const { server, one } = await withTwo({
      onError,
      authorize({ changes }) {
        if (changes.some(({ id }) => id === "riddle")) throw new Error("a bug in authorize");
        if (changes.some(({ id }) => id === "locked")) throw new Rejection("locked");
        return true;
      },
    });
    one.room.on("reject", () => {});
    const shape = { x: 1, y: 1 };
    one.room.transact((tx) => tx.shapes.put("a", shape));
    one.room.mutate.failOnServer({});
    one.room.mutate.push({ id: "locked" });
    one.room.mutate.push({ id: "riddle" });
    one.room.transact((tx) => tx.shapes.put("riddle", shape));
    one.room.mutate.decide({ id: "boom" });
    one.room.mutate.push({ id: "a" });
    await server.settle();
    expect(server.calls.map((call) => [told(call)[3], textOf(call.error)])).toEqual([
      [1, undefined],
      ["internal", "TypeError: only the room stumbles here"],
      ["locked", undefined],
      ["internal", "Error: a bug in authorize"],
      ["internal", "Error: a bug in authorize"],
      ["internal", "RangeError: a bug of the server's own"],
      [2, undefined],
    ]);
    expect(onError.mock.calls.map(([, what]) => what)).toEqual([
      "failOnServer has thrown in the room",
      "authorize has thrown, asked about push",
      "authorize has thrown, asked about transact",
      "decide has thrown in the room",
    ]);
  });

  test("is told in the console when nobody else wants to know", async () => {
    const printed = vi.spyOn(console, "error").mockImplementation(() => {});
    const server = newTeamRoom({
      onJoin: () => {
        throw new Error("a bug in a hook");
      },
    });
    await server.connect();
    expect(printed.mock.calls).toEqual([
      ["deltaroom/testing: onJoin has thrown", expect.objectContaining({ message: "a bug in a hook" })],
    ]);
    printed.mockRestore();
  });
});
