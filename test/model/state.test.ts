import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fields } from "../../src/model/json.ts";
import { mergeIds, State } from "../../src/model/state.ts";
import { anyEdit, operationOf } from "../support/random-edits.ts";

const record: Fields = { text: "", rank: 0 };

function stateOf(...ids: string[]): State {
  const state = new State();
  for (const id of ids) state.set("notes", id, record);
  return state;
}

describe("ids", () => {
  test("are in order, as JavaScript compares strings, whatever the order of writing", () => {
    expect(stateOf("b", "ä", "a", "B", "10", "9", "𝄞", "\uffee").ids("notes")).toEqual([
      "10",
      "9",
      "B",
      "a",
      "b",
      "ä",
      "𝄞",
      "\uffee",
    ]);
  });

  test("are the same array until a record comes or goes", () => {
    const state = stateOf("a", "b");
    const ids = state.ids("notes");
    state.set("notes", "a", { ...record, rank: 1 });
    expect(state.ids("notes")).toBe(ids);
    state.set("notes", "b", undefined);
    expect(state.ids("notes")).toEqual(["a"]);
    state.set("notes", "b", record);
    expect(state.ids("notes")).toEqual(ids);
  });

  test("cannot be changed by whoever reads them", () => {
    expect(Object.isFrozen(stateOf("a").ids("notes"))).toBe(true);
    expect(Object.isFrozen(mergeIds(stateOf("a"), "notes", new Map([["b", record]])))).toBe(true);
  });

  test("of a collection that was never written are none", () => {
    expect(new State().ids("toString")).toEqual([]);
    expect(new State().get("constructor", "name")).toBeUndefined();
  });
});

describe("records added at once", () => {
  test("make the state that they make one by one", () => {
    fc.assert(
      fc.property(fc.array(anyEdit, { maxLength: 12 }), (edits) => {
        const state = new State();
        operationOf(state, edits);
        const added = new State();
        for (const collection of state.collections()) {
          const ids = state.ids(collection);
          const halves = [ids.slice(0, 2), ids.slice(2)];
          for (const half of halves)
            added.add(collection, {
              ids: half,
              records: half.map((id) => state.get(collection, id) as Fields),
            });
          expect(added.ids(collection)).toEqual(ids);
          for (const id of ids) expect(added.get(collection, id)).toBe(state.get(collection, id));
        }
        expect(added.checksums).toEqual(state.checksums);
      }),
      { numRuns: 100 },
    );
  });

  test("count in the checksums also when they have changed before they were added up", () => {
    const [slow, quick] = [new State(), new State()];
    const added = { ids: ["a", "b", "c"], records: [record, record, record] };
    for (const state of [slow, quick]) {
      state.add("notes", { ids: ["z"], records: [record] });
      state.add("notes", added);
      if (state === quick) while (state.countSome());
      state.set("notes", "a", undefined);
      state.set("notes", "b", { text: "another" });
    }
    expect([slow.countSome(), quick.countSome()]).toEqual([["notes", expect.any(Number)], undefined]);
    expect(slow.checksums).toEqual(quick.checksums);
    expect(slow.countSome()).toBeUndefined();
  });
});

test("records taken out of a collection leave its name", () => {
  const state = stateOf("a");
  state.set("notes", "a", undefined);
  expect([...state.collections()]).toEqual(["notes"]);
});

describe("ids with writes on top", () => {
  test.each<{ title: string; written: [string, Fields | undefined][]; ids: string[] }>([
    { title: "without any are the base's", written: [], ids: ["b", "d"] },
    { title: "of a record that was there are the base's", written: [["b", record]], ids: ["b", "d"] },
    { title: "of a new record have it in its place", written: [["c", record]], ids: ["b", "c", "d"] },
    { title: "of a deleted record are without it", written: [["b", undefined]], ids: ["d"] },
    {
      title: "of one deleted that was never there are the base's",
      written: [["x", undefined]],
      ids: ["b", "d"],
    },
    {
      title: "of all of these at once",
      written: [
        ["d", undefined],
        ["e", record],
        ["a", record],
        ["b", record],
      ],
      ids: ["a", "b", "e"],
    },
  ])("$title", ({ written, ids }) => {
    expect(mergeIds(stateOf("d", "b"), "notes", new Map(written))).toEqual(ids);
  });

  test("are the base's own array when nothing comes or goes", () => {
    const state = stateOf("a");
    expect(mergeIds(state, "notes", new Map([["a", record]]))).toBe(state.ids("notes"));
  });

  test("are those that the state has once the writes are in it", () => {
    fc.assert(
      fc.property(
        fc.array(anyEdit, { maxLength: 8 }),
        fc.array(anyEdit, { maxLength: 8 }),
        (before, after) => {
          const state = new State();
          operationOf(state, before);
          const changed = new State();
          operationOf(changed, before);
          const written = new Map<string, Fields | undefined>();
          for (const id of operationOf(changed, after).get("notes")?.keys() ?? []) {
            written.set(id, changed.get("notes", id));
          }
          expect(mergeIds(state, "notes", written)).toEqual(changed.ids("notes"));
        },
      ),
      { numRuns: 100 },
    );
  });
});
