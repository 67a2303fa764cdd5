import { describe, expect, it } from "vitest";
import { readsOf } from "../room/sessions/abuse-limit-cases.ts";
import { withLoneRoom } from "../support/rooms/lone-room.ts";

describe("answers to GET", () => {
  it("share the records of one revision", async () => {
    await withLoneRoom({}, (room) => {
      const { reads, opened, open } = readsOf(room, {});
      open("alice", "1");
      open("bob", "1");
      open("carol", "2");
      expect(reads.heldStates).toBe(2);
      for (const read of opened) read.end();
      expect([reads.size, reads.heldStates]).toEqual([0, 0]);
    });
  });

  it("that nobody reads make way for others, the longest unread first", async () => {
    await withLoneRoom({}, (room) => {
      const { reads, opened, open } = readsOf(room, { maxReads: 2 });
      const cut: number[] = [];
      open("", "1");
      open("", "2");
      for (const [index, read] of opened.entries()) read.onCut = () => cut.push(index);
      room.pass(1_000);
      opened[0]?.next();
      expect(open("")).toBe(1_000);
      room.pass(1_000);
      expect(open("")).toBe("begun");
      expect([cut, reads.size]).toEqual([[1], 2]);
    });
  });

  it("of the user who has the most make way for another user", async () => {
    await withLoneRoom({}, (room) => {
      const { opened, open } = readsOf(room, { maxReads: 3 });
      const cut: string[] = [];
      for (const owner of ["alice", "mallory", "mallory"]) open(owner);
      for (const read of opened) read.onCut = () => cut.push(read.owner);
      expect([open("bob"), cut]).toEqual(["begun", ["mallory"]]);
      expect([open("bob"), cut]).toEqual([1_000, ["mallory"]]);
    });
  });

  it("that nobody reads are cut after maxReadStallMs, and slow ones after maxReadMs", async () => {
    await withLoneRoom({}, (room) => {
      const { reads, opened, open } = readsOf(room, { maxReadStallMs: 3_000, maxReadMs: 5_000 });
      open("alice");
      open("bob");
      const cut: string[] = [];
      for (const read of opened) read.onCut = () => cut.push(read.owner);
      const cutAfter: string[][] = []; // who had been cut after each second
      for (let seconds = 1; seconds <= 6; seconds++) {
        room.pass(1_000);
        opened[1]?.next();
        cutAfter.push([...cut]);
      }
      expect([cutAfter[1], cutAfter[3]]).toEqual([[], ["alice"]]);
      expect([cut, reads.size, reads.heldStates]).toEqual([["alice", "bob"], 0, 0]);
      expect(room.hasTimer).toBe(false);
    });
  });

  it("that are read to their end leave nothing behind", async () => {
    await withLoneRoom({}, (room) => {
      const { reads, opened, open } = readsOf(room, {});
      open("alice");
      let text = "";
      for (let piece = opened[0]?.next(); piece !== undefined; piece = opened[0]?.next()) text += piece;
      const { collections } = JSON.parse(text) as { collections: { notes: object } };
      expect(Object.keys(collections.notes)).toHaveLength(100);
      expect([reads.size, reads.heldStates]).toEqual([0, 0]);
      expect(room.hasTimer).toBe(false); // the room may sleep
    });
  });
});
