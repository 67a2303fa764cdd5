import { describe, expect, test } from "vitest";
import { isRoomId, recordIdProblem } from "../../src/model/ids.ts";
import { callLimits } from "../../src/model/call-limits.ts";

const { maxIdLength } = callLimits;

describe("a record id", () => {
  test.each(["a", "0", " ", "a/b", "é", "𝄞", "a".repeat(maxIdLength), "toString", "constructors"])(
    "may be %j",
    (id) => {
      expect(recordIdProblem(id, maxIdLength)).toBeUndefined();
    },
  );

  test.each([
    ["", "has 0 characters"],
    ["a".repeat(maxIdLength + 1), "has 129 characters"],
    ["\ud800", "is not well-formed Unicode"],
    ["a\udc00b", "is not well-formed Unicode"],
    ["__proto__", "__proto__ is refused"],
    ["constructor", "constructor is refused"],
    ["prototype", "prototype is refused"],
    [7, "is not a string"],
    [null, "is not a string"],
    [undefined, "is not a string"],
    [{ toString: () => "a" }, "is not a string"],
  ])("may not be %j", (id, problem) => {
    expect(recordIdProblem(id, maxIdLength)).toContain(problem);
  });
});

describe("a room id", () => {
  test.each(["a", "A-Z_a.z~9", "...", "a..", "x".repeat(128)])("may be %j", (id) => {
    expect(isRoomId(id)).toBe(true);
  });

  test.each(["", ".", "..", "a/b", "a b", "a%20b", "é", "a\n", "x".repeat(129), "a?b", "a#b", undefined, 7])(
    "may not be %j",
    (id) => {
      expect(isRoomId(id)).toBe(false);
    },
  );
});
