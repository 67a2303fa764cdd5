import { describe, expect, test, vi } from "vitest";
import type { Traffic } from "../../../client/index.ts";
import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import { codes } from "../../../src/protocol/codes.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { bytesOfHex } from "../../support/frames/hex.ts";
import { clientBoard } from "../../support/boards/client-board.ts";
import { hushed, outcomeOf } from "../../support/clients/joined-client.ts";
import {
  epoch,
  fakeTimers,
  joined,
  scripted,
  turn,
  type Scripted,
} from "../../support/rooms/scripted-room.ts";
import type { ScriptedPart } from "../../support/frames/frame-builders.ts";

const shapes = { s1: { x: 1, y: 1 }, s2: { x: 2, y: 2 } };
const nothing = { from: 0, to: 0, changes: {} };

fakeTimers();

function part(number: number, from: string, until: string | null, ids: readonly string[]): ScriptedPart {
  const records = ids.map((id): [string, { x: number; y: number }] => [id, { x: 1, y: 1 }]);
  return { kind: "snapshot", part: number, collection: "shapes", from, until, records };
}

/** The codes of what the room says is wrong. */
function errorsOf({ room }: Pick<Scripted, "room">): string[] {
  const errors: string[] = [];
  room.on("error", ({ code, willRetry }) => errors.push(`${code} ${willRetry ? "retry" : "final"}`));
  return errors;
}

describe("the first hello", () => {
  test("says that there is nothing here yet, and later ones what there is", async () => {
    const { server, room } = scripted({ token: () => "let me in" });
    const socket = await server.attempt(1);
    expect(socket.url).toBe("ws://room.test/rooms/lobby");
    expect(socket.protocols[0]).toBe("deltaroom.v1");
    const { secret } = socket.hello;
    const said = {
      secret,
      schema: 7,
      token: "let me in",
      names: nameTable(clientBoard).hash,
      acceptsDeflate: true,
    };
    const { attempt = 0 } = socket.hello;
    expect(socket.hello).toEqual({ ...said, attempt, epoch: null, rev: 0, confirmed: 0, knownSince: null });
    socket.greet({ rev: 40, knownSince: 9 });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(40, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 41]] });
    socket.drop();
    await vi.advanceTimersByTimeAsync(250);
    const later = server.newest.hello;
    expect(later).toEqual({
      ...said,
      attempt: later.attempt,
      epoch,
      rev: 41,
      confirmed: 1,
      knownSince: null,
    });
    expect(later.attempt).toBeGreaterThan(attempt);
  });

  test("says since when a call of its is in doubt, so that only then it can be too old", async () => {
    const { server, room } = scripted();
    const socket = await server.attempt(1);
    socket.greet({ knownSince: 9 });
    socket.drop();
    await vi.advanceTimersByTimeAsync(250);
    expect(server.newest.hello.knownSince).toBe(null);
    server.newest.greetAgain({}, { knownSince: 12 });
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    for (let attempt = 1; attempt <= 2; attempt++) {
      server.newest.drop();
      await vi.advanceTimersByTimeAsync(250);
      expect(server.newest.hello.knownSince).toBe(12);
      server.newest.greetAgain({}, { knownSince: 20 });
    }
    server.newest.delta(0, {}, { lastCallId: 1, outcomes: [[1, 1]] });
    server.newest.drop();
    await vi.advanceTimersByTimeAsync(250);
    expect(server.newest.hello.knownSince).toBe(null);
  });

  test("has a secret that nobody can guess, and is told by the room the id that others see", async () => {
    const clients = Array.from({ length: 50 }, () => scripted());
    const secrets = await Promise.all(
      clients.map(async ({ server }) => (await server.attempt(1)).hello.secret),
    );
    expect(new Set(secrets).size).toBe(50);
    for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9_-]{24}$/);
    expect(new Set(clients.map(({ room }) => room.self.clientId))).toEqual(new Set([""]));
    for (const { server } of clients) server.newest.greet();
    expect(clients.map(({ room }) => room.self.clientId)).toEqual(secrets.map(clientIdOf));
  });
});

