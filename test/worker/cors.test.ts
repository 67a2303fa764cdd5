import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { routeRooms, type RouteOptions } from "../../src/server.ts";
import { newPrivateRoom, newTestRoom } from "../support/rooms/test-rooms.ts";

const routes = { "/test-rooms": env.TEST_ROOMS };
const app = "https://app.example";

type Listed = Pick<RouteOptions, "origins">;

async function answer(init: RequestInit, options: Listed = { origins: [app] }): Promise<Response> {
  const request = new Request("https://rooms.test/test-rooms/lobby", init);
  return (await routeRooms(request, routes, { allowAnonymous: true, ...options })) as Response;
}

function preflight(origin: string): RequestInit {
  const headers = {
    Origin: origin,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
  };
  return { method: "OPTIONS", headers };
}

function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));
}

describe("a page of another origin that is listed", () => {
  it("may ask with a token, and its browser is told so", async () => {
    const response = await answer(preflight(app));
    expect([response.status, await response.text(), response.headers.get("Vary")]).toEqual([
      204,
      "",
      "Origin",
    ]);
    expect(corsOf(response)).toEqual({
      "access-control-allow-origin": app,
      "access-control-allow-methods": "GET",
      "access-control-allow-headers": "Authorization, If-None-Match",
      "access-control-max-age": "7200",
      "access-control-expose-headers": "ETag",
    });
  });

  it("may read the state, its ETag, and why it was refused", async () => {
    for (const response of [
      await answer({ headers: { Origin: app } }),
      await answer({ method: "POST", headers: { Origin: app } }),
    ]) {
      expect(corsOf(response)).toEqual({
        "access-control-allow-origin": app,
        "access-control-expose-headers": "ETag",
      });
      expect(response.headers.get("Vary")).toBe("Origin");
    }
  });
});

describe("a page of an origin that is not listed", () => {
  it.each([
    ["another", "https://evil.example"],
    ["no origin", "null"],
    ["one that is listed, and a slash", `${app}/`],
    ["one that is listed in capitals", "HTTPS://APP.EXAMPLE"],
    ["one that is listed, by http", "http://app.example"],
    ["one that is listed, at another port", `${app}:8443`],
    ["one that is listed, at the port that it has", `${app}:443`],
    ["one that ends alike", "https://evilapp.example"],
    ["one that begins alike", "https://app.example.evil.example"],
    ["a part of one that is listed", "https://sub.app.example"],
    ["one that is listed, as a user's name", "https://app.example@evil.example"],
    ["two at once", `${app}, https://evil.example`],
    ["nothing", ""],
  ])("which is %s may not ask, nor read why", async (_, origin) => {
    for (const init of [preflight(origin), { headers: { Origin: origin } }]) {
      const response = await answer(init);
      expect(response.status).toBe(403);
      expect(corsOf(response)).toEqual({});
      expect(response.headers.get("Vary")).toBe("Origin");
    }
  });
});

it("where every origin may come, none is sent cookies for", async () => {
  const response = await answer({ headers: { Origin: app, Cookie: "session=1" } }, { origins: "*" });
  expect(response.status).toBe(200);
  expect(corsOf(response)).toEqual({
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag",
  });
});

it("an OPTIONS that is no preflight is answered as any other method", async () => {
  expect((await answer({ method: "OPTIONS", headers: { Origin: app } })).status).toBe(405);
  expect(
    (await answer({ method: "OPTIONS", headers: { "Access-Control-Request-Method": "GET" } })).status,
  ).toBe(405);
});

it.each([
  `${app}/`,
  `${app}/path`,
  `${app}?a`,
  "app.example",
  "//app.example",
  "https://app.example:443",
  "https://App.example",
  "HTTPS://app.example",
  "https://*.example",
  "https://bücher.example",
  "",
  "*",
  7,
])("an origin that no browser sends is refused at once, whatever is asked: %j", async (bad) => {
  const origins = ["https://other.example", bad] as readonly string[];
  for (const headers of [{ Origin: app }, {}] as Record<string, string>[])
    await expect(answer({ headers }, { origins })).rejects.toThrow(
      new RegExp(`^routeRooms: no browser sends the origin ${JSON.stringify(bad).replace(/[*?/]/g, "\\$&")}`),
    );
});

it("an origin as a browser sends it is taken, and one outside of a list is refused at once", async () => {
  const origins = ["https://other.example", "http://localhost:5173", "null", "capacitor://localhost"];
  expect((await answer({ headers: { Origin: app } }, { origins })).status).toBe(403);
  await expect(answer({}, { origins: app as never })).rejects.toThrow(
    'routeRooms: origins must be "*" or a list',
  );
});

it.each([
  ["a state", () => newTestRoom().get()],
  ["a state that has not changed", notModified],
  ["a refusal", () => newPrivateRoom().get()],
])("%s is no page, is nobody else's to embed, and is not stored", async (_, ask) => {
  const { headers } = await ask();
  expect(Object.fromEntries(headers)).toMatchObject({
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
  });
});

async function notModified(): Promise<Response> {
  const room = newTestRoom();
  const first = await room.get();
  await first.text();
  const response = await room.get({ headers: { "If-None-Match": first.headers.get("ETag") ?? "" } });
  expect(response.status).toBe(304);
  return response;
}
