import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outcome } from "../../src/core/call.ts";
import { Marks, type MarkEntry } from "../../src/core/marks.ts";

const accepted = (rev: number): Outcome => ({ kind: "accepted", rev });
const nobody = () => false;

/** Marks in which `actor` has executed calls 1 to `count`, the last at `now`. */
function executed(marks: Marks, actor: string, count: number, now = 0): Marks {
  for (let id = (marks.get(actor)?.mark ?? 0) + 1; id <= count; id++) {
    marks.execute(actor, `secret-${actor}`, id, accepted(id * 10), now);
  }
  return marks;
}

function outcomesOf(marks: Marks, actor: string): number[] {
  return [...(marks.get(actor)?.outcomes.keys() ?? [])];
}

describe("a mark", () => {
  test("goes up by one with each call, and keeps what each came to", () => {
    const marks = executed(new Marks(), "ann", 3, 7);
    expect(marks.get("ann")).toMatchObject({ secret: "secret-ann", mark: 3, confirmed: 0, seenAt: 7 });
    expect(marks.get("ann")?.outcomes.get(2)).toEqual(accepted(20));
    expect(marks.get("ben")).toBeUndefined();
    expect(marks.size).toBe(1);
  });

  test.each([
    ["again", 3],
    ["below", 1],
    ["above the next", 5],
    ["from zero", 0],
  ])("is not moved by a call %s", (_title, clientReqId) => {
    const marks = executed(new Marks(), "ann", 3);
    expect(() => marks.execute("ann", "s", clientReqId, accepted(1), 0)).toThrow(
      `mark gap: have 3, got ${clientReqId}`,
    );
    expect([marks.get("ann")?.mark, outcomesOf(marks, "ann")]).toEqual([3, [1, 2, 3]]);
  });

  test("begins with call 1", () => {
    expect(() => new Marks().execute("ann", "s", 2, accepted(1), 0)).toThrow("mark gap: have 0, got 2");
  });
});

describe("confirming", () => {
  test.each([
    { title: "forgets the outcomes up to there", confirmed: 2, kept: [3, 4] },
    { title: "forgets no outcome that does not exist yet", confirmed: 99, kept: [] },
    { title: "what was confirmed before changes nothing", confirmed: 1, kept: [2, 3, 4] },
    { title: "nothing changes nothing", confirmed: 0, kept: [2, 3, 4] },
  ])("$title", ({ confirmed, kept }) => {
    const marks = executed(new Marks(), "ann", 4);
    marks.confirm("ann", 1);
    marks.confirm("ann", confirmed);
    expect(outcomesOf(marks, "ann")).toEqual(kept);
    expect(marks.get("ann")?.confirmed).toBe(Math.min(Math.max(1, confirmed), 4));
    expect(marks.get("ann")?.mark).toBe(4);
  });

  test("too much does not confirm calls that are made later", () => {
    const marks = executed(new Marks(), "ann", 1);
    marks.confirm("ann", 99);
    executed(marks, "ann", 2);
    expect(outcomesOf(marks, "ann")).toEqual([2]);
  });

  test("by a client without calls leaves no mark", () => {
    const marks = new Marks();
    marks.confirm("ann", 5);
    expect(marks.size).toBe(0);
  });
});

describe("a client's outcomes weigh", () => {
  test("what they take in storage, until they are confirmed", () => {
    const marks = executed(new Marks(), "ann", 2);
    const bytes = marks.get("ann")?.outcomeBytes ?? 0;
    expect(bytes).toBeGreaterThanOrEqual(JSON.stringify([accepted(10), accepted(20)]).length);
    marks.confirm("ann", 1);
    expect(marks.get("ann")?.outcomeBytes).toBeLessThan(bytes);
    marks.confirm("ann", 2);
    expect(marks.get("ann")?.outcomeBytes).toBe(0);
  });

  test("as much after they were written and read back", () => {
    const marks = executed(new Marks(), "ann", 3);
    const woken = new Marks();
    for (const stored of marks.takeChanged()) woken.load(stored);
    expect(woken.get("ann")).toEqual(marks.get("ann"));
  });
});

