import { describe, expect, test } from "vitest";
import type { Caller, Run } from "../../../src/model/call.ts";
import type { Authorize } from "../../../src/room/engine/authorization.ts";
import type { SubmittedCall } from "../../../src/room/engine/submission.ts";
import { utf8Bytes } from "../../../src/model/json.ts";
import { defaultLimits } from "../../../src/room/limits.ts";
import { Rejection, type Json } from "../../../src/index.ts";
import { ann, ben, EngineHarness } from "../../support/rooms/engine-without-storage.ts";
import { contentOf } from "../../support/random-edits.ts";

describe("a call that is accepted", () => {
  test("is committed at the next revision, one for each operation", () => {
    const harness = new EngineHarness();
    expect(harness.put(ann, "a")).toEqual({ kind: "accepted", rev: 1 });
    expect(harness.outcome(ben, "add", { id: "c", by: 1 })).toEqual({ kind: "accepted", rev: 2 });
    expect(harness.roomState.rev).toBe(2);
    expect(contentOf(harness.roomState.records)).toEqual({
      notes: { a: { text: "", rank: 0 } },
      counters: { c: { value: 1 } },
    });
  });

  test("takes a revision also when it changes nothing", () => {
    const harness = new EngineHarness();
    expect(harness.outcome(ann, "nothing", {})).toEqual({ kind: "accepted", rev: 1 });
    expect(harness.outcome(ann, "transact", {})).toEqual({ kind: "accepted", rev: 2 });
    expect(harness.flush().row).toMatchObject({ from: 0, to: 2 });
  });

  test("runs what only the server has", () => {
    const harness = new EngineHarness();
    expect(harness.outcome(ann, "roll", { id: "d" })).toEqual({ kind: "accepted", rev: 1 });
    expect(harness.roomState.records.get("counters", "d")).toEqual({ value: 6 });
  });

  test("is told to hooks, with who made it, and its events leave with it", () => {
    const harness = new EngineHarness();
    harness.outcome(ann, "announce", { at: 5 });
    harness.outcome(ben, "add", { id: "c", by: 1 });
    const { operations, broadcasts } = harness.flush();
    expect(operations).toEqual([
      { rev: 1, type: "announce", payload: { at: 5 }, clientId: "ann", user: { name: "ann" } },
      { rev: 2, type: "add", payload: { id: "c", by: 1 }, clientId: "ben", user: { name: "ben" } },
    ]);
    expect(broadcasts).toEqual([{ event: "ping", payload: { at: 5 } }]);
  });
});

