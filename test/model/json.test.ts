import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkParsedJson,
  repairTexts,
  copyJson,
  equalJson,
  isCertainlyOver,
  jsonBytes,
  maxJsonDepth,
  NotJsonError,
  utf8Bytes,
  type Fields,
} from "../../src/model/json.ts";
import { recordBytesOver } from "../../src/room/engine/cost/record-bytes.ts";
import type { Json } from "../../src/schema/json.ts";

const wellFormed = fc.string({ unit: "binary", maxLength: 12 });
const anyJson = fc
  .jsonValue({ maxDepth: 4, stringUnit: "binary" })
  .filter(
    (value) => !/"(__proto__|constructor|prototype)":/.test(JSON.stringify(value)),
  ) as fc.Arbitrary<Json>;

/** `depth` arrays around nothing. */
function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}

function problemOf(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof NotJsonError) return error.message;
    throw error;
  }
}

describe("a copy", () => {
  test("of any JSON is what its text would be read as, frozen all the way down", () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const copy = copyJson(value);
        expect(copy).toEqual(JSON.parse(JSON.stringify(value)));
        expect(isDeeplyFrozen(copy)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("is a copy: what it was made from may change", () => {
    const given = { list: [{ n: 1 }] };
    const copy = copyJson(given);
    given.list[0] = { n: 2 };
    expect(copy).toEqual({ list: [{ n: 1 }] });
    expect(Object.isFrozen(given)).toBe(false);
  });

  test("has no undefined members and no -0, as JSON has none", () => {
    expect(copyJson({ gone: undefined, here: 1 })).toStrictEqual({ here: 1 });
    expect(Object.is(copyJson(-0), 0)).toBe(true);
  });

  test("takes objects without a prototype", () => {
    const bare: object = Object.assign(Object.create(null), { a: 1 });
    expect(copyJson(bare)).toStrictEqual({ a: 1 });
  });

  test("is as deep as the limit, and no deeper", () => {
    expect(problemOf(() => copyJson(nested(maxJsonDepth)))).toBeUndefined();
    expect(problemOf(() => copyJson(nested(maxJsonDepth + 1)))).toContain("is nested too deeply");
  });

  test.each([
    { title: "a date", value: { at: new Date(0) }, problem: "at: Date is not JSON" },
    { title: "a map", value: new Map(), problem: "Map is not JSON" },
    { title: "a typed array", value: new Uint8Array(1), problem: "Uint8Array is not JSON" },
    { title: "a function", value: () => 1, problem: "function is not JSON" },
    { title: "a symbol", value: Symbol("s"), problem: "symbol is not JSON" },
    { title: "a bigint", value: [1n], problem: "0: bigint is not JSON" },
    { title: "undefined by itself", value: undefined, problem: "undefined is not JSON" },
    { title: "undefined in an array", value: [undefined], problem: "0: undefined is not JSON" },
    { title: "a hole in an array", value: Array.from({ length: 1 }), problem: "0: undefined is not JSON" },
    { title: "NaN", value: { a: { b: Number.NaN } }, problem: "a.b: NaN is not a JSON number" },
    { title: "infinity", value: -Infinity, problem: "-Infinity is not a JSON number" },
    {
      title: "half a pair in a key",
      value: { "\udc00": 1 },
      problem: "has a key that is not well-formed Unicode",
    },
    {
      title: "__proto__",
      value: JSON.parse('{"a":{"__proto__":1}}'),
      problem: "a: the key __proto__ is refused",
    },
    { title: "constructor", value: { constructor: 1 }, problem: "the key constructor is refused" },
    { title: "prototype", value: { prototype: 1 }, problem: "the key prototype is refused" },
  ])("of $title is refused, and the message says where", ({ value, problem }) => {
    expect(problemOf(() => copyJson(value))).toBe(problem);
  });
});

test("a copy has U+FFFD for each half of a character, at any depth, and whole characters as they are", () => {
  const given = ["party🎉".slice(0, 6), { a: ["\udc00\ud800", "🎉"] }, "\ud800"];
  expect(copyJson(given)).toEqual(["party\ufffd", { a: ["\ufffd\ufffd", "🎉"] }, "\ufffd"]);
  repairTexts(given, 4);
  expect(given).toEqual(copyJson(given));
  expect(copyJson("\ud800")).toBe("\ufffd");
});

describe("JSON that was parsed from outside", () => {
  test.each([
    { title: "half a surrogate pair", text: '{"a":["\\ud800"]}' },
    { title: "half a pair in a key", text: '{"\\udfff":1}' },
    { title: "a number that is none after parsing", text: "[1e400]" },
    { title: "__proto__", text: '[{"__proto__":{}}]' },
    { title: "constructor", text: '{"a":{"constructor":1}}' },
    { title: "prototype", text: '{"prototype":[]}' },
    { title: "an object within arrays, too deep", text: '[[[[{"a":1}]]]]' },
  ])("is refused for $title", ({ text }) => {
    expect(() => checkParsedJson(JSON.parse(text), 4)).toThrow(NotJsonError);
  });

  test("is refused when a million levels deep, without a stack overflow", () => {
    const text = "[".repeat(1_000_000) + "]".repeat(1_000_000);
    expect(() => checkParsedJson(JSON.parse(text), 32)).toThrow(NotJsonError);
  });

  test("is refused exactly when a copy of it would be", () => {
    const member = fc.constantFrom("a", "__proto__", "constructor", "\ud800", "toString");
    const leaf = fc.constantFrom("1", "null", "1e400", '"\\ud800"', '"x"', "[]", "{}");
    const { text } = fc.letrec<{ text: string }>((tie) => ({
      text: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie("text"), { maxLength: 2 }).map((items) => `[${items.join(",")}]`),
        fc.tuple(member, tie("text")).map(([key, value]) => `{${JSON.stringify(key)}:${value}}`),
      ),
    }));
    fc.assert(
      fc.property(text, (given) => {
        const parsed = [JSON.parse(given) as Json];
        const isCopied = problemOf(() => copyJson(parsed, 5)) === undefined;
        repairTexts(parsed, 5);
        expect(problemOf(() => checkParsedJson(parsed, 5)) === undefined).toBe(isCopied);
      }),
      { numRuns: 300 },
    );
  });
});

