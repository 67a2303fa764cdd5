import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defaultLimits } from "../../src/room/limits.ts";
import { defineRoom } from "../../src/index.ts";
import { RoomObject, routeRooms, type RoomNamespace, type RoomRoutes } from "../../src/server.ts";
import { jwtAuthenticator, type JwtOptions } from "../../src/jwt.ts";

/** A namespace whose rooms say which it is, and under which id. */
const namespace = (name: string): RoomNamespace => ({
  getByName: (id) => ({ fetch: async () => new Response(`${name} ${id}`) }),
});

async function ask(path: string, routes: RoomRoutes): Promise<string | undefined> {
  const request = new Request(`https://rooms.test${path}`);
  return await (await routeRooms(request, routes, { allowAnonymous: true }))?.text();
}

describe("of several routes the longest one counts", () => {
  const short = { "/rooms": namespace("rooms") };
  const long = { "/rooms/games": namespace("games"), "/rooms/games/old": namespace("old") };

  it.each([
    ["in one order", { ...short, ...long }],
    ["in the other", { ...long, ...short }],
  ])("%s", async (_, routes) => {
    expect(await ask("/rooms/a", routes)).toBe("rooms a");
    expect(await ask("/rooms/games", routes)).toBe("rooms games");
    expect(await ask("/rooms/games/a", routes)).toBe("games a");
    expect(await ask("/rooms/games/old", routes)).toBe("games old");
    expect(await ask("/rooms/games/old/a", routes)).toBe("old a");
    expect(await ask("/rooms/gamesa", routes)).toBe("rooms gamesa");
    expect(await ask("/other/a", routes)).toBeUndefined();
  });
});

describe("a route that can never match is refused at once, whatever is asked:", () => {
  it.each([
    "v2",
    "",
    "/",
    "/api/",
    "//rooms",
    "/a//b",
    "/rooms?x",
    "/rooms#x",
    "/a%20b",
    "/%72ooms",
    "/a b",
    "/a\tb",
    "/räume",
    "/a/../b",
    "/a/.",
    "/..",
    "\\rooms",
    "/a\\b",
    "/a|b",
    '/"',
    "/{id}",
    "https://rooms.test/rooms",
  ])("%j", async (path) => {
    const routes = { "/good": namespace("good"), [path]: namespace("bad") };
    for (const asked of ["/good/a", "/elsewhere"])
      await expect(ask(asked, routes)).rejects.toThrow(
        new TypeError(
          `routeRooms: the route ${JSON.stringify(path)} can never match; write it as "/rooms" or "/api/rooms": ` +
            "a slash before each segment, none at the end, and only characters that a URL leaves as they are",
        ),
      );
  });

  it.each(["/rooms", "/api/v2.1/rooms", "/a-b_c~d", "/@team/(x)", "/Rooms"])("%j can match", async (path) => {
    expect(await ask(`${path}/a`, { [path]: namespace("good") })).toBe("good a");
  });

  it("no route at all, and a binding that is missing", async () => {
    await expect(ask("/", {})).rejects.toThrow("routeRooms: there is no route");
    const missing = { "/rooms": (env as unknown as { ROOMZ: RoomNamespace }).ROOMZ };
    await expect(ask("/", missing)).rejects.toThrow('the route "/rooms" must lead to the binding');
  });

  it.each([
    [{ authentcate: () => null }, 'there is no option "authentcate"'],
    [{ origin: "*" }, 'there is no option "origin"'],
    [{ authenticate: "me" }, "authenticate must be a function"],
  ])("an option that there is not: %j", async (options, message) => {
    const asked = routeRooms(new Request("https://rooms.test/a"), { "/rooms": env.ROOMS }, options as object);
    await expect(asked).rejects.toThrow(message);
  });
});

const room = defineRoom({
  version: 1,
  collections: { notes: z.object({ text: z.string() }) },
  mutators: (mutator) => ({
    both: mutator(z.object({}), () => {}),
    alone: mutator(z.object({})),
  }),
});
const mutators = { alone: () => {} };
const roomObject = RoomObject as unknown as (definition: unknown, options?: unknown) => unknown;