describe("ready", () => {
  test("waits for the whole snapshot and for who is here, and what came before it is not shown", async () => {
    const { room, server } = scripted();
    const isReady = vi.fn<() => void>();
    void room.ready.then(isReady);
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    socket.say(part(0, "", "m", ["a"]));
    socket.delta(4, { shapes: [["put", "zz", { x: 9, y: 9 }]] }); // a delta before the reply is of no use
    socket.say(part(1, "m", null, ["m", "z"]));
    await turn();
    expect([room.status, room.rev, room.state.shapes.size]).toEqual(["connecting", 0, 0]);
    expect(isReady).not.toHaveBeenCalled();
    socket.update({
      tag: 0,
      lastCallId: 0,
      parts: 2,
      delta: { from: 3, to: 5, changes: { shapes: [["delete", "a"]] } },
    });
    await turn();
    expect([room.status, room.rev, room.state.shapes.ids()]).toEqual(["online", 5, ["m", "z"]]);
    expect(isReady).not.toHaveBeenCalled();
    const told: unknown[] = [];
    room.onOthers((others) => told.push(others.length));
    void room.ready.then(() => told.push("ready"));
    socket.say({ kind: "peers", peers: [["actor-a", null, { x: 1, y: 1 }]] });
    await turn();
    expect(isReady).toHaveBeenCalledOnce();
    expect(told).toEqual([1, "ready"]);
    expect(socket.sent).toEqual([]); // one round trip: it has said nothing but its hello
  });

  test("comes in an empty room as well", async () => {
    const { room, server } = scripted();
    (await server.attempt(1)).greet();
    await room.ready;
    expect(room.state.shapes.ids()).toEqual([]);
  });

  test("rejects when the room is closed before", async () => {
    const { room } = scripted();
    room.close();
    await expect(room.ready).rejects.toMatchObject({ code: "closed" });
  });
});

describe("a snapshot part", () => {
  test("replaces its range whole, so that one that is sent again does no harm", async () => {
    const { room, server } = scripted();
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    socket.say(part(0, "", null, ["a", "n"]));
    socket.say(part(1, "m", null, ["z"]));
    socket.say({ kind: "snapshot", part: 2, collection: "counters", from: "", until: null, records: [] });
    socket.update({ tag: 0, lastCallId: 0, parts: 3, delta: nothing });
    expect(room.state.shapes.ids()).toEqual(["a", "z"]);
  });

  test("with the number 0 begins anew", async () => {
    const { room, server } = scripted();
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    socket.say(part(0, "", "m", ["a"]));
    socket.say(part(0, "", "m", ["b"]));
    socket.say(part(1, "m", null, ["z"]));
    socket.update({ tag: 0, lastCallId: 0, parts: 2, delta: nothing });
    expect(room.state.shapes.ids()).toEqual(["b", "z"]);
  });

  test.each([
    ["is missing in the middle", [0, 2], 3],
    ["is missing at the end", [0, 1], 3],
    ["is missing at the start", [1, 2], 3],
  ])("that %s makes the client start over, and shows nothing of the rest", async (_, numbers, parts) => {
    const { room, server } = scripted();
    const errors = errorsOf({ room });
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    for (const number of numbers) socket.say(part(number, `${number}`, `${number + 1}`, [`${number}`]));
    socket.update({ tag: 0, lastCallId: 0, parts, delta: nothing });
    expect(room.state.shapes.size).toBe(0);
    expect(errors.length).toBeGreaterThan(0);
    const next = await comesBack({ room, server });
    expect(next).toMatchObject({ epoch: null, rev: 0 });
    expect([room.status, room.state.shapes.ids()]).toEqual(["online", ["whole"]]);
  });
});