describe("two values are equal", () => {
  test("when they say the same, whatever the order of their keys", () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(equalJson(value, reversed(value))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test("only when their texts are, but for the order of keys", () => {
    const small = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(equalJson(a, b)).toBe(canonical(a) === canonical(b));
      }),
      { numRuns: 200 },
    );
  });

  test.each<[Json | undefined, Json | undefined]>([
    [{}, []],
    [[], {}],
    [{}, null],
    [null, undefined],
    [0, false],
    ["1", 1],
    [[1], [1, 2]],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ toString: 1 }, { valueOf: 1 }],
    [{ a: { b: [1, 2] } }, { a: { b: [2, 1] } }],
  ])("but %j is not %j", (a, b) => {
    expect([equalJson(a, b), equalJson(b, a)]).toEqual([false, false]);
  });
});

describe("bytes", () => {
  test("of a text are those that an encoder makes of it", () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(utf8Bytes(text)).toBe(new TextEncoder().encode(text).length);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ["", 0],
    ["\u007f", 1],
    ["\u0080", 2],
    ["\u07ff", 2],
    ["\u0800", 3],
    ["\ud7ff", 3],
    ["\ue000", 3],
    ["\uffff", 3],
    ["\u{10000}", 4],
    ["\u{10ffff}", 4],
  ])("of %j are %i", (text, bytes) => {
    expect(utf8Bytes(text)).toBe(bytes);
  });

  test("of a value are those of its text", () => {
    expect(jsonBytes({ é: ["𝄞"] })).toBe(new TextEncoder().encode('{"é":["𝄞"]}').length);
  });
});

/** The same value with all keys in the opposite order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, reversed(member as Json)]),
  );
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

test("the size of a record that was measured is kept up to date, at the cost of what has changed", () => {
  const text = "ü".repeat(2_000);
  let record: Fields = { text, a: 1 };
  expect(recordBytesOver(record, 100)).toBe(jsonBytes(record));
  const steps: Fields[] = [
    { text, a: 22 },
    { text, b: "€" },
    { text: "short", b: "€" },
    { b: "€" },
    {},
    { a: 1, b: 2 },
  ];
  for (const step of steps) {
    expect(recordBytesOver(step, 1, record)).toBe(jsonBytes(step));
    record = step;
  }
});

describe("a value that is certainly over a limit", () => {
  test("is longer than the limit as JSON text", () => {
    fc.assert(
      fc.property(anyJson, fc.nat(200), (value, maxBytes) => {
        return !isCertainlyOver(value, maxBytes) || jsonBytes(value) > maxBytes;
      }),
    );
    expect(isCertainlyOver("123456789", 10)).toBe(true);
  });

  test("is found at any depth, and without the rest being read", () => {
    const unread = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("it was read");
      },
    }) as Json;
    for (const large of [
      nested(100_000) as Json,
      "x".repeat(101),
      { ["x".repeat(101)]: 1 },
      [unread, "x".repeat(100)],
      Array.from({ length: 51 }, () => unread),
    ])
      expect(isCertainlyOver(large, 100)).toBe(true);
  });

  test("is none that is at the limit", () => {
    for (const value of [[], {}, [1, 2, 3], { a: 1, b: "x" }, "text", null, [[], [{}]]] as Json[])
      expect(isCertainlyOver(value, jsonBytes(value))).toBe(false);
  });
});
