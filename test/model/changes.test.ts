import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  absorb,
  applyChange,
  decodeChanges,
  deletion,
  encodeChanges,
  freeze,
  areWireChanges,
  squashChange,
  type Change,
  type Changes,
  type WireChanges,
} from "../../src/model/changes.ts";
import type { Fields } from "../../src/model/json.ts";
import type { Json } from "../../src/schema/json.ts";
import { State } from "../../src/model/state.ts";
import {
  anyChange,
  anyEdit,
  contentOf,
  copyOfState,
  operationOf,
  type Edit,
} from "../support/random-edits.ts";

const record: Fields = { text: "old", rank: 1, tag: "t" };
const put = (record: Fields): Change => ({ kind: "put", record });
const patch = (set: Fields, unset: string[] = []): Change => ({ kind: "patch", set, unset });

/** What `changes` leave of a record, one after the other. */
function applyAll(before: Fields | undefined, changes: readonly Change[]): Fields | undefined {
  return changes.reduce(applyChange, before);
}

/** A record, or none, and changes that can be made to it in this order. */
function validChain(length: number): fc.Arbitrary<{ before: Fields | undefined; chain: Change[] }> {
  const before = fc.constantFrom(record, undefined);
  const changes = fc.array(anyChange, { minLength: length, maxLength: length });
  return fc.record({ before, chain: changes }).filter(({ before, chain }) => {
    let exists = before !== undefined;
    for (const change of chain) {
      if (change.kind === "patch" && !exists) return false;
      exists = change.kind !== "delete";
    }
    return true;
  });
}

/** The same change with what is unset in order, which does not matter. */
function normal(change: Change): Change {
  return change.kind === "patch" ? { ...change, unset: change.unset.toSorted() } : change;
}

const operations = fc.array(fc.array(anyEdit, { maxLength: 6 }), { minLength: 1, maxLength: 6 });

/** The states from first to last, and the operations between them. */
function story(groups: readonly Edit[][]): { states: State[]; steps: Changes[] } {
  const state = new State();
  const states = [copyOfState(state)];
  const steps = groups.map((edits) => {
    const changes = operationOf(state, edits);
    states.push(copyOfState(state));
    return changes;
  });
  return { states, steps };
}

function squashed(steps: readonly Changes[]): Changes {
  const whole: Changes = new Map();
  for (const step of steps) absorb(whole, step);
  return whole;
}

