import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fields } from "../../src/model/json.ts";
import { canonicalJson, checksumDifference, hashText } from "../../src/model/checksum.ts";
import { State } from "../../src/model/state.ts";
import { anyEdit, editedCollections, operationOf } from "../support/random-edits.ts";

/** The checksum as its definition has it: a sum over all that is there. */
function sumOf(state: State, collection: string): number {
  let sum = 0;
  for (const id of state.ids(collection)) {
    sum += hashText(`${collection}\0${id}\0`);
    for (const [field, value] of Object.entries(state.get(collection, id) ?? {})) {
      sum += hashText(`${collection}\0${id}\0${field}\0${canonicalJson(value)}`);
    }
  }
  return sum % 2 ** 32;
}

function checksumOf(records: { [id: string]: Fields }): number {
  const state = new State();
  for (const [id, record] of Object.entries(records)) state.set("notes", id, record);
  return state.checksum("notes");
}

describe("the checksum of a collection", () => {
  test("is the sum over its records and fields, whatever edits led there", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyEdit, { maxLength: 4 }), { maxLength: 12 }), (operations) => {
        const state = new State();
        for (const edits of operations) operationOf(state, edits);
        for (const collection of editedCollections)
          expect(state.checksum(collection)).toBe(sumOf(state, collection));
      }),
      { numRuns: 200 },
    );
  });

  test.each<[what: string, a: { [id: string]: Fields }, b: { [id: string]: Fields }]>([
    ["a value", { a: { x: 1 } }, { a: { x: 2 } }],
    ["the kind of a value", { a: { x: 1 } }, { a: { x: "1" } }],
    ["null and nothing", { a: { x: null } }, { a: {} }],
    ["a record without fields and none", { a: {} }, {}],
    ["which record", { a: { x: 1 }, b: { x: 2 } }, { a: { x: 2 }, b: { x: 1 } }],
    ["which field", { a: { x: 1, y: 2 } }, { a: { x: 2, y: 1 } }],
    ["where an id ends and a field begins", { ab: { c: 1 } }, { a: { bc: 1 } }],
    ["something deep", { a: { x: { y: [1, { z: 2 }] } } }, { a: { x: { y: [1, { z: 3 }] } } }],
    ["the order of a list", { a: { x: [1, 2] } }, { a: { x: [2, 1] } }],
    ["one bit of a long text", { a: { x: "o".repeat(999) } }, { a: { x: `${"o".repeat(998)}n` } }],
  ])("tells %s apart", (_, a, b) => {
    expect(checksumOf(a)).not.toBe(checksumOf(b));
  });

  test("does not depend on the order of keys, of records or of edits", () => {
    const a = { x: { k: 1, l: [true, null] }, y: "é" };
    const b = { y: "é", x: { l: [true, null], k: 1 } };
    expect(checksumOf({ one: a, two: b })).toBe(checksumOf({ two: a, one: b }));
  });

  test("is 0 for nothing, also after something was there", () => {
    const state = new State();
    state.set("notes", "a", { x: 1, y: { z: 2 } });
    expect(state.checksums).toEqual({ notes: state.checksum("notes") });
    state.set("notes", "a", undefined);
    expect(state.checksums).toEqual({});
  });

  test.each([
    "",
    'a "quoted" word',
    "back\\slash",
    "line\nand\u0000nothing\u001f",
    "\u007f\u0080 é €",
    "𝄞 a pair",
    "half of one \ud834",
    "the other half \udd1e",
    0,
    -7,
    2_147_483_648,
    1e21,
    -1.5e-9,
    true,
    null,
    [],
    { b: ["\n"], a: 1 },
  ] as const)("is of %j as JSON has it", (value) => {
    expect(checksumOf({ a: { field: value } })).toBe(
      (hashText("notes\0a\0") + hashText(`notes\0a\0field\0${canonicalJson(value)}`)) % 2 ** 32,
    );
  });

  test("is well known, so that a client in any language can be held against it", () => {
    expect(hashText("")).toBe(2_872_998_923);
    expect(checksumOf({ s1: { kind: "circle", x: 10, y: 20.5, tags: ["a", { b: null }] } })).toBe(
      1_831_116_302,
    );
  });
});

test("what has not changed costs nothing: a field whose value is the same is not read again", () => {
  let read = 0;
  const big = new Proxy({}, { ownKeys: () => ((read += 1), []) }) as Fields;
  const difference = checksumDifference("notes", "a", { big, x: 1 }, { big, x: 2 });
  expect(difference).not.toBe(0);
  expect(read).toBe(0);
});

test("what is nested without end is hashed all the same", () => {
  const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000)) as never;
  expect(canonicalJson(deep)).toBe("[".repeat(64) + "]".repeat(64));
});
