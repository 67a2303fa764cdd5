import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { routeRooms, type RouteOptions } from "../../src/server.ts";
import { newPrivateRoom, newTestRoom, put } from "../room/rooms.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });
const bearer = (token: string, more: Record<string, string> = {}) => ({
  headers: { Authorization: `Bearer ${token}`, ...more },
});

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
    expect(alice.copy.welcome).toMatchObject({ user: { id: "alice", name: "ALICE" }, role: "writer" });
  });

  it("closes the socket of anybody else with a code that a browser can read, and wakes no room", async () => {
    const room = newPrivateRoom();
    for (const token of [undefined, "nobody"]) {
      const stranger = room.client(token === undefined ? {} : { token });
      expect((await stranger.open()).status).toBe(101);
      expect(await stranger.closed()).toEqual({ closeCode: 4401, reason: "unauthorized" });
      expect(stranger.kinds).toEqual([]);
    }
    expect(await room.sql("SELECT name FROM sqlite_master WHERE name = 'room'")).toEqual([]);
  });

  it("is told the room, the token and the request, and may take its time", async () => {
    const asked: unknown[] = [];
    const options: RouteOptions = {
      authenticate: async ({ token, roomId, request }) => {
        await Promise.resolve();
        asked.push([token, roomId, request.headers.get("CF-IPCountry")]);
        return { user: { id: "x", name: "X" } };
      },
    };
    const request = new Request("https://rooms.test/r/lobby-1", bearer("t0ken", { "CF-IPCountry": "DE" }));
    const response = await routeRooms(request, { "/r": env.TEST_ROOMS }, options);
    expect(response?.status).toBe(200);
    expect(asked).toEqual([["t0ken", "lobby-1", "DE"]]);
  });

  it("says who somebody is to the room, and after hibernation still", async () => {
    const room = newPrivateRoom();
    const [alice, bob] = [await room.join({ token: "user:alice" }), await room.join({ token: "reader:bob" })];
    alice.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    expect(bob.copy.peers.get(alice.actor)?.user).toEqual({ id: "alice", name: "ALICE" });
    await room.evict();
    await alice.commit(["addTask", { id: "t", title: "" }], ["claim", { id: "t" }]);
    expect(alice.copy.get("tasks", "t")).toMatchObject({ assignee: "alice" });
    expect(await bob.commit(edit)).toMatchObject([{ code: "forbidden" }]);
  });

  it("alone says so: an identity that a client makes up is ignored", async () => {
    const forged = encodeURIComponent(JSON.stringify({ user: { id: "root", name: "Root" }, role: "writer" }));
    const headers = { "deltaroom-identity": forged };
    const reader = newPrivateRoom().client({ token: "reader:bob", headers });
    await reader.open();
    expect(await reader.next("welcome")).toMatchObject({ user: { id: "bob" }, role: "reader" });
    const anybody = newTestRoom().client({ headers });
    await anybody.open();
    expect(await anybody.next("welcome")).toMatchObject({ user: null, role: "writer" });
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
    const options: RouteOptions = { authenticate: () => ({ user: { id: "ł", name: "Żółć 🌍 \u0000" } }) };
    const room = newPrivateRoom();
    const client = room.client();
    const response = await routeRooms(client.request(), { "/private-rooms": env.TEST_ROOMS }, options);
    await client.take(response as Response);
    expect(await client.next("welcome")).toMatchObject({ user: { id: "ł", name: "Żółć 🌍 \u0000" } });
  });
});