/** Answers the client's next question, on a new connection or the old one, with a snapshot; answers what was asked. */
async function comesBack({ room, server }: Scripted): Promise<{ epoch: string | null; rev: number }> {
  const attempts = server.sockets.length;
  await vi.advanceTimersByTimeAsync(15_000);
  const resync = server.newest.frames("resync").at(-1);
  const records = { shapes: { whole: { x: 1, y: 1 } } };
  if (server.sockets.length > attempts) {
    server.newest.greet({ records });
    return server.newest.hello;
  }
  if (resync === undefined) throw new Error(`the client asks for nothing and is ${room.status}`);
  server.newest.say(part(0, "", null, ["whole"]));
  server.newest.update({ tag: resync.tag, lastCallId: 0, parts: 1, delta: nothing });
  return resync;
}

describe("a delta", () => {
  test("that begins below what is here and ends above it is applied", async () => {
    const { room, socket } = await joined({ rev: 10, records: { shapes } });
    socket.delta(7, { shapes: [["put", "s1", { x: 9, y: 9 }]] }, {}, 12);
    expect([room.rev, room.state.shapes.get("s1")?.x]).toEqual([12, 9]);
    expect(socket.sent).toEqual([]);
  });

  test.each([10, 9])("that ends at %i when 10 is here is dropped, but its answers count", async (to) => {
    const { room, socket } = await joined({ rev: 10, records: { shapes } });
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(5, { shapes: [["delete", "s1"]] }, { lastCallId: 1, outcomes: [[1, 8]] }, to);
    expect([room.rev, room.state.shapes.has("s1")]).toEqual([10, true]);
    expect(await outcomeOf(call)).toBe(8);
  });

  test("that begins above what is here makes the client ask once, and ignore deltas until the reply", async () => {
    const { room, socket } = await joined({ rev: 10, records: { shapes } });
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(12, { shapes: [["patch", "s1", { x: 13 }]] }, { lastCallId: 1, outcomes: [[1, 13]] });
    socket.delta(13, { shapes: [["patch", "s1", { x: 14 }]] });
    socket.update({ tag: 0, delta: { from: 10, to: 15, changes: { shapes: [["patch", "s1", { x: 15 }]] } } });
    expect(socket.frames("resync")).toEqual([{ kind: "resync", tag: 1, epoch, rev: 10, confirmed: 0 }]);
    expect([room.rev, room.state.shapes.get("s1")?.x, room.pending]).toEqual([10, 1, 1]);
    socket.update({
      tag: 1,
      lastCallId: 1,
      outcomes: [[1, 13]],
      delta: { from: 10, to: 14, changes: { shapes: [["patch", "s1", { x: 14 }]] } },
    });
    expect([room.rev, room.state.shapes.get("s1")?.x, room.status]).toEqual([14, 14, "online"]);
    expect(await outcomeOf(call)).toBe(13);
    socket.delta(14, { shapes: [["patch", "s1", { x: 15 }]] });
    expect(room.rev).toBe(15);
    socket.delta(17, {});
    expect(socket.frames("resync").map(({ tag, rev }) => [tag, rev])).toEqual([
      [1, 10],
      [2, 15],
    ]);
  });

  test("that does not go with what is here is not applied in part, and a snapshot heals it", async () => {
    const { room, socket } = await joined({ rev: 10, records: { shapes } });
    const errors = errorsOf({ room });
    const seen = vi.fn<() => void>();
    room.observe("shapes", seen);
    socket.delta(10, {
      shapes: [
        ["patch", "s1", { x: 9 }],
        ["patch", "nobody", { x: 9 }],
      ],
    });
    expect([room.rev, room.state.shapes.get("s1")?.x]).toEqual([10, 1]);
    expect(seen).not.toHaveBeenCalled();
    expect(errors).toEqual(["internal retry"]);
    expect(socket.frames("resync")).toEqual([{ kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 0 }]);
    socket.say(part(0, "", null, ["s1", "s3"]));
    socket.update({ tag: 1, lastCallId: 0, parts: 1, delta: { from: 12, to: 12, changes: {} } });
    expect([room.rev, room.state.shapes.ids()]).toEqual([12, ["s1", "s3"]]);
    room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.ids).toEqual([1]);
  });
});

