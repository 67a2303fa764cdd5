import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { Rejection } from "../../src/index.ts";
import { routeRooms, type Authenticate, type RouteOptions } from "../../src/server.ts";
import { newPrivateRoom, newTestRoom, put } from "../support/rooms/test-rooms.ts";
import { linesLogged } from "../support/logged-lines.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });
const bearer = (token: string, more: Record<string, string> = {}) => ({
  headers: { Authorization: `Bearer ${token}`, ...more },
});

const routes = { "/test-rooms": env.TEST_ROOMS };

/** How `GET` of the lobby is answered. */
async function answerTo(
  options: RouteOptions,
  init: RequestInit = {},
  query = "",
): Promise<{ status: number; code?: string; message?: string }> {
  const request = new Request(`https://rooms.test/test-rooms/lobby${query}`, init);
  const response = (await routeRooms(request, routes, options)) as Response;
  const { error } = await response.json<{ error?: { code: string; message: string } }>();
  return { status: response.status, ...error };
}

function trap(): never {
  throw new Error("a trap");
}

describe("authenticate", () => {
  it.each([
    ["without a token", {}],
    ["with a token that is no good", bearer("nobody")],
    ["with a token of another scheme", { headers: { Authorization: "Basic user:alice" } }],
  ])("lets nobody read the state %s", async (_, init) => {
    const response = await newPrivateRoom().get(init);
    expect(response.status).toBe(401);
    const { error } = await response.json<{ error: object }>();
    expect(error).toEqual({ code: "unauthorized", message: expect.any(String) });
  });

  it("lets in whoever has a token, in an HTTP header or in the hello", async () => {
    const room = newPrivateRoom();
    expect((await room.get(bearer("user:alice"))).status).toBe(200);
    const alice = await room.join({ token: "user:alice" });
    expect(alice.copy.welcome).toMatchObject({ user: { id: "alice", name: "ALICE" }, access: "write" });
  });

  it("closes the socket of anybody else with a code that a browser can read, and wakes no room", async () => {
    const room = newPrivateRoom();
    for (const token of [undefined, "nobody"]) {
      const stranger = room.client(token === undefined ? {} : { token });
      expect((await stranger.open()).status).toBe(101);
      expect(await stranger.closed()).toEqual({ closeCode: 4401, reason: "unauthorized" });
      expect(stranger.kinds).toEqual([]);
    }
    expect(await room.sql("SELECT name FROM sqlite_master WHERE name = 'deltaroom_room'")).toEqual([]);
  });

  it("is told the room, the token and the request, and may take its time", async () => {
    const asked: unknown[] = [];
    const options: RouteOptions = {
      authenticate: async ({ token, roomId, path, request }) => {
        await Promise.resolve();
        asked.push([token, roomId, path, request.headers.get("CF-IPCountry")]);
        return { user: { id: "x", name: "X" }, access: "write" };
      },
    };
    const request = new Request("https://rooms.test/r/lobby-1", bearer("t0ken", { "CF-IPCountry": "DE" }));
    const response = await routeRooms(request, { "/r": env.TEST_ROOMS }, options);
    expect(response?.status).toBe(200);
    expect(asked).toEqual([["t0ken", "lobby-1", "/r", "DE"]]);
  });

  it("says who somebody is to the room, and after hibernation still", async () => {
    const room = newPrivateRoom();
    const [alice, bob] = [await room.join({ token: "user:alice" }), await room.join({ token: "reader:bob" })];
    alice.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    expect(bob.copy.peers.get(alice.clientId)?.user).toEqual({ id: "alice", name: "ALICE" });
    await room.evict();
    await alice.commit(["addTask", { id: "t", title: "" }], ["claim", { id: "t" }]);
    expect(alice.copy.get("tasks", "t")).toMatchObject({ assignee: "alice" });
    expect(await bob.commit(edit)).toMatchObject([{ code: "forbidden" }]);
  });

  it("alone says so: an identity that a client makes up is ignored", async () => {
    const forged = encodeURIComponent(
      JSON.stringify({ user: { id: "root", name: "Root" }, access: "write" }),
    );
    const headers = { "deltaroom-identity": forged };
    const reader = newPrivateRoom().client({ token: "reader:bob", headers });
    await reader.open();
    expect(await reader.next("welcome")).toMatchObject({ user: { id: "bob" }, access: "read" });
    const anybody = newTestRoom().client({ headers });
    await anybody.open();
    expect(await anybody.next("welcome")).toMatchObject({ user: null, access: "write" });
    expect((await newPrivateRoom().get({ headers })).status).toBe(401);
  });

  it("that makes a person too large to keep lets nobody in, and the room goes on", async () => {
    const room = newPrivateRoom();
    const bob = await room.join({ token: "user:bob" });
    const giant = room.client({ token: "user:giant" });
    await giant.open();
    expect(await giant.closed()).toEqual({ closeCode: 4401, reason: "unauthorized" });
    expect(await bob.commit(edit)).toEqual([1]);
    expect(await room.inside(({ heard }) => heard.filter((line) => line.startsWith("join")))).toHaveLength(1);
  });

  it("that names a person outside of Latin letters brings the name through", async () => {
    const options: RouteOptions = {
      authenticate: () => ({ user: { id: "ł", name: "Żółć 🌍 \u0000" }, access: "write" }),
    };
    const room = newPrivateRoom();
    const client = room.client();
    const response = await routeRooms(client.request(), { "/private-rooms": env.TEST_ROOMS }, options);
    await client.take(response as Response);
    expect(await client.next("welcome")).toMatchObject({
      user: { id: "ł", name: "Żółć 🌍 \u0000" },
      access: "write",
    });
  });

  it("returns a role that grants nothing by itself", async () => {
    const room = newTestRoom();
    const editor = room.client();
    const options: RouteOptions = { authenticate: () => ({ user: null, access: "write", role: "reader" }) };
    await editor.take((await routeRooms(editor.request(), routes, options)) as Response);
    expect(await editor.next("welcome")).toMatchObject({ access: "write", role: "reader" });
    await editor.caughtUp();
    expect(await editor.commit(edit)).toEqual([1]);
    const admin = room.client();
    const reading: RouteOptions = { authenticate: () => ({ user: null, access: "read", role: "writer" }) };
    await admin.take((await routeRooms(admin.request(), routes, reading)) as Response);
    await admin.caughtUp();
    expect(await admin.commit(edit)).toMatchObject([{ code: "forbidden" }]);
  });

  it("that says a time which is over lets nobody in", async () => {
    const options = { authenticate: () => ({ user: null, access: "write" as const, expiresAt: Date.now() }) };
    expect(await answerTo(options)).toMatchObject({ status: 401, code: "unauthorized" });
  });
});

