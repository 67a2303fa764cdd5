import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../../src/protocol/encoding/byte-form.ts";
import { ByteReader } from "../../../src/protocol/encoding/byte-reader.ts";
import { ByteWriter } from "../../../src/protocol/encoding/byte-writer.ts";
import { equalJson } from "../../../src/model/json.ts";
import type { Json } from "../../../src/index.ts";
import { bytesOfHex, hexOf } from "../../support/frames/hex.ts";

function bytesOf(value: Json): Uint8Array {
  const writer = new ByteWriter();
  writer.value(value);
  return writer.take();
}

function read(bytes: Uint8Array): Json {
  const reader = new ByteReader(bytes);
  const value = reader.value();
  reader.assertEnd();
  return value;
}

function written(write: (writer: ByteWriter) => void): string {
  const writer = new ByteWriter();
  write(writer);
  return hexOf(writer.take());
}

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 80 }),
  fc.string({ unit: "binary", maxLength: 200 }),
);
const number = fc.oneof(
  fc.integer({ min: -20_000, max: 20_000 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.tuple(fc.integer(), fc.constantFrom(10, 100, 1_000, 10_000, 100_000)).map(([n, by]) => n / by),
);
const { json } = fc.letrec<{ json: Json; leaf: Json }>((tie) => ({
  leaf: fc.oneof(fc.constant(null), fc.boolean(), number, text),
  json: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    tie("leaf"),
    fc.array(tie("json"), { maxLength: 5 }),
    fc.dictionary(text, tie("json"), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

describe("a value", () => {
  test("comes back as it went, whatever it is, and frozen all the way down", () => {
    const assertFrozen = (value: Json): void => {
      if (typeof value !== "object" || value === null) return;
      expect(Object.isFrozen(value)).toBe(true);
      for (const member of Object.values(value)) assertFrozen(member as Json);
    };
    fc.assert(
      fc.property(json, (value) => {
        const back = read(bytesOf(value));
        expect(JSON.stringify(back)).toBe(JSON.stringify(value));
        expect(equalJson(back, value)).toBe(true);
        assertFrozen(back);
      }),
      { numRuns: 500 },
    );
  });

  test.each<[Json, string]>([
    [0, "00"],
    [127, "7f"],
    [128, "8000"],
    [16_511, "bfff"],
    [16_512, "e3808101"],
    [2 ** 53 - 1, "e3ffffffffffffff0f"],
    [-1, "e400"],
    [1 - 2 ** 53, "e4feffffffffffff0f"],
    [0.5, "e90a"],
    [512.37, "eacaa006"],
    [-0.001, "eb01"],
    [123.4567, "ec8eda9601"],
    [0.00001, "e53ee4f8b588e368f1"],
    [1e300, "e57e37e43c8800759c"],
    [2 ** 53, "e54340000000000000"],
    [-(2 ** 53), "e5c340000000000000"],
    [1 / 3, "e53fd5555555555555"],
    ["", "c0"],
    ["é", "c2c3a9"],
    ["x".repeat(31), `df${"78".repeat(31)}`],
    ["x".repeat(32), `e620${"78".repeat(32)}`],
    [null, "e0"],
    [false, "e1"],
    [true, "e2"],
    [[], "e700"],
    [[1, [2]], "e70201e70102"],
    [{}, "e800"],
    [{ a: { b: null } }, "e8010161e8010162e0"],
  ])("is as short as it can be: %j", (value, hex) => {
    expect(hexOf(bytesOf(value))).toBe(hex);
    expect(read(bytesOfHex(hex))).toEqual(value);
  });

  test("of -0 is 0, as JSON would have it", () => {
    expect(Object.is(read(bytesOf(-0)), 0)).toBe(true);
    expect(
      JSON.stringify((read(bytesOf([-0, { a: -0 }])) as Json[]).map((item) => Object.is(item, -0))),
    ).toBe("[false,false]");
  });

  test("with a member called __proto__ has that member, and no other prototype", () => {
    const value = JSON.parse('{"a":{"__proto__":{"isAdmin":true}}}') as Json;
    const back = read(bytesOf(value)) as { a: object };
    expect(JSON.stringify(back)).toBe(JSON.stringify(value));
    expect(Object.keys(back.a)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(back.a)).toBe(Object.prototype);
    expect((back.a as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test("keeps the order of its members, twice the same bytes", () => {
    const value = { b: 1, a: 2, "10": 3, "9": 4 };
    expect(Object.keys(read(bytesOf(value)) as object)).toEqual(Object.keys(value));
    expect(hexOf(bytesOf(read(bytesOf(value))))).toBe(hexOf(bytesOf(value)));
  });

  test("may begin with what a file of text would begin with", () => {
    for (const value of ["\ufeff", "\ufeff".repeat(20)]) expect(read(bytesOf(value))).toBe(value);
  });
});

describe("a count", () => {
  test.each([
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [2 ** 32, "8080808010"],
    [2 ** 53 - 1, "ffffffffffffff0f"],
  ])("of %d takes seven bits a byte", (value, hex) => {
    expect(written((writer) => writer.count(value))).toBe(hex);
    expect(new ByteReader(bytesOfHex(hex)).count()).toBe(value);
  });

  test("and a signed one come back as they went", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }), (count, signed) => {
        const writer = new ByteWriter();
        writer.count(count);
        writer.signed(signed);
        const reader = new ByteReader(writer.take());
        expect([reader.count(), reader.signed(), reader.isAtEnd]).toEqual([count, signed, true]);
      }),
    );
  });

  test.each([
    ["one too large", "ffffffffffffff1f"],
    ["one of nine bytes", "ffffffffffffffff01"],
    ["one of two hundred bytes that hold nothing", `${"80".repeat(199)}00`],
    ["one that goes on for ever", "ff".repeat(2_000)],
    ["one that ends too early", "ff"],
  ])("is none: %s", (_, hex) => {
    expect(() => new ByteReader(bytesOfHex(hex)).count()).toThrow(FormatError);
  });
});

describe("bytes that nobody has written", () => {
  /** Whether reading does what it may: answer a value that can be written, or throw what says that it is none. */
  function isToldOrRead(bytes: Uint8Array): boolean {
    try {
      const value = read(bytes);
      return JSON.stringify(read(bytesOf(value))) === JSON.stringify(value);
    } catch (error) {
      return error instanceof FormatError;
    }
  }

  test("are told from a value, or are one", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(isToldOrRead(bytes)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test("by a byte that fell over, or is missing, are told as well", () => {
    const damage = fc.tuple(json, fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(damage, ([value, at, byte]) => {
        const bytes = bytesOf(value);
        expect(isToldOrRead(bytes.with(at % bytes.length, byte))).toBe(true);
        const end = at % bytes.length;
        expect(() => read(bytes.slice(0, end))).toThrow(FormatError);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["an array of more than is there", "e7ffffffff0f"],
    ["an object of more than is there", "e8ffffffffffff0f"],
    ["text longer than is there", "e6ffffffffffffff0f"],
    ["short text longer than is there", "df78"],
    ["text that is no UTF-8", "c1ff"],
    ["half a pair of surrogates", "c3eda080"],
    ["an overlong form of a character", "c2c080"],
    ["long text that is no UTF-8", `e628${"ff".repeat(40)}`],
    ["a number that is none", "e57ff8000000000000"],
    ["a number beyond all numbers", "e57ff0000000000000"],
    ["half a number", "e57ff0"],
    ["a decimal of more digits", "ed02"],
    ["a first byte of nothing", "ff"],
    ["nothing", ""],
  ])("are no value: %s", (_, hex) => {
    expect(() => read(bytesOfHex(hex))).toThrow(FormatError);
  });

  test.each(["e701", "e8010161"])(
    "that nest deeper than anybody may are refused, not followed: %s…",
    (opening) => {
      const deep = (levels: number) => bytesOfHex(opening.repeat(levels) + "e0");
      expect(() => read(deep(128))).not.toThrow();
      expect(() => read(deep(129))).toThrow("too deeply");
      expect(() => read(deep(200_000))).toThrow(FormatError);
    },
  );

  test("that promise much make nobody hold much", () => {
    // Each array says that it has as many items as bytes are left, and its first is such an array again.
    const bytes = new Uint8Array(100_000).fill(0xe7);
    expect(() => read(bytes)).toThrow(FormatError);
  });
});

test("a writer that is used again begins anew, and what it wrote before stays", () => {
  const writer = new ByteWriter();
  writer.text("x".repeat(1_000));
  const first = writer.take();
  writer.reset().count(5);
  expect([first.length, hexOf(writer.take())]).toEqual([1_002, "05"]);
  expect(new ByteReader(first).text()).toBe("x".repeat(1_000));
});
