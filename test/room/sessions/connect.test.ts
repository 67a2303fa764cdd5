import type { Access } from "../../../src/schema/access.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defaultLimits } from "../../../src/room/limits.ts";
import { codes } from "../../../src/protocol/codes.ts";
import type { Hello } from "../../../src/protocol/handshake/hello.ts";
import type { Attachment } from "../../../src/room/sessions/session.ts";
import { defineRoom } from "../../../src/index.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom } from "../../support/rooms/lone-room.ts";
import { newPrivateRoom, newSmallRoom, newTestRoom, put } from "../../support/rooms/test-rooms.ts";
import { testBoard } from "../../support/boards/test-board.ts";

/** What a client is told of the limits, to pace itself by. */
const told = [
  "callsPerSecond",
  "callsBurst",
  "maxCallsPerFrame",
  "maxFrameBytes",
  "maxUnacknowledgedBytes",
  "maxUnacknowledgedFrames",
  "ephemeralPerSecond",
  "ephemeralBurst",
] as const;

const edit = put("shapes", "s", { x: 1, y: 1 });

/** Everybody is told who comes, without a word of their own. */
const table = defineRoom({
  version: 3,
  collections: { shapes: z.object({ x: z.number(), y: z.number() }) },
  direct: ["shapes"],
  mutators: () => ({}),
});