describe("exactly once:", () => {
  test("a call that was executed is answered again, and nothing runs", () => {
    const harness = new EngineHarness();
    const call: SubmittedCall = { clientReqId: 1, baseRev: 0, type: "add", payload: { id: "c", by: 1 } };
    harness.submit(ann, call);
    harness.outcome(ben, "add", { id: "c", by: 10 });
    expect(harness.submit(ann, call)).toEqual({ kind: "duplicate", outcome: { kind: "accepted", rev: 1 } });
    harness.flush();
    expect(harness.submit(ann, call)).toEqual({ kind: "duplicate", outcome: { kind: "accepted", rev: 1 } });
    expect(harness.roomState.records.get("counters", "c")).toEqual({ value: 11 });
    expect([harness.roomState.rev, harness.engine.hasBatch]).toEqual([2, false]);
  });

  test("a call that was rejected is answered again in the same words, though it would be accepted now", () => {
    const harness = new EngineHarness();
    const call: SubmittedCall = { clientReqId: 1, baseRev: 0, type: "claim", payload: { id: "a" } };
    harness.submit(ann, call);
    harness.put(ben, "a");
    expect(harness.submit(ann, call)).toMatchObject({ kind: "duplicate", outcome: { code: "not-found" } });
    expect(harness.roomState.records.get("notes", "a")).toEqual({ text: "", rank: 0 });
  });

  test("a call whose outcome the client has confirmed is too old to be answered, and does not run", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    harness.roomState.clientLog.confirm("ann", 1);
    expect(harness.submit(ann, { clientReqId: 1, baseRev: 0, type: "nothing", payload: {} })).toMatchObject({
      kind: "duplicate",
      outcome: { kind: "rejected", code: "too-old" },
    });
    expect([harness.roomState.rev, harness.roomState.clientLog.get("ann")?.lastCallId]).toEqual([1, 1]);
  });

  test.each<[title: string, type: string, payload: Json, same: boolean]>([
    ["the very same call is answered as it was", "add", { id: "c", by: 1 }, true],
    ["so it is with its keys in another order", "add", { by: 1, id: "c" }, true],
    ["another payload is another call", "add", { id: "c", by: 2 }, false],
    ["another type is another call", "nothing", { id: "c", by: 1 }, false],
    ["so is one that could never be valid", "add", JSON.parse("[".repeat(9_999) + "]".repeat(9_999)), false],
  ])("of two calls under one id the first counts: %s", (_, type, payload, same) => {
    const harness = new EngineHarness();
    harness.outcome(ann, "add", { id: "c", by: 1 });
    const submission = harness.submit(ann, { clientReqId: 1, baseRev: 0, type, payload });
    const outcome = same ? { kind: "accepted", rev: 1 } : { kind: "rejected", code: "id-conflict" };
    expect(submission).toMatchObject({ kind: "duplicate", outcome });
    expect(harness.roomState.records.get("counters", "c")).toEqual({ value: 1 });
  });

  test("a call above the next is a gap, and nothing runs", () => {
    const harness = new EngineHarness();
    const submission = harness.submit(ann, { clientReqId: 3, baseRev: 0, type: "nothing", payload: {} });
    expect(submission).toEqual({ kind: "gap", expected: 1 });
    expect([harness.roomState.rev, harness.engine.hasBatch, harness.roomState.clientLog.size]).toEqual([
      0,
      false,
      0,
    ]);
  });

  test("the same id of another client is another call", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    expect(harness.put(ben, "b")).toEqual({ kind: "accepted", rev: 2 });
  });
});

describe("a call that is rejected", () => {
  test.each<[string, string, Json, Caller, string]>([
    ["by its own rule", "refuse", { code: "taken" }, ann, "taken"],
    ["for its payload", "add", { id: 1 }, ann, "invalid"],
    ["for a name that is no mutator", "nope", {}, ann, "invalid"],
    ["for a record that is not there", "transact", { notes: [["patch", "x", {}]] }, ann, "not-found"],
    ["for a collection that is not direct", "transact", { counters: [["delete", "x"]] }, ann, "forbidden"],
    ["because it is a reader's", "nothing", {}, { ...ann, access: "read" }, "forbidden"],
    ["because its mutator threw", "crash", {}, ann, "internal"],
  ])("%s consumes its id and no revision, and changes nothing", (_title, type, payload, client, code) => {
    const harness = new EngineHarness();
    expect(harness.outcome(client, type, payload)).toMatchObject({ kind: "rejected", code });
    expect([harness.roomState.rev, contentOf(harness.roomState.records)]).toEqual([0, {}]);
    expect(harness.roomState.clientLog.get("ann")?.lastCallId).toBe(1);
    const { row, delta, operations } = harness.flush();
    expect([row.from, row.to, delta, operations]).toEqual([0, 0, undefined, []]);
    expect(harness.put(ann, "a")).toEqual({ kind: "accepted", rev: 1 });
  });

  test("by a mutator that threw tells the caller nothing of it, and the operator all", () => {
    const harness = new EngineHarness();
    const outcome = harness.outcome(ann, "crash", {});
    expect(outcome).toEqual({
      kind: "rejected",
      code: "internal",
      message: "the room could not run this call",
    });
    expect(harness.failures).toEqual([new Error("a bug with secrets in its text")]);
  });

  test("by a mutator that is asynchronous is internal", () => {
    const roll: Run = async (tx) => {
      await Promise.resolve();
      tx["counters"]?.put("late", { value: 1 });
    };
    const harness = new EngineHarness({ serverMutators: { roll } });
    expect(harness.outcome(ann, "roll", { id: "d" })).toMatchObject({ code: "internal" });
    expect(harness.roomState.rev).toBe(0);
  });

  test("broadcasts nothing", () => {
    const harness = new EngineHarness({ authorize: () => false });
    harness.outcome(ann, "announce", { at: 1 });
    expect(harness.flush().broadcasts).toEqual([]);
  });
});

