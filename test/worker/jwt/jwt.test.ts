import { env } from "cloudflare:workers";
import {
  base64url,
  EncryptJWT,
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Admission } from "../../../src/worker/authentication.ts";
import { jwtAuthenticator, type JwtOptions } from "../../../src/jwt.ts";
import { routeRooms, type Authenticate } from "../../../src/server.ts";
import { newTestRoom, put } from "../../support/rooms/test-rooms.ts";
import { linesLogged } from "../../support/logged-lines.ts";

const secret = "a secret of the tests, which nobody has to guess";
const routes = { "/test-rooms": env.TEST_ROOMS };
const now = () => Math.floor(Date.now() / 1_000);
const keyOf = (text: string) => new TextEncoder().encode(text);

/** Claims that are good for the lobby, unless others are said; undefined leaves one out. */
function claims(more: Record<string, unknown> = {}): JWTPayload {
  return JSON.parse(
    JSON.stringify({ sub: "ada", name: "Ada", access: "write", rooms: ["lobby"], exp: now() + 60, ...more }),
  ) as JWTPayload;
}

async function signed(more: Record<string, unknown> = {}, key = secret, alg = "HS256"): Promise<string> {
  return await new SignJWT(claims(more)).setProtectedHeader({ alg }).sign(keyOf(key));
}

/** What the authenticator comes to: the admission, null, or `[code, reason]`. */
async function judge(
  authenticate: Authenticate,
  token: string | undefined,
  roomId = "lobby",
): Promise<unknown> {
  const request = new Request("https://rooms.test/rooms/lobby");
  try {
    return await authenticate({ token, roomId, path: "/rooms", request });
  } catch (error) {
    const { name, code, data } = error as { name: string; code: string; data: { reason: string } };
    if (name !== "Rejection") throw error;
    return [code, data.reason];
  }
}

