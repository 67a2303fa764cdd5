import { describe, expect, test } from "vitest";
import type { Authorize } from "../../../src/room/engine/authorization.ts";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import { wake } from "../../../src/room/storage/room-state.ts";
import { maxOrderKeyLength, orderBetween, Rejection, type Json } from "../../../src/index.ts";
import { isOrderKey } from "../../../src/schema/order-key.ts";
import { keysIn, listBoard } from "../../support/boards/list-board.ts";
import { Journal } from "../../../src/room/storage/journal.ts";
import { ann, ben, EngineHarness } from "../../support/rooms/engine-without-storage.ts";
import { FailingStorage } from "../../support/rooms/failing-storage.ts";

function newHarness(limits: Partial<Limits> = {}, authorize?: Authorize): EngineHarness {
  return new EngineHarness({ definition: listBoard, ...(authorize && { authorize }) }, limits);
}

function add(harness: EngineHarness, keys: { readonly [id: string]: string }, client = ann): void {
  for (const [id, order] of Object.entries(keys)) {
    expect(harness.outcome(client, "add", { id, order })?.kind).toBe("accepted");
  }
}

const tasksOf = (harness: EngineHarness) => keysIn(harness.roomState.records, "tasks", "order");

/** Keys of which each is longer by about a sixth of a character than the one before, as they become between two others. */
function nestedKeys(count: number): string[] {
  const keys: string[] = [];
  for (let key = "a0"; keys.length < count; keys.push(key)) key = orderBetween(key, "a1");
  return keys;
}

function expectOrder(keys: { readonly [id: string]: string }): void {
  const list = Object.values(keys);
  expect(list.every(isOrderKey)).toBe(true);
  expect(list).toEqual([...new Set(list)].toSorted());
}

describe("two records with one key", () => {
  test.each([
    ["behind the other", "a", "b", ["x", "a", "b", "y"]],
    ["before it", "b", "a", ["x", "a", "b", "y"]],
  ])("get two: the later one a new key, %s, as their ids are", (_place, first, second, order) => {
    const harness = newHarness();
    add(harness, { x: "Zz", y: "a1", [first]: "a0" });
    add(harness, { [second]: "a0" }, ben);
    expect(Object.keys(tasksOf(harness))).toEqual(order);
    expectOrder(tasksOf(harness));
    expect(tasksOf(harness)[first]).toBe("a0");
  });

  test("are told of the same way to everybody: the change says the new key at once", () => {
    const harness = newHarness();
    add(harness, { a: "a0", b: "a0" });
    const { row, operations } = harness.flush();
    expect(operations.map(({ rev, type }) => [rev, type])).toEqual([
      [1, "add"],
      [2, "add"],
    ]);
    expect(new TextDecoder("latin1").decode(row.body).match(/a0/g)).toHaveLength(1);
  });

  test("get two as well when one is moved there, when an edit writes both, and at the list's ends", () => {
    const harness = newHarness();
    add(harness, { a: "a0", b: "a1", c: "a2" });
    harness.outcome(ben, "move", { id: "c", order: "a0" });
    expect(Object.keys(tasksOf(harness))).toEqual(["a", "c", "b"]);
    expectOrder(tasksOf(harness));
    const card = (id: string) => ["put", id, { title: "", place: "a5" }] as const;
    harness.outcome(ann, "transact", { cards: ["3", "1", "2"].map(card) });
    expect(Object.keys(keysIn(harness.roomState.records, "cards", "place"))).toEqual(["1", "2", "3"]);
    expectOrder(keysIn(harness.roomState.records, "cards", "place"));
  });

  test("are none when the other one leaves the key in the same operation", () => {
    const harness = newHarness();
    harness.outcome(ann, "transact", {
      cards: [
        ["put", "a", { title: "", place: "a0" }],
        ["put", "b", { title: "", place: "a1" }],
      ],
    });
    harness.outcome(ann, "transact", {
      cards: [
        ["patch", "a", { place: "a1" }],
        ["patch", "b", { place: "a0" }],
      ],
    });
    expect(keysIn(harness.roomState.records, "cards", "place")).toEqual({ b: "a0", a: "a1" });
    harness.outcome(ann, "transact", {
      cards: [
        ["delete", "b"],
        ["patch", "a", { place: "a0" }],
      ],
    });
    expect(keysIn(harness.roomState.records, "cards", "place")).toEqual({ a: "a0" });
  });

  test("are looked for in each list of a collection by itself, and not among those who are in none", () => {
    const harness = newHarness();
    harness.outcome(ann, "transact", {
      cards: [
        ["put", "a", { title: "", place: "a0", rank: "a7" }],
        ["put", "b", { title: "", place: "a7" }],
        ["put", "c", { title: "", place: "a1", rank: "a7" }],
      ],
    });
    expect(keysIn(harness.roomState.records, "cards", "place")).toEqual({ a: "a0", c: "a1", b: "a7" });
    const { a, c, b } = keysIn(harness.roomState.records, "cards", "rank");
    expect([a, b]).toEqual(["a7", undefined]);
    expect(c).toBe("a8");
  });

  test("may be written by the room's own hand, which is repaired as well", () => {
    const harness = newHarness();
    harness.engine.transact((tx) => {
      for (const id of ["a", "b", "c"]) tx["tasks"]?.put(id, { title: "", order: "a0" });
    });
    expect(Object.keys(tasksOf(harness))).toEqual(["a", "b", "c"]);
    expectOrder(tasksOf(harness));
  });
});

