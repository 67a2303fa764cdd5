import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Answer, Outcome } from "../../../../src/model/call.ts";
import { defaultLimits } from "../../../../src/room/limits.ts";
import { encodeClientLog } from "../../../../src/room/engine/client-log/client-log-row.ts";
import {
  ClientLog,
  remoteClientId,
  type ClientLogLimits,
} from "../../../../src/room/engine/client-log/client-log.ts";

const accepted = (rev: number): Outcome => ({ kind: "accepted", rev });
const answer = (id: number, rev: number): Answer => [id, accepted(rev), 7];
const clientOf = (clientId: string, owner = "") => ({ clientId, owner });
const nobody = () => false;

/** ClientLog in which `client id` has executed calls 1 to `count`, the last at `now`. */
function executed(clientLog: ClientLog, clientId: string, count: number, now = 0, owner = ""): ClientLog {
  for (let id = (clientLog.get(clientId)?.lastCallId ?? 0) + 1; id <= count; id++) {
    clientLog.execute(clientOf(clientId, owner), answer(id, id * 10), now);
  }
  return clientLog;
}

function outcomesOf(clientLog: ClientLog, clientId: string): number[] {
  return (clientLog.get(clientId)?.answers ?? []).map(([id]) => id);
}

describe("a mark", () => {
  test("goes up by one with each call, and keeps what each came to", () => {
    const clientLog = executed(new ClientLog(), "ann", 3, 7);
    expect(clientLog.get("ann")).toMatchObject({ lastCallId: 3, confirmed: 0, seenAt: 7 });
    expect(clientLog.get("ann")?.answers[1]).toEqual(answer(2, 20));
    expect(clientLog.get("ben")).toBeUndefined();
    expect(clientLog.size).toBe(1);
  });

  test.each([
    ["again", 3],
    ["below", 1],
    ["above the next", 5],
    ["from zero", 0],
  ])("is not moved by a call %s", (_title, clientReqId) => {
    const clientLog = executed(new ClientLog(), "ann", 3);
    expect(() => clientLog.execute(clientOf("ann"), answer(clientReqId, 1), 0)).toThrow(
      `mark gap: have 3, got ${clientReqId}`,
    );
    expect([clientLog.get("ann")?.lastCallId, outcomesOf(clientLog, "ann")]).toEqual([3, [1, 2, 3]]);
  });

  test("begins with call 1", () => {
    expect(() => new ClientLog().execute(clientOf("ann"), answer(2, 1), 0)).toThrow(
      "mark gap: have 0, got 2",
    );
  });
});

describe("confirming", () => {
  test.each([
    { title: "forgets the outcomes up to there", confirmed: 2, kept: [3, 4] },
    { title: "forgets no outcome that does not exist yet", confirmed: 99, kept: [] },
    { title: "what was confirmed before changes nothing", confirmed: 1, kept: [2, 3, 4] },
    { title: "nothing changes nothing", confirmed: 0, kept: [2, 3, 4] },
  ])("$title", ({ confirmed, kept }) => {
    const clientLog = executed(new ClientLog(), "ann", 4);
    clientLog.confirm("ann", 1);
    clientLog.confirm("ann", confirmed);
    expect(outcomesOf(clientLog, "ann")).toEqual(kept);
    expect(clientLog.get("ann")?.confirmed).toBe(Math.min(Math.max(1, confirmed), 4));
    expect(clientLog.get("ann")?.lastCallId).toBe(4);
  });

  test("too much does not confirm calls that are made later", () => {
    const clientLog = executed(new ClientLog(), "ann", 1);
    clientLog.confirm("ann", 99);
    executed(clientLog, "ann", 2);
    expect(outcomesOf(clientLog, "ann")).toEqual([2]);
  });

  test("by a client without calls leaves no mark", () => {
    const clientLog = new ClientLog();
    clientLog.confirm("ann", 5);
    expect(clientLog.size).toBe(0);
  });
});

describe("a client's outcomes weigh", () => {
  test("what they take in storage, until they are confirmed", () => {
    const clientLog = executed(new ClientLog(), "ann", 2);
    const bytes = clientLog.get("ann")?.answerBytes ?? 0;
    expect(bytes).toBeGreaterThanOrEqual(JSON.stringify([accepted(10), accepted(20)]).length);
    clientLog.confirm("ann", 1);
    expect(clientLog.get("ann")?.answerBytes).toBeLessThan(bytes);
    clientLog.confirm("ann", 2);
    expect(clientLog.get("ann")?.answerBytes).toBe(0);
  });

  test("as much after they were written and read back", () => {
    const clientLog = executed(new ClientLog(), "ann", 3);
    const woken = new ClientLog();
    for (const stored of clientLog.takeChanged()) woken.load(stored);
    expect(woken.get("ann")).toEqual(clientLog.get("ann"));
  });
});