const accessProblem = 'access must be "read" or "write"';

describe("a mistake of authenticate's own", () => {
  it.each<[what: string, answer: unknown, problem: string]>([
    [
      "nothing",
      undefined,
      "it answered undefined, which is neither null nor { user, access, role, expiresAt }",
    ],
    ["a mere yes", true, "it answered boolean, which is neither null nor { user, access, role, expiresAt }"],
    ["a list", [], "it answered a list, which is neither null nor { user, access, role, expiresAt }"],
    ["no user", { access: "write" }, "it answered no user; null is nobody in particular"],
    ["a user that is not JSON", { user: { at: new Date() }, access: "write" }, "the user is not JSON"],
    ["no access", { user: null }, accessProblem],
    ["a role in place of the access", { user: null, role: "writer" }, accessProblem],
    ["an access that is misspelled", { user: null, access: "Write" }, accessProblem],
    ["an access that is a list", { user: null, access: ["write"] }, accessProblem],
    [
      "a user with a forbidden key",
      { user: JSON.parse('{"__proto__":1}'), access: "write" },
      "the user is not JSON",
    ],
    [
      "a role that is no text",
      { user: null, access: "write", role: 1 },
      "the role is number, and not a text of 1 to 64 characters",
    ],
    [
      "an empty role",
      { user: null, access: "write", role: "" },
      "the role is string, and not a text of 1 to 64 characters",
    ],
    [
      "a time that is null",
      { user: null, access: "write", expiresAt: null },
      "expiresAt is null, and not milliseconds since the epoch",
    ],
    [
      "a time that is none",
      { user: null, access: "write", expiresAt: NaN },
      "expiresAt is number, and not milliseconds since the epoch",
    ],
    [
      "a time after all times",
      { user: null, access: "write", expiresAt: 1e16 },
      "expiresAt is number, and not milliseconds since the epoch",
    ],
    [
      "a time in seconds",
      { user: null, access: "write", expiresAt: 1_800_000_000 },
      "expiresAt is in seconds, it seems: it is to be milliseconds since the epoch",
    ],
    [
      "a member that is misspelled",
      { user: null, access: "write", expires: 1 },
      "it answered something besides user, access, role and expiresAt",
    ],
  ])(
    "which answers %s, is told to the operator; nobody comes in, and may try again",
    async (_, answer, problem) => {
      const lines = linesLogged();
      const options = { authenticate: () => answer as never };
      expect(await answerTo(options)).toEqual({
        status: 503,
        code: "internal",
        message: "The room failed; nothing was changed.",
      });
      expect(lines[0]).toEqual({ event: "authenticate-failed", code: "internal", room: "lobby", problem });
      const client = newTestRoom().client();
      await client.take((await routeRooms(client.request(), routes, options)) as Response);
      expect(await client.closed()).toEqual({ closeCode: 4500, reason: "internal" });
    },
  );

  it.each<[what: string, thrown: unknown, error: string]>([
    ["an error", new TypeError("the token t0ken-secret is odd"), "TypeError"],
    ["a text", "t0ken-secret", "string"],
    ["a code that nobody knows", new Rejection("t0ken-secret"), "Rejection"],
    ["an error of a name of its own", Object.assign(new Error("no"), { name: "t0ken-secret" }), "Error"],
    ["what nobody may look at", new Proxy({}, { getPrototypeOf: trap, get: trap, ownKeys: trap }), "object"],
  ])("which throws %s, is told by the name of the error alone", async (_, thrown, error) => {
    const lines = linesLogged();
    const authenticate = async () => {
      await Promise.resolve();
      throw thrown;
    };
    expect(await answerTo({ authenticate })).toMatchObject({ status: 503, code: "internal" });
    expect(lines[0]).toEqual({ event: "authenticate-failed", code: "internal", room: "lobby", error });
    expect(JSON.stringify(lines)).not.toContain("t0ken");
  });
});