describe("a repair", () => {
  test("is nobody's change: who had not seen it may still claim the record", () => {
    // How long keys are is left to chance, and with it whether old ones have to be shortened for new ones.
    const shorten = () => {
      const harness = newHarness({ longOrderKeyLength: 16 });
      const nested = nestedKeys(60);
      add(harness, Object.fromEntries(nested.slice(0, 40).map((order, at) => [`t${at}`, order])));
      const seen = harness.roomState.rev;
      const before = tasksOf(harness);
      add(harness, Object.fromEntries(nested.slice(40).map((order, at) => [`u${at}`, order])));
      const moved = Object.keys(before).filter((id) => before[id] !== tasksOf(harness)[id]);
      return { harness, seen, moved };
    };
    let { harness, seen, moved } = shorten();
    for (let tries = 0; moved.length < 4 && tries < 20; tries++) ({ harness, seen, moved } = shorten());
    expect(moved.length).toBeGreaterThan(3);
    for (const id of moved) expect(harness.outcome(ben, "claim", { id }, seen)?.kind).toBe("accepted");
    expect(harness.outcome(ben, "claim", { id: "u0" }, seen)).toMatchObject({ code: "conflict" });
  });

  test("of the records that the caller writes is not for `authorize` to judge, which is asked what the caller wants", () => {
    const asked: unknown[] = [];
    const harness = newHarness({}, ({ changes }) => {
      asked.push(changes.map(({ id, after }) => [id, after?.["order"]]));
      return true;
    });
    add(harness, { a: "a0", b: "a0" });
    expect(asked).toEqual([[["a", "a0"]], [["b", "a0"]]]);
  });

  describe("of other records", () => {
    const deep = `a0${"V".repeat(60)}`;
    /** Two records of Ann's with long keys, of which `rule` decides whether a call of Ben's between them changes them. */
    const harnessOf = (rule: Authorize) => {
      const harness = newHarness(
        {},
        (operation, caller) => caller.clientId === "ann" || rule(operation, caller),
      );
      for (const [id, order] of Object.entries({ a: `${deep}A`, c: `${deep}C` }))
        harness.roomState.records.set("tasks", id, Object.freeze({ title: id, order }));
      return harness;
    };
    const between = { id: "b", order: `${deep}B` };

    test("is done when `authorize` returns true for it, and is asked with what would change", () => {
      const asked: unknown[] = [];
      const harness = harnessOf(({ type, payload, changes, isRepair }) => {
        asked.push([type, payload, isRepair, changes.map(({ id, fields }) => [id, fields])]);
        return true;
      });
      expect(harness.outcome(ben, "add", between)).toMatchObject({ kind: "accepted" });
      expect(asked).toEqual([
        ["add", between, false, [["b", ["title", "order"]]]],
        ["add", between, true, [["c", ["order"]]]],
      ]);
      expect(tasksOf(harness)).toEqual({ a: `${deep}A`, b: "a1", c: "a2" });
    });

    test.each([
      ["false", () => false],
      [
        "throws a refusal",
        () => {
          throw new Rejection("frozen");
        },
      ],
      [
        "throws an error",
        () => {
          throw new Error("a bug");
        },
      ],
      ["returns a promise", () => Promise.resolve(true) as unknown as boolean],
    ])("is not done when `authorize` %s: the call is committed, and they keep their keys", (_, no) => {
      const harness = harnessOf(({ changes, isRepair }, caller) => {
        if (isRepair) return no();
        return changes.every(({ before }) => before === undefined) && caller.clientId === "ben";
      });
      expect(harness.outcome(ben, "add", between)).toMatchObject({ kind: "accepted" });
      expect(tasksOf(harness)).toEqual({ a: `${deep}A`, b: `${deep}B`, c: `${deep}C` });
      // Of equal keys the caller's record still gets another, which needs no other record.
      expect(harness.outcome(ben, "add", { id: "d", order: `${deep}C` })).toMatchObject({ kind: "accepted" });
      const { a, b, c, d } = tasksOf(harness);
      expect([a, b, c]).toEqual([`${deep}A`, `${deep}B`, `${deep}C`]);
      expect(d).not.toBe(c);
    });

    test("is not done when the operation would become too large by it", () => {
      const crowdedHarness = (maxOperationBytes: number) => {
        const harness = newHarness({ maxOperationBytes });
        for (let at = 10; at < 60; at++)
          harness.roomState.records.set(
            "tasks",
            `t${at}`,
            Object.freeze({ title: "", order: `${deep}${at}V` }),
          );
        const before = tasksOf(harness);
        expect(harness.outcome(ben, "add", { id: "t345", order: `${deep}34W` })).toMatchObject({
          kind: "accepted",
        });
        const after = tasksOf(harness);
        return Object.keys(before).filter((id) => before[id] !== after[id]).length;
      };
      expect(crowdedHarness(100_000)).toBeGreaterThan(20);
      expect(crowdedHarness(1_000)).toBe(0);
    });
  });

  test("leaves keys alone that another schema has let in", () => {
    const harness = newHarness();
    harness.roomState.records.set("tasks", "old", Object.freeze({ title: "", order: "first!" }));
    harness.roomState.records.set("tasks", "older", Object.freeze({ title: "" }));
    add(harness, { g: "f000000", h: "f000000" });
    expect(tasksOf(harness)).toEqual({ g: "f000000", h: "f000000", old: "first!", older: undefined });
    add(harness, { a: "a0", b: "a0" });
    expect(Object.keys(tasksOf(harness))).toEqual(["a", "b", "g", "h", "old", "older"]);
  });
});

