import { env } from "cloudflare:workers";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import byHs256 from "virtual:guide/authentication/hs256.ts";
import byJwks from "virtual:guide/authentication/jwks.ts";
import { tokenFor } from "virtual:guide/authentication/mint.ts";
import { authorize } from "virtual:guide/authentication/rules.ts";
import bySessions from "virtual:guide/authentication/sessions.ts";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { newTestRoom } from "../support/rooms/test-rooms.ts";

const ada = { id: "ada", name: "Ada" };
const secret = "a secret of this test, which nobody has to guess";

interface Worker {
  fetch(request: Request, env: object): Promise<Response>;
}

/** How one of the page's Workers answers for the state of a room. */
async function statusOf(worker: Worker, settings: object, room: string, token?: string): Promise<number> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const request = new Request(`https://rooms.test/rooms/${room}`, { headers });
  return (await worker.fetch(request, { ROOMS: env.TEST_ROOMS, ...settings })).status;
}

describe("docs/guide/authentication.md", () => {
  it("lets in who has a token that the backend has signed, into the rooms that it names", async () => {
    const room = newTestRoom().name;
    const token = await tokenFor(ada, [room, "team-*"], secret);
    const settings = { JWT_SECRET: secret };
    expect(await statusOf(byHs256, settings, room, token)).toBe(200);
    expect(await statusOf(byHs256, settings, "team-7", token)).toBe(200);
    expect(await statusOf(byHs256, settings, "lobby", token)).toBe(403);
    expect(await statusOf(byHs256, settings, room)).toBe(401);
  });

  it("lets in who has a token of the sign-in service, into the rooms of their organisation", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "RS256" };
    const asked: string[] = [];
    vi.stubGlobal("fetch", (url: string) => {
      asked.push(url);
      return Promise.resolve(Response.json({ keys: [jwk] }));
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const sign = async (audience: string) =>
      await new SignJWT({ sub: "u1", email: "ada@example.com", org: "acme", access: "write" })
        .setProtectedHeader({ alg: "RS256", kid: "one" })
        .setIssuer("https://id.example.com/")
        .setAudience(audience)
        .setExpirationTime("1 minute")
        .sign(privateKey);
    expect(await statusOf(byJwks, {}, "acme-plans", await sign("my-rooms"))).toBe(200);
    expect(await statusOf(byJwks, {}, "globex-plans", await sign("my-rooms"))).toBe(403);
    expect(await statusOf(byJwks, {}, "acme-plans", await sign("their-mail"))).toBe(401);
    expect(asked).toEqual(["https://id.example.com/.well-known/jwks.json"]);
  });

  it("lets in who has a session, as long as that lasts", async () => {
    const kept: Record<string, object> = {
      good: { user: ada, boards: ["lobby"], expiresAt: Date.now() + 60_000 },
      old: { user: ada, boards: ["lobby"], expiresAt: Date.now() },
    };
    const SESSIONS = { get: (token: string) => Promise.resolve(kept[token] ?? null) };
    const statuses = ["good", "old", "none", undefined].map(
      async (token) => await statusOf(bySessions, { SESSIONS }, "lobby", token),
    );
    expect(await Promise.all(statuses)).toEqual([200, 401, 401, 401]);
    expect(await statusOf(bySessions, { SESSIONS }, "other", "good")).toBe(403);
  });

  it("judges operations by role and by person", () => {
    const gone = { collection: "shapes", id: "s", before: { x: 1 }, after: undefined };
    const bens = { collection: "tasks", id: "t", before: { assignee: "ben" }, after: { assignee: "ada" } };
    const writer = { clientId: "a", user: ada, access: "write" as const };
    const judge = (type: string, change: object, caller: object) =>
      authorize({ type, payload: {}, changes: [change] }, caller) as boolean;
    expect(judge("transact", gone, writer)).toBe(false);
    expect(judge("transact", gone, { ...writer, role: "admin" })).toBe(true);
    expect(() => judge("claim", bens, writer)).toThrow("somebody else has this task");
    expect(judge("claim", bens, { ...writer, user: { id: "ben" } })).toBe(true);
  });
});
