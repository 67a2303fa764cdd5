import { env, exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { type Hello } from "../../src/protocol/handshake/hello.ts";
import { encodeHello } from "../../src/protocol/handshake/hello-text.ts";
import { routeRooms, type RouteOptions } from "../../src/server.ts";

const origin = "https://rooms.test";
const newRoom = () => `/test-rooms/room-${crypto.randomUUID()}`;

const hello: Hello = {
  secret: crypto.randomUUID(),
  schema: 3,
  epoch: null,
  rev: 0,
  confirmed: 0,
  knownSince: null,
};

const upgrade = (protocols: string) => ({
  headers: { Upgrade: "websocket", "Sec-WebSocket-Protocol": protocols },
});
const goodUpgrade = upgrade(`deltaroom.v1, ${encodeHello(hello)}`);

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return await exports.default.fetch(new Request(origin + path, init));
}

async function codeOf(response: Response): Promise<string> {
  const { error } = await response.json<{ error: { code: string } }>();
  return error.code;
}

/** How a client's handshake is refused: browsers show it no status, so it is opened and closed. */
async function closeOf({
  status,
  webSocket,
}: Response): Promise<[status: number, code: number, reason: string]> {
  const { promise, resolve } = Promise.withResolvers<CloseEvent>();
  webSocket?.addEventListener("close", resolve);
  webSocket?.accept();
  const { code, reason } = await promise;
  return [status, code, reason];
}

