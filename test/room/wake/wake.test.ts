import { describe, expect, it } from "vitest";
import type { Collections } from "../../support/clients/client-copy.ts";
import { withLoneRoom } from "../../support/rooms/lone-room.ts";
import { linesLogged } from "../../support/logged-lines.ts";
import { newSmallRoom, newTestRoom, patch, put, remove } from "../../support/rooms/test-rooms.ts";

const commits = async (room: Pick<ReturnType<typeof newSmallRoom>, "join">, count: number) => {
  const alice = await room.join();
  for (let x = 1; x <= count; x++) await alice.commit(put("shapes", `s${x % 7}`, { x, y: 0 }));
  return alice;
};

describe("a room that wakes", () => {
  it.each([
    ["its journal alone", 5, 0],
    ["its pages alone", 8, 8],
    ["its pages and the journal above them", 13, 8],
    ["a journal whose slots were used many times", 100, 96],
  ])("from %s is what it was", async (_, count, pagesHold) => {
    // Its clock is the test's, so that it is never quiet, however slow the machine: only its rows make it write a checkpoint.
    await withLoneRoom({ limits: { flushIntervalMs: 0, maxRingFlushes: 8, pageBytes: 512 } }, (room) => {
      const alice = room.join("actor-alice");
      let acknowledged = 0;
      for (let x = 1; x <= count; x++) {
        alice.push(put("shapes", `s${x % 7}`, { x, y: 0 }));
        alice.send({ kind: "ack", bytes: alice.sentBytes - acknowledged });
        acknowledged = alice.sentBytes;
        room.pass(20); // for its rate limits
      }
      const before = room.collections;
      expect(room.sql.exec("SELECT flushSeq, rev FROM deltaroom_room").toArray()).toEqual([
        { flushSeq: pagesHold, rev: pagesHold },
      ]);
      room.evict();
      expect([room.collections, room.room.read().rev]).toEqual([before, count]);
      room.evict();
      const id = alice.push(put("shapes", "after", { x: 0, y: 0 }));
      expect(alice.copy.outcomes.get(id)).toBe(count + 1);
    });
  });

  it("keeps to sixteen rows of journal, whose numbers never start again", async () => {
    const room = newSmallRoom();
    for (let nap = 0; nap < 4; nap++) {
      (await commits(room, 10)).cut();
      await room.evict();
    }
    const numbers = (await room.rows()).map(({ flushSeq }) => flushSeq);
    expect(numbers).toEqual(Array.from({ length: 16 }, (_, index) => 25 + index));
  });

  it(
    "is what its clients saw, whatever was edited and however often it slept",
    { timeout: 20_000 },
    async () => {
      const room = newSmallRoom();
      const [alice, bob] = [await room.join(), await room.join()];
      const truth: Collections = { notes: {} };
      const notes = truth["notes"] as Record<string, { text: string; tags?: string[] }>;
      let seed = 7;
      const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
      for (let turn = 0; turn < 150; turn++) {
        const id = `n${random(40)}`;
        const text = `${turn}`.repeat(1 + random(60));
        const before = notes[id];
        if (before === undefined || random(3) === 0) {
          notes[id] = { text };
          await alice.commit(put("notes", id, { text }));
        } else if (random(2) === 0) {
          notes[id] = { ...before, tags: [text] };
          await alice.commit(patch("notes", id, { tags: [text] }));
        } else {
          delete notes[id];
          await alice.commit(remove("notes", id));
        }
        if (turn % 23 === 0) await room.evict();
      }
      await bob.until(({ rev }) => rev === 150);
      expect((await room.json()).collections).toEqual(truth);
      expect(bob.copy.collections).toEqual(truth);
      const carol = await room.join();
      expect(carol.copy.collections).toEqual(truth);
    },
  );

  it("fails loudly, and serves nothing, when a row is missing that the pages do not hold", async () => {
    const room = newTestRoom();
    await commits(room, 5);
    await room.sql("DELETE FROM deltaroom_journal WHERE flushSeq = 3");
    await room.evict();
    const lines = linesLogged();
    expect((await room.get()).status).toBe(503);
    expect(lines[0]).toMatchObject({
      event: "room-failed",
      error: expect.stringContaining("journal gap: have flush 2 at 2, got 4 from 3"),
    });
    const client = room.client();
    await client.open();
    expect(await client.closed()).toEqual({ closeCode: 4500, reason: "internal" });
    expect(client.raws).toEqual([]);
  });

  it("refuses storage that another version has written", async () => {
    const room = newTestRoom();
    await (await room.join()).commit(put("shapes", "s", { x: 0, y: 0 }));
    await room.sql("UPDATE deltaroom_room SET layout = 2");
    await room.evict();
    const lines = linesLogged();
    expect((await room.get()).status).toBe(503);
    expect(lines[0]).toMatchObject({
      event: "room-failed",
      error: expect.stringContaining("storage has layout 2, known is 10"),
    });
  });
});
