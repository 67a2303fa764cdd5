import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { faultNames } from "./plan.ts";
import { runSeed } from "./run.ts";

// The client tells the console of what an app's mutator throws, and some of these throw on purpose.
const { error } = console;
const { stackTraceLimit } = Error;
beforeEach(() => {
  console.error = () => {};
  Error.stackTraceLimit = 0; // thousands of refusals are thrown
});
afterEach(() => {
  console.error = error;
  Error.stackTraceLimit = stackTraceLimit;
});

/** So many at a time that the tests of other files get their turn. */
const seedsATest = 40;

describe("whatever happens, nothing acknowledged is lost, nothing is done twice and all end where the room is", () => {
  test.each([1, 2, 3, 4])(`in ${seedsATest} worlds: %i`, { timeout: 60_000 }, async (part) => {
    for (let seed = part * 1_000; seed < part * 1_000 + seedsATest; seed++) {
      const { failure } = await runSeed(seed);
      expect(failure, `npm run simulate -- --seed ${seed}`).toBeUndefined();
    }
  });
});

test(
  "every fault happens in these worlds, and calls come to every kind of end",
  { timeout: 60_000 },
  async () => {
    const happened = new Set<string>();
    for (let seed = 1; seed <= 60; seed++)
      for (const what of (await runSeed(seed)).counts.keys()) happened.add(what);
    const expected = [
      ...faultNames.map((name) => `fault: ${name}`),
      "restores",
      "evictions",
      "crashes",
      "aborts",
    ];
    expect(expected.filter((what) => !happened.has(what))).toEqual([]);
    const ends = ["conflict", "not-found", "no-way", "internal", "forbidden"].map(
      (code) => `rejected: ${code}`,
    );
    expect(ends.filter((what) => !happened.has(what))).toEqual([]);
  },
);

// A row was written, `append` threw, and no checkpoint could be written: to send each client that row, the room recovered from
// within its recovery until the stack was full.
test(
  "a room whose checkpoints fail while it recovers goes on: seed 1224413196",
  { timeout: 60_000 },
  async () => {
    expect((await runSeed(1_224_413_196)).failure).toBeUndefined();
  },
);

// A room was restored to a history in which another call of the same client had the id: the judge took that for the kept one.
test.each([2_000_149_103, 2_000_177_924])(
  "a kept call is not taken for another one that had its id in an older history: seed %i",
  { timeout: 60_000 },
  async (seed) => {
    expect((await runSeed(seed)).failure).toBeUndefined();
  },
);

test.each([1, 2, 3])("the same seed runs the same, step by step: %i", async (seed) => {
  const hashes = new Set<string>();
  for (let time = 0; time < 2; time++) {
    const { trace } = await runSeed(seed, { isTraced: true });
    expect(trace.length).toBeGreaterThan(100);
    hashes.add(createHash("sha256").update(trace.join("\n")).digest("hex"));
  }
  expect(hashes.size).toBe(1);
});
