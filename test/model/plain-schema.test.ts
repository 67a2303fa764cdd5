import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { changedFields } from "../../src/model/plain-schema.ts";

const note = z.object({ text: z.string(), rank: z.number().int(), tag: z.string().optional() });
const before = Object.freeze({ text: "one", rank: 1 });

describe("the fields of a patch are read by themselves", () => {
  test.each([
    ["of a plain schema", note],
    ["of one that lets no other field through", note.strict()],
    [
      "of zod/mini",
      mini.object({ text: mini.string(), rank: mini.int(), tag: mini.optional(mini.string()) }),
    ],
  ])("%s", (_, schema) => {
    expect(changedFields(schema, { rank: 2, tag: undefined }, before)).toEqual({ rank: 2 });
  });

  test("as they were said, even when a field is optional and was not there", () => {
    expect(changedFields(note, { tag: "t" }, before)).toEqual({ tag: "t" });
  });

  test("and minus nought is nought, as everywhere", () => {
    expect(Object.is(changedFields(note, { rank: -0 }, before)?.["rank"], 0)).toBe(true);
  });

  test("but those that it leaves as they were are no change", () => {
    const listed = z.object({ list: z.array(z.number()), rank: z.number() });
    expect(changedFields(listed, { list: [1], rank: 2 }, { list: [1], rank: 1 })).toEqual({ rank: 2 });
  });
});

describe("a field of numbers or texts asks its schema only where that has more to say", () => {
  test.each([
    ["z.number()", z.number(), 1.5, true],
    ["z.number().int()", z.number().int(), 1.5, false],
    ["z.int()", z.int(), 1.5, false],
    ["z.number().max(1)", z.number().max(1), 1.5, false],
    ["z.number() of what is none", z.number(), Number.NaN, false],
    ["z.number() of what JSON cannot say", z.number(), Number.POSITIVE_INFINITY, false],
    ["z.string()", z.string(), "a", true],
    ["z.string().max(0)", z.string().max(0), "a", false],
    ["z.email()", z.email(), "a", false],
    ["z.boolean()", z.boolean(), true, true],
    ["z.literal(true)", z.literal(true), false, false],
    ["mini.number().check(mini.lt(1))", mini.number().check(mini.lt(1)), 1.5, false],
    ["a refinement", z.string().refine((text) => text !== "a"), "a", false],
  ])("%s", (_, schema, value, fits) => {
    const parsed = changedFields(z.object({ field: schema }), { field: value }, { field: 0 });
    expect(parsed).toEqual(fits ? { field: value } : undefined);
  });

  test("and half a character becomes U+FFFD", () => {
    const text = z.object({ field: z.string() });
    expect(changedFields(text, { field: "\ud800" }, { field: "" })).toEqual({ field: "\ufffd" });
    expect(changedFields(text, { field: "\ud800" }, { field: "\ufffd" })).toEqual({});
  });

  test("and a text that the schema changes is changed", () => {
    const trimmed = z.object({ field: z.string().trim() });
    expect(changedFields(trimmed, { field: " a " }, { field: "" })).toEqual({ field: "a" });
  });
});

describe("the record is checked whole", () => {
  test.each([
    ["when a field does not fit", note, { rank: "two" }, before],
    ["when a field is not of the schema", note, { color: "red" }, before],
    ["when a value is not JSON", z.object({ any: z.any() }), { any: { "\ud800": 1 } }, { any: 1 }],
    ["when the schema says something of two fields together", note.refine(() => true), { rank: 2 }, before],
    ["when the schema is one of several", z.union([note, note]), { rank: 2 }, before],
    ["when the record lacks a field that the schema has got since", note, { rank: 2 }, { text: "one" }],
  ])("%s", (_, schema, fields, record) => {
    expect(changedFields(schema, fields, record)).toBeUndefined();
  });
});
