import { describe, expect, test } from "vitest";
import type { Caller, Run } from "../../../src/model/call.ts";
import type { Authorize, Call } from "../../../src/room/engine/engine.ts";
import { utf8Bytes } from "../../../src/model/json.ts";
import { defaultLimits } from "../../../src/room/limits.ts";
import { Rejection, type Json } from "../../../src/index.ts";
import { ann, ben, Desk } from "../../support/rooms/engine-without-storage.ts";
import { contentOf } from "../../support/random-edits.ts";

describe("a call that is accepted", () => {
  test("is committed at the next revision, one for each operation", () => {
    const desk = new Desk();
    expect(desk.put(ann, "a")).toEqual({ kind: "accepted", rev: 1 });
    expect(desk.outcome(ben, "add", { id: "c", by: 1 })).toEqual({ kind: "accepted", rev: 2 });
    expect(desk.memory.rev).toBe(2);
    expect(contentOf(desk.memory.state)).toEqual({
      notes: { a: { text: "", rank: 0 } },
      counters: { c: { value: 1 } },
    });
  });

  test("takes a revision also when it changes nothing", () => {
    const desk = new Desk();
    expect(desk.outcome(ann, "nothing", {})).toEqual({ kind: "accepted", rev: 1 });
    expect(desk.outcome(ann, "transact", {})).toEqual({ kind: "accepted", rev: 2 });
    expect(desk.flush().row).toMatchObject({ from: 0, to: 2 });
  });

  test("runs what only the server has", () => {
    const desk = new Desk();
    expect(desk.outcome(ann, "roll", { id: "d" })).toEqual({ kind: "accepted", rev: 1 });
    expect(desk.memory.state.get("counters", "d")).toEqual({ value: 6 });
  });

  test("is told to hooks, with who made it, and its events leave with it", () => {
    const desk = new Desk();
    desk.outcome(ann, "announce", { at: 5 });
    desk.outcome(ben, "add", { id: "c", by: 1 });
    const { operations, broadcasts } = desk.flush();
    expect(operations).toEqual([
      { rev: 1, type: "announce", payload: { at: 5 }, actor: "ann", user: { name: "ann" } },
      { rev: 2, type: "add", payload: { id: "c", by: 1 }, actor: "ben", user: { name: "ben" } },
    ]);
    expect(broadcasts).toEqual([{ event: "ping", payload: { at: 5 } }]);
  });
});

describe("exactly once:", () => {
  test("a call that was executed is answered again, and nothing runs", () => {
    const desk = new Desk();
    const call: Call = { clientReqId: 1, baseRev: 0, type: "add", payload: { id: "c", by: 1 } };
    desk.submit(ann, call);
    desk.outcome(ben, "add", { id: "c", by: 10 });
    expect(desk.submit(ann, call)).toEqual({ kind: "duplicate", outcome: { kind: "accepted", rev: 1 } });
    desk.flush();
    expect(desk.submit(ann, call)).toEqual({ kind: "duplicate", outcome: { kind: "accepted", rev: 1 } });
    expect(desk.memory.state.get("counters", "c")).toEqual({ value: 11 });
    expect([desk.memory.rev, desk.engine.hasBatch]).toEqual([2, false]);
  });

  test("a call that was rejected is answered again in the same words, though it would be accepted now", () => {
    const desk = new Desk();
    const call: Call = { clientReqId: 1, baseRev: 0, type: "claim", payload: { id: "a" } };
    desk.submit(ann, call);
    desk.put(ben, "a");
    expect(desk.submit(ann, call)).toMatchObject({ kind: "duplicate", outcome: { code: "not-found" } });
    expect(desk.memory.state.get("notes", "a")).toEqual({ text: "", rank: 0 });
  });

  test("a call whose outcome the client has confirmed is too old to be answered, and does not run", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    desk.memory.marks.confirm("ann", 1);
    expect(desk.submit(ann, { clientReqId: 1, baseRev: 0, type: "nothing", payload: {} })).toMatchObject({
      kind: "duplicate",
      outcome: { kind: "rejected", code: "too-old" },
    });
    expect([desk.memory.rev, desk.memory.marks.get("ann")?.mark]).toEqual([1, 1]);
  });

  test.each<[title: string, type: string, payload: Json, same: boolean]>([
    ["the very same call is answered as it was", "add", { id: "c", by: 1 }, true],
    ["so it is with its keys in another order", "add", { by: 1, id: "c" }, true],
    ["another payload is another call", "add", { id: "c", by: 2 }, false],
    ["another type is another call", "nothing", { id: "c", by: 1 }, false],
    ["so is one that could never be valid", "add", JSON.parse("[".repeat(9_999) + "]".repeat(9_999)), false],
  ])("of two calls under one id the first counts: %s", (_, type, payload, same) => {
    const desk = new Desk();
    desk.outcome(ann, "add", { id: "c", by: 1 });
    const submission = desk.submit(ann, { clientReqId: 1, baseRev: 0, type, payload });
    const outcome = same ? { kind: "accepted", rev: 1 } : { kind: "rejected", code: "id-conflict" };
    expect(submission).toMatchObject({ kind: "duplicate", outcome });
    expect(desk.memory.state.get("counters", "c")).toEqual({ value: 1 });
  });

  test("a call above the next is a gap, and nothing runs", () => {
    const desk = new Desk();
    const submission = desk.submit(ann, { clientReqId: 3, baseRev: 0, type: "nothing", payload: {} });
    expect(submission).toEqual({ kind: "gap", expected: 1 });
    expect([desk.memory.rev, desk.engine.hasBatch, desk.memory.marks.size]).toEqual([0, false, 0]);
  });

  test("the same id of another client is another call", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    expect(desk.put(ben, "b")).toEqual({ kind: "accepted", rev: 2 });
  });
});

