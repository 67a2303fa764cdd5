import { expect, test } from "vitest";
import { readPageRecords } from "../../src/core/page-records.ts";

const records = [
  ["a", { text: "x", rank: 1, gone: null, body: { deep: [{ deeper: [1] }] } }, 0],
  ["b", {}, 7],
];

/** Objects and lists in `value`, itself among them. */
function objectsIn(value: unknown): object[] {
  return typeof value === "object" && value !== null
    ? [value, ...Object.values(value).flatMap((member) => objectsIn(member))]
    : [];
}

test("the records of a page are what its text says, frozen all the way down", () => {
  const read = readPageRecords(JSON.stringify(records));
  expect(read).toEqual(records);
  const objects = read.flatMap(([, record]) => objectsIn(record));
  expect(objects).toHaveLength(6);
  expect(objects.filter((object) => !Object.isFrozen(object))).toEqual([]);
});

test.each(["", "[", "{}", "[null]", '[["a"]'])("%j is no page", (text) => {
  expect(() => readPageRecords(text)).toThrow(Error);
});
