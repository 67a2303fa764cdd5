import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Run } from "../../../src/model/call.ts";
import { Engine } from "../../../src/room/engine/engine.ts";
import type { Limits } from "../../../src/room/limits.ts";
import { wake, type RoomState } from "../../../src/room/storage/room-state.ts";
import { SupersededError } from "../../../src/room/storage/room-storage.ts";
import type { Json } from "../../../src/index.ts";
import { Journal } from "../../../src/room/storage/journal.ts";
import { deltasOf, JournaledRoom, tinyLimits } from "../../support/rooms/journaled-room.ts";
import { FailingStorage } from "../../support/rooms/failing-storage.ts";
import { contentOf, editedCollections } from "../../support/random-edits.ts";
import { rulesBoard, rulesServerMutators, writer } from "../../support/boards/rules-board.ts";

const now = 1_700_000_000_000;
const ann = writer("ann");
const ben = writer("ben");
const noEpoch = () => "another epoch";

/** Notes "00" to "39", about two of them a page, all in pages; some are ben's, and "07" was deleted. */
function storedRoom(): JournaledRoom {
  const room = new JournaledRoom({ ...tinyLimits, maxRingFlushes: 100 });
  for (let note = 0; note < 40; note++) {
    room.put(note % 3 === 0 ? ben : ann, `${note}`.padStart(2, "0"), `note ${note} of forty`);
  }
  room.call(ben, "transact", { notes: [["delete", "07"]] });
  room.flush();
  room.checkpoint();
  return room;
}

/** A room that has just woken from a copy of what `room` has in storage. */
function woken(room: JournaledRoom, serverMutators: { readonly [name: string]: Run } = {}) {
  const storage = room.storage.copy();
  const roomState = wake(storage, room.limits, noEpoch);
  const failures: unknown[] = [];
  const onFailure = (error: unknown) => void failures.push(error);
  const engine = new Engine(roomState, {
    definition: rulesBoard,
    limits: room.limits,
    serverMutators,
    onFailure,
  });
  const submit = (client: typeof ann, type: string, payload: Json) => {
    const clientReqId = (roomState.clientLog.get(client.clientId)?.lastCallId ?? 0) + 1;
    engine.submit(client, { clientReqId, baseRev: 1, type, payload }, now);
    return roomState.clientLog.get(client.clientId)?.answers.at(-1)?.[1];
  };
  return { storage, roomState, engine, failures, submit };
}

describe("a room that wakes", () => {
  test("reads the page of a record that is asked for, once, and no other", () => {
    const { storage, roomState } = woken(storedRoom());
    expect([roomState.rev, roomState.pages.bytes > 1_000, storage.pagesRead]).toEqual([41, true, []]);
    expect(roomState.records.get("notes", "20")).toEqual({ text: "note 20 of forty", rank: 0 });
    expect(roomState.records.get("notes", "20x")).toBeUndefined();
    expect(roomState.records.get("nothing", "20")).toBeUndefined();
    expect(roomState.authorship.get("notes", "20")).toMatchObject({ rev: 21, clientId: "ann" });
    expect(storage.pagesRead).toHaveLength(1);
  });

  test("reads the pages that its journal changes, and no other", () => {
    const room = storedRoom();
    for (const id of ["11", "33"]) {
      room.put(ann, id, "changed");
      room.flush();
    }
    const { storage, roomState } = woken(room);
    expect(storage.pagesRead).toHaveLength(2);
    expect(roomState.records.get("notes", "33")).toEqual({ text: "changed", rank: 0 });
    expect(storage.pagesRead).toHaveLength(2);
  });

  test("reads what is left of a collection for who wants to see all of it, and of no other", () => {
    const room = storedRoom();
    for (const id of ["a", "b", "c"]) room.call(ann, "add", { id, by: 1 });
    room.flush();
    room.checkpoint();
    const { storage, roomState, submit } = woken(room);
    roomState.records.get("notes", "20");
    expect(submit(ann, "clear", {})).toMatchObject({ kind: "accepted" });
    const pages = [...roomState.pages.ranges()];
    const ofNotes = pages.filter(({ collection }) => collection === "notes");
    expect(storage.pagesRead).toHaveLength(ofNotes.length);
    expect(new Set(storage.pagesRead)).toEqual(new Set(ofNotes.map(({ number }) => number)));
    expect(pages.length).toBeGreaterThan(ofNotes.length);
    expect(contentOf(roomState.records)).toEqual({
      counters: { a: { value: 1 }, b: { value: 1 }, c: { value: 1 } },
    });
  });

  test("names the collections that it has not read", () => {
    expect([...woken(storedRoom()).roomState.records.collections()]).toEqual(["notes"]);
  });

  test("knows who changed what it has not read, and what was deleted", () => {
    const room = storedRoom();
    const ask = ({ authorship }: RoomState, id: string, baseRev: number) =>
      [ann, ben].map(({ clientId }) => authorship.changedByOthers("notes", id, clientId, baseRev));
    for (const id of ["00", "07", "08", "39", "never"]) {
      for (const baseRev of [0, 5, 40]) {
        const { roomState } = woken(room);
        expect(ask(roomState, id, baseRev)).toEqual(ask(room.roomState, id, baseRev));
      }
    }
    expect(woken(room).submit(ann, "claim", { id: "39" })).toMatchObject({
      kind: "rejected",
      code: "conflict",
    });
    expect(woken(room).submit(ann, "claim", { id: "38" })).toMatchObject({ kind: "accepted" });
  });

  test("reads no delta of a flush that its pages hold, before somebody wants it", () => {
    const room = storedRoom();
    const [row] = room.storage.journal(0);
    const garbage = new Uint8Array([255]);
    (row as { body: Uint8Array }).body = garbage;
    const storage = room.storage.copy();
    storage.ring = () => [row as NonNullable<typeof row>];
    const roomState = wake(storage, room.limits, noEpoch);
    expect(roomState.history.since(0)?.body).toBe(garbage);
  });
});