describe("a call that is rejected", () => {
  test.each<[string, string, Json, Caller, string]>([
    ["by its own rule", "refuse", { code: "taken" }, ann, "taken"],
    ["for its payload", "add", { id: 1 }, ann, "invalid"],
    ["for a name that is no mutator", "nope", {}, ann, "invalid"],
    ["for a record that is not there", "transact", { notes: [["patch", "x", {}]] }, ann, "not-found"],
    ["for a collection that is not direct", "transact", { counters: [["delete", "x"]] }, ann, "forbidden"],
    ["because it is a reader's", "nothing", {}, { ...ann, role: "reader" }, "forbidden"],
    ["because its mutator threw", "crash", {}, ann, "internal"],
  ])("%s consumes its id and no revision, and changes nothing", (_title, type, payload, client, code) => {
    const desk = new Desk();
    expect(desk.outcome(client, type, payload)).toMatchObject({ kind: "rejected", code });
    expect([desk.memory.rev, contentOf(desk.memory.state)]).toEqual([0, {}]);
    expect(desk.memory.marks.get("ann")?.mark).toBe(1);
    const { row, delta, operations } = desk.flush();
    expect([row.from, row.to, delta, operations]).toEqual([0, 0, undefined, []]);
    expect(desk.put(ann, "a")).toEqual({ kind: "accepted", rev: 1 });
  });

  test("by a mutator that threw tells the caller nothing of it, and the operator all", () => {
    const desk = new Desk();
    const outcome = desk.outcome(ann, "crash", {});
    expect(outcome).toEqual({
      kind: "rejected",
      code: "internal",
      message: "the room could not run this call",
    });
    expect(desk.failures).toEqual([new Error("a bug with secrets in its text")]);
  });

  test("by a mutator that is asynchronous is internal", () => {
    const roll: Run = async (tx) => {
      await Promise.resolve();
      tx["counters"]?.put("late", { value: 1 });
    };
    const desk = new Desk({ serverMutators: { roll } });
    expect(desk.outcome(ann, "roll", { id: "d" })).toMatchObject({ code: "internal" });
    expect(desk.memory.rev).toBe(0);
  });

  test("broadcasts nothing", () => {
    const desk = new Desk({ authorize: () => false });
    desk.outcome(ann, "announce", { at: 1 });
    expect(desk.flush().broadcasts).toEqual([]);
  });
});

