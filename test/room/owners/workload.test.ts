import { describe, expect, it } from "vitest";
import type { Holder } from "../../../src/room/owners/shares.ts";
import { Workload } from "../../../src/room/owners/workload.ts";

const start = 1_800_000_000_000;
const user = (id: string): Holder => ({ clientId: `actor-${id}`, owner: `=${id}` });
const stranger = (n: number): Holder => ({ clientId: `actor-${n}`, owner: "" });

/** How many calls of `units` each the room executes in so many seconds, if each holder makes one at each tick. */
function executedIn(seconds: number, holders: readonly Holder[], units: number): number {
  const workload = new Workload({ allWorkPerSecond: 1_000 });
  let count = 0;
  for (let now = start; now < start + seconds * 1_000; now += 50) {
    for (const holder of holders) {
      if (workload.waitOf(holder, now) > 0) continue;
      workload.note(holder, units, now);
      count += 1;
    }
  }
  return count;
}

describe("the work of all clients", () => {
  it.each([
    ["users", (n: number) => user(`u${n}`)],
    ["clients without a user", stranger],
  ])("is no more than the limit, however many %s have large calls executed", (_, holder) => {
    const holders = Array.from({ length: 30 }, (_each, n) => holder(n));
    const executed = executedIn(60, holders, 200);
    // Each has one call executed before the first of them has to wait; then it is five a second.
    expect(executed).toBeGreaterThan(250);
    expect(executed).toBeLessThan(30 + 60 * 5 + 30);
  });

  it("holds up nobody who asks for little, and the others until the next window", () => {
    const workload = new Workload({ allWorkPerSecond: 1_000 });
    const crowd = Array.from({ length: 20 }, (_, n) => stranger(n));
    for (const holder of crowd) workload.note(holder, 100, start);
    workload.note(user("mallory"), 2_000, start);
    workload.note(user("alice"), 10, start);
    workload.note(stranger(99), 1, start);
    const waits = (holder: Holder, now: number) => workload.waitOf(holder, now);
    expect([waits(user("alice"), start), waits(stranger(99), start), waits(user("bob"), start)]).toEqual([
      0, 0, 0,
    ]);
    expect([waits(user("mallory"), start + 100), waits(stranger(3), start + 100)]).toEqual([400, 400]);
    expect(waits(user("mallory"), start + 600)).toBeGreaterThan(0); // it has had several windows' worth
    expect([waits(user("mallory"), start + 10_000), waits(stranger(3), start + 10_000)]).toEqual([0, 0]);
  });

  it("holds up nobody for longer than a window when the clock is set back", () => {
    const workload = new Workload({ allWorkPerSecond: 1_000 });
    workload.note(user("mallory"), 1_000, start);
    expect(workload.waitOf(user("mallory"), start - 3_600_000)).toBeLessThanOrEqual(500);
  });
});
