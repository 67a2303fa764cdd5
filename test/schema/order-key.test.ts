import * as fc from "fast-check";
import { generateKeyBetween } from "fractional-indexing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { defineRoom, maxOrderKeyLength, orderKey } from "../../src/index.ts";
import { isOrderKey, orderFieldsOf } from "../../src/schema/order-key.ts";

describe("an order key", () => {
  test.each(["a0", "a0V", "Zz", "b00", "b001", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", "A00000000000000000000000001"])(
    "may be %j",
    (key) => expect(isOrderKey(key)).toBe(true),
  );

  test.each([
    ["empty", ""],
    ["a letter that promises a digit", "a"],
    ["shorter than it promises", "b0"],
    ["without a letter first", "00"],
    ["a fraction that ends with the smallest digit, below which nothing fits", "a0V0"],
    ["the smallest of all", `A${"0".repeat(26)}`],
    ["of other characters", "a0-"],
    ["on two lines", "a0\n"],
    ["longer than any may be", `a0${"z".repeat(maxOrderKeyLength - 1)}`],
  ])("may not be %s", (_title, key) => expect(isOrderKey(key)).toBe(false));

  test("may be of the greatest length", () => {
    expect(isOrderKey(`a0${"z".repeat(maxOrderKeyLength - 2)}`)).toBe(true);
  });

  test("is what keys can be made of, and nothing else is", () => {
    const digits = fc.constantFrom(..."0 1 2 9 A B Y Z a b y z".split(" "));
    const text = fc.string({ unit: digits, maxLength: 30 });
    const canBeNeighbour = (key: string) => {
      try {
        generateKeyBetween(key, null);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(text, (key) => {
        expect([key, isOrderKey(key)]).toEqual([key, canBeNeighbour(key)]);
      }),
      { numRuns: 5_000, examples: [[`A${"0".repeat(26)}`], ["A0"], ["Z00"], ["Y000"]] },
    );
  });
});

describe.each([
  ["zod", z.object({ title: z.string(), place: orderKey(), aside: z.optional(orderKey()) })],
  ["zod/mini", mini.object({ title: mini.string(), place: orderKey(), aside: mini.nullable(orderKey()) })],
])("a collection of %s with order keys", (_library, schema) => {
  test("checks them as part of its records", () => {
    const aside = "b00";
    expect(z.safeParse(schema, { title: "", place: "a0", aside }).success).toBe(true);
    for (const place of ["", "a0V0", 7, undefined]) {
      const { error } = z.safeParse(schema, { title: "", place, aside });
      expect(error?.issues.map(({ path }) => path)).toEqual([["place"]]);
    }
    expect(z.safeParse(schema, { title: "", place: "a0", aside: "?" }).success).toBe(false);
  });

  test("is known by them", () => {
    defineRoom({ version: 1, collections: { tasks: schema } });
    expect(orderFieldsOf(schema)).toEqual(["place", "aside"]);
    expect(orderFieldsOf(z.object({ title: z.string() }))).toEqual([]);
  });
});