describe("on wake", () => {
  test("a row's entry brings the mark to where it was", () => {
    const marks = executed(new Marks(), "ann", 1);
    const entry: MarkEntry = {
      actor: "ann",
      secret: "secret-ann",
      confirmed: 2,
      seenAt: 9,
      outcomes: [
        [2, accepted(20)],
        [3, { kind: "rejected", code: "conflict", message: "no" }],
      ],
    };
    marks.replay(entry);
    expect(marks.get("ann")).toMatchObject({ mark: 3, confirmed: 2, seenAt: 9 });
    expect(marks.get("ann")?.outcomes).toEqual(
      new Map([[3, { kind: "rejected", code: "conflict", message: "no" }]]),
    );
  });

  test("a row that was lost is noticed", () => {
    const entry = {
      actor: "ann",
      secret: "s",
      confirmed: 0,
      seenAt: 0,
      outcomes: [[2, accepted(1)] as const],
    };
    expect(() => new Marks().replay(entry)).toThrow("mark gap");
  });

  test("what checkpoints wrote is what was there, over any executed and confirmed calls", () => {
    const actor = fc.constantFrom("ann", "ben", "cem");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("execute" as const), actor }),
      fc.record({ kind: fc.constant("confirm" as const), actor, confirmed: fc.nat(6) }),
      fc.record({ kind: fc.constant("checkpoint" as const), actor }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const marks = new Marks();
        const storage = new Map<string, string>();
        const checkpoint = () => {
          for (const stored of marks.takeChanged()) storage.set(stored.actor, JSON.stringify(stored));
        };
        for (const [now, step] of steps.entries()) {
          if (step.kind === "checkpoint") checkpoint();
          else if (step.kind === "confirm") marks.confirm(step.actor, step.confirmed);
          else marks.execute(step.actor, "s", (marks.get(step.actor)?.mark ?? 0) + 1, accepted(now), now);
        }
        checkpoint();
        const woken = new Marks();
        for (const text of storage.values()) woken.load(JSON.parse(text) as never);
        for (const actor of ["ann", "ben", "cem"]) expect(woken.get(actor)).toEqual(marks.get(actor));
      }),
      { numRuns: 100 },
    );
  });
});

test("a checkpoint is given each changed mark once", () => {
  const marks = executed(executed(new Marks(), "ann", 2), "ben", 1);
  expect(marks.takeChanged().map(({ actor, mark }) => [actor, mark])).toEqual([
    ["ann", 2],
    ["ben", 1],
  ]);
  expect(marks.takeChanged()).toEqual([]);
  executed(marks, "ben", 2);
  expect(marks.takeChanged()).toEqual([
    {
      actor: "ben",
      secret: "secret-ben",
      mark: 2,
      confirmed: 0,
      seenAt: 0,
      outcomes: [
        [1, accepted(10)],
        [2, accepted(20)],
      ],
    },
  ]);
});

describe("evicting", () => {
  /** Seen at 1, 2, 3 and 4. */
  const four = () => {
    const marks = new Marks();
    for (const [at, actor] of ["old", "older", "new", "newest"].entries()) executed(marks, actor, 1, at + 1);
    return marks;
  };

  test.each([
    { title: "nobody when there is room and everybody is recent", maxCount: 4, seenBefore: 1, gone: [] },
    { title: "whoever was not seen since", maxCount: 4, seenBefore: 3, gone: ["old", "older"] },
    {
      title: "whoever was not seen for longest when there are too many",
      maxCount: 3,
      seenBefore: 0,
      gone: ["old"],
    },
    { title: "for both reasons at once", maxCount: 1, seenBefore: 2, gone: ["old", "older", "new"] },
    {
      title: "everybody when none may be kept",
      maxCount: 0,
      seenBefore: 0,
      gone: ["old", "older", "new", "newest"],
    },
  ])("forgets $title", ({ maxCount, seenBefore, gone }) => {
    const marks = four();
    expect(marks.evict(maxCount, seenBefore, nobody)).toEqual(gone);
    expect(marks.size).toBe(4 - gone.length);
    for (const actor of gone) expect(marks.get(actor)).toBeUndefined();
  });

  test("never forgets who is present, however long unseen", () => {
    const marks = four();
    expect(marks.evict(1, 99, (actor) => actor === "old" || actor === "new")).toEqual(["older", "newest"]);
    expect(marks.get("old")?.mark).toBe(1);
    expect(marks.size).toBe(2);
  });

  test("counts who was only here as seen, and has that written", () => {
    const marks = four();
    marks.takeChanged();
    marks.see("old", 9);
    marks.see("nobody-known", 9);
    expect(marks.takeChanged().map(({ actor, seenAt }) => [actor, seenAt])).toEqual([["old", 9]]);
    expect(marks.evict(1, 0, nobody)).toEqual(["older", "new", "newest"]);
  });

  test("leaves nothing for the next checkpoint to write", () => {
    const marks = four();
    marks.evict(0, 0, nobody);
    expect(marks.takeChanged()).toEqual([]);
  });
});
