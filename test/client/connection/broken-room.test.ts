import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FrameReader } from "../../../client/connection/frame-reader.ts";
import { ownRuntime } from "../../../client/platform.ts";
import { codes, type Code } from "../../../src/protocol/codes.ts";
import type { UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { encodeSnapshotPart } from "../../../src/protocol/down/snapshot-part.ts";
import type { ScriptedPart } from "../../support/frames/frame-builders.ts";
import {
  fakeTimers,
  joined,
  pass,
  scripted,
  toldOf,
  turn,
  type ScriptedSocket,
} from "../../support/rooms/scripted-room.ts";

const minute = 60_000;
/** Errors that the app is told in a minute, of a room that never stops being wrong. */
const mostTold = 40;

fakeTimers();
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));
afterEach(() => void vi.restoreAllMocks());

/** Answers each frame of a kind that the client sends on `socket`, from now on. */
function answer<K extends UpFrame["kind"]>(socket: ScriptedSocket, kind: K, say: () => void): void {
  const send = socket.send.bind(socket);
  socket.send = (frame) => {
    send(frame);
    const isAsked = socket.closedWith === undefined && socket.kinds.at(-1) === kind;
    // A client that follows for ever would keep the test from ending.
    if (isAsked && socket.sent.length < 2_000) void Promise.resolve().then(say);
  };
}

/** Greets each connection in its turn for `ms`, and has `misbehave` then. Returns how many there were. */
async function serve(
  { server }: Pick<Awaited<ReturnType<typeof joined>>, "server">,
  ms: number,
  misbehave: (socket: ScriptedSocket) => void,
  stepMs = 250,
): Promise<number> {
  let served = 0;
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    for (; served < server.sockets.length; served++) {
      const socket = server.sockets[served] as ScriptedSocket;
      if (socket.closedWith === undefined) misbehave(socket);
    }
    await pass(stepMs);
  }
  return served;
}

test.each([
  [
    "an update that never fits",
    (socket: ScriptedSocket) =>
      socket.update({ tag: socket.frames("resync").length, delta: { from: 99, to: 100, changes: {} } }),
  ],
  [
    "bytes that are no frame, and then an answer",
    (socket: ScriptedSocket) => {
      socket.update({ tag: socket.frames("resync").length });
      socket.say(new Uint8Array([0x20]));
    },
  ],
] as const)("a room that answers each catch-up with %s is left, and tried later", async (_, say) => {
  const { room, server } = await joined();
  const told = toldOf({ room });
  let resyncs = 0;
  const connections = await serve({ server }, minute, (socket) => {
    if (socket !== server.sockets[0]) socket.greetAgain();
    answer(socket, "resync", () => {
      resyncs += 1;
      say(socket);
    });
    socket.say(new Uint8Array([0x20]));
  });
  expect(resyncs).toBeLessThan(60);
  expect(connections).toBeGreaterThan(1);
  expect(connections).toBeLessThan(60);
  expect(told.filter((word) => word.includes("will retry")).length).toBeLessThan(mostTold);
  expect(told).toContain("invalid, will retry");
});

test("a room that answers each push with a gap is left, and the call is kept and sent once it is well", async () => {
  const { room, server } = await joined();
  toldOf({ room });
  const call = room.mutate.addUp({ id: "c1", by: 1 });
  let pushes = 0;
  const serveGaps = (socket: ScriptedSocket) => {
    answer(socket, "push", () => {
      pushes += 1;
      socket.say({ kind: "gap", expected: 1 });
    });
    if (socket !== server.sockets[0]) socket.greetAgain();
  };
  await serve({ server }, minute, serveGaps);
  expect(pushes).toBeLessThan(100);
  expect(room.pending).toBe(1);
  await serve({ server }, minute, (socket) => {
    socket.greetAgain();
    if (socket.ids.length > 0) socket.delta(0, {}, { lastCallId: 1, outcomes: [[1, 1]] });
  });
  expect(await call.committed).toEqual({ rev: 1 });
});