async function wasStored(path: string): Promise<boolean> {
  const { runInDurableObject } = await import("cloudflare:test");
  const stub = env.TEST_ROOMS.getByName(path.split("/").at(-1) ?? "");
  const tables = await runInDurableObject(stub as never, (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
  );
  return tables.length > 0;
}

describe("the URL of a room", () => {
  it.each(["a", "A.room_with~all-of.them", "x".repeat(128), "...", ".well-known", "0"])(
    "may end in %s",
    async (id) => {
      expect((await ask(`/test-rooms/${id}`)).status).toBe(200);
    },
  );

  it.each([
    ["is empty", ""],
    ["has 129 characters", "x".repeat(129)],
    ["is percent-encoded", "lobby%20one"],
    ["is percent-encoded without need", "%61"],
    ["hides a slash", "a%2Fb"],
    ["goes up and down again, hidden", "..%2Flobby"],
    ["goes up, hidden twice", "%252e%252e"],
    ["has a NUL", "lobby%00"],
    ["has a line end", "lobby%0d%0aSet-Cookie:x"],
    ["has a slash", "lobby/secret"],
    ["ends in a slash", "lobby/"],
    ["has letters of other alphabets", "räume"],
    ["has a colon", "a:b"],
    ["has a plus", "a+b"],
    ["has a backslash, which is a slash in a URL", "a\\b"],
  ])("that %s is refused", async (_, id) => {
    const response = await ask(`/test-rooms/${id}`);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("invalid");
    expect(await closeOf(await ask(`/test-rooms/${id}`, goodUpgrade))).toEqual([101, 4400, "invalid"]);
  });

  it.each([
    "/test-rooms",
    "/test-roomsy/a",
    "/",
    "/test-rooms/..",
    "/test-rooms/%2e%2e",
    "/other/a",
    "/TEST-ROOMS/a",
  ])("is not %s", async (path) => {
    expect((await ask(path)).status).toBe(404);
    const routes = { "/test-rooms": env.TEST_ROOMS };
    expect(await routeRooms(new Request(origin + path), routes, { allowAnonymous: true })).toBeNull();
  });

  it("names one room, whatever is in its query", async () => {
    const path = newRoom();
    const [plain, queried] = await Promise.all([ask(path), ask(`${path}?token=x#part`)]);
    expect(queried.headers.get("ETag")).toBe(plain.headers.get("ETag"));
  });

  it("leads to the namespace of its own path", async () => {
    const response = await ask(`/small-rooms/room-${crypto.randomUUID()}`);
    expect(await response.json()).toMatchObject({
      rev: 0,
      collections: { shapes: {}, notes: {}, tasks: {} },
    });
    const demo = await ask(`/rooms/room-${crypto.randomUUID()}`);
    expect(await demo.json()).toMatchObject({ rev: 0, collections: { shapes: {}, claims: {} } });
  });
});

describe("the method", () => {
  it.each(["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])(
    "%s is not answered by a room",
    async (method) => {
      const response = await ask(newRoom(), { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("Allow")).toBe("GET");
    },
  );
});

describe("an upgrade", () => {
  it("opens a session", async () => {
    const { status, headers, webSocket } = await ask(newRoom(), goodUpgrade);
    expect([status, headers.get("Sec-WebSocket-Protocol")]).toEqual([101, "deltaroom.v1"]);
    webSocket?.accept();
    webSocket?.close();
  });

  it.each([
    ["offers no subprotocol", { headers: { Upgrade: "websocket" } }],
    ["offers another one", upgrade("graphql-ws")],
    ["offers another version", upgrade(`deltaroom.v2, ${encodeHello(hello)}`)],
  ])("that %s is refused, and wakes no room", async (_, init) => {
    const path = newRoom();
    const response = await ask(path, init);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("invalid");
    expect(await wasStored(path)).toBe(false);
  });

  it.each([
    ["says no hello", upgrade("deltaroom.v1")],
    ["says a hello that is no base64", upgrade("deltaroom.v1, hello.!!!")],
    ["says a hello that is no JSON", upgrade(`deltaroom.v1, hello.${btoa("{")}`)],
    ["says a hello without a secret", upgrade(`deltaroom.v1, hello.${btoa("{}")}`)],
    ["says a short secret", upgrade(`deltaroom.v1, ${encodeHello({ ...hello, secret: "short" })}`)],
    [
      "says an endless token",
      upgrade(`deltaroom.v1, ${encodeHello({ ...hello, token: "t".repeat(8_193) })}`),
    ],
    ["says a revision below 0", upgrade(`deltaroom.v1, ${encodeHello({ ...hello, rev: -1 })}`)],
  ])("that %s is closed with the reason, and wakes no room", async (_, init) => {
    const path = newRoom();
    expect(await closeOf(await ask(path, init))).toEqual([101, 4400, "invalid"]);
    expect(await wasStored(path)).toBe(false);
  });

  it.each([
    ["to something else", { headers: { Upgrade: "h2c" } }],
    [
      "that lost its header on the way",
      { headers: { "Sec-WebSocket-Key": "x", "Sec-WebSocket-Protocol": "deltaroom.v1" } },
    ],
  ])("%s is told what it needs", async (_, init) => {
    const response = await ask(newRoom(), init);
    expect(response.status).toBe(426);
    expect(response.headers.get("Upgrade")).toBe("websocket");
  });
});

describe("a page's origin", () => {
  type Listed = Pick<RouteOptions, "origins">;
  const listed: Listed = { origins: ["https://app.example", "http://localhost:5173"] };
  it.each<[what: string, given: string | undefined, options: Listed, status: number]>([
    ["absent, as of whoever is no browser", undefined, {}, 200],
    ["the Worker's own", origin, {}, 200],
    ["another host", "https://evil.example", {}, 403],
    ["the same host over http", "http://rooms.test", {}, 403],
    ["the same host at another port", "https://rooms.test:8443", {}, 403],
    ["one that begins alike", "https://rooms.test.evil.example", {}, 403],
    ["null, as of a sandboxed frame", "null", {}, 403],
    ["one that is listed", "https://app.example", listed, 200],
    ["another one that is listed", "http://localhost:5173", listed, 200],
    ["the Worker's own, which is not listed", origin, listed, 403],
    ["one that is not listed", "https://evil.example", listed, 403],
    ["absent where others are listed", undefined, listed, 200],
    ["any, where all may come", "https://evil.example", { origins: "*" }, 200],
    ["any, where none may come", origin, { origins: [] }, 403],
  ])("that is %s", async (_, given, options, status) => {
    const path = newRoom();
    const answer = async (init: { headers: Record<string, string> }) => {
      const headers = { ...init.headers, ...(given !== undefined && { Origin: given }) };
      const request = new Request(origin + path, { headers });
      const routes = { "/test-rooms": env.TEST_ROOMS };
      return (await routeRooms(request, routes, { allowAnonymous: true, ...options })) as Response;
    };
    expect((await answer({ headers: {} })).status).toBe(status);
    const upgraded = await answer(goodUpgrade);
    expect(upgraded.status).toBe(101);
    // One that is let in would hear nothing of a close: it is the first to close then.
    const closing = closeOf(upgraded);
    if (status === 200) upgraded.webSocket?.close(1000, "let in");
    expect(await closing).toEqual(status === 200 ? [101, 1000, "let in"] : [101, 4403, "forbidden"]);
    expect(await wasStored(path)).toBe(status === 200);
  });
});
