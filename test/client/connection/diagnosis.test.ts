import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect, type RoomError } from "../../../client/index.ts";
import "../../../client/connection/diagnosis.ts"; // so that loading it takes no time that the tests would have to fake
import { codes } from "../../../src/protocol/codes.ts";
import { clientBoard } from "../../support/boards/client-board.ts";
import { hushed } from "../../support/clients/joined-client.ts";
import { leave } from "../../support/clients/close-room.ts";
import { fakeTimers, pass, ScriptedRoom, turn } from "../../support/rooms/scripted-room.ts";

const hour = 3_600_000;
/** After which the app has been told. */
const outageMs = 12_000;

fakeTimers();
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** Opens a room over what the runtime has as `WebSocket`, and notes what the app is told. */
function open(url = "http://room.test/rooms/lobby") {
  const told: RoomError[] = [];
  const room = connect(url, clientBoard);
  room.on("error", (error) => told.push(error));
  return { room, told };
}

/** A `WebSocket` whose sockets the test plays; each fails at once while `isDown`. */
function stubSockets({ isDown = true } = {}) {
  const server = new ScriptedRoom();
  const state = { isDown, server };
  // What a constructor returns is what `new` gives.
  vi.stubGlobal("WebSocket", function newSocket(url: string, protocols: string[]) {
    const socket = server.transport(url, protocols);
    if (state.isDown) void Promise.resolve().then(() => server.newest.fail());
    return socket;
  });
  return state;
}

/** A `WebSocket` that throws. */
function stubThrowing(name: string, message: string) {
  const made = vi.fn<() => void>();
  vi.stubGlobal("WebSocket", function newSocket() {
    made();
    throw Object.assign(new Error(message), { name });
  });
  return made;
}

