import { describe, expect, it } from "vitest";
import * as z from "zod";
import { workOf } from "../../../../src/room/engine/cost/call-work.ts";
import { defaultLimits } from "../../../../src/room/limits.ts";
import { defineRoom } from "../../../../src/schema/define-room.ts";
import type { Json } from "../../../../src/schema/json.ts";
import { withLoneRoom, type LoneRoom } from "../../../support/rooms/lone-room.ts";
import { patch, put, remove } from "../../../support/rooms/test-rooms.ts";
import type { Call } from "../../../support/clients/wire-client.ts";

/** The work of a call, as what it takes of its session's budget. */
function workOfCall(room: LoneRoom, call: Call): number {
  const alice = room.join(`actor-${room.now}`);
  const left = () => alice.session?.rateLimits.work.state.tokens ?? 0;
  const before = left();
  alice.push(call);
  const work = before - left();
  alice.leave();
  room.pass(60_000);
  return work;
}

describe("the work of a call", () => {
  it("is that of what it touches, and not of what it says", async () => {
    await withLoneRoom({}, (room) => {
      const small = workOfCall(room, put("notes", "small", { text: "x" }));
      expect(small).toBeLessThan(5_000);
      const large = workOfCall(room, put("notes", "large", { text: "x".repeat(100_000) }));
      expect(large).toBeGreaterThan(200_000);
      expect(workOfCall(room, ["fill", { count: 100, chars: 1_000 }])).toBeGreaterThan(100_000);
      expect(workOfCall(room, remove("notes", "large"))).toBeGreaterThan(100_000);
    });
  });

  it("is more for each key of an object that has many", () => {
    const objectOf = (keys: number) =>
      Object.fromEntries(Array.from({ length: keys }, (_, key) => [`${key}`, 0]));
    expect(workOf(objectOf(60))).toBeLessThan(60 * 50);
    expect(workOf(objectOf(9_000))).toBeGreaterThan(9_000 * 128);
  });

  it("of a patch is that of its fields, however large the record is", async () => {
    await withLoneRoom({}, (room) => {
      room.join("actor-filler").push(put("cards", "c", { title: "x".repeat(100_000), place: "a0" }));
      room.pass(1_000);
      expect(workOfCall(room, patch("cards", "c", { place: "a1" }))).toBeLessThan(5_000);
      // There is no such field, so that nothing is to be removed.
      const edit = { cards: [["patch", "c", { place: "a2" }, ["gone"]]] };
      expect(workOfCall(room, ["transact", edit])).toBeLessThan(5_000);
    });
  });

  it("of a patch is that of the whole record when the schema has to check it whole", async () => {
    const note = z.object({ text: z.string(), rank: z.number() }).refine(({ rank }) => rank >= 0);
    const definition = defineRoom({ version: 3, collections: { notes: note }, direct: ["notes"] });
    await withLoneRoom({ definition }, (room) => {
      room.join("actor-filler").push(put("notes", "n", { text: "x".repeat(100_000), rank: 0 }));
      room.pass(1_000);
      expect(workOfCall(room, patch("notes", "n", { rank: 1 }))).toBeGreaterThan(100_000);
    });
  });

  it("has a part for each record that the code of the app is shown", async () => {
    const definition = defineRoom({
      version: 3,
      collections: { notes: z.object({ text: z.string(), lines: z.array(z.string()), rank: z.number() }) },
      direct: ["notes"],
      mutators: (mutator) => ({
        look: mutator(z.object({ id: z.string() }), (tx, { id }) => {
          tx.notes.get(id);
        }),
        lookThrough: mutator(z.object({}), (tx) => {
          tx.notes.values();
        }),
      }),
    });
    const fill = (room: LoneRoom) => {
      const lines = Array.from({ length: 100 }, () => "x".repeat(500));
      room.join("actor-filler").push(put("notes", "n", { text: "x".repeat(50_000), lines, rank: 0 }));
      room.pass(1_000);
    };
    await withLoneRoom({ definition }, (room) => {
      fill(room);
      for (const call of [["look", { id: "n" }] as const, ["lookThrough", {}] as const])
        expect(workOfCall(room, call)).toBeGreaterThan(10_000);
      expect(workOfCall(room, patch("notes", "n", { rank: 1 }))).toBeLessThan(5_000);
    });
    await withLoneRoom({ definition, rules: { authorize: () => true } }, (room) => {
      fill(room);
      expect(workOfCall(room, patch("notes", "n", { rank: 1 }))).toBeGreaterThan(20_000);
    });
  });

  it("counts a call that is refused, and one that was executed before", async () => {
    await withLoneRoom({}, (room) => {
      const text = "x".repeat(50_000);
      expect(workOfCall(room, ["refuse", { text }])).toBeGreaterThan(50_000);
      expect(workOfCall(room, ["nothing", { text }])).toBeGreaterThan(50_000);
      const alice = room.join("actor-alice");
      alice.push(put("notes", "n", { text }));
      const before = alice.session?.rateLimits.work.state.tokens ?? 0;
      alice.pushAt(1, put("notes", "n", { text }));
      expect(before - (alice.session?.rateLimits.work.state.tokens ?? 0)).toBeGreaterThan(50_000);
    });
  });

  it("is known of any value, however deep", () => {
    let deep: Json = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(workOf(deep)).toBeLessThan(defaultLimits.workBurst);
  });
});
