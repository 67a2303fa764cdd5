import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mostEntryBytes } from "../../../../src/protocol/encoding/delta.ts";
import type { Fields } from "../../../../src/model/json.ts";
import { PagedState } from "../../../../src/room/storage/paged-state.ts";
import { maxWeightOfByte, weightDifference } from "../../../../src/room/engine/cost/weight.ts";
import { anyEdit } from "../../../support/random-edits.ts";

const unread = { load: () => false, loadAll: () => {}, idsWithin: () => [], collections: () => [] };

describe("the weight of a state", () => {
  it("is the sum of its records, however it came to hold them", () => {
    fc.assert(
      fc.property(fc.array(anyEdit, { maxLength: 30 }), (edits) => {
        const state = new PagedState(unread);
        let sum = 0;
        for (const { collection, id, change } of edits) {
          if (change.kind === "patch" && state.get(collection, id) === undefined) continue;
          state.applyOne(collection, id, change);
        }
        for (const name of state.collections())
          for (const id of state.ids(name)) sum += weightDifference(id, undefined, state.get(name, id));
        expect(state.weight).toBe(sum);
      }),
    );
  });

  it.each<[what: string, record: Fields, bytes: number]>([
    ["a record with nothing in it", {}, 177],
    ["a field of a small number", { x: 1 }, 185],
    ["a number that is no small integer", { x: 0.5 }, 197],
    ["a text of Latin letters", { text: "xü" }, 203],
    ["a text of others, which take two bytes each", { text: "x€" }, 205],
    ["a list of empty lists", { list: [[], []] }, 265],
    ["a list of empty objects", { list: [{}, {}] }, 273],
    ["an object, whose keys are texts as well", { map: { a: 1 } }, 258],
  ])("counts %s", (_, record, bytes) => {
    expect(weightDifference("a", undefined, record)).toBe(bytes);
    expect(weightDifference("a", record, undefined)).toBe(-bytes);
  });

  it("counts more for a record of so many fields that it is kept as a table", () => {
    const record = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`f${index}`, 1]));
    expect(weightDifference("a", undefined, record)).toBeGreaterThan(25_000);
  });

  it("never grows by more than the bytes of an operation allow", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<never>),
        (id, record) => {
          const bytes = mostEntryBytes(id, { kind: "put", record });
          expect(weightDifference(id, undefined, record)).toBeLessThanOrEqual(maxWeightOfByte * (bytes + 64));
        },
      ),
    );
  });
});
