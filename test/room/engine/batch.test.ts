import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Call } from "../../../src/room/engine/engine.ts";
import { ownerOf } from "../../../src/room/owners/owner.ts";
import { rowBytes } from "../../../src/room/engine/journal-row.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { readRowMarks } from "../../support/frames/journal-rows.ts";
import { ann, ben, Desk, now } from "../../support/rooms/engine-without-storage.ts";
import { writer } from "../../support/boards/rules-board.ts";

describe("a batch", () => {
  test("that is full takes no call before it is flushed, and nothing has happened", () => {
    const desk = new Desk({}, { maxRowBytes: 6_000 });
    desk.put(ann, "a", "x".repeat(1_000));
    const call: Call = {
      clientReqId: 1,
      baseRev: 0,
      type: "transact",
      payload: { notes: [["put", "b", { text: "x".repeat(1_000), rank: 0 }]] },
    };
    expect(desk.submit(ben, call)).toEqual({ kind: "full" });
    expect([desk.memory.rev, desk.memory.marks.get("ben")]).toEqual([1, undefined]);
    desk.flush();
    expect(desk.submit(ben, call)).toEqual({ kind: "executed" });
  });

  test("never becomes a row over its limit, whatever calls of whomever are in it", () => {
    const call = fc.record({
      actor: fc.nat(40),
      kind: fc.constantFrom("put", "nothing", "refuse"),
      size: fc.nat(200),
    });
    fc.assert(
      fc.property(fc.array(call, { minLength: 60, maxLength: 60 }), (calls) => {
        const desk = new Desk({}, { maxRowBytes: 8_000 });
        for (const { actor, kind, size } of calls) {
          const client = writer(`an-actor-with-a-long-name-${actor}`);
          const submit = () => {
            if (kind === "nothing") return desk.next(client, "nothing", {});
            if (kind === "refuse")
              return desk.next(client, "refuse", { code: "c", data: "x".repeat(size * 15) });
            return desk.next(client, "transact", {
              notes: [["put", `${size}`, { text: "é".repeat(size), rank: 0 }]],
            });
          };
          if (submit().kind === "executed") continue;
          desk.flush();
          expect(submit()).toEqual({ kind: "executed" });
        }
        if (desk.engine.hasBatch) desk.flush();
        for (const { row } of desk.flushes) expect(rowBytes(row)).toBeLessThanOrEqual(8_000);
      }),
      { numRuns: 20 },
    );
  });

  test("of large changes stays within its row", () => {
    const desk = new Desk({}, { maxRowBytes: 8_000 });
    for (let n = 0; n < 30; n++) {
      const payload = { notes: [["put", `${n}`, { text: "x".repeat(1_000), rank: 0 }]] };
      if (desk.next(ann, "transact", payload).kind === "executed") continue;
      desk.flush();
      expect(desk.next(ann, "transact", payload)).toEqual({ kind: "executed" });
    }
    desk.flush();
    expect(desk.memory.rev).toBe(30);
    expect(desk.flushes.filter(({ row }) => rowBytes(row) > 8_000)).toEqual([]);
  });

  test("of many clients with one call each stays within its row as well", () => {
    const desk = new Desk({}, { maxRowBytes: 60_000 });
    for (let n = 0; n < 1_000; n++) {
      const client = writer(`an-actor-with-a-long-name-${n}`);
      if (desk.next(client, "nothing", {}).kind === "full") desk.flush();
    }
    desk.flush();
    for (const { row } of desk.flushes) expect(rowBytes(row)).toBeLessThanOrEqual(60_000);
  });
});

describe("a cut", () => {
  test("of nothing is nothing", () => {
    expect(new Desk().engine.cut(now)).toBeUndefined();
  });

  test("makes one row of all that was executed, numbered on from the last", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    desk.outcome(ben, "refuse", { code: "no" });
    desk.put(ann, "b");
    const first = desk.flush();
    desk.put(ben, "a", "two");
    const second = desk.flush();
    expect([first.row, second.row].map(({ n, epoch, from, to }) => [n, epoch, from, to])).toEqual([
      [1, "epoch", 0, 2],
      [2, "epoch", 2, 3],
    ]);
    const { from, to, body } = first.row;
    expect(first.delta).toEqual({ from, to, body });
    expect(readDelta(body)).toEqual({
      from,
      to,
      sections: [
        [
          "notes",
          [
            ["put", 0, "a", { text: "", rank: 0 }],
            ["put", 1, "b", { text: "", rank: 0 }],
          ],
        ],
      ],
    });
    const outcomes = Array.from(first.answers, ([actor, { answers }]) => {
      return [actor, answers.map(([id, outcome]) => [id, outcome])];
    });
    expect(outcomes).toEqual([
      [
        "ann",
        [
          [1, { kind: "accepted", rev: 1 }],
          [2, { kind: "accepted", rev: 2 }],
        ],
      ],
      ["ben", [[1, { kind: "rejected", code: "no", message: "no" }]]],
    ]);
    expect(desk.engine.hasBatch).toBe(false);
  });

  test("says what each client has confirmed", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    desk.memory.marks.confirm("ann", 1);
    desk.put(ann, "b");
    expect(readRowMarks(desk.flush().row.marks).marks).toMatchObject([{ actor: "ann", confirmed: 1 }]);
  });

  test("holds the marks and authors in columns of their own, never in what is sent", () => {
    const desk = new Desk();
    desk.put(ann, "a");
    const { row } = desk.flush();
    expect(readDelta(row.body)).toEqual({
      from: 0,
      to: 1,
      sections: [["notes", [["put", 0, "a", { text: "", rank: 0 }]]]],
    });
    const sent = new TextDecoder().decode(row.body);
    expect(sent).toContain("rank");
    expect(sent).not.toContain("ann");
    const answers = [[1, 1, expect.any(Number)]];
    expect(readRowMarks(row.marks)).toEqual({
      seenAt: now,
      marks: [{ actor: "ann", confirmed: 0, answers, owner: ownerOf(ann.user) }],
    });
    expect(JSON.parse(row.authors)).toEqual({ actors: ["ann"], records: [1, 0, 0] });
  });
});
