import { describe, expect, it } from "vitest";
import {
  newSmallRoom,
  newTestRoom,
  newThriftyRoom,
  patch,
  put,
  remove,
  type AnyRoom,
} from "../../support/rooms/test-rooms.ts";
import type { WireClient } from "../../support/clients/wire-client.ts";

/** What they are is judged by `ClientCopy`. */
const checksums: unknown = expect.anything();

/** Twenty notes of 100 characters: enough for several pages of 512 bytes, and for deltas to be the shorter way. */
async function fill(writer: WireClient): Promise<void> {
  await writer.commit(["fill", { count: 20, chars: 100 }]);
}

async function commitEach(writer: WireClient, count: number): Promise<void> {
  for (let x = 1; x <= count; x++) await writer.commit(put("shapes", "moving", { x, y: 0 }));
}

async function expectSameAs(room: AnyRoom, ...clients: readonly WireClient[]): Promise<void> {
  const { epoch, rev, collections } = await room.json();
  for (const { copy } of clients) {
    expect([copy.epoch, copy.rev]).toEqual([epoch, rev]);
    expect(copy.collections).toEqual(collections);
  }
}

describe.each([
  ["while the room is awake", async () => {}],
  ["after the room has slept", async (room: AnyRoom) => await room.evict()],
])("a client that comes back, %s,", (_, interlude) => {
  it("is told that it is up to date, in a few bytes", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    await bob.until(({ rev }) => rev === 1);
    bob.cut();
    await interlude(room);
    await bob.open();
    expect(await bob.caughtUp()).toEqual({ kind: "update", tag: 0, lastCallId: 0, checksums });
    await expectSameAs(room, alice, bob);
  });

  it("is sent the ten operations that it missed, squashed, and not the state", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    await bob.until(({ rev }) => rev === 1);
    bob.cut();
    await commitEach(alice, 8);
    await alice.commit(patch("notes", "fill-3", { tags: ["seen"] }));
    await alice.commit(remove("notes", "fill-4"));
    await interlude(room);
    await bob.open();
    expect(await bob.caughtUp()).toEqual({
      kind: "update",
      tag: 0,
      lastCallId: 0,
      checksums,
      delta: {
        from: 1,
        to: 11,
        changes: {
          shapes: [["put", "moving", { x: 8, y: 0 }]],
          notes: [
            ["patch", "fill-3", { tags: ["seen"] }],
            ["delete", "fill-4"],
          ],
        },
      },
    });
    await expectSameAs(room, alice, bob);
  });

  it("is sent a delta from merged history when it missed more than the ring buffer holds", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    await commitEach(alice, 15); // so that the fill itself is merged with these, and not with what bob misses
    await bob.until(({ rev }) => rev === 16);
    bob.cut();
    await commitEach(alice, 20); // the ring holds eight
    await interlude(room);
    await bob.open();
    const { parts, delta } = await bob.caughtUp();
    expect(parts).toBeUndefined();
    expect(delta?.to).toBe(36);
    expect(delta?.changes).toEqual({ shapes: [["put", "moving", { x: 20, y: 0 }]] });
    await expectSameAs(room, alice, bob);
  });

  it("is sent a snapshot when that is smaller than what it missed", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    await bob.until(({ rev }) => rev === 1);
    bob.cut();
    const deletions = Array.from({ length: 20 }, (_, id) => ["delete", `fill-${id}`]);
    await alice.commit(["transact", { notes: deletions }]);
    await commitEach(alice, 6); // the eighth flush brings a checkpoint: now the state is one shape, and history whole
    await interlude(room);
    await bob.open();
    expect(await bob.caughtUp()).toHaveProperty("parts");
    await expectSameAs(room, alice, bob);
  });

  it("is sent a snapshot when history no longer reaches back to it", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await alice.commit(put("shapes", "moving", { x: 0, y: 0 }));
    await bob.until(({ rev }) => rev === 1);
    bob.cut();
    await commitEach(alice, 40);
    await interlude(room);
    await bob.open();
    expect(await bob.caughtUp()).toHaveProperty("parts");
    await expectSameAs(room, alice, bob);
  });

  it("is sent a snapshot when it knows another epoch", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    await interlude(room);
    await bob.open({ epoch: "of-another-history" });
    expect(await bob.caughtUp()).toHaveProperty("parts");
    await expectSameAs(room, bob);
  });

  it("is sent a snapshot when it is ahead of the room, and the others go on undisturbed", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    await bob.until(({ rev }) => rev === 1);
    await interlude(room);
    await alice.quiet();
    await bob.open({ rev: 2 });
    expect(await bob.caughtUp()).toHaveProperty("parts");
    expect(await alice.quiet()).toEqual([]);
    await expectSameAs(room, alice, bob);
  });

  it("is live from then on", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await fill(alice);
    bob.cut();
    await commitEach(alice, 3);
    await interlude(room);
    await bob.open();
    await bob.caughtUp();
    await bob.commit(put("shapes", "bobs", { x: 0, y: 0 }));
    expect(bob.copy.outcomes.get(1)).toBe(5);
    await alice.until(({ rev }) => rev === 5);
    await alice.commit(put("shapes", "alices-own", { x: 0, y: 0 }));
    await bob.until(({ rev }) => rev === 6);
    await expectSameAs(room, alice, bob);
  });
});