describe("authorize", () => {
  test("is asked with the records before and after, and what has changed", () => {
    const asked: unknown[] = [];
    const desk = new Desk({
      authorize: (operation, caller) => {
        asked.push({ ...operation, actor: caller.actor });
        return true;
      },
    });
    desk.put(ann, "a", "one");
    const payload = {
      notes: [
        ["patch", "a", { rank: 2 }],
        ["put", "b", { text: "", rank: 0 }],
      ],
      cards: [],
    };
    desk.outcome(ben, "transact", payload);
    expect(asked[1]).toEqual({
      type: "transact",
      payload,
      isRepair: false,
      actor: "ben",
      changes: [
        {
          collection: "notes",
          id: "a",
          fields: ["rank"],
          before: { text: "one", rank: 0 },
          after: { text: "one", rank: 2 },
        },
        {
          collection: "notes",
          id: "b",
          fields: ["text", "rank"],
          before: undefined,
          after: { text: "", rank: 0 },
        },
      ],
    });
  });

  test("that changes the payload has not made another call of it", () => {
    const authorize: Authorize = ({ payload }) => {
      (payload as { by: number }).by = 100;
      return true;
    };
    const desk = new Desk({ authorize });
    const submit = () =>
      desk.submit(ann, { clientReqId: 1, baseRev: 0, type: "add", payload: { id: "c", by: 1 } });
    expect([submit(), submit()]).toMatchObject([
      { kind: "executed" },
      { kind: "duplicate", outcome: { kind: "accepted", rev: 1 } },
    ]);
    expect(desk.memory.state.get("counters", "c")).toEqual({ value: 1 });
  });

  test.each<[string, () => unknown, string]>([
    ["says no", () => false, "forbidden"],
    [
      "refuses in its own words",
      () => {
        throw new Rejection("paywall");
      },
      "paywall",
    ],
    [
      "throws",
      () => {
        throw new Error("bug");
      },
      "internal",
    ],
    ["is asynchronous, which is no yes", () => Promise.resolve(true), "forbidden"],
    ["says something that is not true", () => 1, "forbidden"],
  ])("that %s refuses the operation", (title, authorize, code) => {
    const desk = new Desk({ authorize: authorize as () => boolean });
    expect(desk.put(ann, "a")).toMatchObject({ kind: "rejected", code });
    expect([desk.memory.rev, contentOf(desk.memory.state)]).toEqual([0, {}]);
    expect(desk.failures.length).toBe(code === "internal" || title.includes("asynchronous") ? 1 : 0);
  });
});

describe("changed by others", () => {
  test.each([
    { title: "since the caller's revision is a conflict", baseRev: 1, code: "conflict" },
    { title: "before the caller's revision is none", baseRev: 2, code: undefined },
    { title: "is none for a caller who claims a revision of the future", baseRev: 1e9, code: undefined },
  ])("$title", ({ baseRev, code }) => {
    const desk = new Desk();
    desk.put(ann, "a");
    desk.put(ben, "a", "two");
    const outcome = desk.outcome(ann, "claim", { id: "a" }, baseRev);
    expect(outcome).toMatchObject(code === undefined ? { kind: "accepted" } : { code });
  });

  test("the caller's own changes are none", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    expect(desk.outcome(ann, "claim", { id: "a" }, 0)).toMatchObject({ kind: "accepted" });
  });

  test("the room's own changes are somebody else's", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    desk.engine.transact((tx) => tx["notes"]?.patch("a", { rank: 9 }));
    expect(desk.outcome(ann, "claim", { id: "a" }, 1)).toMatchObject({ code: "conflict" });
  });
});

describe("the room's own edit", () => {
  test("is one operation, and may write any collection", () => {
    const desk = new Desk();
    const isDone = desk.engine.transact((tx) => {
      tx["counters"]?.put("c", { value: 1 });
      tx["notes"]?.put("a", { text: "", rank: 0 });
    });
    expect([isDone, desk.memory.rev]).toEqual([true, 1]);
    expect(desk.flush().operations).toEqual([
      { rev: 1, type: "transact", payload: null, actor: "room", user: null },
    ]);
  });

  test("that throws has changed nothing", () => {
    const desk = new Desk();
    const edit = () =>
      desk.engine.transact((tx) => {
        tx["counters"]?.put("c", { value: 1 });
        throw new Error("no");
      });
    expect(edit).toThrow("no");
    expect([desk.memory.rev, desk.engine.hasBatch, contentOf(desk.memory.state)]).toEqual([0, false, {}]);
  });

  test("that is too large for an operation is refused, and has changed nothing", () => {
    const desk = new Desk({}, { maxOperationBytes: 200 });
    const edit = () =>
      desk.engine.transact((tx) => tx["notes"]?.put("a", { text: "x".repeat(300), rank: 0 }));
    expect(edit).toThrow(expect.objectContaining({ code: "too-large" }));
    expect([desk.memory.rev, desk.engine.hasBatch]).toEqual([0, false]);
  });
});

