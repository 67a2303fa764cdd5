import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fairLevel, Shares } from "../../../src/room/owners/shares.ts";

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

describe("the fair level", () => {
  test.each([
    { amounts: [], most: 0, level: Infinity },
    { amounts: [1, 2, 3], most: 6, level: Infinity },
    { amounts: [1, 2, 3], most: 5, level: 2 },
    { amounts: [1, 1, 10], most: 6, level: 4 },
    { amounts: [10, 10], most: 5, level: 2.5 },
    { amounts: [5], most: 0, level: 0 },
  ])("of $amounts under $most is $level", ({ amounts, most, level }) => {
    expect(fairLevel(amounts, most)).toBe(level);
  });

  test("cuts the largest amounts so that all together are as much as they may, and no other amount", () => {
    const amounts = fc.array(fc.nat(1_000), { maxLength: 30 });
    fc.assert(
      fc.property(amounts, fc.nat(10_000), (given, most) => {
        const level = fairLevel(given, most);
        const kept = sum(given.map((amount) => Math.min(amount, level)));
        expect(kept).toBeCloseTo(Math.min(most, sum(given)), 6);
      }),
    );
  });
});

describe("shares", () => {
  const user = (owner: string, clientId = `tab-of-${owner}`) => ({ clientId, owner });
  const stranger = (clientId: string) => ({ clientId, owner: "" });

  test("nobody is among the largest while all hold no more than they may", () => {
    const shares = new Shares();
    shares.add(user("ann"), 90);
    shares.add(user("ben"), 10);
    expect([shares.total, shares.isAmongLargest(user("ann"), 100)]).toEqual([100, false]);
  });

  test("a user holds what all clients of the user hold", () => {
    const shares = new Shares();
    for (let tab = 0; tab < 10; tab++) shares.add(user("ann", `ann-${tab}`), 10);
    shares.add(user("ben"), 30);
    expect(shares.isAmongLargest(user("ann", "ann-0"), 100)).toBe(true);
    expect(shares.isAmongLargest(user("ben"), 100)).toBe(false);
  });

  test("clients without a user are one holder beside users, and each one among themselves", () => {
    const shares = new Shares();
    for (let n = 0; n < 20; n++) shares.add(stranger(`small-${n}`), 2);
    shares.add(stranger("large"), 40);
    shares.add(user("ann"), 30);
    expect(shares.isAmongLargest(user("ann"), 100)).toBe(false);
    expect(shares.isAmongLargest(stranger("large"), 100)).toBe(true);
    expect(shares.isAmongLargest(stranger("small-0"), 100)).toBe(false);
  });

  test("what was given back is not held any more", () => {
    const shares = new Shares();
    shares.add(user("ann"), 100);
    shares.add(user("ben"), 20);
    expect(shares.isAmongLargest(user("ann"), 100)).toBe(true);
    shares.add(user("ann"), -95);
    shares.add(user("ben"), 90);
    expect([user("ann"), user("ben")].map((holder) => shares.isAmongLargest(holder, 100))).toEqual([
      false,
      true,
    ]);
  });
});