test("a question that the room refuses for coming too soon is asked again", async () => {
  const { room, server, socket } = await joined({ rev: 10, records: { shapes } });
  const errors = errorsOf({ room });
  socket.delta(12, {});
  expect(socket.frames("resync")).toHaveLength(1);
  socket.drop(codes["rate-limited"].closeCode);
  expect(errors).toEqual(["rate-limited retry"]);
  await vi.advanceTimersByTimeAsync(250);
  server.newest.greetAgain({ delta: { from: 10, to: 13, changes: { shapes: [["delete", "s1"]] } } });
  expect([room.status, room.rev, room.state.shapes.ids()]).toEqual(["online", 13, ["s2"]]);
});

describe("a reply to the hello", () => {
  const broken = {
    from: 10,
    to: 11,
    changes: { shapes: [["patch", "nobody", { x: 9 }] as ["patch", string, { x: number }]] },
  };
  const early = { from: 12, to: 13, changes: {} };

  test.each([
    ["does not go with what is here", broken],
    ["begins above what is here", early],
  ])("that %s is asked for again, and then the client is online and sends what waits", async (_, delta) => {
    const { room, server, socket } = await joined({ rev: 10, records: { shapes } });
    errorsOf({ room });
    socket.drop();
    room.mutate.addUp({ id: "c1", by: 1 });
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain({ delta });
    await comesBack({ room, server });
    expect(room.status).toBe("online");
    await vi.advanceTimersByTimeAsync(16);
    expect(server.newest.ids).toEqual([1]);
  });

  test("is awaited anew on each connection, however the last one ended", async () => {
    const { room, server, socket } = await joined({ rev: 10, records: { shapes } });
    errorsOf({ room });
    socket.drop();
    await vi.advanceTimersByTimeAsync(250);
    server.newest.greetAgain({ delta: broken }); // the client asks, and nobody answers any more
    await vi.advanceTimersByTimeAsync(16_000);
    expect(server.sockets).toHaveLength(3);
    server.newest.greet({ records: { shapes } });
    expect(room.status).toBe("online");
  });
});

describe("a frame that cannot be read", () => {
  const garbage: [title: string, data: string | Uint8Array][] = [
    ["no text", ""],
    ["null", "null"],
    ["no JSON", "{"],
    ["a kind that there is not", '{"kind":"surprise"}'],
    ["an update as text", '{"kind":"update"}'],
    ["no bytes", bytesOfHex("")],
    ["bytes of no kind", bytesOfHex("ff 00")],
    ["half of an update", bytesOfHex("22")],
    ["a delta that ends too early", bytesOfHex("20 01 00 01 01")],
    ["a part that ends too early", bytesOfHex("30 00 06 7368")],
  ];

  test.each(garbage)("is reported and changes nothing: %s", async (_, text) => {
    const { room, socket } = await joined({ records: { shapes } });
    const errors = errorsOf({ room });
    socket.say(text);
    expect(errors).toEqual(["invalid retry"]);
    expect(room.state.shapes.size).toBe(2);
    expect(room.status).toBe("online");
  });

  test("may have been an answer, so the client asks for it again", async () => {
    const { room, socket } = await joined();
    errorsOf({ room });
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.say(bytesOfHex("26 01 01 ff")); // an update with the mark 1 and one outcome, which is garbled
    expect(socket.frames("resync")).toHaveLength(1);
    const delta = {
      from: 0,
      to: 1,
      changes: { counters: [["put", "c1", { value: 1 }] as ["put", string, object]] },
    };
    socket.update({ tag: 1, lastCallId: 1, outcomes: [[1, 1]], delta: delta as never });
    expect(await outcomeOf(call)).toBe(1);
  });

  test("in the place of the reply to the hello makes the client connect again", async () => {
    const { room, server } = scripted();
    errorsOf({ room });
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    socket.say("garbled");
    await vi.advanceTimersByTimeAsync(250);
    expect(server.sockets).toHaveLength(2);
    server.newest.greet();
    expect(room.status).toBe("online");
  });

  test("or that is refused by the room is logged when nobody listens", async () => {
    const warned = hushed("warn");
    const { socket } = await joined();
    socket.say({ kind: "error", code: "too-large", message: "presence has 5000 bytes" });
    expect(warned).toHaveBeenCalledExactlyOnceWith("deltaroom: too-large, presence has 5000 bytes");
  });
});