describe("RoomObject throws before there is a room, for", () => {
  it.each<[title: string, options: object | undefined, message: string]>([
    ["an option that there is not", { mutators, authorise: () => true }, 'there is no option "authorise"'],
    ["a rule that is no function", { mutators, authorize: true }, "authorize must be a function"],
    [
      "a hidden collection that there is not",
      { mutators, visibleTo: { note: [] } },
      'visibleTo names "note"',
    ],
    ["roles that are no list", { mutators, visibleTo: { notes: "host" } }, "visibleTo.notes must be a list"],
    ["a mutator that lacks its function", {}, 'lacks the function of "alone"'],
    ["no options where a mutator lacks its function", undefined, 'lacks the function of "alone"'],
    ["a function for no mutator", { mutators: { ...mutators, aloon: () => {} } }, 'mutators has "aloon"'],
    [
      "a second function",
      { mutators: { ...mutators, both: () => {} } },
      '"both" has its function in the definition',
    ],
    ["a limit that there is not", { mutators, limits: { maxSesions: 5 } }, 'there is no option "maxSesions"'],
    [
      "a limit of what every object has",
      { mutators, limits: { toString: 5 } },
      'there is no option "toString"',
    ],
  ])("%s", (_, options, message) => {
    expect(() => roomObject(room, options)).toThrow(message);
  });

  it.each([NaN, -1, 1.5, -Infinity, "5", null, true])("a limit of %j", (limit) => {
    expect(() => roomObject(room, { mutators, limits: { maxSessions: limit } })).toThrow(
      new RangeError(
        `limits: maxSessions is ${String(limit)}; it must be a whole number from 0 on, or Infinity`,
      ),
    );
  });

  it.each(["maxIdLength", "maxDepth"] as const)("a higher %s, by which clients predict", (name) => {
    const limits = { [name]: defaultLimits[name] + 1 };
    expect(() => roomObject(room, { mutators, limits })).toThrow(
      `${name} is ${limits[name]}; it can be lowered only`,
    );
  });

  it("nothing that is good: parts of a rate, zero, no limit, and what is left undefined", () => {
    const limits = { callsPerSecond: 0.5, flushIntervalMs: 0, maxIdleMs: Infinity, maxSessions: undefined };
    expect(() => roomObject(room, { mutators, limits, visibleTo: { notes: undefined } })).not.toThrow();
  });
});

describe("defineRoom throws for", () => {
  const collections = room.collections;
  it.each([
    ["an option that there is not", { direkt: ["notes"] }, 'defineRoom: there is no option "direkt"'],
    ["roles that are no list", { roles: "guest" }, "roles must be a list of names"],
    ["a role without a name", { roles: [""] }, "roles must be a list of names"],
    ["direct that is no list", { direct: "notes" }, "direct: must be a list"],
    [
      "private that is no list",
      { private: "notes", user: z.object({ id: z.string() }) },
      "private: must be a list",
    ],
    ["private that is no collection", { private: ["note"] }, 'private: "note" is no collection'],
    [
      "private for users without an id",
      { private: ["notes"], user: z.object({ name: z.string() }) },
      "no `id`",
    ],
  ])("%s", (_, part, message) => {
    const define = defineRoom as (options: unknown) => unknown;
    expect(() => define({ version: 1, collections, ...part })).toThrow(message);
  });
});

describe("jwtAuthenticator throws for", () => {
  const secret = "x".repeat(32);
  const key = { kty: "EC", crv: "P-256", x: "a", y: "b" };
  const signer = { issuer: null, audience: null };
  it.each<[title: string, options: object, message: string]>([
    ["an option that there is not", { secret, audiance: "me" }, 'there is no option "audiance"'],
    ["an empty audience", { secret, audience: "" }, "audience must be a text"],
    ["no audience of several", { secret, audience: [] }, "audience must be a text"],
    ["an issuer that is no text", { secret, issuer: ["a", 5] }, "issuer must be a text"],
    ["an access that is no function", { secret, access: "read" }, "access must be a function"],
    ["a role that is no function", { secret, role: "guest" }, "role must be a function"],
    ["rooms that are no function", { secret, rooms: ["*"] }, "rooms must be a function"],
    ["a key set without keys", { ...signer, keySet: { keys: [] } }, "the key set has no keys"],
    ["a key set that is none", { ...signer, keySet: key }, "the key set has no keys"],
    [
      "keys for encryption",
      { ...signer, keySet: { keys: [{ ...key, use: "enc" }] } },
      "no key of the key set",
    ],
    [
      "keys of other algorithms",
      { ...signer, keySet: { keys: [{ ...key, alg: "ECDH-ES" }] } },
      "no key of the key set",
    ],
  ])("%s", (_, options, message) => {
    expect(() => jwtAuthenticator(options as unknown as JwtOptions)).toThrow(message);
  });
});
