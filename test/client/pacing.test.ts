import { expect, onTestFinished, test, vi } from "vitest";
import { newTestRoom } from "../room/rooms.ts";
import { enter, expectAgreement, outcomeOf } from "./enter.ts";

test("3,000 calls made at once are paced, and every one commits, once", { timeout: 30_000 }, async () => {
  hurry(10);
  const at = newTestRoom();
  const one = await enter(at);
  const calls = Array.from({ length: 3_000 }, () => one.room.mutate.addUp({ id: "c1", by: 1 }));
  expect(one.room.state.shapes.get("c1")?.x).toBe(3_000);
  const revs = await Promise.all(calls.map(outcomeOf));
  expect(revs).toEqual(Array.from(revs, (_, n) => n + 1));
  expect(await expectAgreement(at, one)).toEqual({ shapes: { c1: { x: 3_000, y: 0 } } });
  expect(one.link.down.filter(({ kind }) => kind === "error" || kind === "gap")).toEqual([]);
  const sizes = one.link.up.map((frame) => (frame.kind === "push" ? frame.calls.length : 0));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256);
});

/** Makes the clock run faster, the room's and the client's alike: here they share a global. */
function hurry(times: number): void {
  const now = Date.now.bind(Date);
  const since = now();
  const clock = vi.spyOn(Date, "now").mockImplementation(() => since + (now() - since) * times);
  onTestFinished(() => clock.mockRestore());
}
