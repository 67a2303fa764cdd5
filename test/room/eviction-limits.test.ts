import { describe, expect, it } from "vitest";
import { withLoneRoom, type LoneClient, type LoneRoom } from "./lone-room.ts";

const limits = {
  flushIntervalMs: 0,
  callsPerSecond: 10,
  callsBurst: 20,
  signalsPerSecond: 10,
  signalsBurst: 20,
};

/** Sends until the room has had enough, and answers how often that went well. */
function sendAll(client: LoneClient, send: () => void): number {
  for (let sent = 0; ; sent++) {
    client.take();
    send();
    if (client.take().some(({ kind }) => kind === "error")) return sent;
    if (sent > 1_000) throw new Error("nothing limits it");
  }
}

const kinds: [string, (client: LoneClient) => void][] = [
  ["calls", (client) => client.pushAt(client.copy.mark + 1, ["addUp", { id: "sum", by: 1 }])],
  ["presence", (client) => client.send({ kind: "presence", presence: { at: 1 } })],
  ["events", (client) => client.send({ kind: "event", event: "wave", payload: { text: "" } })],
];

describe.each(kinds)("who has sent as many %s as a session may", (_, send) => {
  const spent = async (story: (room: LoneRoom, client: LoneClient) => void) =>
    await withLoneRoom({ limits }, (room) => {
      const client = room.join("actor-alice");
      expect(sendAll(client, () => send(client))).toBe(20);
      story(room, client);
    });

  it("may send none right after the room has slept", async () => {
    await spent((room, client) => {
      room.evict();
      expect(sendAll(client, () => send(client))).toBe(0);
    });
  });

  it("may send as many as time has given back, however often the room has slept", async () => {
    await spent((room, client) => {
      for (let nap = 0; nap < 5; nap++) {
        room.evict();
        room.pass(100);
        room.evict();
      }
      expect(sendAll(client, () => send(client))).toBe(5);
    });
  });

  it("may send none right after the room has slept, when the same has happened before", async () => {
    await spent((room, client) => {
      room.pass(60_000);
      expect(sendAll(client, () => send(client))).toBe(20);
      room.evict();
      expect(sendAll(client, () => send(client))).toBe(0);
    });
  });
});