describe("limits", () => {
  test("an operation that changes too much is too-large", () => {
    const desk = new Desk({}, { maxOperationBytes: 300 });
    expect(desk.put(ann, "a", "x".repeat(300))).toMatchObject({ code: "too-large" });
    expect(desk.put(ann, "a", "x".repeat(100))).toMatchObject({ kind: "accepted" });
  });

  test("a room that is full takes nothing that grows it, and everything that does not", () => {
    const desk = new Desk({}, { maxStateBytes: 1_000 });
    expect(desk.put(ann, "a", "x".repeat(600))).toMatchObject({ kind: "accepted" });
    desk.flush();
    expect(desk.put(ann, "b", "x".repeat(600))).toMatchObject({ code: "too-large" });
    expect(desk.put(ann, "a", "y".repeat(600))).toMatchObject({ kind: "accepted" });
    expect(desk.outcome(ann, "clear", {})).toMatchObject({ kind: "accepted" });
  });

  test("a room whose records weigh too much takes nothing that makes them heavier, and everything that does not", () => {
    const desk = new Desk({}, { maxStateWeight: 1_000 });
    let made = 0;
    while (desk.put(ann, `a${made}`, "")?.kind === "accepted") made += 1;
    expect(made).toBeGreaterThan(2);
    expect(made).toBeLessThan(7);
    expect(desk.put(ann, "b", "")).toMatchObject({ code: "too-large" });
    expect(desk.put(ann, "a0", "")).toMatchObject({ kind: "accepted" });
    const { state } = desk.memory;
    const { weight } = state;
    // A room that was filled under a higher limit can still be made smaller.
    const tight = new Desk({}, { maxStateWeight: 1 });
    tight.memory.state.set("notes", "a", { text: "x" });
    tight.memory.state.set("notes", "c", { text: "y" });
    expect(tight.put(ann, "b", "")).toMatchObject({ code: "too-large" });
    // Still too heavy after it, but lighter.
    expect(tight.outcome(ann, "transact", { notes: [["delete", "c"]] })).toMatchObject({ kind: "accepted" });
    expect(tight.memory.state.weight).toBeGreaterThan(1);
    expect(tight.outcome(ann, "clear", {})).toMatchObject({ kind: "accepted" });
    expect(weight).toBeLessThanOrEqual(1_000);
  });

  test("a full room has place again once its pages are written", () => {
    const desk = new Desk({}, { maxStateBytes: 1_000 });
    desk.put(ann, "a", "x".repeat(600));
    desk.outcome(ann, "clear", {});
    desk.flush();
    const { memory } = desk;
    expect([...memory.pages.encodeChanged(memory)]).not.toEqual([]);
    memory.journalBytes = 0;
    expect(desk.put(ann, "b", "x".repeat(600))).toMatchObject({ kind: "accepted" });
  });

  test("a client that confirms nothing is held back after so many outcomes, and goes on once it confirms", () => {
    const desk = new Desk({}, { maxUnconfirmedOutcomes: 2 });
    desk.put(ann, "a");
    desk.outcome(ann, "nope", {});
    const third: Call = { clientReqId: 3, baseRev: 0, type: "nothing", payload: {} };
    expect(desk.submit(ann, third)).toEqual({ kind: "unconfirmed", limit: "own" });
    expect([desk.memory.rev, desk.memory.marks.get("ann")?.mark]).toEqual([1, 2]);
    expect(desk.submit(ann, { ...third, clientReqId: 1 }).kind).toBe("duplicate");
    desk.memory.marks.confirm("ann", 1);
    expect(desk.submit(ann, third)).toEqual({ kind: "executed" });
  });

  test("a client that confirms nothing is held back before its outcomes outgrow a row of storage", () => {
    const desk = new Desk();
    const payload = { code: "c", data: "x".repeat(3_500) };
    let executed = 0;
    for (; executed < 5_000; executed++) {
      let submission = desk.next(ann, "refuse", payload);
      if (submission.kind === "full") {
        desk.flush();
        submission = desk.next(ann, "refuse", payload);
      }
      if (submission.kind === "unconfirmed") break;
    }
    expect(executed).toBeGreaterThan(100);
    const [stored] = desk.memory.marks.takeChanged();
    expect(utf8Bytes(JSON.stringify(stored?.outcomes))).toBeLessThan(defaultLimits.maxRowBytes);
  });
});
