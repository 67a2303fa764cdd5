import { describe, expect, test } from "vitest";
import { z } from "zod";
import { encodeChanges } from "../../src/model/changes.ts";
import type { Fields } from "../../src/model/json.ts";
import { State } from "../../src/model/state.ts";
import { changesOf, Transaction, type CollectionTransaction, type Tx } from "../../src/model/transaction.ts";
import { parseWith } from "../../src/model/parse.ts";
import { Rejection } from "../../src/index.ts";
import { contentOf } from "../support/random-edits.ts";
import { rulesBoard } from "../support/boards/rules-board.ts";

const plain: Fields = Object.freeze({ text: "one", rank: 1, tag: "t" });

/** A state with the notes `a` and `b`. */
function twoNotes(): State {
  const state = new State();
  state.set("notes", "b", Object.freeze({ text: "two", rank: 2 }));
  state.set("notes", "a", plain);
  return state;
}

function begin(state = twoNotes(), options: { writable?: string[]; maxRecordBytes?: number } = {}) {
  const { maxRecordBytes = 1_000, writable } = options;
  const transaction = new Transaction(
    state,
    { definition: rulesBoard, limits: { maxRecordBytes, maxIdLength: 128 } },
    writable,
  );
  const { notes } = transaction.tx as { notes: CollectionTransaction };
  return { transaction, notes, tx: transaction.tx, wire: () => encodeChanges(changesOf(transaction.writes)) };
}

