import { describe, expect, it } from "vitest";
import type { Identity } from "../../../src/room/sessions/admission.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { newPrivateRoom, newTestRoom, put } from "../../support/rooms/test-rooms.ts";

const second = 1_000;
const alice = { id: "alice", name: "ALICE" };
const expired = { closeCode: 4440, reason: "token-expired" };

/** Alice, for so long. */
function staying(room: LoneRoom, ms: number, more: Partial<Identity> = {}): Identity {
  return { user: alice, access: "write", expiresAt: room.now + ms, ...more };
}

describe("somebody whose time is up", () => {
  it("is closed at that time with a code that says to come back, and nobody else is", async () => {
    const left: string[] = [];
    await withLoneRoom({ rules: { onLeave: ({ clientId }) => void left.push(clientId) } }, (room) => {
      const brief = room.join("actor-brief", {}, staying(room, 60 * second));
      const long = room.join("actor-long", {}, staying(room, 90 * second));
      const ever = room.join("actor-ever");
      room.pass(60 * second - 1);
      expect([brief.closed, left]).toEqual([undefined, []]);
      room.pass(1);
      expect([brief.closed, long.closed, ever.closed]).toEqual([expired, undefined, undefined]);
      expect([left, brief.attachment]).toEqual([[idOf("actor-brief")], undefined]);
      room.pass(30 * second);
      expect([long.closed, ever.closed]).toEqual([expired, undefined]);
      expect(room.alarmAt).toBeUndefined();
    });
  });

  it("is closed though the room sleeps, woken by its alarm", async () => {
    await withLoneRoom({}, (room) => {
      const client = room.join("actor-alice", {}, staying(room, 60 * second));
      room.evict();
      room.pass(30 * second);
      room.evict();
      room.pass(30 * second);
      expect(client.closed).toEqual(expired);
    });
  });

  it("is closed in time, whatever else the one alarm is set for", async () => {
    for (const isEvicted of [false, true]) {
      await withLoneRoom({}, (room) => {
        const first = room.join("actor-first", {}, staying(room, 7 * second));
        first.send({ kind: "presence", presence: { at: 1 } });
        if (isEvicted) room.evict();
        // With two who are shown the room wants to look for ghosts, which is later.
        const second_ = room.join("actor-second", {}, staying(room, 3_600 * second));
        second_.send({ kind: "presence", presence: { at: 2 } });
        expect(room.alarmAt).toBe(room.now + 7 * second);
        if (isEvicted) room.evict();
        const brief = room.join("actor-brief", {}, staying(room, 3 * second));
        room.pass(3 * second);
        expect([brief.closed, first.closed]).toEqual([expired, undefined]);
        room.pass(4 * second);
        expect([first.closed, second_.closed]).toEqual([expired, undefined]);
      });
    }
  });

  it("has nothing executed before the alarm comes, of whatever kind, and the room goes on", async () => {
    await withLoneRoom({}, (room) => {
      const bob = room.join("actor-bob");
      const client = room.join("actor-alice", {}, staying(room, second));
      const { collections } = room;
      room.now += second; // the alarm is late
      client.push(put("shapes", "s", { x: 1, y: 1 }));
      expect([client.closed, client.take()]).toEqual([expired, []]);
      client.send({ kind: "presence", presence: { at: 1 } });
      client.send({ kind: "event", event: "wave", payload: { text: "hello" } });
      client.sendRaw("nonsense");
      expect(room.collections).toEqual(collections);
      expect(client.take()).toEqual([]);
      bob.push(put("shapes", "b", { x: 2, y: 2 }));
      expect(room.collections).toEqual({ shapes: { b: { x: 2, y: 2 } } });
      expect(bob.copy.peers.size).toBe(0);
    });
  });

  it("has nothing executed that wakes the room before the alarm does", async () => {
    await withLoneRoom({}, (room) => {
      const client = room.join("actor-alice", {}, staying(room, second));
      room.evict();
      room.now += second;
      client.push(put("shapes", "s", { x: 1, y: 1 }));
      expect([client.closed, room.collections]).toEqual([expired, {}]);
    });
  });

  it("is sent nothing more, though the alarm is late", async () => {
    await withLoneRoom({}, (room) => {
      const bob = room.join("actor-bob");
      const client = room.join("actor-alice", {}, staying(room, second));
      room.now += second;
      bob.push(put("shapes", "b", { x: 2, y: 2 }));
      expect([client.closed, client.take()]).toEqual([expired, []]);
    });
  });

  it("is not let in, and wakes no alarm", async () => {
    await withLoneRoom({}, (room) => {
      expect(() => room.join("actor-alice", {}, staying(room, 0))).toThrow("token-expired");
      expect(room.alarmAt).toBeUndefined();
    });
  });

  it("costs the room no alarm once it has left by itself but one", async () => {
    await withLoneRoom({}, (room) => {
      room.join("actor-alice", {}, staying(room, 10 * second)).leave();
      room.pass(10 * second);
      expect(room.alarmAt).toBeUndefined();
    });
  });
});