describe("an error that has calls wait", () => {
  const refusal = (wait: string) =>
    `{"kind":"error","code":"rate-limited","message":"","clientReqId":1,"retryAfterMs":${wait}}`;

  test.each(["0", "-1", "-1e999", "1e-9", '"soon"', "null"])(
    "for %s ms does not have them sent without a pause",
    async (wait) => {
      const { room, socket } = await joined();
      let pushes = 0;
      answer(socket, "push", () => {
        pushes += 1;
        socket.say(refusal(wait));
      });
      room.on("reject", () => {});
      room.mutate.addUp({ id: "c1", by: 1 });
      await pass(2_000);
      expect(pushes).toBeGreaterThan(1);
      expect(pushes).toBeLessThanOrEqual(101);
    },
  );

  test.each(["1e999", "1e300", "4294967296", "86400000"])(
    "for %s ms does not have them wait for more than a minute",
    async (wait) => {
      const { room, socket } = await joined();
      room.on("reject", () => {});
      room.mutate.addUp({ id: "c1", by: 1 });
      await turn();
      socket.say(refusal(wait));
      for (let passedMs = 0; passedMs < minute - 5_000; passedMs += 5_000) {
        await pass(5_000);
        socket.say("pong");
      }
      expect(socket.ids).toEqual([1]);
      await pass(5_000);
      expect(socket.ids).toEqual([1, 1]);
    },
  );

  test("names a call that there is not changes nothing", async () => {
    const { room, socket } = await joined();
    room.mutate.addUp({ id: "c1", by: 1 });
    await turn();
    socket.say(`{"kind":"error","code":"rate-limited","message":"","clientReqId":1e308,"retryAfterMs":1}`);
    socket.say({ kind: "gap", expected: 1e15 });
    await pass(1_000);
    expect(socket.ids).toEqual([1]);
  });
});

test("errors without end reach the app twenty at once, and then a few a minute", async () => {
  const { room, socket } = await joined();
  const told = toldOf({ room });
  for (let n = 0; n < 10_000; n++) socket.say({ kind: "error", code: "internal", message: "again" });
  expect(told).toHaveLength(20);
  await pass(10_000);
  for (let n = 0; n < 10_000; n++) socket.say({ kind: "error", code: "internal", message: "again" });
  expect(told).toHaveLength(21);
});

test.each([
  "callsPerSecond",
  "callsBurst",
  "maxCallsPerFrame",
  "maxFrameBytes",
  "maxUnacknowledgedBytes",
  "ephemeralPerSecond",
])(
  "a welcome whose %s no client can keep is refused, and the client comes back with pauses",
  async (name) => {
    for (const limit of ["0", "-1", "1e999"]) {
      const { room, server } = scripted();
      const told = toldOf({ room });
      const connections = await serve({ server }, minute, (socket) => {
        const say = socket.say.bind(socket);
        // JSON has a way to write Infinity, which `JSON.stringify` does not use.
        socket.say = (frame) => {
          const text =
            typeof frame === "object" && "kind" in frame && frame.kind === "welcome"
              ? JSON.stringify(frame)
              : frame;
          say(typeof text === "string" ? text.replace(`"${name}":77`, `"${name}":${limit}`) : text);
        };
        socket.open();
        socket.welcome({ limits: { [name]: 77 } });
      });
      expect(connections).toBeLessThan(30);
      expect(told).toContain("internal, will retry");
      expect(room.status).not.toBe("online");
    }
  },
);

describe("a room that takes the client in and closes at once", () => {
  test.each<Code | number>([
    1000,
    1006,
    "token-expired",
    "unauthorized",
    "internal",
    "room-full",
    "rate-limited",
    "timeout",
  ])("with %s is tried with back-off", async (code) => {
    const { room, server } = await joined({}, { token: () => "token" });
    const told = toldOf({ room });
    const connections = await serve({ server }, 10 * minute, (socket) => {
      if (socket !== server.sockets[0]) socket.greetAgain();
      socket.drop(typeof code === "number" ? code : codes[code].closeCode);
    });
    // Twenty with the first pauses, and then with longer ones.
    expect(connections).toBeGreaterThan(20);
    expect(connections).toBeLessThan(150);
    expect(room.status).not.toBe("closed");
    expect(told.filter((word) => word.includes("will retry")).length).toBeLessThan(100);
  });
});

