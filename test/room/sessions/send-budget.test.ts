import { describe, expect, it } from "vitest";
import { frameBytes } from "../../../src/protocol/codec.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { newThriftyRoom, put } from "../../support/rooms/test-rooms.ts";

const bytesOf = (raws: readonly (string | Uint8Array)[]) =>
  raws.reduce((sum, raw) => sum + frameBytes(raw), 0);
const long = (id: string) => put("notes", id, { text: "x".repeat(500) });

describe("a session that owes acknowledgements for too much", () => {
  it.each([
    ["", ""],
    [", also when the room slept in between", "evicted"],
  ])("is sent nothing more while others go on, and then one catch-up%s", async (_, evicted) => {
    const room = newThriftyRoom();
    const [alice, stalled] = [await room.join(), await room.join({ acks: false })];
    for (let id = 0; id < 10; id++) await alice.commit(long(`n${id}`));
    const sent = await stalled.quiet();
    expect(sent.length).toBeLessThan(5);
    expect(alice.copy.rev).toBe(10);
    if (evicted) await room.evict();
    await alice.commit(long("n10"));
    alice.sendEvent("wave", { text: "still there?" });
    await alice.until(({ events }) => events.length === 1);
    expect(await stalled.quiet()).toEqual([]);

    stalled.ack();
    expect((await stalled.next("update")).delta).toMatchObject({
      from: stalled.copy.rev - 11 + sent.length,
      to: 11,
    });
    expect(await stalled.next("peers")).toBeDefined();
    expect(stalled.copy.collections).toEqual((await room.json()).collections);
  });

  it("is told the outcomes of its own calls with that catch-up", async () => {
    const room = newThriftyRoom();
    const [alice, stalled] = [await room.join(), await room.join({ acks: false })];
    for (let id = 0; id < 6; id++) await alice.commit(long(`n${id}`));
    stalled.push(["addUp", { id: "sum", by: 1 }], ["refuse", { text: "" }]);
    expect(await stalled.quiet()).not.toContainEqual(
      expect.objectContaining({ outcomes: expect.anything() }),
    );
    stalled.ack();
    expect((await stalled.outcomesOf(1, 2))[0]).toBe(7);
  });

  it("leaves nothing in the room's memory by asking again and again", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0, maxUnacknowledgedFrames: 3 } }, (room) => {
      const stalled = room.join("actor-bob");
      for (let x = 0; x < 5; x++) stalled.push(put("shapes", "s", { x, y: 0 }));
      for (let turn = 0; turn < 100; turn++) stalled.pushAt(2, put("shapes", "s", { x: 0, y: 0 }));
      expect(stalled.session?.replies.size).toBeLessThan(2);
      stalled.send({ kind: "ack", bytes: stalled.sentBytes });
      expect([...stalled.copy.outcomes.keys()]).toEqual([1, 2, 3, 4, 5]);
    });
  });

  it("is caught up after the room has slept, when it had acknowledged and only the flush was to come", async () => {
    await withLoneRoom({ limits: { maxUnacknowledgedFrames: 3 } }, (room) => {
      const [alice, stalled] = [room.join("actor-alice"), room.join("actor-bob")];
      for (let x = 0; x < 8; x++) {
        alice.push(put("shapes", "s", { x, y: 0 }));
        alice.send({ kind: "ack", bytes: 1_000_000 });
        room.pass(100);
      }
      expect(stalled.copy.rev).toBeLessThan(8);
      alice.push(put("shapes", "s", { x: 8, y: 0 }));
      alice.push(put("shapes", "s", { x: 9, y: 0 })); // waits for the next flush
      stalled.send({ kind: "ack", bytes: stalled.sentBytes });
      expect(stalled.copy.rev).toBeLessThan(8);
      room.evict();
      room.pass(0);
      expect(stalled.copy.rev).toBe(9);
      expect(stalled.copy.collections).toEqual(room.collections);
    });
  });

  it("waits until it owes no more than half, so that it is not fed by the crumb", async () => {
    const room = newThriftyRoom();
    const [alice, stalled] = [await room.join(), await room.join({ acks: false })];
    for (let id = 0; id < 6; id++) await alice.commit(long(`n${id}`));
    await stalled.quiet();
    stalled.ack(stalled.owedBytes - 1_500);
    expect(await stalled.quiet()).toEqual([]);
    stalled.ack();
    await stalled.until(({ rev }) => rev === 6);
  });

  it("is sent every flush again after that, even when the room slept right behind its acknowledgement", async () => {
    const room = newThriftyRoom();
    const [alice, stalled] = [await room.join(), await room.join({ acks: false })];
    for (let id = 0; id < 6; id++) await alice.commit(long(`n${id}`));
    await stalled.quiet();
    stalled.ack();
    await stalled.until(({ rev }) => rev === 6);
    stalled.ack();
    await stalled.quiet();
    await room.evict();
    await alice.commit(put("shapes", "s", { x: 1, y: 1 }));
    await stalled.until(({ rev }) => rev === 7);
    expect(stalled.copy.get("shapes", "s")).toEqual({ x: 1, y: 1 });
  });

  it("comes to rest in a quiet room, even when the peers alone is more than it may owe", async () => {
    const room = newThriftyRoom();
    const crowd = [await room.join(), await room.join(), await room.join()];
    for (const peer of crowd) peer.setPresence({ at: 1, note: "x".repeat(900) });
    for (const peer of crowd) await peer.until(({ peers }) => peers.size === 2);
    const alice = await room.join();
    expect(bytesOf(alice.raws)).toBeGreaterThan(2_048);
    for (let turn = 0; turn < 20; turn++) await alice.quiet();
    const frames = alice.raws.length;
    for (let turn = 0; turn < 20; turn++) await alice.quiet();
    expect(alice.raws.length - frames).toBe(20); // the answers to `quiet`, and no more rosters
    await crowd[0]?.commit(put("shapes", "s", { x: 1, y: 1 }));
    await alice.until(({ rev }) => rev === 1);
  });

  it("is caught up once for all that it asks meanwhile, when it acknowledges", async () => {
    await withLoneRoom(
      { limits: { maxUnacknowledgedBytes: 3_000, pageBytes: 512, resyncsBurst: 100 } },
      (room) => {
        const [alice, stalled] = [room.join("actor-alice"), room.join("actor-bob")];
        for (let id = 0; id < 20; id++) alice.push(long(`n${id}`));
        room.pass(10_000);
        const { sentBytes } = stalled;
        for (let tag = 1; tag <= 50; tag++)
          stalled.send({ kind: "resync", tag, epoch: stalled.greetedEpoch, rev: 20, confirmed: 0 });
        expect(stalled.sentBytes).toBe(sentBytes);
        for (let turn = 0; turn < 20; turn++) stalled.send({ kind: "ack", bytes: stalled.sentBytes });
        const tags = stalled.take().flatMap((frame) => ("tag" in frame ? [frame.tag] : []));
        expect(tags.at(-1)).toBe(50);
        expect(tags.length).toBeLessThan(4);
        expect(stalled.copy.collections).toEqual(room.collections);
      },
    );
  });

  it("is closed when it provokes answers without end and acknowledges none, and nobody else notices", async () => {
    await withLoneRoom({}, (room) => {
      const [mallory, bob] = [room.join("actor-mallory"), room.join("actor-bob")];
      for (let message = 0; message < 1_000; message++) mallory.sendRaw("{");
      expect(mallory.closed).toEqual({ closeCode: 4429, reason: "rate-limited" });
      expect(mallory.take().length).toBeLessThan(110);
      bob.push(put("shapes", "s", { x: 1, y: 1 }));
      room.pass(40);
      expect(bob.copy.lastCallId).toBe(1);
    });
  });
});