describe("a token signed with a secret", () => {
  const authenticate = jwtAuthenticator({ secret });

  it("says who somebody is, what they may do, and until when", async () => {
    const exp = now() + 60;
    const user = { id: "ada", name: "Ada" };
    expect(await judge(authenticate, await signed({ exp }))).toEqual({
      user,
      access: "write",
      expiresAt: (exp + 5) * 1_000,
    });
    expect(await judge(authenticate, await signed({ exp, access: "read" }))).toMatchObject({
      access: "read",
    });
    expect(await judge(authenticate, await signed({ name: undefined }))).toMatchObject({
      user: { id: "ada", name: "ada" },
    });
  });

  it("is good again and again until it expires", async () => {
    const token = await signed();
    for (let time = 0; time < 3; time++)
      expect(await judge(authenticate, token)).toMatchObject({ access: "write" });
  });

  it("may be signed with any of several, so that one can follow another", async () => {
    const next = "the next secret, as long and as good as the one before";
    const both = jwtAuthenticator({ secret: [secret, next] });
    for (const key of [secret, next])
      expect(await judge(both, await signed({}, key))).toMatchObject({ access: "write" });
    expect(await judge(both, await signed({}, `${secret} of others`))).toEqual(["unauthorized", "signature"]);
  });

  const half = (text: object) => base64url.encode(JSON.stringify(text));
  const unsigned = (alg: string) => `${half({ alg })}.${half(claims())}.`;
  it.each<[what: string, token: () => string | Promise<string>, reason: string]>([
    ["is signed with another secret", () => signed({}, `${secret}!`), "signature"],
    ["has expired", () => signed({ exp: now() - 6 }), "expired"],
    ["never expires", () => signed({ exp: undefined }), "no-expiry"],
    ["expires at a text", () => signed({ exp: "tomorrow" }), "no-expiry"],
    ["is not good yet", () => signed({ nbf: now() + 60 }), "not-yet"],
    ["says no algorithm", () => unsigned("none"), "algorithm"],
    ["says no algorithm in capitals", () => unsigned("None"), "algorithm"],
    ["says an empty algorithm", () => unsigned(""), "malformed"],
    ["is signed by a longer hash", () => signed({}, secret.repeat(2), "HS512"), "algorithm"],
    ["says other claims than were signed", async () => forged(await signed()), "signature"],
    ["has lost its signature", async () => (await signed()).replace(/[^.]+$/, ""), "signature"],
    ["is a text", () => "user:alice", "malformed"],
    ["is two dots", () => "..", "malformed"],
    ["is binary", () => "\u0000\uffff.\u0000.\u0000", "malformed"],
    ["is encrypted", () => encrypted(), "malformed"],
    ["wants something critical understood", () => withHeader({ crit: ["exp2"], exp2: 1 }), "malformed"],
    [
      "brings its own key",
      () => withHeader({ jwk: { kty: "oct", k: base64url.encode("x".repeat(32)) } }, "x".repeat(32)),
      "signature",
    ],
    ["names nobody", () => signed({ sub: undefined }), "claims"],
    ["has a role that is no text", () => signed({ role: { admin: true } }), "claims"],
    ["has a role without end", () => signed({ role: "r".repeat(65) }), "claims"],
    ["has rooms that are no list", () => signed({ rooms: "lobby" }), "claims"],
    ["has rooms that are no names", () => signed({ rooms: ["lobby", 1] }), "claims"],
  ])("that %s is refused", async (_, token, reason) => {
    expect(await judge(authenticate, await token())).toEqual(["unauthorized", reason]);
  });

  it.each([undefined, null, "", "Write", "admin", true, ["write"]])(
    "whose access is %j grants nothing, whatever its role",
    async (access) => {
      const token = await signed({ access, role: "writer" });
      expect(await judge(authenticate, token)).toEqual(["forbidden", "no-access"]);
    },
  );

  it("has the access that the option `access` returns, and nothing else", async () => {
    const token = await signed({ access: "write", tier: "guest" });
    const reading = jwtAuthenticator({ secret, access: () => "read" });
    expect(await judge(reading, token)).toMatchObject({ access: "read" });
    const byTier = jwtAuthenticator({ secret, access: ({ tier }) => tier });
    expect(await judge(byTier, token)).toEqual(["forbidden", "no-access"]);
  });

  it.each([undefined, ""])("that is none (%j) is nobody", async (token) => {
    expect(await judge(authenticate, token)).toBeNull();
  });

  it("is given as many seconds of tolerance as was said, and the session as well", async () => {
    const exp = now() - 20;
    const patient = jwtAuthenticator({ secret, clockToleranceSeconds: 30 });
    expect(await judge(patient, await signed({ exp }))).toMatchObject({ expiresAt: (exp + 30) * 1_000 });
    expect(await judge(patient, await signed({ nbf: now() + 20 }))).toMatchObject({ access: "write" });
    const strict = jwtAuthenticator({ secret, clockToleranceSeconds: 0 });
    expect(await judge(strict, await signed({ exp: now() - 1 }))).toEqual(["unauthorized", "expired"]);
  });

  it("that expires after all time lasts as long as a Date can say", async () => {
    const admission = (await judge(authenticate, await signed({ exp: 1e300 }))) as Admission;
    expect(new Date(admission.expiresAt as number).getTime()).toBe(8.64e15);
  });

  async function encrypted(): Promise<string> {
    const key = crypto.getRandomValues(new Uint8Array(32));
    return await new EncryptJWT(claims()).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(key);
  }

  async function withHeader(more: object, key = secret): Promise<string> {
    const header = half({ alg: "HS256", ...more });
    const text = keyOf(`${header}.${half(claims())}`);
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(
      "HMAC",
      await crypto.subtle.importKey("raw", keyOf(key), hmac, false, ["sign"]),
      text,
    );
    return `${new TextDecoder().decode(text)}.${base64url.encode(new Uint8Array(signature))}`;
  }

  function forged(token: string): string {
    const [header, , signature] = token.split(".");
    return `${header}.${half(claims({ sub: "root" }))}.${signature}`;
  }
});

