import { expect, test } from "vitest";
import { ownerOf } from "../../../src/room/owners/owner.ts";
import type { Json } from "../../../src/schema/json.ts";

/** A list in a list, and so on, around `kernel`. */
function nested(depth: number, kernel: Json): Json {
  return depth === 0 ? kernel : [nested(depth - 1, kernel)];
}

test.each<[string, Json, string]>([
  ["nobody in particular", null, ""],
  ["a person with an id", { id: "ann", name: "Ann" }, "=ann"],
  ["the same person, renamed", { id: "ann", name: "Anna" }, "=ann"],
  ["a person with an empty id, who is not nobody", { id: "" }, "="],
  ["a person whose id looks like a hash", { id: "#519403616" }, "=#519403616"],
  ["a person with the longest id", { id: "x".repeat(64) }, `=${"x".repeat(64)}`],
])("a client belongs to %s", (_, user, owner) => {
  expect(ownerOf(user)).toBe(owner);
});

test("without an id that is a short text, a client belongs to whoever is the same person in all that is known", () => {
  expect(ownerOf({ name: "Ann", age: 7 })).toBe(ownerOf({ age: 7, name: "Ann" }));
  expect(ownerOf({ id: null, name: "Ann" })).not.toBe(ownerOf({ id: null, name: "Ben" }));
});

test("no two people are one owner, whatever their ids look like", () => {
  const people: Json[] = [
    null,
    "",
    "ann",
    "=ann",
    9,
    {},
    { name: "Ann" },
    { name: "Ben" },
    { user: "ann" },
    { id: "" },
    { id: "ann" },
    { id: "=ann" },
    { id: ["ann"] },
    { id: { user: "ann" } },
    { id: 7 },
    { id: 8 },
    { id: "7" },
    { id: "x".repeat(64) },
    { id: "x".repeat(65) },
    { id: `${"x".repeat(64)}y` },
    { id: "\ud800" },
    { id: "\ud801" },
    { id: "\ufffd" },
    { id: nested(100, 1) },
    { id: nested(100, 2) },
  ];
  // A person whose id is the owner of another person.
  const forged = people.map((person) => ({ id: ownerOf(person) }));
  const owners = [...people, ...forged].map(ownerOf);
  expect(new Set(owners).size).toBe(
    new Set([...people, ...forged].map((person) => JSON.stringify(person))).size,
  );
  for (const owner of owners) {
    expect(owner.length).toBeLessThanOrEqual(65);
    expect(owner.isWellFormed()).toBe(true);
  }
});

test("20,000 people without an id are as many owners, which 32 bits would not be for long", () => {
  const owners = Array.from({ length: 20_000 }, (_, index) => ownerOf({ name: `guest ${index}` }));
  expect(new Set(owners).size).toBe(owners.length);
  for (const owner of owners) expect(owner).toMatch(/^#[0-9a-f]{24}$/);
});
