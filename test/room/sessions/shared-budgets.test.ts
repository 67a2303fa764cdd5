import type { Access } from "../../../src/schema/access.ts";
import { describe, expect, it } from "vitest";
import type { WireCall } from "../../../src/protocol/down/down-frames.ts";
import type { Identity } from "../../../src/room/sessions/admission.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { put } from "../../support/rooms/test-rooms.ts";

const as = (id: string, access: Access = "write"): Identity => ({ user: { id, name: id }, access });
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
    ["clients of one user", (tab: number) => ({ clientId: `actor-mal-${tab}`, identity: as("mallory") })],
    [
      "clients without a user",
      (tab: number) => ({ clientId: `actor-mal-${tab}`, identity: { user: null, access: "write" } as const }),
    ],
  ])("no other user's client is refused, closed or forgotten: %s", async (_, mallory) => {
    await withLoneRoom({ limits }, (room) => {
      const offline = room.join("actor-offline", {}, as("carol"));
      pushUnconfirmed(offline, 1, 5, edit);
      offline.leave();
      room.pass(1_000);

      const attackers = Array.from({ length: 10 }, (_each, tab) => mallory(tab)).map(
        ({ clientId, identity }) => room.join(clientId, {}, identity),
      );
      for (const attacker of attackers) pushUnconfirmed(attacker, 1, 50, refusal);
      expect(attackers.flatMap(errorsOf)).toContain("rate-limited");

      // A slow way to the room: outcomes come late, so they are confirmed late.
      const slow = room.join("actor-slow", {}, as("dora"));
      for (let first = 1; first <= 151; first += 50) pushUnconfirmed(slow, first, 50, edit);
      expect([slow.copy.lastCallId, slow.closed, errorsOf(slow)]).toEqual([200, undefined, []]);

      for (const attacker of attackers) attacker.leave();
      room.pass(10_000);
      for (let x = 0; x < 20; x++) slow.push(edit);
      room.evict();
      const back = room.join("actor-offline", { knownSince: 0 }, as("carol"));
      expect([back.copy.lastCallId, [...back.copy.outcomes.keys()]]).toEqual([5, [1, 2, 3, 4, 5]]);
    });
  });

  it("a client that waits as long as it is told is never closed, and one that does not is", async () => {
    await withLoneRoom({ limits }, (room) => {
      const clients = ["actor-patient", "actor-hasty"].map((clientId) =>
        room.join(clientId, {}, as("mallory")),
      );
      const [patient, hasty] = clients as [LoneClient, LoneClient];
      for (const client of clients) pushUnconfirmed(client, 1, 80, refusal);
      const again = (client: LoneClient) => {
        pushUnconfirmed(client, client.copy.lastCallId + 1, 1, refusal);
        if (client.closed === undefined) client.send({ kind: "ack", bytes: client.sentBytes });
      };
      for (let attempt = 0; attempt < 400; attempt++) {
        again(patient);
        for (let impatient = 0; impatient < 3 && hasty.closed === undefined; impatient++) again(hasty);
        room.pass(100);
      }
      expect([patient.closed, hasty.closed?.reason]).toEqual([undefined, "rate-limited"]);
      expect(patient.copy.lastCallId).toBe(80); // since then it was refused
    });
  });
});

describe("when the room forgets clients of one owner", () => {
  it.each([
    ["a user", as("mallory")],
    ["no user", { user: null, access: "write" } as const],
  ])("an unknown client of another comes in as it is: %s", async (_, identity) => {
    await withLoneRoom(
      { limits: { maxLoggedClients: 10, maxLoggedClientsPerUser: 2, flushIntervalMs: 0, maxRingFlushes: 4 } },
      (room) => {
        const early = room.join("actor-early", {}, as("carol")); // its first call is still to be made
        early.leave();
        for (let n = 0; n < 20; n++) {
          const client = room.join(`actor-mal-${n}`, {}, identity);
          client.push(edit);
          client.leave();
          room.pass(1_000);
        }
        expect(() => room.join("actor-mal-0", { knownSince: 0 }, identity)).toThrow("too-old");
        const back = room.join("actor-early", { knownSince: 0 }, as("carol"));
        back.push(edit);
        expect(back.copy.outcomes.get(1)).toBe(21);
        room.evict();
        expect(() => room.join("actor-mal-1", { knownSince: 0 }, identity)).toThrow("too-old");
        expect(room.join("actor-other", { knownSince: 0 }, as("dora")).closed).toBeUndefined();
      },
    );
  });
});

