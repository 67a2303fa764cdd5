import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { defineRoom } from "../../../src/index.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom } from "../../support/rooms/lone-room.ts";
import { newPrivateRoom, newSmallRoom, newTestRoom, put } from "../../support/rooms/test-rooms.ts";

describe("presence", () => {
  it("is announced with the person at first, then only as it changes, and taken back when its client leaves", async () => {
    const room = newPrivateRoom();
    const alice = await room.join({ token: "user:alice" });
    const bob = await room.join({ token: "reader:bob" });
    const { clientId } = bob;
    bob.setPresence({ at: 1 });
    expect((await alice.next("update")).presence).toEqual([
      ["join", clientId, { id: "bob", name: "BOB" }, { at: 1 }],
    ]);
    bob.setPresence({ at: 2 });
    expect((await alice.next("update")).presence).toEqual([["set", clientId, { at: 2 }]]);
    bob.cut();
    expect((await alice.next("update")).presence).toEqual([["leave", clientId]]);
  });

  it("of everybody else is in the peers that a newcomer is sent", async () => {
    const room = newTestRoom();
    const [alice, bob, silent] = [await room.join(), await room.join(), await room.join()];
    alice.setPresence({ at: 1, note: "hm" });
    bob.setPresence({ at: 2 });
    await silent.until(({ peers }) => peers.size === 2);
    const carol = await room.join();
    expect(Object.fromEntries(carol.copy.peers)).toEqual({
      [alice.clientId]: { user: null, presence: { at: 1, note: "hm" } },
      [bob.clientId]: { user: null, presence: { at: 2 } },
    });
  });

  it("survives hibernation, and nobody is announced twice", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    await room.evict();
    expect(await bob.quiet()).toEqual([]);
    const carol = await room.join();
    expect([...carol.copy.peers]).toEqual([[alice.clientId, { user: null, presence: { at: 1 } }]]);
    alice.setPresence({ at: 9 });
    expect((await bob.next("update")).presence).toEqual([["set", alice.clientId, { at: 9 }]]);
  });

  it("leaves no ghost of a client that went while the room slept", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    await room.evict();
    alice.cut();
    await bob.until(({ peers }) => peers.size === 0);
    await room.evict();
    expect((await room.join()).copy.peers.size).toBe(0);
  });

  it("of many changes within one flush is the newest, once for each client", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.send({ kind: "presence", presence: { at: 0 } }); // leaves at once
      bob.take();
      for (let at = 1; at <= 5; at++) alice.send({ kind: "presence", presence: { at } });
      bob.send({ kind: "presence", presence: { at: 7 } });
      bob.send({ kind: "presence", presence: { at: 8 } });
      expect(bob.take()).toEqual([]);
      room.pass(40);
      const presence = [
        ["set", idOf("actor-alice"), { at: 5 }],
        ["join", idOf("actor-bob"), null, { at: 8 }],
      ];
      expect(bob.take()).toEqual([{ kind: "update", presence }]);
    });
  });

  it("that changes is told by the fields that are others, and as a whole when one was taken away", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      const show = (...shown: object[]) => {
        for (const presence of shown) alice.send({ kind: "presence", presence } as never);
        return bob.take().map((frame) => "presence" in frame && frame.presence);
      };
      const whole = (presence: object) => [["join", idOf("actor-alice"), null, presence]];
      expect(show({ at: 1, note: "a" })).toEqual([whole({ at: 1, note: "a" })]);
      expect(show({ at: 2, note: "a" })).toEqual([[["set", idOf("actor-alice"), { at: 2 }]]]);
      expect(show({ at: 2, note: "a", code: "x" })).toEqual([[["set", idOf("actor-alice"), { code: "x" }]]]);
      expect(show({ at: 2, note: "a", code: "x" })).toEqual([]); // as after a reconnect
      expect(show({ at: 2, note: "a" })).toEqual([whole({ at: 2, note: "a" })]);
      expect(bob.copy.peers.get(idOf("actor-alice"))?.presence).toEqual({ at: 2, note: "a" });
    });
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      for (const presence of [
        { at: 0, note: "a" },
        { at: 1, note: "a" },
        { at: 1, note: "b" },
      ])
        alice.send({ kind: "presence", presence });
      room.pass(40);
      expect(bob.take().at(-1)).toEqual({
        kind: "update",
        presence: [["set", idOf("actor-alice"), { at: 1, note: "b" }]],
      });
    });
  });

  it("in a room that declares none is that somebody is here", async () => {
    const definition = defineRoom({ version: 3, collections: {} });
    await withLoneRoom({ definition }, (room) => {
      const alice = room.join("actor-alice");
      const bob = room.join("actor-bob");
      room.pass(40);
      expect([...bob.copy.peers]).toEqual([[idOf("actor-alice"), { user: null, presence: {} }]]);
      expect([...alice.copy.peers.keys()]).toEqual([idOf("actor-bob")]);
      room.evict();
      bob.leave();
      room.pass(40);
      expect(alice.copy.peers.size).toBe(0);
    });
  });

  it("over the limit is refused before the app's schema reads it, and so is an event", async () => {
    let reads = 0;
    const counted = z.json().check(z.refine(() => (reads += 1) > 0));
    const definition = defineRoom({
      version: 3,
      collections: {},
      presence: z.object({ any: counted }),
      events: { wave: counted },
    });
    await withLoneRoom({ definition }, (room) => {
      const alice = room.join("actor-alice");
      const large = Array.from({ length: 9_000 }, () => ({}));
      for (const any of [large, Object.fromEntries(Object.entries(large)), { text: "x".repeat(20_000) }]) {
        alice.send({ kind: "presence", presence: { any } });
        alice.send({ kind: "event", event: "wave", payload: any });
      }
      const codes = alice.take().flatMap((frame) => (frame.kind === "error" ? [frame.code] : []));
      expect(codes).toEqual(Array.from({ length: 6 }, () => "too-large"));
      expect(reads).toBe(0);
      alice.send({ kind: "presence", presence: { any: large.slice(0, 1_000) } });
      alice.send({ kind: "event", event: "wave", payload: large.slice(0, 5_000) });
      expect(reads).toBe(2);
      expect(alice.take().filter(({ kind }) => kind === "error")).toEqual([]);
    });
  });

  it("writes nothing to storage, and is no revision", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    expect(await room.rows()).toEqual([]);
    expect((await room.json()).rev).toBe(0);
  });

  it.each([
    ["does not fit its schema", { at: "here" }, "invalid"],
    ["has a faulty field that is called like a member of the answer", { at: 1, code: 5, kind: 6 }, "invalid"],
    ["makes the schema itself throw", { at: 666 }, "internal"],
  ])("that %s is refused, and the one before it stays", async (_, presence, code) => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    await alice.next("update");
    alice.setPresence(presence);
    expect(await alice.next("error")).toMatchObject({ code });
    expect(await bob.quiet()).toEqual([]);
    expect((await room.join()).copy.peers.get(alice.clientId)?.presence).toEqual({ at: 1 });
  });
});

