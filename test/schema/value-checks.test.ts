import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import type { $ZodType } from "zod/v4/core";
import { defineRoom, orderKey } from "../../src/index.ts";

// Callers without a compiler, and schemas whose types do not say that they change values.
const define = defineRoom as (room: unknown) => unknown;
const text = z.object({ text: z.string() });

type Tree = { label: string; children: Tree[] };
const tree = (label: z.ZodType<string>): z.ZodType =>
  z.object({ label, children: z.array(z.lazy(() => tree(label))).max(3) });
const node = z.object({
  label: z.string(),
  get children(): z.ZodArray<z.ZodType<Tree>> {
    return z.array(node) as never;
  },
});
const hundredfold = (n: number) => n * 100;
let count = 0;

/** Schemas that return another value than they were given, at least for some values. */
const changing: readonly (readonly [name: string, schema: $ZodType, fault: string])[] = [
  ["a transform of the same type", z.number().transform(hundredfold), "pipe"],
  ["a bare transform", z.transform(hundredfold as never), "transform"],
  ["an overwrite", z.number().overwrite(hundredfold), "overwrite"],
  ["trim", z.string().trim(), "overwrite"],
  ["toLowerCase", z.string().toLowerCase(), "overwrite"],
  ["toUpperCase behind other checks", z.string().min(1).max(5).toUpperCase(), "overwrite"],
  ["normalize", z.string().normalize(), "overwrite"],
  ["slugify", z.string().slugify(), "overwrite"],
  ["an overwrite of a list", z.array(z.number()).overwrite((list) => list.toReversed()), "overwrite"],
  ["an overwrite of an object", text.overwrite(() => ({ text: "" })), "overwrite"],
  ["preprocess", z.preprocess((value) => value ?? 0, z.number()), "pipe"],
  ["a pipe", z.string().pipe(z.string()), "pipe"],
  ["a codec", z.codec(z.string(), z.string(), { decode: (a) => a + 1, encode: (a) => a }), "pipe"],
  ["stringbool", z.stringbool(), "pipe"],
  ["catch", z.number().catch(0), "catch"],
  ["coercion to a number", z.coerce.number(), "coercion"],
  ["coercion to a text", z.coerce.string(), "coercion"],
  ["coercion to a boolean", z.coerce.boolean(), "coercion"],
  ["a URL that is normalized", z.url({ normalize: true }), "normalize"],
  ["success", z.success(z.string()), "success"],
  ["a default that is another each time", z.number().default(() => count++), "default"],
  ["a default that its own schema refuses", z.number().min(5).default(1), "default"],
  [
    "a default that its own schema changes",
    z.object({ a: z.string().default("a") }).default({} as never),
    "default",
  ],
  ["a prefault that is another each time", z.number().prefault(() => count++), "default"],
  ["mini: a transform", mini.pipe(mini.number(), mini.transform(hundredfold)), "pipe"],
  ["mini: trim", mini.string().check(mini.trim()), "overwrite"],
  ["mini: toLowerCase", mini.string().check(mini.minLength(1), mini.toLowerCase()), "overwrite"],
  ["mini: an overwrite", mini.number().check(mini.overwrite(hundredfold)), "overwrite"],
  ["mini: catch", mini.catch(mini.number(), 0), "catch"],
  ["mini: coercion", mini.coerce.number(), "coercion"],
  ["mini: stringbool", mini.stringbool(), "pipe"],
  ["mini: preprocess", mini.pipe(mini.transform(String), mini.string()), "pipe"],
  ["mini: a default that is another each time", mini._default(mini.number(), () => count++), "default"],
];

/** Where a schema can be inside of another. */
const places: readonly (readonly [name: string, wrap: (schema: any) => $ZodType, path: string])[] = [
  ["in an object", (schema) => z.object({ a: schema }), "a"],
  ["in an object in an object", (schema) => z.object({ a: z.object({ b: schema }) }), "a.b"],
  ["in a list", (schema) => z.array(schema), "*"],
  ["in a tuple", (schema) => z.tuple([z.string(), schema]), "1"],
  ["in the rest of a tuple", (schema) => z.tuple([z.string()], schema), ""],
  ["in a union", (schema) => z.union([z.null(), schema]), ""],
  [
    "in a discriminated union",
    (schema) =>
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("a") }),
        z.object({ kind: z.literal("b"), value: schema }),
      ]),
    "value",
  ],
  [
    "in an intersection",
    (schema) => z.intersection(z.object({ a: z.string() }), z.object({ b: schema })),
    "b",
  ],
  ["as the values of a record", (schema) => z.record(z.string(), schema), "*"],
  ["behind lazy", (schema) => z.lazy(() => schema), ""],
  ["in a tree", (schema) => tree(schema), "label"],
  ["when optional", (schema) => z.optional(schema), ""],
  ["when nullable", (schema) => z.nullable(schema), ""],
  ["when nonoptional", (schema) => z.nonoptional(schema), ""],
  ["when read only", (schema) => z.readonly(schema), ""],
  ["in other fields", (schema) => z.object({}).catchall(schema), ""],
  ["mini: in an object", (schema) => mini.object({ a: mini.optional(schema) }), "a"],
  ["mini: in a list", (schema) => mini.array(mini.nullable(schema)), "*"],
  ["mini: behind lazy", (schema) => mini.lazy(() => schema), ""],
];