describe("the history of a room that has woken", () => {
  test("is read for the first client that comes from there, and not for a commit", () => {
    const room = new JournaledRoom();
    room.put(ann, "large", "x".repeat(2_000));
    for (let flush = 0; flush < 20; flush++) {
      room.flush();
      room.put(ann, `${flush % 4}`, `flush ${flush}`);
    }
    room.flush();
    room.checkpoint();
    const storage = room.storage.copy();
    const other = new JournaledRoom(tinyLimits, storage);
    storage.failNext("ring", new Error("disk error"));
    for (const one of [room, other]) {
      one.put(ben, "4", "newer");
      one.flush();
    }
    expect(() => other.roomState.history.since(20)).toThrow("disk error");
    expect(deltasOf(other.roomState)).toEqual(deltasOf(room.roomState));
    expect(deltasOf(other.roomState)[2]).toBeDefined();
    for (const one of [room, other]) one.checkpoint();
    expect(storage.rows).toEqual(room.storage.rows);
  });

  test("of which another instance has folded a part is not told", () => {
    const room = storedRoom();
    const roomState = wake(room.storage, room.limits, noEpoch);
    room.put(ann, "38", "newer");
    room.flush();
    expect(() => roomState.history.since(0)).toThrow(SupersededError);
  });
});

describe("a read that fails in the midst of a call", () => {
  const swallow: Run = (tx) => {
    try {
      tx["notes"]?.ids();
    } catch {
      // An app that looks for something else then.
    }
    tx["counters"]?.put("seen", { value: 1 });
  };
  const wrap: Run = (tx) => {
    try {
      tx["notes"]?.get("20");
    } catch {
      throw new RangeError("no such note");
    }
  };

  test.each([
    { title: "and that the mutator does not catch", type: "claim", run: swallow },
    { title: "and that the mutator swallows", type: "roll", run: swallow },
    { title: "and that the mutator takes for something else", type: "roll", run: wrap },
  ])("$title is no answer to it, and has changed nothing", ({ type, run }) => {
    const { storage, roomState, engine, failures, submit } = woken(storedRoom(), { roll: run });
    storage.failNext("page", new Error("disk error"));
    expect(() => submit(ann, type, { id: "38" })).toThrow("disk error");
    expect([failures, engine.hasBatch, roomState.rev]).toEqual([[], false, 41]);
    expect(submit(ann, type, { id: "38" })).toEqual({ kind: "accepted", rev: 42 });
  });

  test("leaves an edit of the room's own undone, whatever that made of it", () => {
    const { storage, roomState, engine } = woken(storedRoom());
    storage.failNext("page", new Error("disk error"));
    expect(() => engine.transact((tx) => void swallow(tx, null, {}))).toThrow("disk error");
    expect([engine.hasBatch, roomState.rev]).toEqual([false, 41]);
  });

  test("does not make a later call fail that reads well", () => {
    const { storage, roomState, submit } = woken(storedRoom());
    storage.failNext("page");
    expect(() => roomState.records.get("notes", "00")).toThrow("page failed");
    expect(submit(ann, "claim", { id: "38" })).toMatchObject({ kind: "accepted" });
  });
});