describe("events", () => {
  it("reach everybody once, from readers too, in the order in which they were sent", async () => {
    const room = newPrivateRoom();
    const alice = await room.join({ token: "user:alice" });
    const bob = await room.join({ token: "reader:bob" });
    for (let index = 0; index < 20; index++) bob.sendEvent("wave", { text: `${index}` });
    await alice.until(({ events }) => events.length === 20);
    expect(alice.copy.events).toEqual(
      Array.from({ length: 20 }, (_, index) => [bob.clientId, "wave", { text: `${index}` }]),
    );
  });

  it("ride in one frame with presence and the state", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.push(put("shapes", "s", { x: 0, y: 0 }));
      bob.take();
      alice.send({ kind: "event", event: "wave", payload: { text: "a" } });
      alice.send({ kind: "presence", presence: { at: 1 } });
      alice.push(put("shapes", "s", { x: 1, y: 0 }));
      alice.send({ kind: "event", event: "wave", payload: { text: "b" } });
      room.pass(40);
      const [frame, ...more] = bob.take();
      expect(more).toEqual([]);
      expect(frame).toEqual({
        kind: "update",
        delta: { from: 1, to: 2, changes: { shapes: [["put", "s", { x: 1, y: 0 }]] } },
        presence: [["join", idOf("actor-alice"), null, { at: 1 }]],
        events: [
          [idOf("actor-alice"), "wave", { text: "a" }],
          [idOf("actor-alice"), "wave", { text: "b" }],
        ],
      });
    });
  });

  it("write nothing to storage, and are not told to whoever comes later", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.sendEvent("wave", { text: "gone with the wind" });
    await bob.until(({ events }) => events.length === 1);
    expect(await room.rows()).toEqual([]);
    expect((await room.join()).copy.events).toEqual([]);
  });

  it.each([
    ["unknown to the room", "nothing", {}],
    ["called like a member of every object", "toString", {}],
    ["whose payload does not fit", "wave", { text: 1 }],
  ])("%s are refused, and nobody hears of them", async (_, event, payload) => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.sendEvent(event, payload);
    expect(await alice.next("error")).toMatchObject({ code: "invalid" });
    expect(await bob.quiet()).toEqual([]);
  });
});