describe("a schema that may return another value than it was given is refused:", () => {
  test.each(changing)("%s", (_name, schema, fault) => {
    const refusal = () =>
      define({ version: 1, collections: { notes: z.object({ field: schema as never }) } });
    expect(refusal).toThrow('collection "notes", at field: ');
    expect(refusal).toThrow(fault);
  });

  test.each(places)("%s", (_name, wrap, path) => {
    for (const schema of [
      z.string().trim(),
      mini.pipe(
        mini.string(),
        mini.transform((a) => a),
      ),
    ]) {
      const room = { version: 1, collections: {}, events: { ping: wrap(schema) } };
      expect(() => define(room)).toThrow(`event "ping"${path && `, at ${path}`}: a`);
    }
    const kept = { version: 1, collections: {}, events: { ping: wrap(z.string()) } };
    expect(() => define(kept)).not.toThrow();
  });

  test("also in the keys of a record", () => {
    const ping = z.record(z.string().toLowerCase(), z.number());
    expect(() => define({ version: 1, collections: {}, events: { ping } })).toThrow(
      'event "ping": an overwrite',
    );
  });

  const bad = z.object({ id: z.string(), size: z.number().transform(hundredfold) });
  test.each([
    ["a user", { user: bad }, "user, at size: "],
    ["presence", { presence: bad }, "presence, at size: "],
    ["an event", { events: { ping: bad } }, 'event "ping", at size: '],
    ["a collection", { collections: { notes: bad } }, 'collection "notes", at size: '],
    [
      "a payload",
      { mutators: (mutator: (payload: unknown) => unknown) => ({ grow: mutator(bad) }) },
      'mutator "grow": its payload, at size: ',
    ],
  ])("of %s", (_name, part, message) => {
    expect(() => define({ version: 1, collections: {}, ...part })).toThrow(message);
  });

  test("a collection whose schema itself overwrites its records", () => {
    const notes = text.overwrite((note) => ({ ...note, text: `${note.text}!` }));
    expect(() => define({ version: 1, collections: { notes } })).toThrow('collection "notes": an overwrite');
  });

  test.each([
    ["date", z.date()],
    ["bigint", z.bigint()],
    ["map", z.map(z.string(), z.string())],
    ["set", z.set(z.string())],
    ["symbol", z.symbol()],
    ["nan", z.nan()],
    ["promise", z.promise(z.string())],
  ])("%s, which JSON cannot hold", (type, schema) => {
    const room = { version: 1, collections: {}, presence: z.object({ a: schema }) };
    expect(() => define(room)).toThrow(`presence, at a: ${type} is not JSON`);
  });
});

/** Whether `read` is what was given, with no more than defaults added. */
function isWithin(given: unknown, read: unknown): boolean {
  if (given === undefined) return true;
  if (typeof given !== "object" || given === null) return given === read;
  return Object.entries(given).every(([key, member]) =>
    isWithin(member, (read as Record<string, unknown>)[key]),
  );
}

/** Schemas that return what they accept, with a value that each accepts. */
const unchanging: readonly (readonly [name: string, schema: $ZodType, value: unknown])[] = [
  ["texts, with formats and checks", z.email().min(3).max(50), "a@example.com"],
  ["a URL", z.url(), "https://example.com/a"],
  ["numbers", z.int().min(1).multipleOf(2), 4],
  ["a refinement", z.number().refine((n) => n > 1), 2],
  ["literals and enums", z.union([z.literal("a"), z.enum(["b", "c"])]), "c"],
  ["any JSON", z.json(), { a: [1, null, { b: "c" }] }],
  ["a template", z.templateLiteral(["a", z.number()]), "a1"],
  ["a brand", z.string().brand<"Id">(), "x"],
  ["a custom check", z.custom<string>((value) => value === "x"), "x"],
  ["a strict object", z.strictObject({ a: z.string() }), { a: "b" }],
  ["a tree by a getter", node, { label: "a", children: [{ label: "b", children: [] }] }],
  ["a record of tuples", z.record(z.string(), z.tuple([z.number()])), { a: [1] }],
  ["a default", z.object({ a: z.string().default("b") }), {}],
  ["a default of an object", z.object({ b: z.number(), a: z.number() }).default({ a: 1, b: 2 }), undefined],
  ["a prefault", z.object({ a: z.string().prefault("b") }), {}],
  ["a default from a function", z.array(z.string()).default(() => []), undefined],
  ["an order key", z.object({ a: z.optional(orderKey()) }), { a: "a0" }],
  [
    "mini: an object",
    mini.object({ a: mini._default(mini.number(), 1), b: mini.optional(mini.string()) }),
    {},
  ],
  ["mini: checks", mini.string().check(mini.minLength(1), mini.regex(/a/)), "a"],
];

test.each(unchanging)(
  "a schema that changes nothing is taken, and may read its own output: %s",
  (_name, schema, value) => {
    expect(() => define({ version: 1, collections: {}, events: { ping: schema } })).not.toThrow();
    const read = z.parse(schema, value);
    expect(z.parse(schema, read)).toEqual(read);
    expect(isWithin(value, read)).toBe(true);
  },
);
