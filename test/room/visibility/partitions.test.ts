import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineRoom } from "../../../src/index.ts";
import { Engine } from "../../../src/room/engine/engine.ts";
import { wake } from "../../../src/room/storage/room-state.ts";
import {
  canOwn,
  collectionOf,
  ownerIn,
  rangeOf,
  Partitions,
} from "../../../src/room/visibility/partitions.ts";
import { Views } from "../../../src/room/visibility/view.ts";
import { Journal } from "../../../src/room/storage/journal.ts";
import { MemoryStorage } from "../../../testing/memory-storage.ts";
import { tinyLimits } from "../../support/rooms/journaled-room.ts";
import { copyOfState } from "../../support/random-edits.ts";

describe("who owns a private record", () => {
  test("is said before the first slash of its id", () => {
    expect(["ann/1", "ann/b/c", "/1", "ann", ""].map(ownerIn)).toEqual([
      "ann",
      "ann",
      undefined,
      undefined,
      undefined,
    ]);
    expect(collectionOf("hands/ann")).toBe("hands");
    expect(collectionOf("hands")).toBe("hands");
  });

  test("nobody can whose id is empty, has a slash, or is no text", () => {
    expect(["ann", "auth0|5f", "", "a/b", 5, undefined].map(canOwn)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test.each(["ann", "ann!", "anna", "ann.", "Ann"])("no id of %j is in the range of another", (other) => {
    for (const owner of ["ann", "anna", "ann!"]) {
      const { from, until } = rangeOf(owner);
      const isIn = (id: string) => id >= from && id < until;
      expect([isIn(`${other}/`), isIn(`${other}/\uffff`)]).toEqual([other === owner, other === owner]);
    }
  });

  test("does not matter where nothing is private: changes stay as they are", () => {
    const changes = new Map([["shapes", new Map()]]);
    expect(new Partitions([]).split(changes)).toBe(changes);
  });
});

const user = z.object({ id: z.string() });
const Note = z.object({ text: z.string() });
const open = defineRoom({
  version: 1,
  user,
  collections: { notes: Note, plans: Note },
  direct: ["notes", "plans"],
});
const closed = defineRoom({
  version: 2,
  user,
  collections: { notes: Note, plans: Note },
  direct: ["notes", "plans"],
  private: ["notes"],
});
const other = defineRoom({
  version: 3,
  user,
  collections: { notes: Note, plans: Note },
  direct: ["notes", "plans"],
  private: ["plans"],
});

/** A room that was written under one definition and is read under another. */
class Rewritten {
  readonly storage = new MemoryStorage(64);

  open(definition: typeof open): Journal {
    const onFailure = (error: unknown) => {
      throw error;
    };
    return new Journal(
      this.storage,
      { definition, limits: tinyLimits, serverMutators: {}, onFailure },
      () => "epoch",
    );
  }

  write(journal: Journal, from: number, count: number): void {
    for (let note = from; note < from + count; note++) {
      const record = { text: `note ${note}` };
      journal.engine.transact((tx) => {
        tx["notes"]?.put(`${note % 2 === 0 ? "ann" : "bea"}/${note}`, record);
        tx["plans"]?.put(`ann/${note % 3}`, record);
      });
      const flush = journal.engine.takeBatch(0);
      if (flush !== undefined) journal.write(flush);
      if (journal.isCheckpointDue) journal.checkpoint(0, () => true);
    }
  }
}

describe("a room whose private collections are others than they were", () => {
  test.each([
    ["becomes closed", open, closed],
    ["becomes open", closed, open],
    ["changes", closed, other],
  ])("%s: it has every record, the right sums, and no history that tells too much", (_, before, after) => {
    const room = new Rewritten();
    const first = room.open(before);
    room.write(first, 0, 6);
    first.checkpoint(0, () => true);
    room.write(first, 6, 5);
    const held = copyOfState(first.roomState.records);

    const { roomState } = room.open(after);
    expect(copyOfState(roomState.records)).toEqual(held);
    expect(roomState.history.since(roomState.rev - 1)).toBeUndefined();
    expect([...room.storage.segments()]).toEqual([]);
    const fresh = new Rewritten();
    const journal = fresh.open(after);
    fresh.write(journal, 0, 11);
    const sums = (of: typeof roomState) =>
      ["ann", "bea"].map((id) => new Views(after).of({ user: { id } }).checksums(of.records));
    expect(sums(roomState)).toEqual(sums(journal.roomState));
  });

  test("goes on from there, and is read the same once more", () => {
    const room = new Rewritten();
    room.write(room.open(open), 0, 6);
    const journal = room.open(closed);
    room.write(journal, 6, 3);
    const delta = journal.roomState.history.since(journal.roomState.rev - 3);
    expect(delta?.from).toBe(journal.roomState.rev - 3);
    const again = wake(room.storage.copy(), tinyLimits, () => "another", new Partitions(["notes"]));
    expect(again.isDividedAnew).toBe(false);
    expect(copyOfState(again.records)).toEqual(copyOfState(journal.roomState.records));
    expect(again.history.since(again.rev - 3)?.body).toEqual(delta?.body);
  });
});

test("the sum of a user's own is kept up to date, and added up anew after a wake", () => {
  const room = new Rewritten();
  const journal = room.open(closed);
  const view = new Views(closed).of({ user: { id: "ann" } });
  room.write(journal, 0, 3);
  const before = view.checksums(journal.roomState.records)["notes"];
  room.write(journal, 3, 7);
  const after = view.checksums(journal.roomState.records)["notes"];
  expect(after).not.toBe(before);
  expect(view.checksums(room.open(closed).roomState.records)["notes"]).toBe(after);
});

test("a room cannot hide a collection that it does not have", () => {
  expect(() => new Views(open, { nope: [] })).toThrow('visibleTo: "nope" is no collection of this room');
});

test("no edit of the room's own makes a private record of nobody", () => {
  const storage = new MemoryStorage(8);
  const options = { definition: closed, limits: tinyLimits, serverMutators: {}, onFailure: () => {} };
  const engine = new Engine(
    wake(storage, tinyLimits, () => "e", new Partitions(["notes"])),
    options,
  );
  expect(() => engine.transact((tx) => tx["notes"]?.put("plain", { text: "" }))).toThrow(
    "the id plain must be <userId>/…",
  );
});
