import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Answer, Outcome } from "../../../src/model/call.ts";
import { defaultLimits } from "../../../src/room/limits.ts";
import { encodeMarks, Marks, remoteActor, type MarkLimits } from "../../../src/room/engine/client-log.ts";

const accepted = (rev: number): Outcome => ({ kind: "accepted", rev });
const answer = (id: number, rev: number): Answer => [id, accepted(rev), 7];
const clientOf = (actor: string, owner = "") => ({ actor, owner });
const nobody = () => false;

/** Marks in which `actor` has executed calls 1 to `count`, the last at `now`. */
function executed(marks: Marks, actor: string, count: number, now = 0, owner = ""): Marks {
  for (let id = (marks.get(actor)?.mark ?? 0) + 1; id <= count; id++) {
    marks.execute(clientOf(actor, owner), answer(id, id * 10), now);
  }
  return marks;
}

function outcomesOf(marks: Marks, actor: string): number[] {
  return (marks.get(actor)?.answers ?? []).map(([id]) => id);
}

describe("a mark", () => {
  test("goes up by one with each call, and keeps what each came to", () => {
    const marks = executed(new Marks(), "ann", 3, 7);
    expect(marks.get("ann")).toMatchObject({ mark: 3, confirmed: 0, seenAt: 7 });
    expect(marks.get("ann")?.answers[1]).toEqual(answer(2, 20));
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
    expect(() => marks.execute(clientOf("ann"), answer(clientReqId, 1), 0)).toThrow(
      `mark gap: have 3, got ${clientReqId}`,
    );
    expect([marks.get("ann")?.mark, outcomesOf(marks, "ann")]).toEqual([3, [1, 2, 3]]);
  });

  test("begins with call 1", () => {
    expect(() => new Marks().execute(clientOf("ann"), answer(2, 1), 0)).toThrow("mark gap: have 0, got 2");
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
    const bytes = marks.get("ann")?.answerBytes ?? 0;
    expect(bytes).toBeGreaterThanOrEqual(JSON.stringify([accepted(10), accepted(20)]).length);
    marks.confirm("ann", 1);
    expect(marks.get("ann")?.answerBytes).toBeLessThan(bytes);
    marks.confirm("ann", 2);
    expect(marks.get("ann")?.answerBytes).toBe(0);
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
    const conflict: Outcome = { kind: "rejected", code: "conflict", message: "no" };
    marks.replay(JSON.stringify([9, 1, "ann", 2, 2, 2, 20, 7, 3, conflict, 8]));
    expect(marks.get("ann")).toMatchObject({ mark: 3, confirmed: 2, seenAt: 9 });
    expect(marks.get("ann")?.answers).toEqual([[3, conflict, 8]]);
  });

  test("a row that was lost is noticed", () => {
    const row = JSON.stringify([9, 1, "ann", 0, 1, 2, 20, 7]);
    expect(() => new Marks().replay(row)).toThrow("mark gap: nobody said who ann is");
    expect(() => executed(new Marks(), "ann", 3).replay(row)).toThrow("mark gap: have 3, got 2");
  });

  test("a row says who a client is with its first call, and then no more", () => {
    const written = new Marks();
    const woken = new Marks();
    for (const ids of [[1, 2], [3], [4, 5]]) {
      const answers = ids.map((id) => answer(id, id * 10));
      for (const given of answers) written.execute(clientOf("ann", "owner-of-ann"), given, 5);
      const client = written.get("ann");
      const row = encodeMarks(client === undefined ? [] : [{ client, answers }], 1, 5);
      expect(row.includes("owner-of-ann")).toBe(ids.includes(1));
      woken.replay(row);
    }
    expect(woken.get("ann")).toEqual(written.get("ann"));
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
          else executed(marks, step.actor, (marks.get(step.actor)?.mark ?? 0) + 1, now);
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
      owner: "",
      mark: 2,
      confirmed: 0,
      seenAt: 0,
      outcomes: [
        [1, accepted(10), 7],
        [2, accepted(20), 7],
      ],
    },
  ]);
});