function rejectionOf(run: () => void): Rejection {
  try {
    run();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error("it was not rejected");
}

const doors = (tx: Tx) => tx["doors"] as CollectionTransaction;

describe("reads see the transaction's own writes", () => {
  test("of a new record, which has its place among the others", () => {
    const { notes } = begin();
    notes.put("aa", { text: "new", rank: 0 });
    expect(notes.get("aa")).toEqual({ text: "new", rank: 0 });
    expect(notes.ids()).toEqual(["a", "aa", "b"]);
    expect(notes.values().map((note) => note["text"])).toEqual(["one", "new", "two"]);
    expect(notes.entries().map(([id, note]) => [id, note["rank"]])).toEqual([
      ["a", 1],
      ["aa", 0],
      ["b", 2],
    ]);
    expect([notes.size, notes.has("aa")]).toEqual([3, true]);
  });

  test("of a deleted record, which may be made again", () => {
    const { notes, wire } = begin();
    notes.delete("a");
    expect([notes.get("a"), notes.has("a"), notes.ids()]).toEqual([undefined, false, ["b"]]);
    notes.put("a", { text: "again", rank: 9 });
    expect(notes.ids()).toEqual(["a", "b"]);
    expect(wire()).toEqual({ notes: [["put", "a", { text: "again", rank: 9 }]] });
  });

  test("of a patch on a patch", () => {
    const { notes, wire } = begin();
    notes.patch("a", { rank: 5 });
    notes.patch("a", { text: JSON.stringify(notes.get("a")?.["rank"]) });
    notes.unset("a", "tag");
    expect(notes.get("a")).toEqual({ text: "5", rank: 5 });
    expect(wire()).toEqual({ notes: [["patch", "a", { rank: 5, text: "5" }, ["tag"]]] });
  });
});

test("a transaction that is abandoned has changed nothing", () => {
  const state = twoNotes();
  const before = contentOf(state);
  const { notes } = begin(state);
  notes.put("c", plain);
  notes.patch("a", { rank: 7 });
  notes.delete("b");
  expect(contentOf(state)).toEqual(before);
  expect(state.get("notes", "a")).toBe(plain);
});

describe("put", () => {
  test("replaces the whole record", () => {
    const { notes } = begin();
    notes.put("a", { text: "bare", rank: 0 });
    expect(notes.get("a")).toStrictEqual({ text: "bare", rank: 0 });
  });

  test("fills in defaults and drops what the schema does not know", () => {
    const { tx } = begin();
    doors(tx).put("d", { key: "k", paint: "thick" });
    expect(doors(tx).get("d")).toStrictEqual({ key: "k", color: "grey" });
  });

  test("takes undefined for a field that is not there", () => {
    const { notes } = begin();
    notes.put("c", { text: "", rank: 0, tag: undefined });
    expect(notes.get("c")).toStrictEqual({ text: "", rank: 0 });
  });

  test("keeps a copy: the object that it was given may change", () => {
    const { notes } = begin();
    const given = { text: "", rank: 0, body: { list: [1] } };
    notes.put("c", given);
    given.body.list.push(2);
    expect(notes.get("c")?.["body"]).toEqual({ list: [1] });
  });
});

describe("patch", () => {
  test("sets the fields named and leaves the others", () => {
    const { notes, wire } = begin();
    notes.patch("a", { rank: 2 });
    expect(notes.get("a")).toEqual({ text: "one", rank: 2, tag: "t" });
    expect(wire()).toEqual({ notes: [["patch", "a", { rank: 2 }]] });
  });

  test("leaves a field alone that is given as undefined", () => {
    const { notes, wire } = begin();
    notes.patch("a", { tag: undefined, rank: 2 });
    expect(notes.get("a")).toEqual({ ...plain, rank: 2 });
    notes.patch("b", { tag: undefined });
    expect(wire()).toEqual({ notes: [["patch", "a", { rank: 2 }]] });
  });

  test("of a missing record is rejected as not-found, with its id", () => {
    const { notes } = begin();
    expect(rejectionOf(() => notes.patch("x", { rank: 1 }))).toMatchObject({
      code: "not-found",
      data: { id: "x" },
    });
    notes.delete("a");
    expect(rejectionOf(() => notes.patch("a", {})).code).toBe("not-found");
  });

  test("fills in no defaults", () => {
    const state = new State();
    state.set("doors", "d", Object.freeze({ key: "k" }));
    const { tx, wire } = begin(state);
    doors(tx).patch("d", { key: "l" });
    expect(wire()).toEqual({ doors: [["patch", "d", { key: "l" }]] });
    expect(doors(tx).get("d")).toStrictEqual({ key: "l" });
  });

  test("checks the whole record that it would leave", () => {
    const state = new State();
    state.set("doors", "d", Object.freeze({ key: "k", color: "grey" }));
    const { tx } = begin(state);
    const rejection = rejectionOf(() => doors(tx).patch("d", { code: "c" }));
    expect(rejection).toMatchObject({ code: "invalid", data: { "(value)": "a door has a key or a code" } });
  });

  test("drops what the schema does not know", () => {
    const { notes, wire } = begin();
    notes.patch(
      "a",
      JSON.parse('{"extra":1,"toString":2,"hasOwnProperty":3,"__proto__":{"rank":9}}') as object,
    );
    expect(wire()).toEqual({});
  });
});

describe("unset", () => {
  test("removes an optional field", () => {
    const { notes, wire } = begin();
    notes.unset("a", "tag");
    expect(notes.get("a")).toStrictEqual({ text: "one", rank: 1 });
    expect(wire()).toEqual({ notes: [["patch", "a", {}, ["tag"]]] });
  });

  test("of a field that the record needs is invalid", () => {
    const { notes, wire } = begin();
    const rejection = rejectionOf(() => notes.unset("a", "rank"));
    expect(rejection.code).toBe("invalid");
    expect(Object.keys(rejection.data as object)).toEqual(["rank"]);
    expect(wire()).toEqual({});
  });

  test("of a field with a default is invalid: readers count on it", () => {
    const state = new State();
    state.set("doors", "d", Object.freeze({ key: "k", color: "red" }));
    const { tx } = begin(state);
    expect(rejectionOf(() => doors(tx).unset("d", "color")).code).toBe("invalid");
    expect(doors(tx).get("d")).toEqual({ key: "k", color: "red" });
  });

  test("of a missing record is rejected as not-found", () => {
    expect(rejectionOf(() => begin().notes.unset("x", "tag")).code).toBe("not-found");
  });

  test.each(["nope", "toString", "constructor", "__proto__"])(
    "of %s, which is no field, changes nothing",
    (field) => {
      const { notes, wire } = begin();
      notes.unset("a", field);
      expect(wire()).toEqual({});
    },
  );
});

describe("a write that changes nothing leaves no change:", () => {
  test.each<[string, (notes: CollectionTransaction) => void]>([
    ["a put of what is there", (notes) => notes.put("a", { tag: "t", rank: 1, text: "one" })],
    ["a patch of what is there", (notes) => notes.patch("a", { rank: 1, tag: "t" })],
    ["a patch of nothing", (notes) => notes.patch("a", {})],
    ["unset of a field that is not there", (notes) => notes.unset("b", "tag")],
    ["delete of a record that is not there", (notes) => notes.delete("x")],
  ])("%s", (_title, write) => {
    const { notes, transaction } = begin();
    write(notes);
    expect(transaction.writes.size).toBe(0);
  });

  test("in a patch, of the field that stays the same", () => {
    const { notes, wire } = begin();
    notes.patch("a", { rank: 1, text: "new" });
    expect(wire()).toEqual({ notes: [["patch", "a", { text: "new" }]] });
  });
});

describe("what is invalid is rejected, by field:", () => {
  test.each<[string, unknown, string[]]>([
    ["a field of another type", { text: 1, rank: 1 }, ["text"]],
    ["a field that is missing", { text: "" }, ["rank"]],
    ["several fields", { tag: 1 }, ["text", "rank", "tag"]],
    ["something that is no record", "text", ["(value)"]],
    ["nothing", undefined, ["(value)"]],
  ])("%s", (_title, record, fields) => {
    const { notes, transaction } = begin();
    const rejection = rejectionOf(() => notes.put("c", record));
    expect(rejection.code).toBe("invalid");
    expect(Object.keys(rejection.data as object)).toEqual(fields);
    expect(transaction.writes.size).toBe(0);
  });

  test("a field that every object has", () => {
    const rejection = rejectionOf(() => parseWith(z.object({ toString: z.string() }), { toString: 1 }, "it"));
    expect(Object.keys(rejection.data as object)).toEqual(["toString"]);
  });

  test.each<[string, unknown, string]>([
    ["a date", new Date(0), "body"],
    ["not a number", Number.NaN, "body"],
    ["half a surrogate pair in a key", { "\ud800": 1 }, "well-formed"],
    ["a forbidden key", { deep: { constructor: {} } }, "the key constructor is refused"],
    ["JSON nested too deeply", JSON.parse("[".repeat(32) + "]".repeat(32)), "nested too deeply"],
  ])("JSON that is none: %s", (_title, body, message) => {
    const { notes, transaction } = begin();
    const rejection = rejectionOf(() => notes.put("c", { text: "", rank: 0, body }));
    expect(rejection.code).toBe("invalid");
    expect(`${rejection.message} ${JSON.stringify(rejection.data)}`).toContain(message);
    expect(transaction.writes.size).toBe(0);
  });

  test("half a character becomes U+FFFD, in a put and in a patch", () => {
    const { notes } = begin();
    notes.put("c", { text: "\ud83c", rank: 0, body: { deep: ["a\udf89b"] } });
    expect(notes.get("c")).toEqual({ text: "\ufffd", rank: 0, body: { deep: ["a\ufffdb"] } });
    notes.patch("c", { text: "party🎉".slice(0, 6) });
    expect(notes.get("c")?.["text"]).toBe("party\ufffd");
  });

  test("__proto__ never gets into a record", () => {
    const { notes } = begin();
    notes.put("c", { text: "", rank: 0, body: JSON.parse('{"__proto__":{"rank":9}}') });
    expect(JSON.stringify(notes.get("c"))).not.toContain("__proto__");
  });

  test("but JSON as deep as the limit is a field", () => {
    const { notes } = begin();
    notes.put("c", { text: "", rank: 0, body: JSON.parse("[".repeat(31) + "]".repeat(31)) });
    expect(notes.has("c")).toBe(true);
  });

  test.each(["", "a".repeat(129), "\udc00", "__proto__", "constructor", "prototype"])("the id %j", (id) => {
    const { notes } = begin();
    const writes = [
      () => notes.put(id, plain),
      () => notes.patch(id, {}),
      () => notes.unset(id, "tag"),
      () => notes.delete(id),
    ];
    expect(writes.map((write) => rejectionOf(write).code)).toEqual([
      "invalid",
      "invalid",
      "invalid",
      "invalid",
    ]);
  });
});

describe("a record's size", () => {
  const bytes = JSON.stringify({ text: "ü", rank: 0 }).length + 1;

  test("may be exactly the limit, in bytes", () => {
    const { notes } = begin(twoNotes(), { maxRecordBytes: bytes });
    notes.put("c", { text: "ü", rank: 0 });
    expect(notes.has("c")).toBe(true);
  });

  test("over the limit is too-large, also when a patch makes it so", () => {
    const { notes } = begin(twoNotes(), { maxRecordBytes: bytes });
    expect(rejectionOf(() => notes.put("c", { text: "ü!", rank: 0 })).code).toBe("too-large");
    notes.put("c", { text: "ü", rank: 0 });
    expect(rejectionOf(() => notes.patch("c", { text: "üü" })).code).toBe("too-large");
    expect(notes.get("c")).toEqual({ text: "ü", rank: 0 });
  });
});

describe("what a transaction hands out cannot be changed:", () => {
  test("records that were written", () => {
    const { notes } = begin();
    notes.put("c", { text: "", rank: 0, body: { list: [{}] } });
    notes.patch("a", { body: { list: [] } });
    notes.unset("b", "tag");
    const body = notes.get("c")?.["body"] as { list: object[] };
    const handedOut = [
      ...notes.values(),
      body,
      body.list,
      body.list[0],
      notes.get("a")?.["body"],
      notes.ids(),
    ];
    expect(handedOut.filter((value) => !Object.isFrozen(value))).toEqual([]);
  });

  test("the collections themselves", () => {
    expect(Object.isFrozen(begin().tx)).toBe(true);
  });
});

test("once it is over, a transaction can be neither read nor written", () => {
  const { transaction, notes } = begin();
  transaction.close();
  const uses = [
    () => notes.get("a"),
    () => notes.has("a"),
    () => notes.ids(),
    () => notes.values(),
    () => notes.entries(),
    () => notes.size,
    () => notes.put("a", { text: "late", rank: 0 }),
    () => notes.patch("a", { rank: 3 }),
    () => notes.unset("a", "tag"),
    () => notes.delete("a"),
  ];
  for (const use of uses) expect(use).toThrow("this transaction is over");
  expect(transaction.writes.size).toBe(0);
});

test("a collection that is not direct can be read but not written by a direct edit", () => {
  const { tx, notes } = begin(twoNotes(), { writable: ["notes"] });
  const counters = tx["counters"] as CollectionTransaction;
  expect([counters.get("a"), counters.size]).toEqual([undefined, 0]);
  expect(rejectionOf(() => counters.put("a", { value: 1 }))).toMatchObject({
    code: "forbidden",
    message: "counters is not direct: change it through a mutator",
  });
  expect(rejectionOf(() => counters.delete("a")).code).toBe("forbidden");
  notes.delete("a");
  expect(notes.has("a")).toBe(false);
});

test("nobody else has changed anything when nobody can tell", () => {
  expect(begin().notes.changedByOthers("a")).toBe(false);
});

test("of very many faults a rejection names the first few", () => {
  const schema = z.object({ tags: z.array(z.string()) });
  const faults = (count: number): unknown => {
    try {
      return parseWith(schema, { tags: Array.from({ length: count }, () => 1) }, "the record");
    } catch (error) {
      return error;
    }
  };
  const named = (count: number) => Object.keys((faults(count) as Rejection).data as object);
  expect(named(3)).toEqual(["tags.0", "tags.1", "tags.2"]);
  expect(named(1_000)).toHaveLength(32);
  expect(faults(300_000)).toMatchObject({ code: "invalid" });
});