describe("a flush that is too much for all at once", () => {
  const limits = { flushIntervalMs: 0, maxAllUnacknowledgedBytes: 900_000, maxUnacknowledgedBytes: 500_000 };
  const large = put("notes", "large", { text: "x".repeat(200_000) });
  const crowd = (room: LoneRoom) =>
    Array.from({ length: 12 }, (_, index) => room.join(`actor-crowd-${index}`));
  const bytesSentTo = (clients: readonly LoneClient[]) =>
    clients.reduce((sum, { sentBytes }) => sum + sentBytes, 0);

  it.each([
    ["", ""],
    [", also when the room slept in between", "evicted"],
  ])("goes to the others as the first have read it%s", async (_, evicted) => {
    await withLoneRoom({ limits }, (room) => {
      const [alice, ...others] = crowd(room);
      alice?.push(large);
      expect(bytesSentTo(others)).toBeLessThan(900_000);
      if (evicted) {
        room.evict();
        room.pass(0);
      }
      for (let turn = 0; turn < 12; turn++)
        for (const client of others.filter(({ copy }) => copy.rev === 1))
          client.send({ kind: "ack", bytes: client.sentBytes });
      expect(others.map(({ copy }) => copy.rev)).toEqual(others.map(() => 1));
    });
  });

  it("goes to the others as well when the first leave without having read it", async () => {
    await withLoneRoom({ limits }, (room) => {
      const [alice, ...others] = crowd(room);
      alice?.push(large);
      const [first, rest] = [
        others.filter(({ copy }) => copy.rev === 1),
        others.filter(({ copy }) => copy.rev === 0),
      ];
      expect([first.length > 2, rest.length > 2]).toEqual([true, true]);
      for (const client of first) client.leave();
      room.pass(100);
      expect(rest.filter(({ copy }) => copy.rev === 1).length).toBeGreaterThanOrEqual(first.length - 1);
    });
  });

  it("holds up neither what is small, nor who comes, nor those who are not to blame", async () => {
    await withLoneRoom({ limits: { ...limits, maxStallMs: 5_000 } }, (room) => {
      const [alice, ...others] = crowd(room);
      alice?.push(large);
      const waiting = others.filter(({ copy }) => copy.rev === 0);
      const carol = room.join("actor-carol");
      carol.send({ kind: "ack", bytes: carol.sentBytes });
      carol.push(put("shapes", "s", { x: 1, y: 1 }));
      expect(carol.copy.lastCallId).toBe(1);
      room.pass(5_000);
      expect(others.filter(({ closed }) => closed?.reason === "timeout").length).toBeGreaterThan(2);
      expect(waiting.filter(({ closed }) => closed)).toEqual([]);
      expect(waiting.filter(({ copy }) => copy.rev === 2).length).toBeGreaterThan(2);
    });
  });
});