describe("while one user's sockets have the room work", () => {
  const limits = { workBurst: 200_000, workPerSecond: 50_000, maxOperationBytes: 1_000, flushIntervalMs: 0 };
  const heavy = ["fill", { count: 20, chars: 500 }] as const;
  /** Each socket makes calls until it is refused. Returns how many the room has executed. */
  const exhaust = (sockets: readonly LoneClient[]) => {
    const before = sockets.reduce((sum, { copy }) => sum + copy.lastCallId, 0);
    for (const socket of sockets)
      for (let call = 0; call < 50 && errorsOf(socket).length === 0; call++)
        socket.pushAt(socket.copy.lastCallId + 1, heavy);
    return sockets.reduce((sum, { copy }) => sum + copy.lastCallId, 0) - before;
  };
  const join = (room: LoneRoom, id: string, count: number) =>
    Array.from({ length: count }, (_, tab) => room.join(`actor-${id}-${tab}`, {}, as(id)));

  it("all of them have no more than one, whether they come again or the room has slept", async () => {
    await withLoneRoom({ limits }, (room) => {
      const alone = exhaust(join(room, "alice", 1));
      expect(alone).toBeGreaterThan(3);
      room.join("actor-idle", {}, as("mallory")); // wakes first, and has used up nothing
      const crowd = join(room, "mallory", 20);
      expect(exhaust(crowd)).toBe(alone);
      crowd[0]?.leave();
      expect(exhaust(join(room, "mallory", 1))).toBe(0);
      room.evict();
      expect(exhaust(crowd.slice(1))).toBe(0);
      const [bob] = join(room, "bob", 1);
      bob?.push(edit);
      expect([bob?.copy.lastCallId, errorsOf(bob as LoneClient)]).toEqual([1, []]);
      room.pass(10_000);
      expect(exhaust(crowd.slice(1))).toBe(alone);
    });
  });

  it("presence, events and bytes that say nothing are work as well", async () => {
    await withLoneRoom({ limits }, (room) => {
      const [talks, calls] = join(room, "mallory", 2) as [LoneClient, LoneClient];
      for (let event = 0; event < 100; event++)
        talks.send({ kind: "event", event: "wave", payload: { text: "x".repeat(2_000) } });
      expect(exhaust([calls])).toBe(0);
    });
  });
});

describe("when the room forgets what one user's clients had used up", () => {
  it.each([
    ["a user", as("mallory")],
    ["no user", { user: null, access: "write" } as const],
  ])("what another user had used up is remembered: %s", async (_, identity) => {
    const limits = { maxLeavers: 4, rejoinsBurst: 1, rejoinsPerSecond: 0.001 };
    await withLoneRoom({ limits }, (room) => {
      room.join("actor-carol", {}, as("carol")).leave();
      const crowd = Array.from({ length: 10 }, (_, tab) => room.join(`actor-mal-${tab}`, {}, identity));
      for (const client of crowd) client.leave();
      expect(() => room.join("actor-carol", {}, as("carol"))).toThrow("rate-limited");
    });
  });
});

