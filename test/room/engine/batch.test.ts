import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SubmittedCall } from "../../../src/room/engine/submission.ts";
import { ownerOf } from "../../../src/room/owners/owner.ts";
import { rowBytes } from "../../../src/room/engine/journal-row.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { readRowClients } from "../../support/frames/journal-rows.ts";
import { ann, ben, EngineHarness, now } from "../../support/rooms/engine-without-storage.ts";
import { writer } from "../../support/boards/rules-board.ts";

describe("a batch", () => {
  test("that is full takes no call before it is flushed, and nothing has happened", () => {
    const harness = new EngineHarness({}, { maxRowBytes: 6_000 });
    harness.put(ann, "a", "x".repeat(1_000));
    const call: SubmittedCall = {
      clientReqId: 1,
      baseRev: 0,
      type: "transact",
      payload: { notes: [["put", "b", { text: "x".repeat(1_000), rank: 0 }]] },
    };
    expect(harness.submit(ben, call)).toEqual({ kind: "full" });
    expect([harness.roomState.rev, harness.roomState.clientLog.get("ben")]).toEqual([1, undefined]);
    harness.flush();
    expect(harness.submit(ben, call)).toEqual({ kind: "executed" });
  });

  test("never becomes a row over its limit, whatever calls of whomever are in it", () => {
    const call = fc.record({
      clientId: fc.nat(40),
      kind: fc.constantFrom("put", "nothing", "refuse"),
      size: fc.nat(200),
    });
    fc.assert(
      fc.property(fc.array(call, { minLength: 60, maxLength: 60 }), (calls) => {
        const harness = new EngineHarness({}, { maxRowBytes: 8_000 });
        for (const { clientId, kind, size } of calls) {
          const client = writer(`an-actor-with-a-long-name-${clientId}`);
          const submit = () => {
            if (kind === "nothing") return harness.next(client, "nothing", {});
            if (kind === "refuse")
              return harness.next(client, "refuse", { code: "c", data: "x".repeat(size * 15) });
            return harness.next(client, "transact", {
              notes: [["put", `${size}`, { text: "é".repeat(size), rank: 0 }]],
            });
          };
          if (submit().kind === "executed") continue;
          harness.flush();
          expect(submit()).toEqual({ kind: "executed" });
        }
        if (harness.engine.hasBatch) harness.flush();
        for (const { row } of harness.flushes) expect(rowBytes(row)).toBeLessThanOrEqual(8_000);
      }),
      { numRuns: 20 },
    );
  });

  test("of large changes stays within its row", () => {
    const harness = new EngineHarness({}, { maxRowBytes: 8_000 });
    for (let n = 0; n < 30; n++) {
      const payload = { notes: [["put", `${n}`, { text: "x".repeat(1_000), rank: 0 }]] };
      if (harness.next(ann, "transact", payload).kind === "executed") continue;
      harness.flush();
      expect(harness.next(ann, "transact", payload)).toEqual({ kind: "executed" });
    }
    harness.flush();
    expect(harness.roomState.rev).toBe(30);
    expect(harness.flushes.filter(({ row }) => rowBytes(row) > 8_000)).toEqual([]);
  });

  test("of many clients with one call each stays within its row as well", () => {
    const harness = new EngineHarness({}, { maxRowBytes: 60_000 });
    for (let n = 0; n < 1_000; n++) {
      const client = writer(`an-actor-with-a-long-name-${n}`);
      if (harness.next(client, "nothing", {}).kind === "full") harness.flush();
    }
    harness.flush();
    for (const { row } of harness.flushes) expect(rowBytes(row)).toBeLessThanOrEqual(60_000);
  });
});

describe("a cut", () => {
  test("of nothing is nothing", () => {
    expect(new EngineHarness().engine.takeBatch(now)).toBeUndefined();
  });

  test("makes one row of all that was executed, numbered on from the last", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    harness.outcome(ben, "refuse", { code: "no" });
    harness.put(ann, "b");
    const first = harness.flush();
    harness.put(ben, "a", "two");
    const second = harness.flush();
    expect(
      [first.row, second.row].map(({ flushSeq, epoch, from, to }) => [flushSeq, epoch, from, to]),
    ).toEqual([
      [1, "epoch", 0, 2],
      [2, "epoch", 2, 3],
    ]);
    const { from, to, body } = first.row;
    expect(first.delta).toEqual({ from, to, body });
    expect(readDelta(body)).toEqual({
      from,
      to,
      partitions: [
        [
          "notes",
          [
            ["put", 0, "a", { text: "", rank: 0 }],
            ["put", 1, "b", { text: "", rank: 0 }],
          ],
        ],
      ],
    });
    const outcomes = Array.from(first.answers, ([clientId, { answers }]) => {
      return [clientId, answers.map(([id, outcome]) => [id, outcome])];
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
    expect(harness.engine.hasBatch).toBe(false);
  });

  test("says what each client has confirmed", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    harness.roomState.clientLog.confirm("ann", 1);
    harness.put(ann, "b");
    expect(readRowClients(harness.flush().row.clientLog).clientLog).toMatchObject([
      { clientId: "ann", confirmed: 1 },
    ]);
  });

  test("holds the clientLog and authors in columns of their own, never in what is sent", () => {
    const harness = new EngineHarness();
    harness.put(ann, "a");
    const { row } = harness.flush();
    expect(readDelta(row.body)).toEqual({
      from: 0,
      to: 1,
      partitions: [["notes", [["put", 0, "a", { text: "", rank: 0 }]]]],
    });
    const sent = new TextDecoder().decode(row.body);
    expect(sent).toContain("rank");
    expect(sent).not.toContain("ann");
    const answers = [[1, 1, expect.any(Number)]];
    expect(readRowClients(row.clientLog)).toEqual({
      seenAt: now,
      clientLog: [{ clientId: "ann", confirmed: 0, answers, owner: ownerOf(ann.user) }],
    });
    expect(JSON.parse(row.authors)).toEqual({ clientIds: ["ann"], records: [1, 0, 0] });
  });
});