describe("the same client with another token", () => {
  it("goes on where it was: what was sent twice is executed once", async () => {
    await withLoneRoom({}, (room) => {
      const before = room.join("actor-alice", {}, staying(room, second));
      before.push(put("shapes", "a", { x: 1, y: 1 }));
      room.pass(second);
      const { rev } = before.copy;
      const hello = { epoch: before.greetedEpoch, rev, knownSince: 0 };
      const after = room.rejoin(before, hello, staying(room, 60 * second));
      after.pushAt(1, put("shapes", "a", { x: 1, y: 1 }), put("shapes", "b", { x: 2, y: 2 }));
      expect(Object.keys(room.collections.shapes ?? {})).toEqual(["a", "b"]);
      expect(room.room.read().rev).toBe(2);
      room.pass(59 * second);
      expect(after.closed).toBeUndefined();
      room.pass(second);
      expect(after.closed).toEqual(expired);
    });
  });

  it("that comes in time takes the place of the former, whose time is then nobody's", async () => {
    await withLoneRoom({}, (room) => {
      const before = room.join("actor-alice", {}, staying(room, second));
      const after = room.join("actor-alice", {}, staying(room, 60 * second));
      room.pass(10 * second);
      expect([before.closed?.reason, after.closed]).toEqual(["replaced", undefined]);
    });
  });

  it("of another person is refused: what the client has done is not theirs", async () => {
    await withLoneRoom({}, (room) => {
      const before = room.join("actor-alice", {}, staying(room, second));
      before.push(put("shapes", "a", { x: 1, y: 1 }));
      room.pass(second);
      const mallory = { user: { id: "mallory", name: "M" }, access: "write" as const };
      expect(() => room.join("actor-alice", {}, mallory)).toThrow("id-conflict");
    });
  });

  it("of a lower role has refused what it may no longer do", async () => {
    await withLoneRoom({}, (room) => {
      room.join("actor-alice", {}, staying(room, second)).push(put("shapes", "a", { x: 1, y: 1 }));
      room.pass(second);
      const reader = room.join("actor-alice", {}, staying(room, 60 * second, { access: "read" }));
      reader.pushAt(2, put("shapes", "a", { x: 9, y: 9 }));
      expect(reader.take()).toMatchObject([{ kind: "update", outcomes: [[2, { code: "forbidden" }]] }]);
      expect(room.collections).toEqual({ shapes: { a: { x: 1, y: 1 } } });
    });
  });
});

describe("on the platform", () => {
  it("a session ends in time though the room sleeps; another token is good, and the one that expired is not", async () => {
    const room = newPrivateRoom();
    const stays = await room.join({ token: "user:bob" });
    const token = `user:alice@${Date.now() + 1_500}`;
    const client = await room.join({ token });
    await client.commit(put("shapes", "s", { x: 1, y: 1 }));
    await room.evict();
    expect(await client.closed()).toEqual(expired);
    expect(await stays.commit(put("shapes", "t", { x: 1, y: 1 }))).toEqual([2]);
    const again = room.client({ token });
    await again.open();
    expect(await again.closed()).toEqual({ closeCode: 4401, reason: "unauthorized" });
    expect((await room.get({ headers: { Authorization: `Bearer ${token}` } })).status).toBe(401);
    await room.join({
      token: `user:alice@${Date.now() + 60_000}`,
      secret: client.secret,
    });
  });

  it("the time may be as late as a Date knows", async () => {
    const room = newPrivateRoom();
    const client = await room.join({ token: "user:alice@8640000000000000" });
    await room.evict();
    await client.commit(put("shapes", "s", { x: 1, y: 1 }));
    expect(await room.inside((_, { storage }) => storage.getAlarm())).toBeGreaterThan(Date.now());
    expect(client.closing).toBeUndefined();
  });

  it("nobody's time means no alarm", async () => {
    const room = newTestRoom();
    await room.join();
    expect(await room.inside((_, { storage }) => storage.getAlarm())).toBeNull();
  });
});