describe("the rooms of a token", () => {
  it.each<[rooms: unknown, roomId: string, isGranted: boolean]>([
    [["lobby"], "lobby", true],
    [["lobby"], "lobby2", false],
    [["lobby"], "Lobby", false],
    [["lobby"], "lobb", false],
    [["lobby", "team-*"], "team-7", true],
    [["team-*"], "team-", true],
    [["team-*"], "team", false],
    [["team-*"], "other-team-7", false],
    [["*"], "anything", true],
    [["te*m"], "team", false],
    [["**"], "team", false],
    [[""], "lobby", false],
    [[".*"], "lobby", false],
    [["lobb."], "lobby", false],
    [[], "lobby", false],
  ])("%j and the room %s", async (rooms, roomId, isGranted) => {
    const judged = await judge(jwtAuthenticator({ secret }), await signed({ rooms }), roomId);
    const admission: unknown = expect.objectContaining({ user: { id: "ada", name: "Ada" } });
    expect(judged).toEqual(isGranted ? admission : ["forbidden", "other-room"]);
  });

  it("are none where it names none, unless the app says otherwise", async () => {
    const token = await signed({ rooms: undefined, team: 7 });
    expect(await judge(jwtAuthenticator({ secret }), token)).toEqual(["forbidden", "no-grant"]);
    const anywhere = jwtAuthenticator({ secret, rooms: () => ["*"] });
    expect(await judge(anywhere, token)).toMatchObject({ access: "write" });
    const byTeam = jwtAuthenticator({
      secret,
      rooms: ({ team }, { path }) => [`${path.slice(1)}-${String(team)}`],
    });
    expect(await judge(byTeam, token, "rooms-7")).toMatchObject({ access: "write" });
    expect(await judge(byTeam, token, "rooms-8")).toEqual(["forbidden", "other-room"]);
  });
});

describe("who has signed, and for whom", () => {
  const options = { secret, issuer: "https://id.example", audience: ["rooms", "boards"] };
  const good = { iss: "https://id.example", aud: "boards" };
  it.each<[what: string, more: object, expected: unknown]>([
    ["both as wanted", good, { access: "write" }],
    ["one of many audiences", { ...good, aud: ["mail", "rooms"] }, { access: "write" }],
    ["another signer", { ...good, iss: "https://evil.example" }, ["unauthorized", "issuer"]],
    ["no signer", { ...good, iss: undefined }, ["unauthorized", "issuer"]],
    ["another audience", { ...good, aud: "mail" }, ["unauthorized", "audience"]],
    ["no audience", { ...good, aud: undefined }, ["unauthorized", "audience"]],
  ])("%s", async (_, more, expected) => {
    expect(await judge(jwtAuthenticator(options), await signed({ ...more }))).toMatchObject(
      expected as object,
    );
  });
});

describe("options that would protect nothing do not pass", () => {
  const jwksUrl = "https://id.example/keys";
  const known = { issuer: "i", audience: "a" };
  it.each<[what: string, options: unknown, problem: string]>([
    ["no keys", {}, "one of secret, jwksUrl and keySet"],
    ["two kinds of keys", { secret, jwksUrl, ...known }, "one of secret, jwksUrl and keySet"],
    ["an empty secret", { secret: "" }, "a secret has 0 bytes; HS256 wants 32 or more"],
    ["a short secret", { secret: "x".repeat(31) }, "a secret has 31 bytes; HS256 wants 32 or more"],
    ["a short one among others", { secret: [secret, "short"] }, "a secret has 5 bytes"],
    ["a list of none", { secret: [] }, "no secret in the list"],
    ["keys that anybody on the way may exchange", { jwksUrl: "http://id.example/keys", ...known }, "https:"],
    ["keys of a signer of whom nothing is known", { jwksUrl }, "issuer and audience have to be said"],
    ["keys and no audience", { jwksUrl, issuer: "i" }, "issuer and audience have to be said"],
    ["a key set with a secret", { keySet: { keys: [{ kty: "oct", k: "x" }] }, ...known }, "public keys"],
    ["a key set with private keys", { keySet: { keys: [{ kty: "RSA", d: "x" }] }, ...known }, "public keys"],
    ["tolerance of a day", { secret, clockToleranceSeconds: 86_400 }, "clockToleranceSeconds is 0 to 300"],
    ["no number of seconds", { secret, clockToleranceSeconds: NaN }, "clockToleranceSeconds is 0 to 300"],
  ])("%s", (_, options, problem) => {
    expect(() => jwtAuthenticator(options as JwtOptions)).toThrow(problem);
  });
});