function stubFetch(answer: () => Response | Promise<Response>) {
  const fetch = vi.fn<(url: string, options: object) => Promise<Response>>(async () => await answer());
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

const onPage = (href: string) => {
  const { origin, protocol } = new URL(href);
  vi.stubGlobal("location", { href, origin, protocol });
};

describe("a socket that this page can never open", () => {
  const cases: [string, () => void, string, string][] = [
    [
      "under file:",
      () => onPage("file:///app/index.html"),
      "SyntaxError",
      "a page under file: has no rooms of its own",
    ],
    [
      "under capacitor:",
      () => onPage("capacitor://localhost/"),
      "SyntaxError",
      "a page under capacitor: has no rooms",
    ],
    [
      "that is mixed content",
      () => onPage("https://app.test/"),
      "SecurityError",
      "came over https may open only wss",
    ],
    [
      "that a policy forbids",
      () => onPage("http://room.test/"),
      "SecurityError",
      "allow ws://room.test in connect-src",
    ],
  ];

  test.each(cases)("%s ends the room, and says what to do", async (_, stubPage, name, hint) => {
    stubPage();
    const made = stubThrowing(name, "the browser's own words");
    const path = name === "SyntaxError" ? "/rooms/lobby" : undefined;
    const { room, told } = open(path);
    await turn();
    await expect(room.ready).rejects.toMatchObject({
      name: "RoomError",
      code: "unsupported",
      willRetry: false,
    });
    expect(told.map(({ code }) => code)).toEqual(["unsupported"]);
    expect(told[0]?.message).toContain(hint);
    expect(told[0]?.cause).toMatchObject({ name, message: "the browser's own words" });
    expect([room.status, room.closeReason]).toEqual(["closed", "unsupported"]);
    await pass(hour);
    expect(made).toHaveBeenCalledOnce();
    leave(room);
  });

  test("because there is no WebSocket at all ends it too", async () => {
    vi.stubGlobal("WebSocket", undefined);
    const { room, told } = open();
    await pass(hour);
    expect(told.map(({ message }) => message)).toEqual([
      "no connection to ws://room.test/rooms/lobby: NotSupportedError: there is no WebSocket here: give connect a transport",
    ]);
    expect(room.closeReason).toBe("unsupported");
  });

  test("and is not waited for makes no unhandled rejection, and is told in the console", async () => {
    const warned = hushed("warn");
    const unhandled = vi.fn<() => void>();
    addEventListener("unhandledrejection", unhandled);
    stubThrowing("SyntaxError", "no such scheme");
    const room = connect("http://room.test/rooms/lobby", clientBoard);
    await pass(hour);
    removeEventListener("unhandledrejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining("unsupported, no connection to ws://room.test"),
    );
    leave(room);
  });

  test("can be tried again by the app", async () => {
    stubThrowing("SecurityError", "not now");
    const { room } = open();
    await pass(0);
    const { server } = stubSockets({ isDown: false });
    room.reconnect();
    (await server.attempt(1)).greet();
    expect(room.status).toBe("online");
    leave(room);
  });
});

describe("sockets that do not open", () => {
  const json = (status: number, body: unknown) => Response.json(body, { status });
  const refusal = (status: number, code: string) => () => json(status, { error: { code, message: "" } });
  const handshake = "does not pass on the WebSocket handshake";

  test.each([
    ["the state", () => json(200, { epoch: "e", rev: 0, collections: {} }), { status: 200 }, handshake],
    [
      "that a token is missing",
      refusal(401, "unauthorized"),
      { status: 401, code: "unauthorized" },
      handshake,
    ],
    [
      "that the room fails",
      refusal(503, "internal"),
      { status: 503, code: "internal" },
      "the room is in trouble",
    ],
    [
      "a page",
      () => new Response("<html>", { headers: { "Content-Type": "text/html" } }),
      { status: 200 },
      "does not reach the Worker",
    ],
    [
      "that nothing is there",
      () => new Response("Not found", { status: 404 }),
      { status: 404 },
      "no route of routeRooms",
    ],
    ["that a gateway fails", () => new Response("", { status: 502 }), { status: 502 }, "answered 502"],
    [
      "what is no JSON",
      () => new Response("{", { status: 404, headers: { "Content-Type": "application/json" } }),
      { status: 404 },
      "no route of routeRooms",
    ],
    ["JSON of some other kind", () => json(404, null), { status: 404 }, "no route of routeRooms"],
  ])("where a GET is answered %s are told once, with that", async (_, answer, cause, hint) => {
    stubSockets();
    const fetch = stubFetch(answer);
    const { room, told } = open();
    await pass(hour);
    expect(fetch).toHaveBeenCalledOnce();
    expect(fetch.mock.calls[0]?.[0]).toBe("http://room.test/rooms/lobby");
    expect(told).toMatchObject([{ code: "unreachable", willRetry: true, cause }]);
    expect(told[0]?.message).toContain(hint);
    expect(room.status).not.toBe("closed");
    leave(room);
  });

  test("for less than 5 s are not told", async () => {
    stubSockets();
    const fetch = stubFetch(() => new Response("", { status: 502 }));
    const { room, told } = open();
    await pass(4_999);
    expect([told, fetch.mock.calls]).toEqual([[], []]);
    leave(room);
  });

  test("where the GET fails too are told so", async () => {
    stubSockets();
    const failure = new TypeError("failed to fetch");
    stubFetch(() => Promise.reject(failure));
    const { room, told } = open();
    await pass(hour);
    expect(told).toMatchObject([{ code: "unreachable", cause: failure }]);
    expect(told[0]?.message).toContain("the server or the network is down");
    leave(room);
  });

  test("are told once more in the next outage, and not for a short one", async () => {
    const sockets = stubSockets();
    const fetch = stubFetch(() => new Response("", { status: 502 }));
    const { room, told } = open();
    await pass(outageMs);
    expect(told).toHaveLength(1); // and not before 5 s
    sockets.isDown = false;
    const failed = sockets.server.sockets.length;
    while (sockets.server.sockets.length === failed) await pass(500);
    sockets.server.newest.greet();
    expect(room.status).toBe("online");
    sockets.server.newest.drop();
    await pass(250);
    sockets.server.newest.greetAgain();
    expect(told).toHaveLength(1);
    sockets.isDown = true;
    sockets.server.newest.drop();
    await pass(hour);
    expect([told.length, fetch.mock.calls.length]).toEqual([2, 2]);
    leave(room);
  });

  test("of another origin are told without a request that the browser would complain about", async () => {
    onPage("https://app.test/");
    stubSockets();
    const fetch = stubFetch(() => new Response(""));
    const { room, told } = open("https://room.test/rooms/lobby");
    await pass(hour);
    expect(fetch).not.toHaveBeenCalled();
    expect(told.map(({ message }) => message)).toEqual([
      expect.stringContaining("open https://room.test/rooms/lobby in a tab"),
    ]);
    leave(room);
  });

  test("in a browser that has no network are not told, and asked about only when it has", async () => {
    vi.stubGlobal("navigator", { onLine: false });
    stubSockets();
    const fetch = stubFetch(() => new Response("", { status: 502 }));
    const { room, told } = open();
    await pass(hour);
    expect([told, fetch.mock.calls]).toEqual([[], []]);
    vi.stubGlobal("navigator", { onLine: true });
    await pass(hour);
    expect([told.length, fetch.mock.calls.length]).toEqual([1, 1]);
    leave(room);
  });

  test("are not told to an app that has left meanwhile", async () => {
    stubSockets();
    let answer: (response: Response) => void = () => {};
    stubFetch(() => new Promise((resolve) => (answer = resolve)));
    const { room, told } = open();
    await pass(outageMs);
    room.close();
    answer(new Response("", { status: 502 }));
    await pass(0);
    expect(told).toEqual([]);
  });

  test("of an app's own transport are told with what it has thrown, without a request", async () => {
    const fetch = stubFetch(() => new Response(""));
    const failure = new Error("no way");
    const told: RoomError[] = [];
    const room = connect("http://room.test/rooms/lobby", clientBoard, {
      transport: () => {
        throw failure;
      },
    });
    room.on("error", (error) => told.push(error));
    await pass(hour);
    expect(fetch).not.toHaveBeenCalled();
    expect(told).toMatchObject([{ code: "unreachable", willRetry: true, cause: failure }]);
    leave(room);
  });
});

describe("a room that refuses", () => {
  test.each([
    ["forbidden", "`origins` of routeRooms does not list the page's origin http://localhost:5173"],
    ["invalid", "keeps only the first value of Sec-WebSocket-Protocol"],
  ] as const)("with `%s` is told with what that may mean", async (code, hint) => {
    onPage("http://localhost:5173/");
    const { server } = stubSockets({ isDown: false });
    const { room, told } = open("http://localhost:8787/rooms/lobby");
    (await server.attempt(1)).drop(codes[code].closeCode);
    expect([room.status, room.closeReason]).toEqual(["closed", code]);
    await pass(0);
    expect(told).toMatchObject([{ code, willRetry: false }]);
    expect(told[0]?.message).toContain(hint);
    await expect(room.ready).rejects.toBe(told[0]);
    leave(room);
  });
});