describe("keys that many records have shared since before they were order keys", () => {
  const harnessOf = (count: number) => {
    const harness = newHarness({ maxShortenedOrderKeys: 8 });
    for (let at = 0; at < count; at++)
      harness.roomState.records.set("tasks", `t${at}`, Object.freeze({ title: "", order: "a0" }));
    return harness;
  };

  test("are mended with the first that is written among them, when those are few", () => {
    const harness = harnessOf(8);
    const before = Object.keys(tasksOf(harness));
    add(harness, { t55: "a0" });
    expect(Object.keys(tasksOf(harness))).toEqual([...before.slice(0, 6), "t55", ...before.slice(6)]);
    expectOrder(tasksOf(harness));
  });

  test("stay as they are when those are many, and cost no call its success", () => {
    const harness = harnessOf(9);
    add(harness, { t55: "a0", u: "a1", v: "a1" });
    const { v, ...others } = tasksOf(harness);
    expect(new Set(Object.values(others))).toEqual(new Set(["a0", "a1"]));
    expect(v).toBe("a2");
  });
});

describe("a key that is too long", () => {
  test("becomes a short one, where there is room for it", () => {
    const harness = newHarness();
    add(harness, { a: "a0", c: "a1" });
    add(harness, { b: `a0${"V".repeat(100)}` });
    expect(tasksOf(harness)).toEqual({ a: "a0", b: "a0V", c: "a1" });
  });

  test("has its neighbours' shortened as well: who inserts at one place for ever never has to stop", () => {
    const harness = newHarness();
    add(harness, { "0": "a0", "~": "a1" });
    let most = 0;
    let changed = 0;
    let before = tasksOf(harness);
    for (let count = 1; count <= 800; count++) {
      const [last, end] = Object.values(before).slice(-2); // always behind the one that was put there last
      harness.outcome(ann, "add", { id: String(count).padStart(6, "0"), order: orderBetween(last, end) });
      const after = tasksOf(harness);
      const rekeyed = Object.keys(before).filter((id) => before[id] !== after[id]).length;
      most = Math.max(most, rekeyed);
      changed += rekeyed;
      if (rekeyed > 0) expectOrder(after);
      before = after;
    }
    expect(Object.keys(tasksOf(harness))).toEqual(Object.keys(tasksOf(harness)).toSorted());
    expect(Math.max(...Object.values(tasksOf(harness)).map(({ length }) => length))).toBeLessThanOrEqual(48);
    expect(most).toBeLessThanOrEqual(defaultLimits.maxShortenedOrderKeys);
    expect(changed).toBeLessThan(1_600); // two for each at most
  });

  test("is shortened with all its list when nothing else would be possible", () => {
    const limits = { longOrderKeyLength: 16, maxShortenedOrderKeys: 2 };
    const harness = newHarness(limits);
    const deep = `a0${"z".repeat(maxOrderKeyLength - 3)}`;
    const keys = { c1: `${deep}A`, c2: `${deep}B`, c3: `${deep}C`, c4: `${deep}D`, c5: `${deep}E` };
    for (const [id, order] of Object.entries(keys))
      harness.roomState.records.set("tasks", id, Object.freeze({ title: "", order }));
    add(harness, { c25: `${deep}B` });
    expect(Object.keys(tasksOf(harness))).toEqual(["c1", "c2", "c25", "c3", "c4", "c5"]);
    expectOrder(tasksOf(harness));
  });

  test("of more characters than any may have is refused", () => {
    const harness = newHarness();
    const order = `a0${"V".repeat(maxOrderKeyLength - 1)}`;
    expect(harness.outcome(ann, "add", { id: "a", order })).toMatchObject({ code: "invalid" });
    const cards = [["put", "a", { title: "", place: "a00" }]];
    expect(harness.outcome(ann, "transact", { cards })).toMatchObject({
      code: "invalid",
      data: { place: expect.any(String) },
    });
  });
});