describe("a resync", () => {
  it("is answered from the revision that it names, with its tag, the outcomes and who is here", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    bob.setPresence({ at: 1 });
    await alice.until(({ peers }) => peers.size === 1);
    await fill(alice);
    await commitEach(alice, 3);
    alice.send({ kind: "resync", tag: 7, epoch: alice.copy.epoch, rev: 2, confirmed: 3 });
    const moved = ["put", "moving", { x: 3, y: 0 }];
    const delta = { from: 2, to: 4, changes: { shapes: [moved] } };
    expect(await alice.next("update")).toEqual({
      kind: "update",
      tag: 7,
      lastCallId: 4,
      outcomes: [[4, 4, expect.any(Number)]],
      delta,
      checksums,
    });
    expect(await alice.next("peers")).toEqual({ kind: "peers", peers: [[bob.clientId, null, { at: 1 }]] });
  });

  it("that names no epoch is answered with a snapshot", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    await fill(alice);
    alice.send({ kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 1 });
    expect(await alice.next("update")).toMatchObject({ tag: 1, parts: 0, delta: { to: 1 } });
    await expectSameAs(room, alice);
  });
});

describe("a snapshot", () => {
  /** A room whose checkpoint has several pages, and somebody who knows it. */
  async function roomOfPages() {
    const room = newThriftyRoom();
    const alice = await room.join();
    await fill(alice);
    await commitEach(alice, 8);
    expect(await room.sql("SELECT * FROM deltaroom_page WHERE collection = 'notes'")).toHaveLength(5);
    return { room, alice };
  }

  it("comes in parts that are the stored pages, byte for byte, and end where the next begins", async () => {
    const { room } = await roomOfPages();
    const bob = await room.join();
    const pages = (await room.sql("SELECT records FROM deltaroom_page ORDER BY collection, firstId")) as {
      records: string;
    }[];
    const ranges = bob.frames.filter((frame) => frame.kind === "snapshot");
    const parts = bob.raws.filter((_, index) => bob.frames[index]?.kind === "snapshot");
    expect(parts).toHaveLength(6);
    for (const [index, { records }] of pages.entries()) {
      const page = new TextEncoder().encode(records);
      expect((parts[index] as Uint8Array).slice(-page.length)).toEqual(page);
    }
    const notes = ranges.filter(({ collection }) => collection === "notes");
    expect(notes[0]?.from).toBe("");
    expect(notes.map(({ until }) => until)).toEqual([...notes.slice(1).map(({ from }) => from), null]);
    await expectSameAs(room, bob);
  });

  it("carries on behind each acknowledgement, and with what was committed meanwhile is the state", async () => {
    const { room, alice } = await roomOfPages();
    const bob = room.client({ acks: false });
    await bob.open();
    const first = await bob.quiet();
    expect(new Set(first.map(({ kind }) => kind))).toEqual(new Set(["welcome", "snapshot"]));
    expect(first.length).toBeLessThan(6);

    // Not a word of these reaches bob before his snapshot is whole.
    await alice.commit(patch("notes", "fill-0", { text: "sent already" }));
    await alice.commit(patch("notes", "fill-9", { text: "not sent yet" }), remove("notes", "fill-8"));
    await alice.commit(put("notes", "fill-1-and-a-half", { text: "new" }), put("tasks", "x", { title: "" }));
    expect(await bob.quiet()).toEqual([]);
    expect(bob.copy.epoch).toBeNull();

    for (let ack = 0; bob.copy.epoch === null; ack++) {
      expect(ack).toBeLessThan(10);
      bob.ack();
      await bob.quiet();
    }
    await expectSameAs(room, alice, bob);
  });

  it.each([
    ["in the middle of which the room slept", async (room: AnyRoom) => await room.evict()],
    [
      "in the middle of which pages were split and emptied",
      async (room: AnyRoom, alice: WireClient) => {
        for (let id = 0; id < 6; id++) await alice.commit(remove("notes", `fill-${id}`));
        for (let id = 0; id < 12; id++)
          await alice.commit(put("notes", `fill-7${id}`, { text: "y".repeat(100) }));
      },
    ],
    [
      "that took so long that history forgot where it began",
      async (_: AnyRoom, alice: WireClient) => {
        for (let round = 0; round < 3; round++) {
          for (let id = 0; id < 10; id++) {
            await alice.commit(put("notes", `fill-${id}`, { text: `${round}`.repeat(200) }));
          }
        }
      },
    ],
  ])("%s is whole in the end", async (_, interlude) => {
    const { room, alice } = await roomOfPages();
    const bob = room.client({ acks: false });
    await bob.open();
    await bob.quiet();
    await interlude(room, alice);
    for (let ack = 0; bob.copy.epoch === null; ack++) {
      expect(ack).toBeLessThan(20);
      bob.ack();
      await bob.quiet();
    }
    await expectSameAs(room, alice, bob);
    bob.ack();
    await alice.commit(put("shapes", "after", { x: 0, y: 0 }));
    await bob.until(({ rev }) => rev === alice.copy.rev);
  });

  it("goes on after the room has slept where it was, without a part twice", async () => {
    const { room } = await roomOfPages();
    const bob = room.client({ acks: false });
    await bob.open();
    const parts: number[] = [];
    while (bob.copy.epoch === null) {
      for (const frame of await bob.quiet()) if (frame.kind === "snapshot") parts.push(frame.part);
      await room.evict();
      bob.ack();
    }
    expect(parts).toEqual([...parts.keys()]);
    await expectSameAs(room, bob);
  });
});
