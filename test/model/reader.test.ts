import { describe, expect, test } from "vitest";
import { RecordsReader } from "../../src/model/reader.ts";
import { State } from "../../src/model/state.ts";

function stateOf(...ids: string[]): State {
  const state = new State();
  for (const id of ids) state.set("notes", id, Object.freeze({ text: id }));
  return state;
}

describe("a reader", () => {
  test("reads its own collection, in order of id", () => {
    const state = stateOf("b", "a");
    const reader = new RecordsReader(() => state, "notes");
    expect(reader.get("a")).toEqual({ text: "a" });
    expect([reader.has("a"), reader.has("x"), reader.size]).toEqual([true, false, 2]);
    expect(reader.ids()).toEqual(["a", "b"]);
    expect(reader.values()).toEqual([{ text: "a" }, { text: "b" }]);
    expect(reader.entries()).toEqual([
      ["a", { text: "a" }],
      ["b", { text: "b" }],
    ]);
    expect(new RecordsReader(() => state, "cards").values()).toEqual([]);
  });

  test("hands out the same arrays until it is told that something has changed", () => {
    const state = stateOf("a");
    const reader = new RecordsReader(() => state, "notes");
    const before = [reader.ids(), reader.values(), reader.entries()];
    expect(
      [reader.ids(), reader.values(), reader.entries()].map((array, at) => array === before[at]),
    ).toEqual([true, true, true]);
    state.set("notes", "a", Object.freeze({ text: "new" }));
    reader.forget(new Map([["a", { before: {}, after: {} }]]));
    expect(reader.ids()).toBe(before[0]);
    expect(reader.values()).toEqual([{ text: "new" }]);
    expect(before[1]).toEqual([{ text: "a" }]);
  });

  test("sees records that came or went once it is told so", () => {
    const state = stateOf("a");
    const reader = new RecordsReader(() => state, "notes");
    expect(reader.ids()).toEqual(["a"]);
    state.set("notes", "b", Object.freeze({ text: "b" }));
    reader.forget(new Map());
    expect([reader.ids(), reader.size, reader.entries().length]).toEqual([["a", "b"], 2, 2]);
  });

  test("asks for its source at every read, so that it outlives a state", () => {
    let state = stateOf("a");
    const reader = new RecordsReader(() => state, "notes");
    state = stateOf("b");
    expect([reader.has("a"), reader.has("b")]).toEqual([false, true]);
  });

  test("hands out nothing that can be changed", () => {
    const reader = new RecordsReader(() => stateOf("a"), "notes");
    const handedOut = [reader.ids(), reader.values(), reader.entries(), reader.entries()[0], reader.get("a")];
    expect(handedOut.every(Object.isFrozen)).toBe(true);
  });
});
