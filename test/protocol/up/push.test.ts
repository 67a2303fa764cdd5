import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { FormatError } from "../../../src/protocol/encoding/byte-form.ts";
import { hashCall } from "../../../src/model/call.ts";
import type { WireChange } from "../../../src/model/changes.ts";
import { decodeUp, encodeUp } from "../../../src/protocol/codec.ts";
import { upFrameSchema } from "../../../src/protocol/up/up-frames.ts";
import { nameTable, type NameTable } from "../../../src/protocol/names.ts";
import { decodePush, encodePush, type Push } from "../../../src/protocol/up/push.ts";
import { defineRoom, type Json } from "../../../src/index.ts";
import protocol from "../../../docs/PROTOCOL.md?raw";
import { board } from "../../../demo/board.ts";
import { bytesOfHex } from "../../support/frames/hex.ts";

const table: NameTable = {
  collections: ["notes", "shapes"],
  fields: [["tags", "text"], Array.from({ length: 48 }, (_, n) => `f${String(n).padStart(2, "0")}`)],
  mutators: ["addTask", "claim", "transact-like"],
  hash: 1,
};

const json = fc
  .jsonValue({ maxDepth: 3, stringUnit: "grapheme" })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json);
const id = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const anyEdit = fc.nat(1).chain((number) => {
  const names = fc.subarray(table.fields[number] as string[]);
  const fields = names.chain((chosen) => fc.record(Object.fromEntries(chosen.map((name) => [name, json]))));
  const edit: fc.Arbitrary<WireChange> = fc.oneof(
    fc.tuple(fc.constant("put" as const), id, fields as fc.Arbitrary<never>),
    fc.tuple(fc.constant("patch" as const), id, fields as fc.Arbitrary<never>),
    fc.tuple(fc.constant("patch" as const), id, fields as fc.Arbitrary<never>, names),
    fc.tuple(fc.constant("delete" as const), id),
  );
  return edit.map((change) => [table.collections[number] as string, change] as const);
});
const edits = fc.array(anyEdit, { maxLength: 5 }).map((given) => {
  const changes: Record<string, WireChange[]> = {};
  for (const [collection, change] of given) (changes[collection] ??= []).push(change);
  return changes;
});
const rev = fc.nat(2 ** 40);
const call = fc.oneof(
  fc.tuple(rev, fc.constant("transact"), edits as fc.Arbitrary<Json>),
  fc.tuple(rev, fc.constantFrom(...table.mutators), json),
);
const anyPush: fc.Arbitrary<Push> = fc
  .record({
    first: fc.integer({ min: 1, max: 2 ** 40 }),
    calls: fc.array(call, { minLength: 1, maxLength: 4 }),
    behind: fc.nat(300),
    received: fc.option(fc.maxSafeNat()),
  })
  .map(({ first, calls, behind, received }) => ({
    kind: "push",
    first,
    calls,
    confirmed: Math.max(0, first - 1 - behind),
    ...(received !== null && { received }),
  }));

