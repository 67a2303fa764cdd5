import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deletion, encodeChanges, type Change, type Changes } from "../../../src/model/changes.ts";
import { Handles } from "../../../src/room/storage/handles.ts";
import { wake } from "../../../src/room/storage/room-state.ts";
import { HandleBook } from "../../simulation/judges/handle-book.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { ann } from "../../support/rooms/engine-without-storage.ts";
import { JournaledRoom, tinyLimits } from "../../support/rooms/journaled-room.ts";
import { anyEdit, copyOfState, editedCollections, operationOf } from "../../support/random-edits.ts";

const put: Change = { kind: "put", record: { text: "" } };
const patch: Change = { kind: "patch", set: { text: "x" }, unset: [] };
const changesOf = (...notes: [string, Change][]): Changes => new Map([["notes", new Map(notes)]]);

/** `kind handle id` of each entry that a flush of these changes has. */
function told(handles: Handles, ...notes: [string, Change][]): string[] {
  const partition = handles.take(changesOf(...notes)).get("notes") ?? [];
  return Array.from(partition, ([handle, { change, id = "-" }]) => `${change.kind} ${handle} ${id}`);
}

describe("a record", () => {
  test("gets a handle when a flush first tells of it, with its id, and keeps it", () => {
    const handles = new Handles(0);
    expect(told(handles, ["a", put], ["b", put])).toEqual(["put 0 a", "put 1 b"]);
    expect(told(handles, ["b", patch], ["a", put])).toEqual(["patch 1 -", "put 0 a"]);
    expect([handles.get("notes", "a"), handles.get("notes", "b"), handles.next]).toEqual([0, 1, 2]);
  });

  test("that was deleted gets another when it is made again", () => {
    const handles = new Handles(0);
    told(handles, ["a", put]);
    expect(told(handles, ["a", deletion])).toEqual(["delete 0 -"]);
    expect(handles.get("notes", "a")).toBeUndefined();
    expect(told(handles, ["a", put])).toEqual(["put 1 a"]);
  });

  test("that came and went in one flush has its deletion told under a handle that nobody else gets", () => {
    const handles = new Handles(0);
    expect(told(handles, ["ghost", deletion], ["a", put])).toEqual(["delete 0 -", "put 1 a"]);
    expect(told(handles, ["ghost", put])).toEqual(["put 2 ghost"]);
  });

  test("of one collection has no handle of another's, whatever their ids", () => {
    const handles = new Handles(5);
    const both: Changes = new Map([
      ["notes", new Map([["a", put]])],
      ["cards", new Map([["a", put]])],
      ["empty", new Map()],
    ]);
    const entries = handles.take(both);
    expect(Array.from(entries, ([name, records]) => [name, ...records.keys()])).toEqual([
      ["notes", 5],
      ["cards", 6],
    ]);
  });
});

test("handles read back are given no second time, also those of records that are gone", () => {
  const handles = new Handles(3);
  handles.load("notes", { ids: ["a"], handles: [1] });
  const entries = new Map([
    [9, { change: put, id: "b" }],
    [12, { change: deletion, id: undefined }],
  ]);
  handles.replay(changesOf(["b", put], ["c", deletion]), new Map([["notes", entries]]));
  expect([handles.next, handles.get("notes", "b"), handles.get("notes", "c")]).toEqual([13, 9, undefined]);
  expect(handles.get("notes", "a")).toBe(1);
  expect(told(handles, ["c", put])).toEqual(["put 13 c"]);
});

const command = fc.oneof(
  { weight: 6, arbitrary: fc.array(anyEdit, { minLength: 1, maxLength: 4 }) },
  { weight: 3, arbitrary: fc.constant("flush" as const) },
  fc.constantFrom("checkpoint" as const, "crash" as const, "clear" as const),
);

test("over any edits, flushes, checkpoints and crashes a handle is given once, and a room that wakes has the same", () => {
  const limits = fc.constantFrom(tinyLimits, { ...tinyLimits, maxRingFlushes: 64 });
  fc.assert(
    fc.property(limits, fc.array(command, { maxLength: 40 }), (limits, commands) => {
      const room = new JournaledRoom(limits);
      room.journal.create();
      const book = new HandleBook();
      let seen = 0;
      /** Takes in the rows that are new on disk; the book throws for a handle that was given before. */
      const audit = () => {
        for (const row of room.storage.journal(0)) {
          if (row.flushSeq <= seen) continue;
          expect(row.flushSeq).toBe(seen + 1);
          book.take(readDelta(row.body), JSON.parse(row.ids) as string[]);
          seen = row.flushSeq;
        }
      };
      for (const given of commands) {
        if (given === "flush" || given === "checkpoint") room.flush();
        if (given === "checkpoint") room.checkpoint();
        if (given === "crash") room.crash();
        if (given === "clear") room.call(ann, "clear", {});
        if (typeof given === "object") {
          const changes = operationOf(copyOfState(room.roomState.records), given);
          room.call(ann, "transact", encodeChanges(changes));
        }
        audit();
      }
      room.flush();
      audit();
      const woken = room.wake();
      const { records, handles } = room.roomState;
      expect(woken.handles.next).toBe(handles.next);
      for (const name of [...editedCollections, "counters"]) {
        expect(woken.records.ids(name)).toEqual(records.ids(name));
        for (const id of records.ids(name)) {
          const handle = handles.get(name, id);
          expect(handle).toBeDefined();
          expect(woken.handles.get(name, id)).toBe(handle);
          expect(book.names.note.get(handle as number)).toEqual([name, id]);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test("a room that wakes from its pages alone gives no handle of a record that is gone", () => {
  const room = new JournaledRoom();
  room.journal.create();
  room.put(ann, "a");
  room.put(ann, "b");
  room.flush();
  room.call(ann, "transact", { notes: [["delete", "b"]] });
  room.flush();
  room.checkpoint();
  const woken = wake(room.storage.copy(), room.limits, () => "another");
  expect(woken.records.ids("notes")).toEqual(["a"]);
  expect([woken.handles.get("notes", "a"), woken.handles.next]).toEqual([0, 2]);
});