describe("authorize", () => {
  test("is asked with the records before and after, and what has changed", () => {
    const asked: unknown[] = [];
    const harness = new EngineHarness({
      authorize: (operation, caller) => {
        asked.push({ ...operation, clientId: caller.clientId });
        return true;
      },
    });
    harness.put(ann, "a", "one");
    const payload = {
      notes: [
        ["patch", "a", { rank: 2 }],
        ["put", "b", { text: "", rank: 0 }],
      ],
      cards: [],
    };
    harness.outcome(ben, "transact", payload);
    expect(asked[1]).toEqual({
      type: "transact",
      payload,
      isRepair: false,
      clientId: "ben",
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
    const harness = new EngineHarness({ authorize });
    const submit = () =>
      harness.submit(ann, { clientReqId: 1, baseRev: 0, type: "add", payload: { id: "c", by: 1 } });
    expect([submit(), submit()]).toMatchObject([
      { kind: "executed" },
      { kind: "duplicate", outcome: { kind: "accepted", rev: 1 } },
    ]);
    expect(harness.roomState.records.get("counters", "c")).toEqual({ value: 1 });
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
    const harness = new EngineHarness({ authorize: authorize as () => boolean });
    expect(harness.put(ann, "a")).toMatchObject({ kind: "rejected", code });
    expect([harness.roomState.rev, contentOf(harness.roomState.records)]).toEqual([0, {}]);
    expect(harness.failures.length).toBe(code === "internal" || title.includes("asynchronous") ? 1 : 0);
  });
});

describe("changed by others", () => {
  test.each([
    { title: "since the caller's revision is a conflict", baseRev: 1, code: "conflict" },
    { title: "before the caller's revision is none", baseRev: 2, code: undefined },
    { title: "is none for a caller who claims a revision of the future", baseRev: 1e9, code: undefined },
  ])("$title", ({ baseRev, code }) => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    harness.put(ben, "a", "two");
    const outcome = harness.outcome(ann, "claim", { id: "a" }, baseRev);
    expect(outcome).toMatchObject(code === undefined ? { kind: "accepted" } : { code });
  });

  test("the caller's own changes are none", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    expect(harness.outcome(ann, "claim", { id: "a" }, 0)).toMatchObject({ kind: "accepted" });
  });

  test("the room's own changes are somebody else's", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    harness.engine.transact((tx) => tx["notes"]?.patch("a", { rank: 9 }));
    expect(harness.outcome(ann, "claim", { id: "a" }, 1)).toMatchObject({ code: "conflict" });
  });
});

describe("the room's own edit", () => {
  test("is one operation, and may write any collection", () => {
    const harness = new EngineHarness();
    const isDone = harness.engine.transact((tx) => {
      tx["counters"]?.put("c", { value: 1 });
      tx["notes"]?.put("a", { text: "", rank: 0 });
    });
    expect([isDone, harness.roomState.rev]).toEqual([true, 1]);
    expect(harness.flush().operations).toEqual([
      { rev: 1, type: "transact", payload: null, clientId: "room", user: null },
    ]);
  });

  test("that throws has changed nothing", () => {
    const harness = new EngineHarness();
    const edit = () =>
      harness.engine.transact((tx) => {
        tx["counters"]?.put("c", { value: 1 });
        throw new Error("no");
      });
    expect(edit).toThrow("no");
    expect([harness.roomState.rev, harness.engine.hasBatch, contentOf(harness.roomState.records)]).toEqual([
      0,
      false,
      {},
    ]);
  });

  test("that is too large for an operation is refused, and has changed nothing", () => {
    const harness = new EngineHarness({}, { maxOperationBytes: 200 });
    const edit = () =>
      harness.engine.transact((tx) => tx["notes"]?.put("a", { text: "x".repeat(300), rank: 0 }));
    expect(edit).toThrow(expect.objectContaining({ code: "too-large" }));
    expect([harness.roomState.rev, harness.engine.hasBatch]).toEqual([0, false]);
  });
});

