import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeChanges, type Changes } from "../../../src/model/changes.ts";
import { ownerOf } from "../../../src/room/owners/owner.ts";
import { newRoomRow, wake, type RoomState } from "../../../src/room/storage/room-state.ts";
import { Partitions } from "../../../src/room/visibility/partitions.ts";
import { State } from "../../../src/model/state.ts";
import { SupersededError } from "../../../src/room/storage/room-storage.ts";
import { deltasOf, factsOf, JournaledRoom, tinyLimits } from "../../support/rooms/journaled-room.ts";
import { maxStoredRowBytes, MemoryStorage } from "../../../testing/memory-storage.ts";
import { anyEdit, contentOf, copyOfState, operationOf, type Edit } from "../../support/random-edits.ts";
import { rulesBoard, writer } from "../../support/boards/rules-board.ts";

const ann = writer("ann");
const ben = writer("ben");

/** A room after `count` flushes of one revision each. */
function roomAfter(count: number, limits = tinyLimits): JournaledRoom {
  const room = new JournaledRoom(limits);
  for (let flush = 0; flush < count; flush++) {
    room.put(flush % 2 === 0 ? ann : ben, `${flush % 5}`, `flush ${flush}`);
    room.flush();
  }
  return room;
}

const clientId = fc.constantFrom("ann", "ben");
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("edit" as const),
      clientId,
      edits: fc.array(anyEdit, { maxLength: 4 }),
    }),
  },
  fc.record({ kind: fc.constant("add" as const), clientId }),
  fc.record({ kind: fc.constant("clear" as const), clientId }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("refuse" as const), clientId }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("flush" as const), clientId }) },
  fc.record({ kind: fc.constant("checkpoint" as const), clientId }),
  fc.record({ kind: fc.constant("confirm" as const), clientId, upTo: fc.nat(9) }),
  fc.record({ kind: fc.constant("crash" as const), clientId }),
  fc.record({ kind: fc.constant("failing append" as const), clientId }),
  fc.record({ kind: fc.constant("failing checkpoint" as const), clientId }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const limits = fc.record({
  maxRingFlushes: fc.integer({ min: 1, max: 4 }),
  maxRingBytes: fc.constantFrom(300, 1e9),
  maxRowBytes: fc.constantFrom(6_000, 1e9),
  pageBytes: fc.constantFrom(60, 200, 1e6),
  maxTombstones: fc.constantFrom(1, 2, 1_024),
});

/** Edits that are possible, as the payload of a direct edit. */
function payloadOf(roomState: RoomState, edits: readonly Edit[]) {
  const changes: Changes = operationOf(copyOfState(roomState.records), edits);
  return encodeChanges(changes);
}

/** Does the step. What is in the batch is lost in those that fail. */
function take(room: JournaledRoom, step: Step): void {
  const client = writer(step.clientId);
  switch (step.kind) {
    case "edit":
      return room.call(client, "transact", payloadOf(room.roomState, step.edits));
    case "add":
      return room.call(client, "add", { id: "c", by: 1 });
    case "clear":
      return room.call(client, "clear", {});
    case "refuse":
      return room.call(client, "refuse", { code: "no" });
    case "flush":
      return room.flush();
    case "checkpoint":
      room.flush();
      return room.checkpoint();
    case "confirm":
      return room.roomState.clientLog.confirm(step.clientId, step.upTo);
    case "crash":
      return room.crash();
    case "failing append":
      room.fail("append");
      return;
    case "failing checkpoint":
      room.flush();
      room.fail("checkpoint");
      return;
    default:
      return step satisfies never;
  }
}

describe("a room that wakes", () => {
  test("knows what it knew, over any calls, flushes, checkpoints, crashes and failures of its disk", () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 40, size: "max" }), (limits, steps) => {
        const room = new JournaledRoom({ ...tinyLimits, ...limits });
        room.journal.create();
        for (const step of steps) {
          take(room, step);
          if (room.journal.engine.hasBatch) continue;
          const woken = room.wake();
          // Clients say again what they have confirmed.
          for (const clientId of ["ann", "ben"])
            woken.clientLog.confirm(clientId, room.roomState.clientLog.get(clientId)?.confirmed ?? 0);
          expect(factsOf(woken)).toEqual(factsOf(room.roomState));
          expect(room.deltaProblems(woken)).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("serves the very deltas that it served before, as long as its flushes had something to say", () => {
    const saying = step.filter(({ kind }) => kind !== "refuse");
    fc.assert(
      fc.property(limits, fc.array(saying, { maxLength: 40, size: "max" }), (limits, steps) => {
        const room = new JournaledRoom({ ...tinyLimits, ...limits });
        room.journal.create();
        for (const step of steps) {
          take(room, step);
          if (room.journal.engine.hasBatch) continue;
          expect(deltasOf(room.wake())).toEqual(deltasOf(room.roomState));
        }
      }),
      { numRuns: 40 },
    );
  });

  test("goes on where it was, with revisions, flushes and clientLog", () => {
    const room = roomAfter(4);
    const woken = new JournaledRoom(tinyLimits, room.storage.copy());
    for (const one of [room, woken]) {
      one.put(ann, "next");
      one.flush();
    }
    expect(factsOf(woken.roomState)).toEqual(factsOf(room.roomState));
    expect([
      woken.roomState.rev,
      woken.roomState.flushSeq,
      woken.roomState.clientLog.get("ann")?.lastCallId,
    ]).toEqual([5, 5, 3]);
  });

  test("finds its records frozen", () => {
    const woken = roomAfter(5).wake();
    expect(
      woken.records.ids("notes").filter((id) => !Object.isFrozen(woken.records.get("notes", id))),
    ).toEqual([]);
  });

  test("from before its first checkpoint has all of its journal", () => {
    const room = roomAfter(2);
    const woken = room.wake();
    expect([woken.checkpointFlushSeq, woken.rev, [...woken.pages.ranges()]]).toEqual([0, 2, []]);
  });

  test("has forgotten a batch that was never written, and nothing else", () => {
    const room = roomAfter(2);
    const before = factsOf(room.roomState);
    room.put(ann, "lost");
    room.call(ben, "refuse", { code: "lost too" });
    room.crash();
    expect(factsOf(room.roomState)).toEqual(before);
  });
});

describe("a room that was never written to", () => {
  test("has a new epoch, and leaves nothing in storage", () => {
    const storage = new MemoryStorage(8);
    const roomState = wake(storage, tinyLimits, () => "new");
    expect(factsOf(roomState)).toMatchObject({
      numbers: { epoch: "new", stored: false, rev: 0, flushSeq: 0 },
      content: {},
    });
    expect(storage.room()).toBeUndefined();
  });

  test("keeps its epoch once somebody has seen it", () => {
    const room = new JournaledRoom();
    room.journal.create();
    expect(factsOf(room.wake())).toMatchObject({ numbers: { epoch: "epoch", stored: true } });
  });
});

describe("the journal", () => {
  test("wraps around, and only what is above the checkpoint is read", () => {
    const room = roomAfter(50);
    expect([...room.storage.journal(0)].map(({ flushSeq }) => flushSeq)).toEqual([45, 46, 47, 48, 49, 50]);
    expect(factsOf(room.wake())).toEqual(factsOf(room.roomState));
    expect(deltasOf(room.wake())).toEqual(deltasOf(room.roomState));
  });

  test.each([
    {
      title: "the first row above the checkpoint",
      lost: 4,
      message: "journal gap: have flush 3 at 3, got 5 from 4",
    },
    { title: "a row in the middle", lost: 5, message: "journal gap: have flush 4 at 4, got 6 from 5" },
  ])("that lost $title is not read as if nothing were missing", ({ lost, message }) => {
    const room = roomAfter(3, { ...tinyLimits, maxRingFlushes: 10 });
    room.checkpoint();
    for (const id of ["a", "b", "c"]) {
      room.put(ann, id);
      room.flush();
    }
    room.storage.loseJournalRow(lost);
    expect(() => room.wake()).toThrow(message);
  });

  test("that lost a row below the checkpoint has lost only history", () => {
    const room = roomAfter(3, { ...tinyLimits, maxRingFlushes: 10 });
    room.checkpoint();
    room.storage.loseJournalRow(2);
    const woken = room.wake();
    expect(factsOf(woken)).toEqual(factsOf(room.roomState));
    expect(deltasOf(woken)).toEqual([undefined, undefined, deltasOf(room.roomState)[2]]);
  });

  test("may hold rows of an epoch that is no more", () => {
    const room = roomAfter(2, { ...tinyLimits, maxRingFlushes: 10 });
    const [row] = [...room.storage.journal(0)];
    room.storage.append(
      { ...(row as NonNullable<typeof row>), flushSeq: 7, epoch: "before the restore" },
      room.roomState.checkpoints,
    );
    expect(factsOf(room.wake())).toEqual(factsOf(room.roomState));
  });

  test("that holds only rejected calls is history without a hole", () => {
    // The ring's rows are overwritten by rows without a delta, and the segments end where the ring began.
    const room = new JournaledRoom();
    room.put(ann, "large", "x".repeat(10_000));
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) {
      room.flush();
      room.put(ann, id);
    }
    room.flush();
    expect(room.roomState.history.segments.length).toBeGreaterThan(0);
    for (let flush = 0; flush < 12; flush++) {
      room.call(ann, "refuse", { code: "no" });
      room.flush();
    }
    const woken = room.wake();
    expect(factsOf(woken)).toEqual(factsOf(room.roomState));
    expect(room.deltaProblems(woken)).toEqual([]);
    room.crash();
    room.put(ann, "after");
    room.flush();
    expect(room.deltaProblems(room.roomState)).toEqual([]);
  });
});

describe("a checkpoint", () => {
  test("that was interrupted leaves the old one good", () => {
    const room = roomAfter(3);
    const before = factsOf(room.roomState);
    room.put(ann, "more");
    room.call(ann, "clear", {});
    room.flush();
    const stored = room.storage.room();
    expect(room.fail("checkpoint")).toBe(true);
    expect(room.storage.room()).toEqual(stored);
    expect(before).not.toEqual(factsOf(room.roomState));
    expect([room.roomState.rev, room.roomState.checkpointRev]).toEqual([5, 3]);
    expect(contentOf(room.roomState.records)).toEqual({});
    room.checkpoint();
    expect(factsOf(room.wake())).toEqual(factsOf(room.roomState));
  });

  test("is due before the journal would wrap over what no page holds, and by bytes", () => {
    const room = new JournaledRoom({ ...tinyLimits, maxRingFlushes: 2, maxRingBytes: 1_000 });
    const due = (text: string) => {
      room.put(ann, "a", text);
      const flush = room.journal.engine.takeBatch(0);
      if (flush !== undefined) room.journal.write(flush);
      return room.journal.isCheckpointDue;
    };
    expect([due("1"), due("2")]).toEqual([false, true]);
    room.checkpoint();
    expect([room.journal.isCheckpointDue, due("x".repeat(1_000))]).toEqual([false, true]);
  });

  test("holds history to the bytes of a snapshot", () => {
    const room = new JournaledRoom({ ...tinyLimits, maxRingFlushes: 4 });
    for (let flush = 0; flush < 200; flush++) {
      room.put(ann, "a", `${flush}`);
      room.flush();
    }
    room.checkpoint();
    expect(room.roomState.history.segments).toEqual([]);
    expect([...room.storage.segments()]).toEqual([]);
  });

  test("has in storage the segments that memory has", () => {
    const room = new JournaledRoom({ ...tinyLimits, pageBytes: 1e6 });
    room.put(ann, "large", "x".repeat(20_000));
    for (let flush = 0; flush < 60; flush++) {
      room.put(ann, `${flush % 7}`, `${flush}`);
      room.flush();
    }
    room.checkpoint();
    const { segments } = room.roomState.history;
    expect(segments.length).toBeGreaterThan(3);
    expect([...room.storage.segments()]).toEqual(
      segments.map(({ from, to, level, body }) => ({ from, to, level, body })),
    );
  });

  test("forgets clientLog of clients who are long gone, and says from when on", () => {
    const room = new JournaledRoom({ ...tinyLimits, maxLoggedClients: 1 });
    const owner = ownerOf(ann.user);
    room.put(ann, "a");
    room.put(ben, "b");
    room.flush();
    room.checkpoint((clientId) => clientId === "ben");
    for (const roomState of [room.roomState, room.wake()]) {
      expect([
        roomState.clientLog.get("ann"),
        roomState.clientLog.get("ben")?.lastCallId,
        roomState.horizons.of(owner),
      ]).toEqual([undefined, 1, 1]);
    }
    room.put(ben, "c");
    room.flush();
    room.checkpoint();
    expect(room.wake().horizons.of(owner)).toBe(1);
  });

  test("can be written however little a client confirms", () => {
    const room = new JournaledRoom({ ...tinyLimits, maxRingFlushes: 8 });
    const payload = { code: "c", data: "x".repeat(3_900) };
    const rejectUntilHeldBack = () => {
      for (let call = 0; call < 5_000; call++) room.call(ann, "refuse", payload);
    };
    expect(rejectUntilHeldBack).toThrow("was not executed: unconfirmed");
    room.flush();
    room.checkpoint();
    expect([...room.storage.clientLog()][0]?.outcomes.length).toBeGreaterThan(100);
  });
});

describe("an instance that was superseded", () => {
  const two = () => {
    const first = roomAfter(1);
    const second = new JournaledRoom(tinyLimits, first.storage);
    second.put(ben, "b");
    second.flush();
    return { first, second };
  };

  test("cannot write", () => {
    const { first, second } = two();
    first.put(ann, "late");
    expect(() => first.flush()).toThrow(SupersededError);
    expect(factsOf(second.wake())).toEqual(factsOf(second.roomState));
    expect(second.roomState.records.get("notes", "late")).toBeUndefined();
  });

  test("learns of it before it answers", () => {
    const { first, second } = two();
    expect(() => first.journal.assertNewest()).toThrow(SupersededError);
    expect(() => second.journal.assertNewest()).not.toThrow();
  });
});

describe("the storage that these tests use", () => {
  test("copies what it is given and what it gives", () => {
    const { storage } = roomAfter(1);
    const [row] = [...storage.journal(0)];
    row?.body.fill(7);
    const [again] = [...storage.journal(0)];
    expect(again?.body).not.toEqual(row?.body);
  });

  test("fails as often as it is told", () => {
    const room = roomAfter(1);
    room.put(ann, "a");
    expect([room.fail("append"), room.fail("checkpoint"), room.fail("append")]).toEqual([true, true, false]);
  });

  test("takes no row that the platform would refuse", () => {
    const storage = new MemoryStorage(4);
    storage.create(newRoomRow("e", new Partitions([])));
    const row = {
      flushSeq: 1,
      epoch: "e",
      from: 0,
      to: 1,
      body: new Uint8Array(maxStoredRowBytes),
      ids: "[]",
      clientLog: "[]",
      authors: "",
    };
    expect(() => storage.append(row, 0)).toThrow("too big");
    expect([...storage.journal(0)]).toEqual([]);
  });
});

test("a memory is of its room's collections, and of nothing that every object has", () => {
  const state = new State();
  for (const name of Object.keys(rulesBoard.collections)) expect(state.ids(name)).toEqual([]);
  expect(state.get("__proto__", "toString")).toBeUndefined();
});
