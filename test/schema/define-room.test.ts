import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { defineRoom, Rejection } from "../../src/index.ts";
import { board } from "./board.ts";

// Callers without a compiler: what the types refuse, and what they cannot say, is refused at runtime too.
const define = defineRoom as (room: unknown) => typeof board;
const notes = z.object({ text: z.string() });
const withCollection = (name: string) => ({ version: 1, collections: { [name]: notes } });
const withField = (field: string) => ({
  version: 1,
  collections: { notes: z.object({ [field]: z.string() }) },
});
const withEvent = (name: string) => ({ version: 1, collections: { notes }, events: { [name]: z.string() } });
const withMutator = (name: string) => ({
  version: 1,
  collections: { notes },
  mutators: (mutator: (payload: unknown) => unknown) => ({ [name]: mutator(z.string()) }),
});

test("a definition says what the room is", () => {
  expect(board.version).toBe(1);
  expect(Object.keys(board.collections)).toEqual(["shapes", "tasks"]);
  expect(board.collections.tasks.parse({ title: "a", assignee: null })).toEqual({
    title: "a",
    assignee: null,
  });
  expect(board.direct).toEqual(["shapes"]);
  expect(Object.keys(board.events)).toEqual(["confetti"]);
  expect(Object.keys(board.mutators)).toEqual(["addTask", "claim", "assignRandomly"]);
  expect(board.mutators.claim.run).toBeTypeOf("function");
  expect(board.mutators.assignRandomly.run).toBeUndefined();
  expect(board.mutators.addTask.payload.safeParse({ id: 1 }).success).toBe(false);
});

test("what a room leaves out is empty", () => {
  const room = defineRoom({ version: 1, collections: {} });
  expect(room).toMatchObject({ user: undefined, presence: undefined, direct: [] });
  const { collections, events, mutators, undo } = room;
  expect([collections, events, mutators, undo].map(Object.keys)).toEqual([[], [], [], []]);
});

test("zod/mini and strict schemas describe collections as well", () => {
  const room = defineRoom({
    version: 1,
    collections: {
      small: mini.object({ text: mini.string() }),
      strict: z.strictObject({ text: z.string() }),
    },
    direct: ["small", "strict"],
  });
  expect(room.direct).toEqual(["small", "strict"]);
});

test("a definition cannot be changed, not even through what it was made from", () => {
  const collections: Record<string, typeof notes> = { notes };
  const direct = ["notes"];
  const room = defineRoom({ version: 1, collections, direct });
  collections["more"] = notes;
  direct.push("more");
  expect(Object.keys(room.collections)).toEqual(["notes"]);
  expect(room.direct).toEqual(["notes"]);
  for (const part of [
    room,
    room.collections,
    room.direct,
    room.events,
    room.mutators,
    room.undo,
    board.mutators.claim,
  ]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

test("a name from outside finds only what was declared", () => {
  for (const part of [board.collections, board.events, board.mutators]) {
    for (const name of ["toString", "hasOwnProperty", "__proto__", "constructor"])
      expect(name in part).toBe(false);
  }
});

describe("a definition is refused, and the message names the culprit:", () => {
  const allowed = { version: 1, collections: { notes } };
  test.each([
    ["version 0", { ...allowed, version: 0 }, "version: must be a positive integer, is 0"],
    [
      "a version that is no integer",
      { ...allowed, version: 1.5 },
      "version: must be a positive integer, is 1.5",
    ],
    ["a version that is text", { ...allowed, version: "1" }, "version: must be a positive integer, is 1"],
    [
      "direct that is no collection",
      { ...allowed, direct: ["notes", "nope"] },
      'direct: "nope" is no collection',
    ],
    [
      "direct that every object has",
      { ...allowed, direct: ["toString"] },
      'direct: "toString" is no collection',
    ],
    [
      "a collection that is no schema",
      { version: 1, collections: { notes: {} } },
      'collection "notes": must be a zod 4 schema',
    ],
    [
      "a collection of text",
      { version: 1, collections: { notes: z.string() } },
      'collection "notes": must be an object schema, is string',
    ],
    [
      "fields that are not declared",
      { version: 1, collections: { notes: z.looseObject({}) } },
      'collection "notes": must declare every field',
    ],
    [
      "a catchall",
      { version: 1, collections: { notes: z.object({}).catchall(z.string()) } },
      'collection "notes": must declare every field',
    ],
    ["a user that is no schema", { ...allowed, user: "ann" }, "user: must be a zod 4 schema"],
    ["presence that is no schema", { ...allowed, presence: null }, "presence: must be a zod 4 schema"],
    [
      "an event that is no schema",
      { ...allowed, events: { ping: true } },
      'event "ping": must be a zod 4 schema',
    ],
    [
      "a function for a mutator",
      { ...allowed, mutators: () => ({ add: () => {} }) },
      'mutator "add": must be made by mutator(',
    ],
    [
      "a payload that is no schema",
      { ...allowed, mutators: (mutator: any) => ({ add: mutator({}) }) },
      'mutator "add": its payload: must be a zod 4 schema',
    ],
    [
      "a run that is no function",
      { ...allowed, mutators: (mutator: any) => ({ add: mutator(z.string(), {}) }) },
      'mutator "add": run must be a function',
    ],
    [
      "an undo of a mutator that there is not",
      { ...allowed, undo: { add: () => undefined } },
      'undo "add": there is no such mutator',
    ],
    [
      "an undo that is no function",
      { ...withMutator("add"), undo: { add: ["add", ""] } },
      'undo "add": must be a function',
    ],
    [
      "a mutator called transact",
      withMutator("transact"),
      'mutator "transact": this name is the room\'s own',
    ],
  ])("%s", (_title, room, message) => {
    expect(() => define(room)).toThrow(message);
  });
});

describe("names", () => {
  const refused = [
    "",
    "1a",
    "_a",
    "$a",
    "a-b",
    "a.b",
    "a b",
    "é",
    "a\n",
    "a".repeat(65),
    "__proto__",
    "constructor",
    "prototype",
  ];
  const allowed = ["a", "Z9", "a_b", "toString", "a".repeat(64)];
  const refusedFields = [
    "",
    "1a",
    "a.b",
    "a b",
    "é",
    "-a",
    "a\n",
    "a".repeat(65),
    "__proto__",
    "constructor",
    "prototype",
  ];
  const allowedFields = ["a", "_a", "$a", "a-b", "a".repeat(64)];

  test.each([
    { kind: "collection", make: withCollection, refused, allowed },
    { kind: "event", make: withEvent, refused, allowed },
    { kind: "mutator", make: withMutator, refused, allowed },
    { kind: "field", make: withField, refused: refusedFields, allowed: allowedFields },
  ])("of a $kind", ({ kind, make, refused, allowed }) => {
    const outcome = (name: string) => {
      try {
        define(make(name));
        return "allowed";
      } catch (error) {
        return (error as Error).message.includes(`${kind} ${JSON.stringify(name)}`) ? "refused" : error;
      }
    };
    expect(refused.filter((name) => outcome(name) !== "refused")).toEqual([]);
    expect(allowed.filter((name) => outcome(name) !== "allowed")).toEqual([]);
  });
});

test("a rejection carries its code, a sentence and data", () => {
  const rejection = new Rejection("conflict", "somebody was first", { by: "ann" });
  expect(rejection).toBeInstanceOf(Error);
  expect(rejection).toMatchObject({
    name: "Rejection",
    code: "conflict",
    message: "somebody was first",
    data: { by: "ann" },
  });
  expect(new Rejection("late")).toMatchObject({ code: "late", message: "late", data: undefined });
});