describe("limits", () => {
  test("an operation that changes too much is too-large", () => {
    const harness = new EngineHarness({}, { maxOperationBytes: 300 });
    expect(harness.put(ann, "a", "x".repeat(300))).toMatchObject({ code: "too-large" });
    expect(harness.put(ann, "a", "x".repeat(100))).toMatchObject({ kind: "accepted" });
  });

  test("a room that is full takes nothing that grows it, and everything that does not", () => {
    const harness = new EngineHarness({}, { maxStateBytes: 1_000 });
    expect(harness.put(ann, "a", "x".repeat(600))).toMatchObject({ kind: "accepted" });
    harness.flush();
    expect(harness.put(ann, "b", "x".repeat(600))).toMatchObject({ code: "too-large" });
    expect(harness.put(ann, "a", "y".repeat(600))).toMatchObject({ kind: "accepted" });
    expect(harness.outcome(ann, "clear", {})).toMatchObject({ kind: "accepted" });
  });

  test("a room whose records weigh too much takes nothing that makes them heavier, and everything that does not", () => {
    const harness = new EngineHarness({}, { maxStateWeight: 1_000 });
    let made = 0;
    while (harness.put(ann, `a${made}`, "")?.kind === "accepted") made += 1;
    expect(made).toBeGreaterThan(2);
    expect(made).toBeLessThan(7);
    expect(harness.put(ann, "b", "")).toMatchObject({ code: "too-large" });
    expect(harness.put(ann, "a0", "")).toMatchObject({ kind: "accepted" });
    const { records } = harness.roomState;
    const { weight } = records;
    // A room that was filled under a higher limit can still be made smaller.
    const tight = new EngineHarness({}, { maxStateWeight: 1 });
    tight.roomState.records.set("notes", "a", { text: "x" });
    tight.roomState.records.set("notes", "c", { text: "y" });
    expect(tight.put(ann, "b", "")).toMatchObject({ code: "too-large" });
    // Still too heavy after it, but lighter.
    expect(tight.outcome(ann, "transact", { notes: [["delete", "c"]] })).toMatchObject({ kind: "accepted" });
    expect(tight.roomState.records.weight).toBeGreaterThan(1);
    expect(tight.outcome(ann, "clear", {})).toMatchObject({ kind: "accepted" });
    expect(weight).toBeLessThanOrEqual(1_000);
  });

  test("a full room has place again once its pages are written", () => {
    const harness = new EngineHarness({}, { maxStateBytes: 1_000 });
    harness.put(ann, "a", "x".repeat(600));
    harness.outcome(ann, "clear", {});
    harness.flush();
    const { roomState } = harness;
    expect([...roomState.pages.encodeChanged(roomState)]).not.toEqual([]);
    roomState.journalBytes = 0;
    expect(harness.put(ann, "b", "x".repeat(600))).toMatchObject({ kind: "accepted" });
  });

  test("a client that confirms nothing is held back after so many outcomes, and goes on once it confirms", () => {
    const harness = new EngineHarness({}, { maxUnconfirmedOutcomes: 2 });
    harness.put(ann, "a");
    harness.outcome(ann, "nope", {});
    const third: SubmittedCall = { clientReqId: 3, baseRev: 0, type: "nothing", payload: {} };
    expect(harness.submit(ann, third)).toEqual({ kind: "unconfirmed", limit: "own" });
    expect([harness.roomState.rev, harness.roomState.clientLog.get("ann")?.lastCallId]).toEqual([1, 2]);
    expect(harness.submit(ann, { ...third, clientReqId: 1 }).kind).toBe("duplicate");
    harness.roomState.clientLog.confirm("ann", 1);
    expect(harness.submit(ann, third)).toEqual({ kind: "executed" });
  });

  test("a client that confirms nothing is held back before its outcomes outgrow a row of storage", () => {
    const harness = new EngineHarness();
    const payload = { code: "c", data: "x".repeat(3_500) };
    let executed = 0;
    for (; executed < 5_000; executed++) {
      let submission = harness.next(ann, "refuse", payload);
      if (submission.kind === "full") {
        harness.flush();
        submission = harness.next(ann, "refuse", payload);
      }
      if (submission.kind === "unconfirmed") break;
    }
    expect(executed).toBeGreaterThan(100);
    const [stored] = harness.roomState.clientLog.takeChanged();
    expect(utf8Bytes(JSON.stringify(stored?.outcomes))).toBeLessThan(defaultLimits.maxRowBytes);
  });
});
