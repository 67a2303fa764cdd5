import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";
import { SignJWT } from "jose";
import { afterEach, beforeAll, expect, it } from "vitest";
import { connect } from "../../client/index.ts";
import { board } from "../../demo/board.ts";
import { bundle, Workerd } from "../reliability/process/workerd.ts";

const secret = "a secret of this test, which nobody has to guess";
let script: string;
const servers: Workerd[] = [];

beforeAll(async () => void (script = await bundle()), 60_000);
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** The demo's Worker on workerd alone, told nothing but these. */
async function serve(settings: { [name: string]: string }): Promise<Workerd> {
  const server = await Workerd.create({ script, settings });
  servers.push(server);
  await server.start();
  return server;
}

async function get(
  { url }: Workerd,
  headers: Record<string, string> = {},
): Promise<[number, string | undefined]> {
  const response = await fetch(`${url}/rooms/lobby`, { headers });
  const { error } = (await response.json()) as { error?: { message: string } };
  return [response.status, error?.message];
}

async function signed(room: string): Promise<string> {
  const signing = new SignJWT({ sub: "ada", access: "write", rooms: [room] }).setProtectedHeader({
    alg: "HS256",
  });
  return await signing.setExpirationTime("5 minutes").sign(new TextEncoder().encode(secret));
}

it.each([{}, { DELTAROOM_ALLOW_ANONYMOUS: "yes" }])(
  "the demo's Worker that was told %j lets in only who asks for this very machine, and says what to do",
  async (told) => {
    const server = await serve(told);
    expect(server.log).toContain(
      "deltaroom: rooms are closed, but to this machine: set DELTAROOM_JWT_SECRET",
    );
    expect(await get(server)).toEqual([200, undefined]);
    // As it comes through Cloudflare. `fetch` names the host that it connects to, whatever it is told.
    const request = http.get(`${server.url}/rooms/lobby`, { headers: { Host: "rooms.example" } });
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    expect([answer.statusCode, await text(answer)]).toEqual([
      503,
      expect.stringContaining("allowAnonymous: true"),
    ]);
  },
);

it("opened by name it is open, and says so at start", async () => {
  const server = await serve({ DELTAROOM_ALLOW_ANONYMOUS: "true" });
  expect(server.log).toContain("deltaroom: anyone who can reach this address can join any room.");
  expect(await get(server)).toEqual([200, undefined]);
});

it("with a secret it wants tokens, for sessions and for the state, even where it was opened; none is in its output", async () => {
  const server = await serve({ DELTAROOM_JWT_SECRET: secret, DELTAROOM_ALLOW_ANONYMOUS: "true" });
  const [lobby, other] = [await signed("lobby"), await signed("other")];
  expect((await get(server))[0]).toBe(401);
  expect((await get(server, { Authorization: `Bearer ${other}` }))[0]).toBe(403);
  expect((await get(server, { Authorization: `Bearer ${lobby}` }))[0]).toBe(200);
  const room = connect(`${server.url}/rooms/lobby`, board, { token: () => lobby });
  await room.ready;
  await room.transact((tx) => {
    tx.shapes.put("s", { kind: "note", x: 1, y: 1, size: 40, color: "sun", text: "payl0admark" });
  }).committed;
  room.close();
  const stranger = connect(`${server.url}/rooms/lobby`, board, { token: () => other });
  stranger.on("error", () => {});
  await expect(stranger.ready).rejects.toMatchObject({ code: "forbidden" });
  await server.kill();
  expect(server.log).toContain('{"event":"refused","code":"forbidden","status":403,"reason":"other-room"');
  for (const hidden of [secret, lobby, other, lobby.split(".")[1] ?? "", "payl0admark"])
    expect(server.log).not.toContain(hidden);
  expect(server.log).not.toMatch(/\n\s+at /);
});

it("with a secret that would protect nothing it does not start", async () => {
  await expect(serve({ DELTAROOM_JWT_SECRET: "short", DELTAROOM_ALLOW_ANONYMOUS: "true" })).rejects.toThrow(
    "a secret has 5 bytes; HS256 wants 32 or more",
  );
});
