import { expect, test } from "vitest";
import { readPageRecords, writePageRecords } from "../../../src/protocol/encoding/page-records.ts";

const records = {
  ids: ["a", "b"],
  handles: [0, 7],
  records: [{ text: "x", rank: 1, gone: null, body: { deep: [{ deeper: [1] }] } }, {}],
};

/** Objects and lists in `value`, itself among them. */
function objectsIn(value: unknown): object[] {
  return typeof value === "object" && value !== null
    ? [value, ...Object.values(value).flatMap((member) => objectsIn(member))]
    : [];
}

test("the records of a page are what its text says, frozen all the way down", () => {
  const text = writePageRecords(records);
  const read = readPageRecords(text);
  expect(text).toMatch(/^\[\["a","b"\],\[0,7\],\[\{"text"/);
  expect(read).toEqual(records);
  const objects = read.records.flatMap(objectsIn);
  expect(objects).toHaveLength(6);
  expect(objects.filter((object) => !Object.isFrozen(object))).toEqual([]);
});

test.each([
  "",
  "[",
  "{}",
  "[null]",
  '[["a"]',
  '[["a"],[1],[]]',
  '[["a"],[],[{}]]',
  '[["a"],[1],[null]]',
  '[["a"],[1],[2]]',
])("%j is no page", (text) => {
  expect(() => readPageRecords(text)).toThrow(Error);
});