describe("a push as bytes", () => {
  test("comes back as it went, and so that the hash of each call is the same", () => {
    fc.assert(
      fc.property(anyPush, (push) => {
        const back = decodePush(encodePush(push, table) as Uint8Array, table);
        expect(back).toEqual(push);
        for (const [index, [, type, payload]] of back.calls.entries())
          expect(hashCall(type, payload)).toBe(hashCall(type, push.calls[index]?.[2] as Json));
      }),
      { numRuns: 300 },
    );
  });

  test("of what is confirmed beyond the call, as a client says that sends an old call again", () => {
    const push: Push = { kind: "push", first: 2, calls: [[0, "claim", null]], confirmed: 9 };
    expect(decodePush(encodePush(push, table) as Uint8Array, table)).toEqual(push);
  });

  test("is a fraction of the text, for a shape that is dragged", () => {
    const push: Push = {
      kind: "push",
      first: 700,
      calls: [[4_000, "transact", { shapes: [["patch", "shape-12", { f01: 512.37, f02: 20 }]] }]],
      confirmed: 699,
    };
    expect(encodePush(push, table)?.length).toBeLessThan(JSON.stringify(push).length / 4);
  });

  const pushOf = (type: string, payload: Json): Push => ({
    kind: "push",
    first: 1,
    calls: [[0, type, payload]],
    confirmed: 0,
  });

  test.each<[string, Push]>([
    ["a mutator", pushOf("other", {})],
    ["a collection", pushOf("transact", { others: [["delete", "a"]] })],
    ["a field", pushOf("transact", { notes: [["put", "a", { other: 1 }]] })],
    ["a field to remove", pushOf("transact", { notes: [["patch", "a", {}, ["other"]]] })],
    ["a field twice", pushOf("transact", { notes: [["patch", "a", {}, ["text", "text"]]] })],
    ["a collection without edits", pushOf("transact", { notes: [], shapes: [["delete", "a"]] })],
    ["a name that every object has", pushOf("toString", {})],
    ["a field that every object has", pushOf("transact", { notes: [["put", "a", { constructor: 1 }]] })],
  ])("goes as text when it names %s that the table lacks", (_, push) => {
    expect(encodePush(push, table)).toBeUndefined();
    const text = encodeUp(push, table);
    expect(JSON.parse(text as string)).toEqual(push);
    expect(decodeUp(text, 1e6, table)).toEqual({ kind: "frame", frame: push });
  });

  test("that names nothing known does not disturb the next one", () => {
    encodePush(pushOf("other", {}), table);
    expect(encodePush(pushOf("claim", null), table)).toEqual(bytesOfHex("10 01 00 03 e0"));
  });

  test.each([
    ["nothing", ""],
    ["a kind that only goes down", "20 00"],
    ["flags that there are not", "18 01 00 03 e0"],
    ["a first call of 0", "10 00 00 03 e0"],
    ["a first call that is no number", `10 ${"80".repeat(199)}00 00 03 e0`],
    ["more confirmed than can be", "12 ff ff ff ff ff ff ff 0f ff ff ff ff ff ff ff 0f 00 03 e0"],
    ["less than nothing confirmed", "12 01 02 00 03 e0"],
    ["no calls", "14 01 00"],
    ["more calls than bytes", "14 01 7f 00 03 e0"],
    ["a call at a revision below 0", "10 01 01 03 e0"],
    ["calls at revisions beyond counting", `14 01 03 ${"fe ff ff ff ff ff ff 0f 03 e0".repeat(3)}`],
    ["a mutator that there is not", "10 01 00 05 e0"],
    ["a collection that there is not", "10 01 00 00 0b 0161"],
    ["a field that there is not", "10 01 00 00 00 0161 04 01"],
    ["a field beyond all fields", "10 01 00 00 04 0161 ff ff ff ff ff ff ff 0f 01"],
    ["a field without a value", "10 01 00 00 00 0161 01"],
    ["an id that is no text", "10 01 00 00 03 02 c3 28"],
    ["more edits than bytes", "10 01 00 01 7f 03 0161"],
    ["something behind its end", "10 01 00 03 e0 00"],
  ])("is none with %s", (_, hex) => {
    expect(() => decodePush(bytesOfHex(hex), table)).toThrow(FormatError);
    expect(decodeUp(bytesOfHex(hex), 1e6, table)).toMatchObject({ kind: "refused", code: "invalid" });
  });

  test("is refused when it is larger than a frame may be, and from whoever was not told of it", () => {
    const bytes = encodePush(pushOf("claim", "x".repeat(100)), table) as Uint8Array;
    expect(decodeUp(bytes, bytes.length, table).kind).toBe("frame");
    expect(decodeUp(bytes, bytes.length - 1, table)).toMatchObject({ code: "too-large" });
    expect(decodeUp(bytes, 1e6, undefined)).toMatchObject({ code: "invalid" });
  });

  test("whatever its bytes are, is refused or is a push that text could say as well", () => {
    const damaged = fc
      .tuple(anyPush, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.option(fc.nat()))
      .map(([push, changes, end]) => {
        let bytes = encodePush(push, table) as Uint8Array;
        for (const [at, byte] of changes) bytes = bytes.with(at % bytes.length, byte);
        return end === null ? bytes : bytes.slice(0, end % bytes.length);
      });
    const garbage = fc
      .uint8Array({ maxLength: 40 })
      .map((bytes) => Uint8Array.of(0x10 | (bytes.length & 7), ...bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, garbage), (bytes) => {
        const decoded = decodeUp(bytes, 1e6, table);
        const isGood =
          decoded.kind === "refused"
            ? decoded.code === "invalid"
            : upFrameSchema.safeParse(JSON.parse(JSON.stringify(decoded.frame))).success;
        expect(isGood).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a table of names", () => {
  const base = {
    version: 1,
    collections: { b: z.object({ y: z.number(), x: z.number() }), a: z.object({}) },
  };

  test("has every name in a place of its own, whatever the order of the definition", () => {
    const room = defineRoom({
      ...base,
      mutators: (mutator) => ({ go: mutator(z.object({})), add: mutator(z.object({})) }),
    });
    expect(nameTable(room)).toMatchObject({
      collections: ["a", "b"],
      fields: [[], ["x", "y"]],
      mutators: ["add", "go"],
    });
    const other = defineRoom({
      version: 2,
      collections: { a: z.object({}), b: z.object({ x: z.string(), y: z.number().optional() }) },
      direct: ["a"],
      mutators: (mutator) => ({ add: mutator(z.object({})), go: mutator(z.object({})) }),
    });
    expect(nameTable(other).hash).toBe(nameTable(room).hash);
  });

  test("is the same for a definition in zod and in zod/mini", () => {
    const collections = { b: mini.object({ y: mini.number(), x: mini.number() }), a: mini.object({}) };
    expect(nameTable(defineRoom({ version: 1, collections }))).toEqual(nameTable(defineRoom(base)));
  });

  const { a, b } = base.collections;
  const one = z.object({ x: z.number() });
  const two = z.object({ x: z.number(), y: z.number() });

  test.each([
    ["another collection", nameTable(defineRoom({ version: 1, collections: { a, b, c: a } }))],
    ["another field", nameTable(defineRoom({ version: 1, collections: { a: one, b } }))],
    ["a field less", nameTable(defineRoom({ version: 1, collections: { a, b: one } }))],
    [
      "its fields in another collection",
      nameTable(defineRoom({ version: 1, collections: { a: two, b: a } })),
    ],
    [
      "another mutator",
      nameTable(defineRoom({ ...base, mutators: (mutator) => ({ go: mutator(z.object({})) }) })),
    ],
  ])("has another hash with %s", (_, other) => {
    expect(other.hash).not.toBe(nameTable(defineRoom(base)).hash);
  });

  test("numbers the first 48 fields, and edits of the others go as text", () => {
    const shape = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`f${String(n).padStart(2, "0")}`, z.number().optional()]),
    );
    const names = nameTable(defineRoom({ version: 1, collections: { wide: z.object(shape) } }));
    expect(names.fields[0]?.length).toBe(48);
    const edit = (field: string): Push => ({
      kind: "push",
      first: 1,
      calls: [[0, "transact", { wide: [["put", "a", { [field]: 1 }]] }]],
      confirmed: 0,
    });
    expect(decodePush(encodePush(edit("f47"), names) as Uint8Array, names)).toEqual(edit("f47"));
    expect(encodePush(edit("f48"), names)).toBeUndefined();
  });

  test("is that of docs/PROTOCOL.md", () => {
    const { collections, fields, mutators, hash } = nameTable(board);
    expect(protocol).toContain(`\n${JSON.stringify([collections, fields, mutators])}\n`);
    expect(protocol).toContain(`whose hash is ${hash}.`);
  });
});
