import { describe, expect, it } from "vitest";
import type { WireCall } from "../../src/protocol/frames.ts";
import type { Identity } from "../../src/room/room.ts";
import { withLoneRoom, type LoneClient } from "./lone-room.ts";
import { put } from "./rooms.ts";

const as = (id: string, role: "reader" | "writer" = "writer"): Identity => ({ user: { id, name: id }, role });
const edit = put("shapes", "s", { x: 1, y: 1 });
const refusal = ["refuse", { text: "x".repeat(1_000) }] as const;

/** Pushes calls, and confirms no outcome. */
function pushUnconfirmed(client: LoneClient, first: number, count: number, call: readonly [string, unknown]) {
  const calls = Array.from({ length: count }, () => [0, ...call] as WireCall);
  client.send({ kind: "push", first, calls, confirmed: 0 });
}

/** Codes of the errors among the frames that a client has not taken yet. */
function errorsOf(client: LoneClient): string[] {
  return client.take().flatMap((frame) => (frame.kind === "error" ? [frame.code] : []));
}

describe("while one user's outcomes are too many", () => {
  const limits = { maxAllUnconfirmedBytes: 100_000, maxRingFlushes: 8, flushIntervalMs: 0 };

  it.each([
    ["clients of one user", (tab: number) => ({ actor: `actor-mal-${tab}`, identity: as("mallory") })],
    [
      "clients without a user",
      (tab: number) => ({ actor: `actor-mal-${tab}`, identity: { user: null, role: "writer" } as const }),
    ],
  ])("no other user's client is refused, closed or forgotten: %s", async (_, mallory) => {
    await withLoneRoom({ limits }, (room) => {
      const offline = room.join("actor-offline", {}, as("carol"));
      pushUnconfirmed(offline, 1, 5, edit);
      offline.leave();
      room.pass(1_000);

      const attackers = Array.from({ length: 10 }, (_each, tab) => mallory(tab)).map(({ actor, identity }) =>
        room.join(actor, {}, identity),
      );
      for (const attacker of attackers) pushUnconfirmed(attacker, 1, 50, refusal);
      expect(attackers.flatMap(errorsOf)).toContain("rate-limited");

      // A slow way to the room: outcomes come late, so they are confirmed late.
      const slow = room.join("actor-slow", {}, as("dora"));
      for (let first = 1; first <= 151; first += 50) pushUnconfirmed(slow, first, 50, edit);
      expect([slow.copy.mark, slow.closed, errorsOf(slow)]).toEqual([200, undefined, []]);

      for (const attacker of attackers) attacker.leave();
      room.pass(10_000);
      for (let x = 0; x < 20; x++) slow.push(edit);
      room.evict();
      const back = room.join("actor-offline", { birth: 0 }, as("carol"));
      expect([back.copy.mark, [...back.copy.outcomes.keys()]]).toEqual([5, [1, 2, 3, 4, 5]]);
    });
  });

  it("a client that waits as long as it is told is never closed, and one that does not is", async () => {
    await withLoneRoom({ limits }, (room) => {
      const clients = ["actor-patient", "actor-hasty"].map((actor) => room.join(actor, {}, as("mallory")));
      const [patient, hasty] = clients as [LoneClient, LoneClient];
      for (const client of clients) pushUnconfirmed(client, 1, 80, refusal);
      const again = (client: LoneClient) => {
        pushUnconfirmed(client, client.copy.mark + 1, 1, refusal);
        if (client.closed === undefined) client.send({ kind: "ack", bytes: client.sentBytes });
      };
      for (let attempt = 0; attempt < 400; attempt++) {
        again(patient);
        for (let impatient = 0; impatient < 3 && hasty.closed === undefined; impatient++) again(hasty);
        room.pass(100);
      }
      expect([patient.closed, hasty.closed?.reason]).toEqual([undefined, "rate-limited"]);
      expect(patient.copy.mark).toBe(80); // since then it was refused
    });
  });
});

describe("when the room forgets clients of one owner", () => {
  it.each([
    ["a user", as("mallory")],
    ["no user", { user: null, role: "writer" } as const],
  ])("an unknown client of another comes in as it is: %s", async (_, identity) => {
    await withLoneRoom(
      { limits: { maxMarks: 10, maxMarksPerUser: 2, flushIntervalMs: 0, maxRingFlushes: 4 } },
      (room) => {
        const early = room.join("actor-early", {}, as("carol")); // its first call is still to be made
        early.leave();
        for (let n = 0; n < 20; n++) {
          const client = room.join(`actor-mal-${n}`, {}, identity);
          client.push(edit);
          client.leave();
          room.pass(1_000);
        }
        expect(() => room.join("actor-mal-0", { birth: 0 }, identity)).toThrow("too-old");
        const back = room.join("actor-early", { birth: 0 }, as("carol"));
        back.push(edit);
        expect(back.copy.outcomes.get(1)).toBe(21);
        room.evict();
        expect(() => room.join("actor-mal-1", { birth: 0 }, identity)).toThrow("too-old");
        expect(room.join("actor-other", { birth: 0 }, as("dora")).closed).toBeUndefined();
      },
    );
  });
});