describe("connecting", () => {
  it("takes one round trip: welcome, state and peers arrive right behind the 101, before any frame was sent", async () => {
    const room = newPrivateRoom();
    const alice = await room.join({ token: "user:alice" });
    await alice.commit(edit);
    alice.setPresence({ at: 5 });
    await alice.next("update");

    const bob = room.client({ token: "user:bob" });
    const response = await bob.open();
    expect(response.status).toBe(101);
    expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("deltaroom.v1");
    expect(await bob.next("welcome")).toEqual({
      kind: "welcome",
      epoch: (await room.sql("SELECT epoch FROM deltaroom_room"))[0]?.["epoch"],
      clientId: bob.clientId,
      user: { id: "bob", name: "BOB" },
      access: "write",
      role: "user",
      knownSince: 1,
      acceptsBinary: false,
      limits: Object.fromEntries(told.map((limit) => [limit, defaultLimits[limit]])),
    });
    expect(await bob.next("update")).toEqual({
      kind: "update",
      tag: 0,
      lastCallId: 0,
      parts: 0,
      checksums: expect.objectContaining({ shapes: expect.any(Number) as number }) as unknown,
      delta: { from: 0, to: 1, changes: { shapes: [["put", "s", { x: 1, y: 1 }]] } },
    });
    expect((await bob.next("peers")).peers).toEqual([
      [alice.clientId, { id: "alice", name: "ALICE" }, { at: 5 }],
    ]);
  });

  it("to an empty room gives an empty state", async () => {
    const alice = newTestRoom().client();
    await alice.open();
    expect((await alice.caughtUp()).delta).toEqual({ from: 0, to: 0, changes: {} });
  });

  it("waits for the flush of what others have done, so that nobody is shown what a crash can take back", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit);
      alice.push(put("shapes", "s", { x: 2, y: 2 })); // waits for the next flush
      const bob = room.join("actor-bob");
      expect(bob.seen.map(({ kind }) => kind)).toEqual(["welcome"]);
      expect(room.rows).toEqual([[1, 0, 1]]);
      room.pass(32);
      expect(bob.copy.rev).toBe(2);
      expect(room.rows).toEqual([
        [1, 0, 1],
        [2, 1, 2],
      ]);
    });
  });

  it("by many at once costs everybody who is here one frame, and each of them is told of all others", async () => {
    await withLoneRoom({ definition: table }, (room) => {
      const alice = room.join("actor-alice");
      room.pass(100);
      alice.take();
      const names = Array.from({ length: 20 }, (_, index) => `actor-guest-${index}`);
      const guests = names.map((name) => room.join(name)); // the first is told of at once
      const ids = names.map(idOf);
      room.pass(100);
      const frames = alice.take();
      expect(frames.map(({ kind }) => kind)).toEqual(["update", "update"]);
      expect([...alice.copy.peers.keys()].toSorted()).toEqual(ids.toSorted());
      for (const [index, guest] of guests.entries()) {
        const others = [idOf("actor-alice"), ...ids.filter((_, other) => other !== index)];
        const known = [...guest.copy.peers.keys()].filter((clientId) => clientId !== ids[index]);
        expect(known.toSorted()).toEqual(others.toSorted());
      }
    });
  });

  it("is made good after the room has slept in between", async () => {
    await withLoneRoom({ definition: table }, (room) => {
      const alice = room.join("actor-alice");
      room.pass(100);
      alice.push(edit);
      alice.push(put("shapes", "s", { x: 2, y: 2 }));
      const [bob, carol] = [room.join("actor-bob"), room.join("actor-carol")];
      room.evict(); // and with it the second edit, of which nobody was told
      room.pass(0);
      expect([bob.copy.rev, carol.copy.rev]).toEqual([1, 1]);
      expect([...bob.copy.peers.keys()]).toContain(idOf("actor-carol"));
      alice.pushAt(2, put("shapes", "s", { x: 2, y: 2 }));
      room.pass(100);
      expect([bob.copy.rev, carol.copy.rev]).toEqual([2, 2]);
    });
  });

  it("by one who leaves again before the flush is no trouble", async () => {
    await withLoneRoom({ definition: table }, (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit);
      alice.push(edit);
      const bob = room.join("actor-bob");
      const again = room.rejoin(bob, { attempt: 1 });
      room.join("actor-carol").leave();
      room.pass(100);
      expect(bob.seen.map(({ kind }) => kind)).toEqual(["welcome"]);
      expect(again.copy.rev).toBe(2);
      expect([...alice.copy.peers.keys()]).toEqual([idOf("actor-bob")]);
    });
  });

  it.each([
    ["", ""],
    [" while it slept", "evicted"],
  ])("by the same client again replaces its session%s", async (_, evicted) => {
    const room = newTestRoom();
    const [first, bystander] = [await room.join({ name: "actor-alice" }), await room.join()];
    first.setPresence({ at: 3 });
    await bystander.until(({ peers }) => peers.size === 1);
    if (evicted) await room.evict();

    const second = await room.join({ secret: first.secret });
    expect(await first.closed()).toEqual({ closeCode: 4410, reason: "replaced" });
    expect(await bystander.quiet()).toEqual([]); // the same person, still here
    const carol = await room.join();
    expect([...carol.copy.peers]).toEqual([[idOf("actor-alice"), { user: null, presence: { at: 3 } }]]);
    expect(await second.commit(edit)).toEqual([1]);
  });

  it("by the same client under another name is told to the others at once, also after the room has slept", async () => {
    const as = (name: string, access: Access = "write") => ({ user: { id: "alice", name }, access });
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const bob = room.join("actor-bob");
      const alice = room.join("actor-alice", {}, as("Alice"));
      const seen = () => bob.copy.peers.get(idOf("actor-alice"));
      alice.send({ kind: "presence", presence: { at: 1 } });
      expect(seen()).toEqual({ user: as("Alice").user, presence: { at: 1 } });
      room.join("actor-alice", {}, as("Alicia"));
      expect(seen()).toEqual({ user: as("Alicia").user, presence: { at: 1 } });
      room.evict();
      room.join("actor-alice", {}, as("Alison"));
      expect(seen()).toEqual({ user: as("Alison").user, presence: { at: 1 } });
      bob.take();
      room.join("actor-alice", {}, as("Alison"));
      const reader = room.join("actor-alice", {}, as("Alison", "read")); // a role is shown to nobody
      expect(bob.take()).toEqual([]);
      reader.push(edit);
      expect(bob.copy.rev).toBe(0);
    });
  });

  it("by the same client under another name is told in a room without presence, and not of a client that shows none", async () => {
    const as = (name: string) => ({ user: { id: "alice", name }, access: "write" as const });
    const user = z.object({ id: z.string(), name: z.string() });
    const guests = defineRoom({ version: 3, user, collections: {}, mutators: () => ({}) });
    for (const [definition, shown] of [
      [guests, { user: as("Alicia").user, presence: {} }],
      [testBoard, undefined],
    ] as const) {
      await withLoneRoom({ definition, limits: { flushIntervalMs: 0 } }, (room) => {
        const bob = room.join("actor-bob");
        room.join("actor-alice", {}, as("Alice"));
        room.join("actor-alice", {}, as("Alicia"));
        expect(bob.copy.peers.get(idOf("actor-alice"))).toEqual(shown);
      });
    }
  });

  it("by the same client again ends what its former socket may do", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const [former, alice] = [room.join("actor-alice"), room.join("actor-alice")];
      former.push(edit);
      former.leave();
      expect(alice.copy.rev).toBe(0);
      alice.push(edit);
      expect(alice.copy.rev).toBe(1);
    });
  });

  it("by a client that comes before the close of its former socket, both of which wake the room, is the one that counts", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const former = room.join("actor-alice");
      const attachment = former.attachment as Attachment;
      former.attachment = undefined; // its socket is closing, so that it is not there on wake
      room.evict();
      const alice = room.join("actor-alice");
      former.session = room.room.restore(former.socket, attachment);
      former.leave();
      alice.push(edit);
      expect(alice.copy.rev).toBe(1);
    });
  });

  it("by a client whose old socket never answers its close works on after the room has slept", async () => {
    const room = newTestRoom();
    const lost = await room.join({ name: "actor-alice", allowHalfOpen: true });
    const alice = await room.join({ secret: lost.secret });
    await lost.closed();
    const claims = await room.inside((_, ctx) =>
      ctx.getWebSockets().map((socket) => socket.deserializeAttachment()),
    );
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
    await room.evict();
    expect(await alice.commit(edit)).toEqual([1]);
    expect((await room.json()).rev).toBe(1);
  });

  it("in an attempt that is older than the one that is here is refused, and replaces nobody", async () => {
    const room = newTestRoom();
    const id = { secret: "the-same-secret-for-both" };
    const [newer, older] = [room.client(id), room.client(id)];
    await newer.open({ attempt: 7 });
    await newer.caughtUp();
    for (const attempt of [6, undefined]) {
      await older.open({ attempt });
      expect(await older.closed()).toEqual({ closeCode: codes.replaced.closeCode, reason: "replaced" });
      await room.evict();
    }
    expect(await newer.commit(edit)).toEqual([1]);
    await older.open({ attempt: 7 });
    expect(await newer.closed()).toMatchObject({ reason: "replaced" });
    await older.caughtUp();
  });

  it("under a client id that another user has used is refused, while that client is here and after it has gone", async () => {
    const room = newPrivateRoom();
    const id = { secret: "the-same-secret-for-both" };
    const alice = await room.join({ ...id, token: "user:alice" });
    const bob = room.client({ ...id, token: "user:bob" });
    await bob.open();
    expect(await bob.closed()).toEqual({ closeCode: 4411, reason: "id-conflict" });
    await alice.commit(edit);
    alice.cut();
    await room.evict();
    await bob.open();
    expect(await bob.closed()).toMatchObject({ closeCode: 4411 });
    for (let flush = 0; flush < 40; flush++) await (await room.join({ token: "user:carol" })).commit(edit);
    await room.evict();
    await bob.open();
    expect(await bob.closed()).toMatchObject({ closeCode: 4411 });
    await alice.open();
    expect(await alice.caughtUp()).toMatchObject({ lastCallId: 1 });
  });

  it("is under the id of its own secret: a client that has made no call cannot be taken over while it is away", async () => {
    const room = newTestRoom();
    const [alice, bystander] = [await room.join({ name: "actor-alice" }), await room.join()];
    alice.setPresence({ at: 1 });
    await bystander.until(({ peers }) => peers.size === 1);
    alice.cut();
    const thief = room.client();
    await thief.open({ clientId: alice.clientId, client: alice.clientId } as Partial<Hello>);
    await thief.caughtUp();
    thief.setPresence({ at: 2 });
    await bystander.until(({ peers }) => peers.get(thief.clientId) !== undefined);
    expect([thief.copy.welcome?.clientId, bystander.copy.peers.has(alice.clientId)]).toEqual([
      thief.clientId,
      false,
    ]);
    await thief.open({ secret: alice.clientId.padEnd(20, "-") });
    expect((await thief.next("welcome")).clientId).not.toBe(alice.clientId);
    await thief.open({ secret: alice.clientId });
    expect(await thief.closed()).toEqual({ closeCode: 4400, reason: "invalid" });
    await alice.open();
    await alice.caughtUp();
    expect(alice.copy.welcome?.clientId).toBe(alice.clientId);
    expect(await alice.commit(edit)).toEqual([1]);
  });

  it("with another version of the schema is refused, and writes nothing", async () => {
    const room = newTestRoom();
    const alice = room.client();
    await alice.open({ schema: 2 });
    expect(await alice.closed()).toEqual({ closeCode: 4426, reason: "schema-mismatch" });
    expect(await room.sql("SELECT name FROM sqlite_master WHERE name = 'deltaroom_room'")).toEqual([]);
  });

  it("to a room that was restored is sent away, and then starts from its snapshot", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(edit);
    await room.sql("UPDATE deltaroom_room SET epoch = 'restored'");
    await room.sql("UPDATE deltaroom_journal SET epoch = 'restored'");
    await room.evict();
    expect(await room.json()).toMatchObject({ epoch: "restored", rev: 1 }); // wakes it
    expect(await alice.closed()).toEqual({ closeCode: 4420, reason: "epoch-changed" });
    await alice.open();
    expect(await alice.caughtUp()).toMatchObject({ parts: 0, lastCallId: 1 });
    expect(alice.copy.epoch).toBe("restored");
  });

  it("is refused to a client whose calls the room no longer knows, and to no other", async () => {
    const room = newSmallRoom(); // remembers two clients
    const [alice, watcher] = [await room.join(), await room.join()];
    await watcher.commit(edit);
    await alice.commit(edit);
    alice.cut();
    const others = [await room.join(), await room.join()];
    for (const other of others)
      for (let x = 0; x < 8; x++) await other.commit(put("shapes", "s", { x, y: 0 }));
    await room.evict();

    await alice.open();
    expect(await alice.closed()).toEqual({ closeCode: 4412, reason: "too-old" });
    // As many as the room remembers are here, so none of them was forgotten.
    watcher.pushAt(1, put("shapes", "s", { x: 99, y: 0 }));
    await watcher.quiet();
    expect((await room.json()).collections["shapes"]).toEqual({ s: { x: 7, y: 0 } });
    const newcomer = await room.join();
    expect(await newcomer.commit(edit)).toHaveLength(1);
  });
});
