import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { routeRooms, type RouteOptions } from "../../src/server.ts";
import { newTestRoom } from "../support/rooms/test-rooms.ts";
import { linesLogged } from "../support/logged-lines.ts";

const routes = { "/test-rooms": env.TEST_ROOMS };

/** As JavaScript may call it. */
const unsaid = (options?: object) => options as RouteOptions;

describe("a Worker that does not say who may come in", () => {
  it.each([
    ["says nothing", undefined],
    ["says no more than origins", { origins: "*" }],
    ["says that rooms are open, but not that it means it", { allowAnonymous: "false" }],
  ])("and %s lets nobody in, and tells its operator what to do", async (_, options) => {
    const lines = linesLogged();
    for (const host of [
      "https://app.example",
      "http://localhost.example",
      "http://127.0.0.2",
      "http://10.0.0.1:8787",
    ]) {
      const request = new Request(`${host}/test-rooms/lobby`);
      const response = await routeRooms(request, routes, unsaid(options));
      expect(response?.status).toBe(503);
      expect(await response?.json()).toEqual({
        error: { code: "forbidden", message: expect.stringContaining("allowAnonymous: true") },
      });
    }
    expect(lines[0]).toEqual({
      event: "rooms-closed",
      code: "forbidden",
      remedy: "routeRooms wants `authenticate`, or `allowAnonymous: true` to let anyone join",
    });
  });

  it.each(["http://localhost:8787", "http://127.0.0.1", "http://[::1]:8787"])(
    "lets in who asks for the very machine: %s",
    async (host) => {
      const request = new Request(`${host}/test-rooms/${crypto.randomUUID()}`);
      expect((await routeRooms(request, routes))?.status).toBe(200);
    },
  );

  it("closes a client for good, and wakes no room", async () => {
    linesLogged();
    const room = newTestRoom();
    const client = room.client();
    await client.take((await routeRooms(client.request(), routes, unsaid({}))) as Response);
    expect(await client.closed()).toEqual({ closeCode: 4403, reason: "forbidden" });
    expect(await room.sql("SELECT name FROM sqlite_master WHERE name = 'deltaroom_room'")).toEqual([]);
  });
});

describe("a Worker that is open by name", () => {
  it("lets in everybody, as a writer and nobody in particular", async () => {
    const client = newTestRoom().client({ token: "anything" });
    const answer = await routeRooms(client.request(), routes, { allowAnonymous: true });
    await client.take(answer as Response);
    expect(await client.next("welcome")).toMatchObject({ user: null, access: "write" });
  });

  it("is closed again by `authenticate`", async () => {
    linesLogged();
    const options = unsaid({ allowAnonymous: true, authenticate: () => null });
    const request = new Request("https://app.example/test-rooms/lobby");
    expect((await routeRooms(request, routes, options))?.status).toBe(401);
  });
});