describe("while one user's sockets owe acknowledgements for too much", () => {
  const limits = {
    flushIntervalMs: 0,
    maxUnacknowledgedBytes: 100_000,
    maxAllUnacknowledgedBytes: 600_000,
    maxStallMs: 5_000,
    pageBytes: 4_096,
  };
  const note = (id: string, bytes: number) => put("notes", id, { text: "x".repeat(bytes) });

  it("a newcomer is sent the room at once, and a session that drags is sent every flush", async () => {
    await withLoneRoom({ limits }, (room) => {
      const writer = room.join("actor-writer", {}, as("alice"));
      const commit = (id: string, bytes: number) => {
        writer.push(note(id, bytes));
        writer.send({ kind: "ack", bytes: writer.sentBytes });
      };
      for (let n = 0; n < 8; n++) commit(`n${n}`, 10_000);
      const sockets = Array.from({ length: 20 }, (_, tab) =>
        room.join(`actor-mal-${tab}`, {}, as("mallory", "read")),
      );
      const drags = room.join("actor-drags", {}, as("bob"));
      drags.send({ kind: "ack", bytes: drags.sentBytes });
      const dragged = drags.sentBytes;
      for (let n = 0; n < 8; n++) commit(`m${n}`, 8_000);
      for (const socket of sockets)
        if (socket.closed === undefined)
          socket.send({ kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 0 });
      const owed = sockets.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
      expect(owed).toBeGreaterThan(350_000);
      expect(owed).toBeLessThan(520_000);
      expect([drags.copy.rev, drags.sentBytes - dragged > 60_000]).toEqual([16, true]);

      const newcomer = room.join("actor-new", {}, as("carol"));
      for (let turn = 0; turn < 20; turn++) newcomer.send({ kind: "ack", bytes: newcomer.sentBytes });
      expect(newcomer.copy.collections).toEqual(room.collections);
    });
  });

  it("a session that acknowledges a frame now and then is closed, and one that reads slowly is not", async () => {
    await withLoneRoom({ limits: { ...limits, maxUnacknowledgedFrames: 1_000 } }, (room) => {
      const writer = room.join("actor-writer", {}, as("alice"));
      const [trickle, slow] = [
        room.join("actor-trickle", {}, as("mallory")),
        room.join("actor-slow", {}, as("bob")),
      ];
      const commit = (id: string, bytes: number) => {
        writer.push(note(id, bytes));
        writer.send({ kind: "ack", bytes: writer.sentBytes });
      };
      const clients = [writer, trickle, slow];
      for (const client of clients) client.send({ kind: "ack", bytes: client.sentBytes });
      for (let n = 0; n < 100; n++) commit("small", n);
      for (let n = 0; n < 10; n++) commit(`n${n}`, 6_000);
      for (let second = 0; second < 20; second++) {
        for (const client of clients) if (client.closed === undefined) client.ping();
        if (trickle.closed === undefined) trickle.send({ kind: "ack", bytes: 100 }); // a frame or two
        if (second % 4 === 3) slow.send({ kind: "ack", bytes: 30_000 });
        commit(`n${second % 10}`, 6_000);
        room.pass(1_000);
      }
      expect([trickle.closed?.reason, slow.closed]).toEqual(["timeout", undefined]);
    });
  });

  it.each([Number.MAX_SAFE_INTEGER, 1e9, 0])(
    "an acknowledgement of %d bytes settles no more than was sent to its client",
    async (bytes) => {
      await withLoneRoom({ limits: { ...limits, maxAllUnacknowledgedBytes: 120_000 } }, (room) => {
        const writer = room.join("actor-writer", {}, as("alice"));
        const liar = room.join("actor-liar", {}, as("mallory"));
        const stalled = Array.from({ length: 6 }, (_, tab) => room.join(`actor-s-${tab}`, {}, as("bob")));
        for (let n = 0; n < 30; n++) {
          writer.push(note("n", 4_000));
          writer.send({ kind: "ack", bytes: writer.sentBytes });
          liar.send({ kind: "ack", bytes });
        }
        const owed = stalled.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
        expect(owed).toBeLessThan(120_000);
        expect(writer.copy.rev).toBe(30);
      });
    },
  );
});