describe("evicting", () => {
  const dayMs = 86_400_000;
  const limitsOf = (limits: Partial<MarkLimits>): MarkLimits => ({ ...defaultLimits, ...limits });
  /** The moment at which whoever was seen before `seenBefore` is a day unseen. */
  const dayAfter = (seenBefore: number) => seenBefore + dayMs;

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
    const limits = limitsOf({ maxMarks: maxCount, maxMarkAgeDays: 1 });
    expect(marks.evict(limits, dayAfter(seenBefore), nobody)).toEqual({
      actors: gone,
      owners: gone.length > 0 ? [""] : [],
    });
    expect(marks.size).toBe(4 - gone.length);
    for (const actor of gone) expect(marks.get(actor)).toBeUndefined();
  });

  test("never forgets who is present, however long unseen", () => {
    const marks = four();
    const isPresent = (actor: string) => actor === "old" || actor === "new";
    const limits = limitsOf({ maxMarks: 1, maxMarkAgeDays: 1 });
    expect(marks.evict(limits, dayAfter(99), isPresent).actors).toEqual(["older", "newest"]);
    expect(marks.get("old")?.mark).toBe(1);
    expect(marks.size).toBe(2);
  });

  test("counts who was only here as seen, and has that written", () => {
    const marks = four();
    marks.takeChanged();
    marks.see("old", 9);
    marks.see("nobody-known", 9);
    expect(marks.takeChanged().map(({ actor, seenAt }) => [actor, seenAt])).toEqual([["old", 9]]);
    expect(marks.evict(limitsOf({ maxMarks: 1 }), 0, nobody).actors).toEqual(["older", "new", "newest"]);
  });

  test("leaves nothing for the next checkpoint to write", () => {
    const marks = four();
    marks.evict(limitsOf({ maxMarks: 0 }), 0, nobody);
    expect(marks.takeChanged()).toEqual([]);
  });

  test("does not let one user's many clients push out others", () => {
    const marks = executed(new Marks(), "quiet", 1, 0, "ann");
    for (const at of [1, 2, 3]) executed(marks, `many-${at}`, 1, at, "ben");
    for (const at of [4, 5, 6]) executed(marks, `nobody-${at}`, 1, at);
    expect(marks.evict(limitsOf({ maxMarksPerUser: 2 }), 0, nobody).actors).toEqual(["many-1"]);
  });

  test("counts the calls of backends apart, and no client has anything in doubt for them", () => {
    const marks = executed(new Marks(), "ann", 1, 0);
    for (const at of [1, 2, 3]) executed(marks, remoteActor(`key-${at}`), 1, at);
    const limits = limitsOf({ maxMarks: 1, maxRemoteMarks: 2 });
    expect(marks.evict(limits, 0, nobody)).toEqual({ actors: [remoteActor("key-1")], owners: [] });
  });

  test("forgets the absent clients whose outcomes weigh most, when those of all weigh too much", () => {
    const marks = four();
    executed(marks, "heavy", 50, 0);
    marks.confirm("old", 1);
    const limits = limitsOf({ maxAllUnconfirmedBytes: marks.answerBytes - 1 });
    expect(marks.evict(limits, 0, (actor) => actor === "heavy").actors).toEqual([]);
    expect(marks.evict(limits, 0, nobody).actors).toEqual(["heavy"]);
    expect(marks.evict(limitsOf({ maxAllUnconfirmedBytes: 0 }), 0, nobody).actors).toEqual([
      "older",
      "new",
      "newest",
    ]);
    expect(marks.answerBytes).toBe(0);
  });

  const refused: Outcome = { kind: "rejected", code: "forbidden", message: "x".repeat(500) };
  /** Has `actor` make calls that are refused, and confirm none. */
  const refusedTo = (marks: Marks, actor: string, count: number, now: number, owner = "") => {
    for (let id = 1; id <= count; id++) marks.execute(clientOf(actor, owner), [id, refused, 7], now);
  };

  test("an absent client's accepted calls are kept, however much another user's refused ones weigh", () => {
    const marks = executed(new Marks(), "offline", 20, 0, "ann");
    for (let tab = 0; tab < 45; tab++) refusedTo(marks, `mallory-${tab}`, 10, 1, "mallory");
    const limits = limitsOf({ maxAllUnconfirmedBytes: 20_000 });
    const isPresent = (actor: string) => actor.startsWith("mallory") && !actor.endsWith("-7");
    expect(marks.evict(limits, 2, isPresent)).toEqual({ actors: ["mallory-7"], owners: ["mallory"] });
    expect(marks.get("offline")?.answers).toHaveLength(20);
  });

  test("a user with few clients loses none to clients without a user, however many those are", () => {
    const marks = executed(new Marks(), "offline", 1, 0, "ann");
    for (let at = 1; at <= 50; at++) executed(marks, `stranger-${at}`, 1, at);
    const { actors, owners } = marks.evict(limitsOf({ maxMarks: 10 }), 0, nobody);
    expect([actors.length, owners, marks.size]).toEqual([41, [""], 10]);
    expect(marks.get("offline")?.mark).toBe(1);
  });

  test("of one owner's clients, those with refused calls alone are forgotten first", () => {
    const marks = executed(new Marks(), "accepted", 1, 0);
    for (let at = 1; at <= 5; at++) refusedTo(marks, `refused-${at}`, 1, at);
    expect(marks.evict(limitsOf({ maxMarks: 2 }), 0, nobody).actors).toEqual([
      "refused-1",
      "refused-2",
      "refused-3",
      "refused-4",
    ]);
  });

  test("calls that a backend makes for one user push out no other user's", () => {
    const marks = executed(new Marks(), remoteActor("anns"), 1, 0, "ann");
    for (let at = 1; at <= 9; at++) executed(marks, remoteActor(`bens-${at}`), 1, at, "ben");
    expect(marks.evict(limitsOf({ maxRemoteMarks: 3 }), 0, nobody).actors).toHaveLength(7);
    expect(marks.get(remoteActor("anns"))?.mark).toBe(1);
  });
});
