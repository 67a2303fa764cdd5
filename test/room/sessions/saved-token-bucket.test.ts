import { expect, test } from "vitest";
import { SavedTokenBucket } from "../../../src/room/sessions/saved-token-bucket.ts";

/** 10 a second, bursts of 8, full at time 0. */
const bucket = () => new SavedTokenBucket(10, 8, { tokens: 8, at: 0 });

test("what is left survives hibernation", () => {
  const before = bucket();
  before.take(50, 1, 7);
  before.take(50);
  const after = new SavedTokenBucket(10, 8, before.state);
  expect([50, 50, 150].map((now) => after.take(now))).toEqual([50, 50, 150].map((now) => before.take(now)));
});

test("a bucket is lowered to what a restored one would have, and never raised", () => {
  const given = bucket();
  given.lowerTo({ tokens: 2, at: 0 });
  expect(given.state).toEqual({ tokens: 2, at: 0 });
  given.lowerTo({ tokens: 1, at: 100 });
  expect(given.state).toEqual({ tokens: 1, at: 100 });
  given.lowerTo({ tokens: 8, at: 100 });
  expect(given.state).toEqual({ tokens: 1, at: 100 });
});

test("a bucket is saved once a quarter of the burst is used, or the last token", () => {
  const given = bucket();
  const full = given.state;
  given.take(0, 1, 2);
  expect([given.isNearlyFull, given.isLessThan(full)]).toEqual([true, false]);
  given.take(0);
  expect([given.isNearlyFull, given.isLessThan(full)]).toEqual([false, true]);
  expect(given.isLessThan(given.state)).toBe(false);
  const last = given.state;
  given.take(0, 1, 4.5);
  expect(given.isLessThan(last)).toBe(true);
});