describe("a refusal in words of authenticate's own", () => {
  it.each<[code: string, status: number, closeCode: number]>([
    ["forbidden", 403, 4403],
    ["unauthorized", 401, 4401],
    ["rate-limited", 429, 4429],
    ["internal", 503, 4500],
  ])("%s is what the client is told", async (code, status, closeCode) => {
    const lines = linesLogged();
    const authenticate = () => {
      throw new Rejection(code, "not you", { reason: "not-a-friend" });
    };
    expect(await answerTo({ authenticate })).toEqual({ status, code, message: "not you" });
    expect(lines).toEqual([
      { event: "refused", code, status, reason: "not-a-friend", path: "/test-rooms", room: "lobby" },
    ]);
    const client = newTestRoom().client();
    await client.take((await routeRooms(client.request(), routes, { authenticate })) as Response);
    expect(await client.closed()).toEqual({ closeCode, reason: code });
  });
});

describe("a token", () => {
  it("in the URL is not looked at, and whoever has no other is told where it goes", async () => {
    const asked: unknown[] = [];
    const authenticate: Authenticate = ({ token }) => {
      asked.push(token);
      return token === "t0ken" ? { user: null, access: "write" } : null;
    };
    for (const query of ["?token=t0ken", "?access_token=t0ken", "?x=1&jwt=t0ken"]) {
      const { status, message } = await answerTo({ authenticate }, {}, query);
      expect([status, message]).toEqual([
        401,
        "a token in a URL is not looked at: it goes into the header Authorization, or the hello",
      ]);
    }
    expect(asked).toEqual([undefined, undefined, undefined]);
    const request = new Request("https://rooms.test/test-rooms/lobby?token=wrong", bearer("t0ken"));
    expect((await routeRooms(request, routes, { authenticate }))?.status).toBe(200);
  });

  it("longer than 8,192 characters is refused before anybody is asked", async () => {
    const authenticate = vi.fn<Authenticate>(() => ({ user: null, access: "write" }));
    expect(await answerTo({ authenticate }, bearer("t".repeat(8_193)))).toMatchObject({ status: 401 });
    expect(authenticate).not.toHaveBeenCalled();
    expect((await answerTo({ authenticate }, bearer("t".repeat(8_192)))).status).toBe(200);
  });

  it("that is missing or no good is answered with how to sign in", async () => {
    const response = await newPrivateRoom().get();
    expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
  });
});

describe("a room that cannot be reached", () => {
  it("is answered as what will pass, without a word of what it threw", async () => {
    const lines = linesLogged();
    const failing = { getByName: () => ({ fetch: () => Promise.reject(new Error("cannot wake")) }) };
    const open = { allowAnonymous: true } as const;
    const response = await routeRooms(new Request("https://rooms.test/r/lobby"), { "/r": failing }, open);
    expect([response?.status, response?.headers.get("Retry-After")]).toEqual([503, "2"]);
    expect(await response?.json()).toEqual({
      error: { code: "internal", message: "the room cannot be reached" },
    });
    expect(lines[0]).toEqual({
      event: "room-failed",
      code: "internal",
      room: "lobby",
      error: "Error: cannot wake",
    });
  });
});