test("a mutator reads the list in order, with its own writes", () => {
  const harness = newHarness();
  add(harness, { c: "a0", b: "a1", a: "a2" });
  harness.outcome(ann, "number", {});
  expect(["a", "b", "c"].map((id) => harness.roomState.records.get("tasks", id)?.["title"])).toEqual([
    "2",
    "1",
    "0",
  ]);
});

test("a room that has slept reads of a list what is asked for, and all of it when a key is written", () => {
  const limits = { ...defaultLimits, pageBytes: 200 };
  const storage = new FailingStorage(2 * limits.maxRingFlushes);
  const options = { definition: listBoard, limits, serverMutators: {}, onFailure: () => {} };
  const journal = new Journal(storage, options, () => "epoch");
  let calls = 0;
  const call = (type: string, payload: Json) => {
    journal.engine.submit(ann, { clientReqId: ++calls, baseRev: 0, type, payload }, 0);
    const flush = journal.engine.takeBatch(0);
    if (flush) journal.write(flush);
  };
  for (let at = 0; at < 100; at++) {
    call("add", { id: `t${at}`, order: orderBetween() });
    call("transact", { cards: [["put", `c${at}`, { title: "", place: orderBetween() }]] });
  }
  journal.checkpoint(0, () => true);
  const pagesOf = (collection: string) =>
    [...journal.roomState.pages.ranges()].filter((range) => range.collection === collection).length;
  journal.reload();
  call("claim", { id: "t50" });
  expect(storage.pagesRead).toHaveLength(1);
  const [, taken] =
    Object.entries(keysIn(wake(storage.copy(), limits, () => "").records, "tasks", "order"))[7] ?? [];
  call("add", { id: "new", order: taken ?? "" });
  expect(storage.pagesRead).toHaveLength(pagesOf("tasks"));
  expectOrder(keysIn(journal.roomState.records, "tasks", "order"));
  const repaired = keysIn(journal.roomState.records, "tasks", "order");
  journal.reload(); // nothing runs again: what was repaired is in the journal
  expect(keysIn(journal.roomState.records, "tasks", "order")).toEqual(repaired);
});

test("a collection whose keys nobody writes is neither read nor sorted", () => {
  const harness = newHarness();
  add(harness, { a: "a0" });
  const { records } = harness.roomState;
  let asked = 0;
  const order = records.order.bind(records);
  records.order = (...names) => ((asked += 1), order(...names));
  harness.outcome(ben, "claim", { id: "a" });
  harness.outcome(ben, "remove", { id: "a" });
  harness.outcome(ann, "transact", { cards: [["delete", "none"]] });
  expect(asked).toBe(0);
  add(harness, { a: "a0" });
  expect(asked).toBe(1);
});