describe("on wake", () => {
  test("a row's entry brings the mark to where it was", () => {
    const clientLog = executed(new ClientLog(), "ann", 1);
    const conflict: Outcome = { kind: "rejected", code: "conflict", message: "no" };
    clientLog.replay(JSON.stringify([9, 1, "ann", 2, 2, 2, 20, 7, 3, conflict, 8]));
    expect(clientLog.get("ann")).toMatchObject({ lastCallId: 3, confirmed: 2, seenAt: 9 });
    expect(clientLog.get("ann")?.answers).toEqual([[3, conflict, 8]]);
  });

  test("a row that was lost is noticed", () => {
    const row = JSON.stringify([9, 1, "ann", 0, 1, 2, 20, 7]);
    expect(() => new ClientLog().replay(row)).toThrow("mark gap: nobody said who ann is");
    expect(() => executed(new ClientLog(), "ann", 3).replay(row)).toThrow("mark gap: have 3, got 2");
  });

  test("a row says who a client is with its first call, and then no more", () => {
    const written = new ClientLog();
    const woken = new ClientLog();
    for (const ids of [[1, 2], [3], [4, 5]]) {
      const answers = ids.map((id) => answer(id, id * 10));
      for (const given of answers) written.execute(clientOf("ann", "owner-of-ann"), given, 5);
      const client = written.get("ann");
      const row = encodeClientLog(client === undefined ? [] : [{ client, answers }], 1, 5);
      expect(row.includes("owner-of-ann")).toBe(ids.includes(1));
      woken.replay(row);
    }
    expect(woken.get("ann")).toEqual(written.get("ann"));
  });

  test("what checkpoints wrote is what was there, over any executed and confirmed calls", () => {
    const clientId = fc.constantFrom("ann", "ben", "cem");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("execute" as const), clientId }),
      fc.record({ kind: fc.constant("confirm" as const), clientId, confirmed: fc.nat(6) }),
      fc.record({ kind: fc.constant("checkpoint" as const), clientId }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clientLog = new ClientLog();
        const storage = new Map<string, string>();
        const checkpoint = () => {
          for (const stored of clientLog.takeChanged()) storage.set(stored.clientId, JSON.stringify(stored));
        };
        for (const [now, step] of steps.entries()) {
          if (step.kind === "checkpoint") checkpoint();
          else if (step.kind === "confirm") clientLog.confirm(step.clientId, step.confirmed);
          else executed(clientLog, step.clientId, (clientLog.get(step.clientId)?.lastCallId ?? 0) + 1, now);
        }
        checkpoint();
        const woken = new ClientLog();
        for (const text of storage.values()) woken.load(JSON.parse(text) as never);
        for (const clientId of ["ann", "ben", "cem"])
          expect(woken.get(clientId)).toEqual(clientLog.get(clientId));
      }),
      { numRuns: 100 },
    );
  });
});

