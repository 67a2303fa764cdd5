import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPayload } from "../../src/model/call.ts";
import { Overlay } from "../../client/replica/rebase.ts";
import { State, type RecordSource } from "../../src/model/state.ts";
import { Transaction } from "../../src/model/transaction.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import type { Fields } from "../../src/model/json.ts";
import { rulesBoard, writer } from "../support/boards/rules-board.ts";

type Edit = readonly [id: string, tag: string | null | undefined];

const anyEdit: fc.Arbitrary<Edit> = fc.tuple(
  fc.integer({ min: 0, max: 60 }).map((id) => `id${id}`),
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("a0", "a1", "a2V", "a2", "Zz") },
    fc.constant(null),
    fc.constant(undefined),
  ),
);

/** A record with that key; null: without one. Undefined: no record. */
function noteOf(tag: string | null | undefined): Fields | undefined {
  return tag === undefined ? undefined : Object.freeze({ text: "", rank: 0, ...(tag !== null && { tag }) });
}

/** What the order has to be, by the plainest of means. */
function sorted(source: RecordSource): string[] {
  const keyed = source
    .ids("notes")
    .map((id) => ({ id, key: (source.get("notes", id)?.["tag"] as string) ?? "~" }));
  return keyed
    .toSorted((a, b) => (a.key < b.key || (a.key === b.key && a.id < b.id) ? -1 : 1))
    .map(({ id }) => id);
}

describe("a list in order", () => {
  test("is by key, then by id, and those without a key are last", () => {
    const state = new State();
    for (const [id, tag] of [
      ["d", "a1"],
      ["c", "a0"],
      ["b", null],
      ["a", "a1"],
    ] as const)
      state.set("notes", id, noteOf(tag));
    expect(state.ids("notes", "tag")).toEqual(["c", "a", "d", "b"]);
    expect(state.ids("notes")).toEqual(["a", "b", "c", "d"]);
  });

  test("follows every change, in the state, in a view on top and in a transaction on top of that", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(anyEdit, { maxLength: 50 }), { maxLength: 6 }),
        fc.array(anyEdit, { maxLength: 50 }),
        fc.array(anyEdit, { maxLength: 5 }),
        (rounds, viewed, written) => {
          const state = new State();
          const handedOut: [readonly string[], readonly string[]][] = [];
          for (const edits of rounds) {
            for (const [id, tag] of edits) state.set("notes", id, noteOf(tag));
            const ids = state.ids("notes", "tag");
            expect(ids).toEqual(sorted(state));
            expect(state.ids("notes")).toEqual([...state.ids("notes")].toSorted());
            handedOut.push([ids, [...ids]]);
          }
          const options = {
            definition: rulesBoard,
            limits: defaultLimits,
            caller: writer("ann"),
            checkPayload,
          };
          const view = new Overlay(state, options);
          for (const [id, tag] of viewed) view.set("notes", id, noteOf(tag));
          expect(view.ids("notes", "tag")).toEqual(sorted(view));
          const transaction = new Transaction(view, options);
          for (const [id, tag] of written) {
            if (tag === undefined) transaction.tx["notes"]?.delete(id);
            else transaction.tx["notes"]?.put(id, noteOf(tag));
            expect(transaction.tx["notes"]?.ids("tag")).toEqual(sorted(transaction));
          }
          expect(view.ids("notes", "tag")).toEqual(sorted(view));
          for (const [ids, then] of handedOut) expect(ids).toEqual(then);
        },
      ),
    );
  });

  test("is the same array until something moves, and is never changed once handed out", () => {
    const state = new State();
    for (let at = 0; at < 100; at++) state.set("notes", `id${at}`, noteOf(`a${at % 10}`));
    const before = state.ids("notes", "tag");
    state.set("notes", "id7", Object.freeze({ ...noteOf("a7"), text: "new" }));
    expect(state.ids("notes", "tag")).toBe(before);
    expect(Object.isFrozen(before)).toBe(true);
    state.set("notes", "id7", noteOf("a1"));
    expect(state.ids("notes", "tag")).not.toBe(before);
    expect(before).toContain("id7");
  });

  test("looks at few records where few have moved", () => {
    let reads = 0;
    const counted = (tag: string) => {
      const note = { text: "", rank: 0 };
      Object.defineProperty(note, "tag", { enumerable: true, get: () => (reads++, tag) });
      return note as unknown as Fields;
    };
    const state = new State();
    for (let at = 0; at < 2_000; at++) state.set("notes", `id${at}`, counted(`a${at % 60}`));
    state.ids("notes", "tag");
    reads = 0;
    state.set("notes", "id1000", noteOf("b00"));
    expect(state.ids("notes", "tag").at(-1)).toBe("id1000");
    expect(reads).toBeLessThan(60);
  });
});
