import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { maxOrderKeyLength, orderBetween, ordersBetween } from "../../src/index.ts";
import { isOrderKey } from "../../src/schema/order-key.ts";

afterEach(() => vi.restoreAllMocks());

/** A list as somebody fills it, by the places at which they insert. */
function listOf(places: readonly number[]): string[] {
  const list: string[] = [];
  for (const place of places) {
    const at = Math.floor(place * (list.length + 1));
    list.splice(at, 0, orderBetween(list[at - 1], list[at]));
  }
  return list;
}

const places = fc.array(fc.float({ min: 0, max: Math.fround(0.999), noNaN: true }), { maxLength: 40 });

describe("a key between two others", () => {
  test("is valid and between them, wherever a list has grown", () => {
    fc.assert(
      fc.property(places, (inserted) => {
        const list = listOf(inserted);
        expect(list.every(isOrderKey)).toBe(true);
        expect(list).toEqual([...new Set(list)].toSorted());
      }),
    );
  });

  test("is another each time: of those who insert at one place hardly two get the same", () => {
    for (const [before, after] of [[], [null, "a0"], ["a0", null], ["a0", "a1"], ["a0V", "a0W"]] as const) {
      const keys = Array.from({ length: 300 }, () => orderBetween(before, after));
      expect(new Set(keys).size).toBeGreaterThan(295);
      expect(keys.every((key) => key > (before ?? "") && (after ?? "~") > key)).toBe(true);
    }
  });

  test.each<[string, (list: string[]) => number]>([
    ["the end", ({ length }) => length],
    ["the beginning", () => 0],
  ])("stays short when a thousand are added at %s, one after the other", (_place, placeIn) => {
    const list: string[] = [];
    for (let count = 0; count < 1_000; count++) {
      const at = placeIn(list);
      list.splice(at, 0, orderBetween(list[at - 1], list[at]));
    }
    expect(list).toEqual([...new Set(list)].toSorted());
    expect(Math.max(...list.map(({ length }) => length))).toBeLessThan(10);
  });

  test.each<[string, number]>([
    ["before the same one", 0],
    ["behind the same one", 1],
  ])("grows by a character for every four inserted %s, until the room has to help", (_place, side) => {
    const ends = ["a0", "a1"];
    let count = 0;
    for (; count < 3_000; count++) {
      const key = orderBetween(ends[0], ends[1]);
      expect(isOrderKey(key)).toBe(true);
      if (ends.includes(key)) break;
      expect(key > (ends[0] as string) && key < (ends[1] as string)).toBe(true);
      ends[side] = key;
    }
    expect(count).toBeGreaterThan(950);
    expect((ends[side] as string).length).toBeGreaterThan(maxOrderKeyLength - 8);
  });

  test.each([
    ["equal", "a1", "a1"],
    ["reversed", "a1", "a0"],
  ])("is close behind the first where the two are %s", (_title, before, after) => {
    const key = orderBetween(before, after);
    expect(key.startsWith(before)).toBe(true);
    expect(key > before && key < orderBetween(before, "a2")).toBe(true);
    expect(ordersBetween(before, after, 3).every((each) => each.startsWith(before))).toBe(true);
  });

  test("is nothing that could be made of a text that is no key", () => {
    expect(() => orderBetween("first", null)).toThrow(new RangeError('"first" is no order key'));
    expect(() => orderBetween("a0", "")).toThrow(RangeError);
    expect(() => ordersBetween(null, "a00", 1)).toThrow(RangeError);
  });

  test("is a neighbour's own where every other would be too long", () => {
    const deep = `a0${"z".repeat(maxOrderKeyLength - 3)}`;
    expect(orderBetween(`${deep}V`, `${deep}W`)).toBe(`${deep}V`);
    expect(ordersBetween(`${deep}V`, `${deep}W`, 2)).toEqual([`${deep}V`, `${deep}V`]);
  });

  test.each([0, 0.999_999])("is valid whatever dice are thrown: %d", (dice) => {
    vi.spyOn(Math, "random").mockReturnValue(dice);
    const list = listOf([0, 0, 0.9, 0.9, 0.5, 0.5, 0.5]);
    expect(list.every(isOrderKey)).toBe(true);
    expect(list).toEqual([...new Set(list)].toSorted());
    list.splice(1, 0, ...ordersBetween(list[0], list[1], 100));
    expect(list).toEqual([...new Set(list)].toSorted());
  });
});

describe("keys of a batch", () => {
  test("are as many, in order and between the two", () => {
    fc.assert(
      fc.property(places, fc.nat(60), fc.nat(40), (inserted, count, place) => {
        const list = listOf(inserted);
        const at = Math.min(place, list.length);
        list.splice(at, 0, ...ordersBetween(list[at - 1], list[at], count));
        expect(list.length).toBe(inserted.length + count);
        expect(list.every(isOrderKey)).toBe(true);
        expect(list).toEqual([...new Set(list)].toSorted());
      }),
    );
  });

  test("stay together, whatever others insert at the same place", () => {
    for (let round = 0; round < 50; round++) {
      const ours = ordersBetween("a0", "a1", 20).map((key) => ({ key, by: "us" }));
      const theirs = ordersBetween("a0", "a1", 20).map((key) => ({ key, by: "them" }));
      const authors = [...ours, ...theirs].toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ by }) => by);
      const changes = authors.filter((author, at) => at > 0 && author !== authors[at - 1]);
      expect(changes.length).toBe(1);
    }
  });

  test.each([-1, 1.5, Number.NaN, Infinity])("cannot be %d", (count) => {
    expect(() => ordersBetween(null, null, count)).toThrow(RangeError);
  });
});
