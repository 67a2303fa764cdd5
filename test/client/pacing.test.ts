import { expect, test } from "vitest";
import { newTestRoom } from "../room/rooms.ts";
import { enter, expectAgreement, outcomeOf } from "./enter.ts";

// A file of its own: at the room's pace this takes its time, and other files run meanwhile.
test("3,000 calls made at once are paced, and every one commits, once", { timeout: 30_000 }, async () => {
  const at = newTestRoom();
  const one = await enter(at);
  const limited: unknown[] = [];
  one.link.loses = (frame) => {
    if (frame.kind === "error") limited.push(frame);
    return false;
  };
  const calls = Array.from({ length: 3_000 }, () => one.room.mutate.addUp({ id: "c1", by: 1 }));
  expect(one.room.state.shapes.get("c1")?.x).toBe(3_000);
  const revs = await Promise.all(calls.map(outcomeOf));
  expect(revs).toEqual(Array.from(revs, (_, n) => n + 1));
  expect(one.room.state.shapes.get("c1")?.x).toBe(3_000);
  expect(await expectAgreement(at, one)).toEqual({ shapes: { c1: { x: 3_000, y: 0 } } });
  expect(limited).toEqual([]);
  expect(
    Math.max(...one.link.up.map((frame) => (frame.kind === "push" ? frame.calls.length : 0))),
  ).toBeLessThanOrEqual(256);
});