describe("a room with a new epoch", () => {
  test("has its snapshot taken, and the calls that wait get ids that are free in its history", async () => {
    const { room, server, socket } = await joined({ rev: 10 });
    const answered = [1, 2, 3].map((by) => room.mutate.addUp({ id: "c1", by }));
    await turn();
    socket.delta(
      10,
      { counters: [["put", "c1", { value: 6 }]] },
      {
        lastCallId: 3,
        outcomes: [
          [1, 11],
          [2, 12],
          [3, 13],
        ],
      },
      13,
    );
    await Promise.all(answered.map(outcomeOf));
    const waiting = [10, 20].map((by) => room.mutate.addUp({ id: "c1", by }));
    await vi.advanceTimersByTimeAsync(16);
    expect(socket.ids).toEqual([1, 2, 3, 4, 5]);
    errorsOf({ room });
    socket.drop(4420);
    const unsent = room.mutate.addUp({ id: "c1", by: 30 });
    await vi.advanceTimersByTimeAsync(250);
    const restored = { epoch: "epoch-2", rev: 8, lastCallId: 1, records: { counters: { c1: { value: 1 } } } };
    server.newest.greet(restored);
    expect([room.rev, room.state.counters.get("c1")?.value]).toEqual([8, 61]);
    expect(server.newest.calls.map(({ clientReqId, payload }) => [clientReqId, payload])).toEqual([
      [2, { id: "c1", by: 10 }],
      [3, { id: "c1", by: 20 }],
      [4, { id: "c1", by: 30 }],
    ]);
    expect(server.newest.frames("push")[0]?.confirmed).toBe(1);
    server.newest.delta(
      8,
      { counters: [["put", "c1", { value: 61 }]] },
      {
        lastCallId: 4,
        outcomes: [
          [2, 9],
          [3, 10],
          [4, 11],
        ],
      },
      11,
    );
    expect(await Promise.all([...waiting, unsent].map(outcomeOf))).toEqual([9, 10, 11]);
    expect(room.pending).toBe(0);
  });
});

describe("onTraffic", () => {
  test("is told of every frame that goes by", async () => {
    const traffic: Traffic[] = [];
    const { room, socket } = await joined(
      { records: { shapes } },
      { onTraffic: (frame) => traffic.push(frame) },
    );
    expect(traffic.map(({ direction, kind }) => `${direction} ${kind}`)).toEqual([
      "down welcome",
      "down snapshot",
      "down snapshot",
      "down peers",
    ]);
    room.transact((tx) => tx.papers.put("p1", { text: "é" }));
    await turn();
    socket.delta(0, { papers: [["put", "p1", { text: "é" }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    const [push, update] = traffic.slice(4);
    expect(push).toMatchObject({
      direction: "up",
      kind: "push",
      bytes: (socket.sent[0] as Uint8Array).length,
    });
    expect(update).toMatchObject({ direction: "down", kind: "update", from: 0, to: 1, at: Date.now() });
  });

  test("does no harm when it throws", async () => {
    const printed = hushed("error");
    const { room, socket } = await joined(
      {},
      {
        onTraffic: () => {
          throw new Error("the app's own");
        },
      },
    );
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    expect(await outcomeOf(call)).toBe(1);
    expect(printed).toHaveBeenCalled();
  });
});
