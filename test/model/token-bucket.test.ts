import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TokenBucket } from "../../src/model/token-bucket.ts";

/** 10 a second, bursts of 3, full at time 0. */
const bucket = () => new TokenBucket(10, 3, { tokens: 3, at: 0 });

test("a burst is taken at once, and then one has to wait for the rate", () => {
  const given = bucket();
  expect([given.take(0), given.take(0), given.take(0), given.take(0)]).toEqual([0, 0, 0, 100]);
  expect([given.take(60), given.take(100), given.take(100)]).toEqual([40, 0, 100]);
});

test("however long it was quiet, there is no more than a burst", () => {
  const given = bucket();
  expect([1, 2, 3, 4].map(() => given.take(1e9))).toEqual([0, 0, 0, 100]);
});

test("a clock that was set back gives nothing and takes nothing", () => {
  const given = bucket();
  for (let call = 0; call < 3; call++) given.take(1_000);
  expect([given.take(0), given.take(100)]).toEqual([100, 0]);
});

test("nobody gets more than a burst and the rate, whenever they ask", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200), { maxLength: 60 }), (pauses) => {
      const given = bucket();
      let now = 0;
      let taken = 0;
      for (const pauseMs of pauses) {
        now += pauseMs;
        if (given.take(now) === 0) taken += 1;
        expect(taken).toBeLessThanOrEqual(3 + (now * 10) / 1_000 + 1e-6);
      }
    }),
    { numRuns: 100 },
  );
});

test("who waits as long as it was told is given a token", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 50 }), (perSecond, burst) => {
      const given = new TokenBucket(perSecond, burst, { tokens: 0, at: 0 });
      expect(given.take(given.take(0))).toBe(0);
    }),
    { numRuns: 100 },
  );
});