describe("squashing", () => {
  test.each<{ title: string; earlier: Change | undefined; later: Change; squashed: Change }>([
    {
      title: "nothing and a patch is the patch",
      earlier: undefined,
      later: patch({ a: 1 }),
      squashed: patch({ a: 1 }),
    },
    {
      title: "put and put is the later one",
      earlier: put({ a: 1 }),
      later: put({ b: 2 }),
      squashed: put({ b: 2 }),
    },
    {
      title: "put and patch is a put of what both leave",
      earlier: put({ a: 1, b: 1 }),
      later: patch({ a: 2, c: 3 }, ["b"]),
      squashed: put({ a: 2, c: 3 }),
    },
    { title: "put and delete is the delete", earlier: put({ a: 1 }), later: deletion, squashed: deletion },
    {
      title: "patch and put is the put",
      earlier: patch({ a: 1 }),
      later: put({ b: 2 }),
      squashed: put({ b: 2 }),
    },
    {
      title: "patch and patch is both, the later one winning",
      earlier: patch({ a: 1, b: 1 }, ["c", "d"]),
      later: patch({ b: 2, c: 3 }, ["e"]),
      squashed: patch({ a: 1, b: 2, c: 3 }, ["d", "e"]),
    },
    {
      title: "set and unset is unset",
      earlier: patch({ a: 1, b: 1 }),
      later: patch({}, ["a"]),
      squashed: patch({ b: 1 }, ["a"]),
    },
    {
      title: "unset and unset is unset once",
      earlier: patch({}, ["a"]),
      later: patch({}, ["a"]),
      squashed: patch({}, ["a"]),
    },
    {
      title: "patch and delete is the delete",
      earlier: patch({ a: 1 }),
      later: deletion,
      squashed: deletion,
    },
    { title: "delete and put is the put", earlier: deletion, later: put({ a: 1 }), squashed: put({ a: 1 }) },
    { title: "delete and delete is the delete", earlier: deletion, later: deletion, squashed: deletion },
    { title: "nothing and delete is the delete", earlier: undefined, later: deletion, squashed: deletion },
  ])("$title", ({ earlier, later, squashed }) => {
    expect(squashChange(earlier, later)).toEqual(squashed);
  });

  test("a delete and a patch is out of the question", () => {
    expect(() => squashChange(deletion, patch({ a: 1 }))).toThrow("a patch followed a delete");
  });

  test("two changes does what one after the other does", () => {
    fc.assert(
      fc.property(validChain(2), ({ before, chain }) => {
        const [first, second] = chain as [Change, Change];
        expect(applyChange(before, squashChange(first, second))).toEqual(applyAll(before, chain));
      }),
      { numRuns: 300 },
    );
  });

  test("is associative", () => {
    fc.assert(
      fc.property(validChain(3), ({ chain }) => {
        const [a, b, c] = chain as [Change, Change, Change];
        const left = squashChange(squashChange(a, b), c);
        expect(normal(left)).toEqual(normal(squashChange(a, squashChange(b, c))));
      }),
      { numRuns: 300 },
    );
  });

  test("operations does what one after the other does", () => {
    fc.assert(
      fc.property(operations, (groups) => {
        const { states, steps } = story(groups);
        const state = copyOfState(states[0] as State);
        state.apply(squashed(steps));
        expect(contentOf(state)).toEqual(contentOf(states.at(-1) as State));
      }),
      { numRuns: 100 },
    );
  });

  test("never drops a delete: who had the record must lose it", () => {
    fc.assert(
      fc.property(operations, (groups) => {
        const { states, steps } = story(groups);
        const whole = squashed(steps);
        const last = states.at(-1) as State;
        for (const [collection, records] of steps.flatMap((step) => [...step])) {
          for (const id of records.keys()) {
            if (last.get(collection, id) !== undefined) continue;
            expect(whole.get(collection)?.get(id)).toEqual(deletion);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test("operations may begin below the state they are applied to, since values are absolute", () => {
    fc.assert(
      fc.property(operations, (groups) => {
        const { states, steps } = story(groups);
        const whole = squashed(steps);
        for (const state of states) {
          const content = copyOfState(state);
          content.apply(whole);
          expect(contentOf(content)).toEqual(contentOf(states.at(-1) as State));
        }
      }),
      { numRuns: 100 },
    );
  });

  test("leaves what it was made from as it was", () => {
    const [first, second] = [patch({ a: 1 }, ["b"]), patch({ b: 2 }, ["a"])];
    squashChange(first, second);
    expect([first, second]).toEqual([patch({ a: 1 }, ["b"]), patch({ b: 2 }, ["a"])]);
  });
});

describe("applying", () => {
  test("a patch keeps the fields it does not name, and the record that was there", () => {
    expect(applyChange(record, patch({ rank: 2 }, ["tag"]))).toEqual({ text: "old", rank: 2 });
    expect(record).toEqual({ text: "old", rank: 1, tag: "t" });
  });

  test("a patch to a missing record says that a delta is out of place", () => {
    expect(() => applyChange(undefined, patch({ a: 1 }))).toThrow("a patch met no record");
  });

  test("a change leaves a frozen record", () => {
    expect(Object.isFrozen(applyChange(record, patch({ rank: 2 })))).toBe(true);
    expect(Object.isFrozen(squashedPut())).toBe(true);
  });
});

function squashedPut(): Fields | undefined {
  const change = squashChange(put(record), patch({ rank: 2 }));
  return change.kind === "put" ? change.record : undefined;
}

describe("on the wire", () => {
  test("changes come back as they went, whatever they are", () => {
    fc.assert(
      fc.property(operations, (groups) => {
        const whole = squashed(story(groups).steps);
        const text = JSON.stringify(encodeChanges(whole));
        const wire = JSON.parse(text) as WireChanges;
        expect(areWireChanges(wire as Json)).toBe(true);
        const decoded = decodeChanges(wire);
        expect(decoded).toEqual(whole);
        expect(JSON.stringify(encodeChanges(decoded))).toBe(text);
      }),
      { numRuns: 100 },
    );
  });

  test("a collection without changes is left out", () => {
    expect(encodeChanges(new Map([["notes", new Map()]]))).toEqual({});
  });

  test("a patch that unsets nothing does not say so", () => {
    const changes: Changes = new Map([["notes", new Map([["a", patch({ rank: 1 })]])]]);
    expect(encodeChanges(changes)).toEqual({ notes: [["patch", "a", { rank: 1 }]] });
  });

  test("what was read is frozen all the way down", () => {
    const decoded = decodeChanges({ notes: [["put", "a", { body: { list: [{}] } }]] });
    const change = decoded.get("notes")?.get("a");
    const body = change?.kind === "put" ? (change.record["body"] as { list: object[] }) : undefined;
    expect([change?.kind, body, body?.list, body?.list[0]].slice(1).every(Object.isFrozen)).toBe(true);
  });

  test.each([
    { notes: {} },
    { notes: [["put", "a"]] },
    { notes: [["put", "a", null]] },
    { notes: [["put", "a", []]] },
    { notes: [["put", 1, {}]] },
    { notes: [["patch", "a", {}, "tag"]] },
    { notes: [["patch", "a", {}, [1]]] },
    { notes: [["patch", "a", {}, [], 1]] },
    { notes: [["delete", "a", {}]] },
    { notes: [["delete"]] },
    { notes: [["move", "a", {}]] },
    { notes: [[]] },
    { notes: ["put"] },
    { notes: null },
    [],
    null,
    "put",
  ])("%j is not a set of changes", (given) => {
    expect(areWireChanges(given as Json)).toBe(false);
  });
});

test("freezing reaches everything that JSON.parse made", () => {
  const value = freeze(JSON.parse('{"a":[{"b":[]}],"c":null}') as Fields);
  const list = value["a"] as { b: unknown }[];
  expect([value, list, list[0], list[0]?.b].every(Object.isFrozen)).toBe(true);
});