test("a checkpoint is given each changed mark once", () => {
  const clientLog = executed(executed(new ClientLog(), "ann", 2), "ben", 1);
  expect(clientLog.takeChanged().map(({ clientId, lastCallId }) => [clientId, lastCallId])).toEqual([
    ["ann", 2],
    ["ben", 1],
  ]);
  expect(clientLog.takeChanged()).toEqual([]);
  executed(clientLog, "ben", 2);
  expect(clientLog.takeChanged()).toEqual([
    {
      clientId: "ben",
      owner: "",
      lastCallId: 2,
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
  const limitsOf = (limits: Partial<ClientLogLimits>): ClientLogLimits => ({ ...defaultLimits, ...limits });
  /** The moment at which whoever was seen before `seenBefore` is a day unseen. */
  const dayAfter = (seenBefore: number) => seenBefore + dayMs;

  /** Seen at 1, 2, 3 and 4. */
  const four = () => {
    const clientLog = new ClientLog();
    for (const [at, clientId] of ["old", "older", "new", "newest"].entries())
      executed(clientLog, clientId, 1, at + 1);
    return clientLog;
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
    const clientLog = four();
    const limits = limitsOf({ maxLoggedClients: maxCount, maxClientLogAgeDays: 1 });
    expect(clientLog.evict(limits, dayAfter(seenBefore), nobody)).toEqual({
      clientIds: gone,
      owners: gone.length > 0 ? [""] : [],
    });
    expect(clientLog.size).toBe(4 - gone.length);
    for (const clientId of gone) expect(clientLog.get(clientId)).toBeUndefined();
  });

  test("never forgets who is present, however long unseen", () => {
    const clientLog = four();
    const isPresent = (clientId: string) => clientId === "old" || clientId === "new";
    const limits = limitsOf({ maxLoggedClients: 1, maxClientLogAgeDays: 1 });
    expect(clientLog.evict(limits, dayAfter(99), isPresent).clientIds).toEqual(["older", "newest"]);
    expect(clientLog.get("old")?.lastCallId).toBe(1);
    expect(clientLog.size).toBe(2);
  });

  test("counts who was only here as seen, and has that written", () => {
    const clientLog = four();
    clientLog.takeChanged();
    clientLog.see("old", 9);
    clientLog.see("nobody-known", 9);
    expect(clientLog.takeChanged().map(({ clientId, seenAt }) => [clientId, seenAt])).toEqual([["old", 9]]);
    expect(clientLog.evict(limitsOf({ maxLoggedClients: 1 }), 0, nobody).clientIds).toEqual([
      "older",
      "new",
      "newest",
    ]);
  });

  test("leaves nothing for the next checkpoint to write", () => {
    const clientLog = four();
    clientLog.evict(limitsOf({ maxLoggedClients: 0 }), 0, nobody);
    expect(clientLog.takeChanged()).toEqual([]);
  });

  test("does not let one user's many clients push out others", () => {
    const clientLog = executed(new ClientLog(), "quiet", 1, 0, "ann");
    for (const at of [1, 2, 3]) executed(clientLog, `many-${at}`, 1, at, "ben");
    for (const at of [4, 5, 6]) executed(clientLog, `nobody-${at}`, 1, at);
    expect(clientLog.evict(limitsOf({ maxLoggedClientsPerUser: 2 }), 0, nobody).clientIds).toEqual([
      "many-1",
    ]);
  });

  test("counts the calls of backends apart, and no client has anything in doubt for them", () => {
    const clientLog = executed(new ClientLog(), "ann", 1, 0);
    for (const at of [1, 2, 3]) executed(clientLog, remoteClientId(`key-${at}`), 1, at);
    const limits = limitsOf({ maxLoggedClients: 1, maxRemoteClients: 2 });
    expect(clientLog.evict(limits, 0, nobody)).toEqual({ clientIds: [remoteClientId("key-1")], owners: [] });
  });

  test("forgets the absent clients whose outcomes weigh most, when those of all weigh too much", () => {
    const clientLog = four();
    executed(clientLog, "heavy", 50, 0);
    clientLog.confirm("old", 1);
    const limits = limitsOf({ maxAllUnconfirmedBytes: clientLog.answerBytes - 1 });
    expect(clientLog.evict(limits, 0, (clientId) => clientId === "heavy").clientIds).toEqual([]);
    expect(clientLog.evict(limits, 0, nobody).clientIds).toEqual(["heavy"]);
    expect(clientLog.evict(limitsOf({ maxAllUnconfirmedBytes: 0 }), 0, nobody).clientIds).toEqual([
      "older",
      "new",
      "newest",
    ]);
    expect(clientLog.answerBytes).toBe(0);
  });

  const refused: Outcome = { kind: "rejected", code: "forbidden", message: "x".repeat(500) };
  /** Has `client id` make calls that are refused, and confirm none. */
  const refusedTo = (clientLog: ClientLog, clientId: string, count: number, now: number, owner = "") => {
    for (let id = 1; id <= count; id++) clientLog.execute(clientOf(clientId, owner), [id, refused, 7], now);
  };

  test("an absent client's accepted calls are kept, however much another user's refused ones weigh", () => {
    const clientLog = executed(new ClientLog(), "offline", 20, 0, "ann");
    for (let tab = 0; tab < 45; tab++) refusedTo(clientLog, `mallory-${tab}`, 10, 1, "mallory");
    const limits = limitsOf({ maxAllUnconfirmedBytes: 20_000 });
    const isPresent = (clientId: string) => clientId.startsWith("mallory") && !clientId.endsWith("-7");
    expect(clientLog.evict(limits, 2, isPresent)).toEqual({ clientIds: ["mallory-7"], owners: ["mallory"] });
    expect(clientLog.get("offline")?.answers).toHaveLength(20);
  });

  test("a user with few clients loses none to clients without a user, however many those are", () => {
    const clientLog = executed(new ClientLog(), "offline", 1, 0, "ann");
    for (let at = 1; at <= 50; at++) executed(clientLog, `stranger-${at}`, 1, at);
    const { clientIds, owners } = clientLog.evict(limitsOf({ maxLoggedClients: 10 }), 0, nobody);
    expect([clientIds.length, owners, clientLog.size]).toEqual([41, [""], 10]);
    expect(clientLog.get("offline")?.lastCallId).toBe(1);
  });

  test("of one owner's clients, those with refused calls alone are forgotten first", () => {
    const clientLog = executed(new ClientLog(), "accepted", 1, 0);
    for (let at = 1; at <= 5; at++) refusedTo(clientLog, `refused-${at}`, 1, at);
    expect(clientLog.evict(limitsOf({ maxLoggedClients: 2 }), 0, nobody).clientIds).toEqual([
      "refused-1",
      "refused-2",
      "refused-3",
      "refused-4",
    ]);
  });

  test("calls that a backend makes for one user push out no other user's", () => {
    const clientLog = executed(new ClientLog(), remoteClientId("anns"), 1, 0, "ann");
    for (let at = 1; at <= 9; at++) executed(clientLog, remoteClientId(`bens-${at}`), 1, at, "ben");
    expect(clientLog.evict(limitsOf({ maxRemoteClients: 3 }), 0, nobody).clientIds).toHaveLength(7);
    expect(clientLog.get(remoteClientId("anns"))?.lastCallId).toBe(1);
  });
});