describe("a room that never ends a catch-up", () => {
  const part = (number: number, records: ScriptedPart["records"] = []): ScriptedPart => ({
    kind: "snapshot",
    part: number,
    collection: "shapes",
    from: `${number}`.padStart(4, "0"),
    until: `${number + 1}`.padStart(4, "0"),
    records,
  });

  test.each<[string, (socket: ScriptedSocket, second: number) => void]>([
    ["says nothing", () => {}],
    ["sends who is here", (socket) => socket.say({ kind: "peers", peers: [] })],
    ["sends updates that are no reply", (socket) => socket.update({ presence: [] })],
    ["sends its welcome again and again", (socket) => socket.welcome()],
    ["sends errors", (socket) => socket.say({ kind: "error", code: "internal", message: "again" })],
    ["sends parts of a few bytes", (socket, second) => socket.say(part(second))],
    [
      "sends replies that never fit",
      (socket, second) => {
        const tag = socket.frames("resync").length;
        if (second % 6 === 5) socket.update({ tag, delta: { from: 99, to: 100, changes: {} } });
      },
    ],
    ["answers pings", (socket) => socket.say("pong")],
  ])("and %s is left, and the app is told", async (_, say) => {
    const { room, server } = scripted();
    const told = toldOf({ room });
    const first = await server.attempt(1);
    first.open();
    first.welcome();
    for (let second = 0; second < 20; second++) {
      say(first, second);
      await pass(1_000);
    }
    expect(first.closedWith).toBe(1000);
    const connections = await serve({ server }, minute, (socket) => {
      if (socket === first) return;
      socket.open();
      socket.welcome();
    });
    expect(connections).toBeLessThan(10);
    expect(told).toContain("unreachable, will retry");
    expect(told).not.toContain("online");
  });

  test("is not one whose parts come slowly", async () => {
    const { room, server } = scripted();
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    for (let number = 0; number < 10; number++) {
      await pass(9_000);
      socket.say(part(number, [[`${number}`.padStart(4, "0"), { x: 0, y: 0, label: "x".repeat(20_000) }]]));
      socket.say("pong");
    }
    expect(server.sockets).toEqual([socket]);
    expect(room.status).toBe("connecting");
  });
});

describe("what a client holds", () => {
  const part = (number: number, content: Uint8Array, isDeflated = false) =>
    encodeSnapshotPart({
      part: number,
      left: 1,
      rev: 0,
      collection: "shapes",
      from: "",
      until: null,
      isDeflated,
      content,
    });
  const page = (size: number) => new TextEncoder().encode(`[[],[],[]]${" ".repeat(size)}`);

  async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
    const stream = new Response(bytes).body?.pipeThrough(new CompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream as ReadableStream).arrayBuffer());
  }

  test("of a part that is inflated has an end", async () => {
    vi.useRealTimers();
    const bomb = await deflated(new Uint8Array(64 * 1_048_576));
    expect(bomb.length).toBeLessThan(100_000);
    await expect(ownRuntime.inflate?.(bomb, 1_048_576)).rejects.toThrow("more than 1048576 bytes");
    const whole = await deflated(page(1_000));
    expect(await ownRuntime.inflate?.(whole, 2_000)).toEqual(page(1_000));
  });

  test("of parts that are inflated at the same time is few", async () => {
    vi.useRealTimers();
    let inflating = 0;
    let most = 0;
    const taken: number[] = [];
    const frameReader = new FrameReader(
      async (bytes) => {
        most = Math.max(most, ++inflating);
        await new Promise((resolve) => setTimeout(resolve, 1));
        inflating -= 1;
        return bytes;
      },
      1_000,
      { take: (frame) => frame.kind === "snapshot" && taken.push(frame.part), misread() {} },
    );
    for (let n = 0; n < 100; n++) frameReader.receive(part(n, page(0), true));
    await expect.poll(() => taken.length).toBe(100);
    expect(taken).toEqual(taken.toSorted((a, b) => a - b));
    expect(most).toBeLessThanOrEqual(9);
  });

  test("of a snapshot that never ends is dropped, and the room is tried later", async () => {
    const { room, server } = scripted({ limits: { maxSnapshotBytes: 50_000 } });
    const told = toldOf({ room });
    const socket = await server.attempt(1);
    socket.open();
    socket.welcome();
    for (let n = 0; n < 6; n++) socket.say(part(n, page(10_000)));
    expect(told).toEqual(["internal, will retry", "offline"]);
    expect(socket.closedWith).toBe(1000);
    await pass(250);
    expect(server.newest.hello.resumeSnapshot).toBeUndefined();
    server.newest.greet();
    expect(room.status).toBe("online");
  });

  test("of others is limited, and they stay as they were", async () => {
    const peers = (count: number) =>
      Array.from({ length: count }, (_, n) => [`actor-${n}`, null, { x: n, y: 0 }] as const);
    const { room, socket } = await joined({ peers: peers(3) }, { limits: { maxPeers: 5 } });
    const told = toldOf({ room });
    socket.say({ kind: "peers", peers: peers(6) });
    expect(told).toEqual(["internal, will retry"]);
    expect(room.others.length).toBeLessThanOrEqual(5);
  });
});

test("a timer for longer than a browser knows does not run at once", async () => {
  vi.useRealTimers();
  const run = vi.fn<() => void>();
  const cancel = ownRuntime.startTimer(run, 1e300);
  await new Promise((resolve) => setTimeout(resolve, 20));
  cancel();
  expect(run).not.toHaveBeenCalled();
});
