import { describe, expect, it } from "vitest";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { put } from "../../support/rooms/test-rooms.ts";

const limits = {
  flushIntervalMs: 0,
  callsPerSecond: 10,
  callsBurst: 20,
  ephemeralPerSecond: 10,
  ephemeralBurst: 20,
  framesPerSecond: 10,
  framesBurst: 30,
  refusalsPerSecond: 10,
  refusalsBurst: 20,
  resyncsPerSecond: 10,
  resyncsBurst: 20,
};

/** Sends until the room has had enough, and answers how often that went well. */
function sendAll(client: LoneClient, send: (client: LoneClient) => void): number {
  for (let sent = 0; ; sent++) {
    client.take();
    send(client);
    const errors = client.take().flatMap((frame) => (frame.kind === "error" ? [frame.code] : []));
    if (errors.includes("rate-limited")) return sent;
    if (sent > 1_000) throw new Error("nothing limits it");
  }
}

const kinds: [string, (client: LoneClient) => void][] = [
  ["calls", (client) => client.pushAt(client.copy.lastCallId + 1, ["addUp", { id: "sum", by: 1 }])],
  ["presence", (client) => client.send({ kind: "presence", presence: { at: 1 } })],
  ["events", (client) => client.send({ kind: "event", event: "wave", payload: { text: "" } })],
];

describe.each(kinds)("who has sent as many %s as a session may", (_, send) => {
  const spent = async (story: (room: LoneRoom, client: LoneClient) => void) =>
    await withLoneRoom({ limits }, (room) => {
      const client = room.join("actor-alice");
      expect(sendAll(client, send)).toBe(20);
      story(room, client);
    });

  it("may send none right after it has come again", async () => {
    await spent((room, client) => {
      client.leave();
      expect(sendAll(room.join("actor-alice"), send)).toBe(0);
      expect(sendAll(room.join("actor-alice"), send)).toBe(0); // in place of the former
    });
  });

  it("may send none as another client of the same user, and another user as many as ever", async () => {
    await withLoneRoom({ limits }, (room) => {
      const as = (id: string) => ({ user: { id, name: id }, access: "write" as const });
      const [first, carol] = [
        room.join("actor-alice1", {}, as("alice")),
        room.join("actor-carol", {}, as("carol")),
      ];
      expect(sendAll(first, send)).toBe(20);
      first.leave();
      carol.leave();
      expect(sendAll(room.join("actor-alice2", {}, as("alice")), send)).toBe(0);
      expect(sendAll(room.join("actor-dora", {}, as("dora")), send)).toBe(20);
    });
  });

  it("may send none right after the room has slept", async () => {
    await spent((room, client) => {
      room.evict();
      expect(sendAll(client, send)).toBe(0);
    });
  });

  it("may send as many as time has given back, however often the room has slept", async () => {
    await spent((room, client) => {
      for (let nap = 0; nap < 5; nap++) {
        room.evict();
        room.pass(100);
        room.evict();
      }
      expect(sendAll(client, send)).toBe(5);
    });
  });

  it("may send none right after the room has slept, when the same has happened before", async () => {
    await spent((room, client) => {
      room.pass(60_000);
      expect(sendAll(client, send)).toBe(20);
      room.evict();
      expect(sendAll(client, send)).toBe(0);
    });
  });
});

describe("who was closed for going on in spite of refusals", () => {
  it("does not come in while it has to stay away, though the room slept before, and does afterwards", async () => {
    await withLoneRoom({ limits }, (room) => {
      const client = room.join("actor-alice");
      for (let message = 0; message < 15; message++) client.sendRaw("{");
      room.evict();
      for (let message = 0; message < 15 && client.closed === undefined; message++) client.sendRaw("{");
      expect(client.closed?.reason).toBe("rate-limited");
      expect(() => room.join("actor-alice")).toThrow("rate-limited");
      room.pass(11_000);
      room.join("actor-alice");
    });
  });
});

describe("who was sent as many bytes as a client may ask for", () => {
  it("is sent no more of them right after the room has slept", async () => {
    await withLoneRoom({ limits: { catchUpBytesBurst: 5_000, catchUpBytesPerSecond: 10 } }, (room) => {
      const client = room.join("actor-alice");
      client.push(put("notes", "long", { text: "x".repeat(3_000) }));
      room.pass(10_000);
      const ask = (tag: number) => client.send({ kind: "resync", tag, epoch: null, rev: 0, confirmed: 0 });
      ask(1);
      room.evict();
      ask(2);
      room.evict();
      expect(client.closed).toBeUndefined();
      ask(3);
      expect(client.closed?.reason).toBe("rate-limited");
    });
  });
});
