import { env } from "cloudflare:workers";
import { expect, it, onTestFinished, vi } from "vitest";
import { jwtAuthenticator } from "../../src/jwt.ts";
import { RoomBase, routeRooms, type Authenticate } from "../../src/server.ts";
import { newPrivateRoom, newTestRoom, put, type AnyRoom } from "../support/rooms/test-rooms.ts";
import { signedToken } from "./support/signed-token.ts";

/** Part of every token and payload that these tests send. */
const tokenMark = "t0kenmark";
const payloadMark = "payl0admark";
const routes = { "/test-rooms": env.TEST_ROOMS };

/** Whatever is said in the console until the end of the test, of the Worker and of its rooms. */
function consoleLines(): string[] {
  const lines: string[] = [];
  for (const method of ["log", "info", "debug", "warn", "error", "trace"] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((...said: unknown[]) => {
      const texts = said.map((item) => (item instanceof Error ? (item.stack ?? "") : String(item)));
      lines.push(texts.join(" "));
    });
    onTestFinished(() => spy.mockRestore());
  }
  return lines;
}

/** Everything of an answer that a client can read. */
async function textOf(response: Response): Promise<string> {
  return JSON.stringify([response.status, [...response.headers], await response.text()]);
}

const eventsOf = (lines: readonly string[]) =>
  lines.map((line) => (JSON.parse(line) as { event: string }).event);

/** A line of a stack, or a path of the Worker's sources. */
const stack = /\n\s+at |\.[jt]s:\d+/;

it("a token is in no line of the log and in no answer, whether it is refused or good", async () => {
  const lines = consoleLines();
  const answers: string[] = [];
  const throwing: Authenticate = ({ token }) => {
    throw new SyntaxError(`Unexpected token in ${token}`);
  };
  const misshapen: Authenticate = ({ token }) => ({ user: null, access: "write", [String(token)]: 1 });
  const jwt = jwtAuthenticator({ secret: `${tokenMark} is a secret as long as it has to be` });
  const admitting: Authenticate = () => ({ user: { id: "ada", name: "Ada" }, access: "write" });
  for (const authenticate of [throwing, () => null, jwt, admitting, misshapen]) {
    const { url } = newTestRoom();
    for (const token of [tokenMark, await signedToken(tokenMark), `${tokenMark}.${tokenMark}.${tokenMark}`]) {
      const bearer = { headers: { Authorization: `Bearer ${token}` } };
      for (const [query, init] of [
        ["", bearer],
        [`?token=${token}`, {}],
      ] as const) {
        const response = await routeRooms(new Request(url + query, init), routes, { authenticate });
        answers.push(await textOf(response as Response));
      }
      const client = newTestRoom().client({ token });
      await client.take((await routeRooms(client.request(), routes, { authenticate })) as Response);
      if (authenticate === admitting) await client.caughtUp();
      else answers.push(JSON.stringify(await client.closed()));
      answers.push(...client.raws.map(String));
    }
  }
  expect(new Set(eventsOf(lines))).toEqual(new Set(["refused", "authenticate-failed"]));
  expect(answers.length).toBeGreaterThan(50);
  for (const text of [...lines, ...answers]) {
    expect(text).not.toContain(tokenMark);
    expect(text).not.toMatch(stack);
  }
});

it("a payload is in no line of the log, whatever fails over it, and no stack is anywhere", async () => {
  const lines = consoleLines();
  const thrown = vi.spyOn(RoomBase.prototype, "onError");
  onTestFinished(() => thrown.mockRestore());
  const room = newPrivateRoom();
  const watcher = await room.join({ token: "user:bob" });
  const client = await room.join({ token: "user:alice" });
  await client.commit(
    put("notes", payloadMark, { text: payloadMark }),
    put("notes", "riddle", { text: payloadMark }), // over which `authorize` throws
    put("notes", payloadMark, { [payloadMark]: payloadMark }),
    put(payloadMark, "x", {}),
    ["refuse", { text: payloadMark }],
    ["claim", { id: payloadMark }],
    ["stumble", {}],
    [payloadMark, { [payloadMark]: payloadMark }],
  );
  client.setPresence({ at: 666, note: payloadMark }); // over which the schema throws
  client.setPresence({ at: payloadMark });
  client.send({ kind: "event", event: "wave", payload: { text: 1, [payloadMark]: 1 } });
  client.sendRaw(payloadMark);
  client.sendRaw(JSON.stringify({ kind: payloadMark }));
  client.sendRaw(new TextEncoder().encode(payloadMark));
  await client.until(() => client.raws.some((raw) => String(raw).includes("one JSON object")));
  await room.evict();
  await watcher.commit(put("notes", "after", { text: payloadMark }));
  await refusedUser(room);
  expect(new Set(eventsOf(lines))).toEqual(new Set(["mutator-failed", "frame-failed", "user-refused"]));
  expect(JSON.parse(lines.find((line) => line.includes("stumble")) ?? "")).toEqual({
    event: "mutator-failed",
    room: room.name,
    type: "stumble",
    error: "Error",
  });
  for (const line of lines) {
    expect(line).not.toContain(payloadMark);
    expect(line).not.toContain("secret detail");
    expect(line).not.toMatch(stack);
  }
  for (const raw of [...client.raws, ...watcher.raws]) {
    expect(String(raw)).not.toContain("secret detail");
    expect(String(raw)).not.toMatch(stack);
  }
  // The app itself is told all of it.
  const told = thrown.mock.calls.map(([error, event]) => [event, (error as Error).message]);
  expect(told).toContainEqual(["mutator-failed", "secret detail"]);
  expect(told).toContainEqual(["frame-failed", "a schema's own bug"]);
});

async function refusedUser(room: AnyRoom): Promise<void> {
  const giant = room.client({ token: "user:giant" });
  await giant.open();
  await giant.closed();
}