describe("public keys", () => {
  interface Pair {
    readonly kid: string;
    readonly privateKey: CryptoKey;
    readonly jwk: JWK;
  }
  const issuer = "https://id.example";
  const known = { issuer, audience: "rooms" };
  let [first, second, rsa]: Pair[] = [];
  /** What the host publishes; undefined while it is down. */
  let published: readonly JWK[] | undefined;
  let fetched = 0;
  let hosts = 0;

  beforeAll(async () => {
    [first, second, rsa] = await Promise.all([
      pair("first", "ES256"),
      pair("second", "ES256"),
      pair("rsa", "RS256"),
    ]);
  });
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
    fetched = 0;
    published = [(first as Pair).jwk];
    vi.stubGlobal("fetch", async () => {
      fetched += 1;
      await Promise.resolve();
      if (published === undefined) throw new TypeError("Network connection lost.");
      return Response.json({ keys: published });
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  async function pair(kid: string, alg: string): Promise<Pair> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
  }

  async function by(key: Pair | undefined, alg = "ES256"): Promise<string> {
    const { kid, privateKey } = key as Pair;
    const header = { alg, kid };
    const signing = new SignJWT(claims({ iss: issuer, aud: "rooms", exp: now() + 86_400 }));
    return await signing.setProtectedHeader(header).sign(privateKey);
  }

  /** Of a host that nobody has asked yet; another authenticator for each token, as in a Worker that makes one a request. */
  function newJudge(): (token: string) => Promise<unknown> {
    const jwksUrl = `https://id-${++hosts}.example/keys`;
    return async (token) => await judge(jwtAuthenticator({ jwksUrl, ...known }), token);
  }
  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
  const good = { user: { id: "ada" }, access: "write" as const };
  const later = ["internal", "key-set-unreachable"];

  it("given at once are used, and no others", async () => {
    const keySet = { keys: [(first as Pair).jwk, (rsa as Pair).jwk] };
    const authenticate = jwtAuthenticator({ keySet, ...known });
    expect(await judge(authenticate, await by(first))).toMatchObject(good);
    expect(await judge(authenticate, await by(rsa, "RS256"))).toMatchObject(good);
    expect(await judge(authenticate, await by(second))).toEqual(["unauthorized", "unknown-key"]);
    expect(await judge(authenticate, await by({ ...(second as Pair), kid: "first" }))).toEqual([
      "unauthorized",
      "signature",
    ]);
  });

  it("are not taken for a secret", async () => {
    const { jwk } = rsa as Pair;
    const authenticate = jwtAuthenticator({ keySet: { keys: [jwk] }, ...known });
    for (const key of [JSON.stringify(jwk), jwk.n as string]) {
      const token = await new SignJWT(claims({ iss: issuer, aud: "rooms" }))
        .setProtectedHeader({ alg: "HS256", kid: "rsa" })
        .sign(keyOf(key));
      expect(await judge(authenticate, token)).toEqual(["unauthorized", "algorithm"]);
    }
  });

  it("at a URL are fetched once, and again after ten minutes", async () => {
    const judged = newJudge();
    for (let time = 0; time < 5; time++) expect(await judged(await by(first))).toMatchObject(good);
    expect(fetched).toBe(1);
    pass(10 * 60_000);
    expect(await judged(await by(first))).toMatchObject(good);
    expect(fetched).toBe(2);
  });

  it("that have followed others are found, and asked for no more than once in five seconds", async () => {
    const judged = newJudge();
    expect(await judged(await by(first))).toMatchObject(good);
    published = [(second as Pair).jwk];
    for (let time = 0; time < 5; time++)
      expect(await judged(await by(second))).toEqual(["unauthorized", "unknown-key"]);
    expect(fetched).toBe(1);
    pass(5_000);
    expect(await judged(await by(second))).toMatchObject(good);
    expect(await judged(await by(first))).toEqual(["unauthorized", "unknown-key"]);
    expect(fetched).toBe(2);
  });

  it("of a host that is down say that it will pass, and nobody is taken for unauthorized", async () => {
    const lines = linesLogged();
    const judged = newJudge();
    published = undefined;
    for (let time = 0; time < 5; time++) expect(await judged(await by(first))).toEqual(later);
    expect(fetched).toBe(1); // it is left alone for a moment
    expect(lines).toEqual([
      { event: "key-set-unreachable", code: "internal", host: `id-${hosts}.example`, error: "TypeError" },
    ]);
    published = [(first as Pair).jwk];
    pass(2_000);
    expect(await judged(await by(first))).toMatchObject(good);
  });

  it.each([
    ["an error", () => new Response("oops", { status: 500 })],
    ["a page", () => new Response("<html>")],
    ["no key set", () => Response.json({ hello: "there" })],
  ])("of a host that answers %s are the same", async (_, answer) => {
    linesLogged();
    vi.stubGlobal("fetch", () => Promise.resolve(answer()));
    expect(await newJudge()(await by(first))).toEqual(later);
  });

  it("are used for an hour more while their host is down, but a key that they lack is not refused for good", async () => {
    linesLogged();
    const judged = newJudge();
    await judged(await by(first));
    published = undefined;
    pass(40 * 60_000);
    expect(await judged(await by(first))).toMatchObject(good);
    expect(await judged(await by(second))).toEqual(later);
    pass(31 * 60_000);
    expect(await judged(await by(first))).toEqual(later);
  });

  it("that cannot be had are 503 and a close that says to try again", async () => {
    linesLogged();
    published = undefined;
    const authenticate = jwtAuthenticator({ jwksUrl: "https://down.example/keys", ...known });
    const client = newTestRoom().client({ token: await by(first) });
    await client.take((await routeRooms(client.request(), routes, { authenticate })) as Response);
    expect(await client.closed()).toEqual({ closeCode: 4500, reason: "internal" });
    const headers = { Authorization: `Bearer ${await by(first)}` };
    const request = new Request("https://rooms.test/test-rooms/lobby", { headers });
    const response = (await routeRooms(request, routes, { authenticate })) as Response;
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "2"]);
  });
});

describe("a session that was let in by a token", () => {
  it("ends when the token does, and another room has never let it in", async () => {
    const room = newTestRoom();
    const token = await signed({ rooms: [room.name], exp: now() + 2 });
    const authenticate = jwtAuthenticator({ secret, clockToleranceSeconds: 0 });
    const enter = async (client: ReturnType<typeof room.client>) => {
      await client.take((await routeRooms(client.request(), routes, { authenticate })) as Response);
      return client;
    };
    const client = await enter(room.client({ token }));
    await client.caughtUp();
    expect(client.copy.welcome).toMatchObject({ user: { id: "ada", name: "Ada" }, access: "write" });
    expect(await client.commit(put("shapes", "s", { x: 1, y: 1 }))).toEqual([1]);
    const elsewhere = await enter(newTestRoom().client({ token }));
    expect(await elsewhere.closed()).toEqual({ closeCode: 4403, reason: "forbidden" });
    await room.evict();
    expect(await client.closed()).toEqual({ closeCode: 4440, reason: "token-expired" });
    const again = await enter(room.client({ token }));
    expect(await again.closed()).toEqual({ closeCode: 4401, reason: "unauthorized" });
  });
});