describe("an instance that was superseded before it had read all of its pages", () => {
  test("reads none that another instance may have written", () => {
    const room = storedRoom();
    const roomState = wake(room.storage, room.limits, noEpoch);
    roomState.records.get("notes", "00");
    room.put(ann, "38", "newer");
    room.flush();
    // The pages are still those of the wake.
    expect(roomState.records.get("notes", "20")).toEqual({ text: "note 20 of forty", rank: 0 });
    room.checkpoint();
    expect(roomState.records.get("notes", "20")).toEqual({ text: "note 20 of forty", rank: 0 });
    expect(() => roomState.records.get("notes", "38")).toThrow(SupersededError);
    expect(() => roomState.authorship.get("notes", "38")).toThrow(SupersededError);
  });
});

describe("a checkpoint", () => {
  test("that joins a page to one that was not read reads that one", () => {
    const room = storedRoom();
    const lazy = new JournaledRoom(room.limits, room.storage.copy());
    lazy.crash();
    const before = lazy.storage.pagesRead.length;
    const ids = [...lazy.roomState.pages.ranges()].slice(10, 12).map(({ firstId }) => firstId);
    submitOnly(lazy.journal, "transact", { notes: ids.map((id) => ["delete", id]) });
    lazy.flush();
    lazy.checkpoint();
    expect(lazy.storage.pagesRead.length).toBeGreaterThan(before);
  });

  const step = fc.oneof(
    fc.record({
      kind: fc.constantFrom("put" as const, "delete" as const),
      collection: fc.constantFrom(...editedCollections),
      // Enough ids for many pages, few enough for edits to meet.
      id: fc.integer({ min: 10, max: 40 }).map(String),
      text: fc.constantFrom("", "short", "é".repeat(20), "x".repeat(90)),
    }),
    fc.record({ kind: fc.constantFrom("checkpoint" as const, "wake" as const, "flush" as const) }),
  );
  const limits = fc.record({
    maxRingFlushes: fc.integer({ min: 2, max: 9 }),
    pageBytes: fc.constantFrom(100, 250, 700),
  });

  test("writes the same bytes, whether the room had read everything or only what it needed", () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 100, size: "max" }), (some, steps) => {
        const lazy = new Twin({ ...tinyLimits, ...some });
        const whole = new Twin({ ...tinyLimits, ...some });
        for (const step of steps) {
          for (const twin of [lazy, whole]) {
            if (step.kind === "put" || step.kind === "delete")
              twin.edit(step.kind, step.collection, step.id, step.text);
            else twin[step.kind]();
          }
          if (step.kind === "wake") whole.readAll();
          expect(JSON.stringify(lazy.storage.rows)).toBe(JSON.stringify(whole.storage.rows));
        }
        expect(lazy.storage.pagesRead.length).toBeLessThanOrEqual(whole.storage.pagesRead.length);
        expect(contentOf(lazy.journal.roomState.records)).toEqual(contentOf(whole.journal.roomState.records));
        expect(lazy.journal.roomState.records.checksums).toEqual(whole.journal.roomState.records.checksums);
      }),
      { numRuns: 40 },
    );
  });
});

function submitOnly(journal: Journal, type: string, payload: Json): void {
  const clientReqId = (journal.roomState.clientLog.get("ann")?.lastCallId ?? 0) + 1;
  const submission = journal.engine.submit(ann, { clientReqId, baseRev: 0, type, payload }, now);
  journal.roomState.clientLog.confirm("ann", clientReqId);
  expect(submission.kind).toBe("executed");
}

/** A room of which nothing is asked that it is not told to do. */
class Twin {
  readonly storage: FailingStorage;
  readonly journal: Journal;

  constructor(limits: Limits) {
    this.storage = new FailingStorage(2 * limits.maxRingFlushes);
    const options = {
      definition: rulesBoard,
      limits,
      serverMutators: rulesServerMutators,
      onFailure: () => {},
    };
    this.journal = new Journal(this.storage, options, () => "epoch");
  }

  edit(kind: "put" | "delete", collection: string, id: string, text: string): void {
    const change: Json = kind === "put" ? ["put", id, { text, rank: 0 }] : ["delete", id];
    submitOnly(this.journal, "transact", { [collection]: [change] });
  }

  flush(): void {
    const flush = this.journal.engine.takeBatch(now);
    if (flush === undefined) return;
    this.journal.write(flush);
    if (this.journal.isCheckpointDue) this.checkpoint();
  }

  checkpoint(): void {
    this.flush();
    this.journal.create();
    this.journal.checkpoint(now, () => true);
  }

  wake(): void {
    this.flush();
    this.journal.reload();
  }

  readAll(): void {
    for (const collection of editedCollections) this.journal.roomState.records.ids(collection);
  }
}
