import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newPrivateRoom, newSmallRoom, newTestRoom, newThriftyRoom } from "../../support/rooms/test-rooms.ts";
import {
  approach,
  enter,
  expectAgreement,
  outcomeOf,
  until,
  type Entered,
} from "../../support/clients/joined-client.ts";

// The client waits for a random part of its time before it comes back: here for none of it.
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
afterEach(() => void vi.restoreAllMocks());

/** The call has been committed and its answer was lost on the way. */
async function loseAnswer({ link }: Entered, committed: () => boolean): Promise<void> {
  link.loses = ({ kind }) => kind === "update";
  await until(committed);
  link.cut();
  link.loses = () => false;
}

describe("a client that was away", () => {
  test("is brought up to date by a delta, and nothing is doubled", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    await one.room.transact((tx) => {
      for (let n = 0; n < 50; n++) tx.notes.put(`n${n}`, { text: "x".repeat(50) });
    }).committed;
    await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    await until(() => other.room.rev === 2);
    other.link.cut();
    other.room.mutate.addUp({ id: "c1", by: 10 });
    await one.room.mutate.addUp({ id: "c1", by: 100 }).committed;
    other.link.down.length = 0;
    other.link.mend();
    expect(await expectAgreement(at, one, other)).toMatchObject({ shapes: { c1: { x: 111, y: 0 } } });
    expect(other.link.hellos.at(-1)).toMatchObject({ rev: 2, confirmed: 0 });
    const [, reply] = other.link.down;
    expect(reply).toMatchObject({ kind: "update", tag: 0, delta: { from: 2, to: 3 } });
    expect(other.link.down.map(({ kind }) => kind)).not.toContain("snapshot");
  });

  test("is told nothing new when there is nothing new", async () => {
    const one = await enter(newTestRoom());
    await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    one.room.disconnect();
    one.link.down.length = 0;
    one.room.reconnect();
    await until(() => one.room.status === "online");
    expect(one.link.down[1]).toEqual({
      kind: "update",
      tag: 0,
      lastCallId: 1,
      checksums: expect.anything() as unknown,
    });
  });

  test("has its edits sent in the order in which they were made", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    one.room.disconnect();
    const calls = [
      one.room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 })),
      one.room.mutate.addUp({ id: "s1", by: 1 }),
      one.room.transact((tx) => tx.shapes.patch("s1", { y: 9 })),
      one.room.mutate.addUp({ id: "s1", by: 1 }),
    ];
    expect(one.room.state.shapes.get("s1")).toEqual({ x: 3, y: 9 });
    one.room.reconnect();
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([1, 2, 3, 4]);
    expect(await expectAgreement(at, one)).toEqual({ shapes: { s1: { x: 3, y: 9 } } });
  });

  test("has edits of one record squashed on the way, which comes out right for every pair of kinds", async () => {
    const edits = {
      put: (tx: any) => tx.shapes.put("s1", { x: 5, y: 5 }),
      patch: (tx: any) => tx.shapes.has("s1") && tx.shapes.patch("s1", { x: 6, color: "red" }),
      unset: (tx: any) => tx.shapes.has("s1") && tx.shapes.unset("s1", "color"),
      delete: (tx: any) => tx.shapes.delete("s1"),
    };
    const at = newTestRoom();
    const one = await enter(at);
    for (const first of Object.values(edits)) {
      for (const second of Object.values(edits)) {
        await one.room.transact((tx) => tx.shapes.put("s1", { x: Math.random(), y: 0, color: "blue" }))
          .committed;
        one.room.disconnect();
        one.room.transact(first);
        one.room.transact(second);
        const expected = one.room.state.shapes.get("s1");
        one.room.reconnect();
        const collections = await expectAgreement(at, one);
        expect(collections["shapes"]?.["s1"]).toEqual(expected);
      }
    }
  });

  test("sends again what was lost on its way up", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    one.link.hold("up");
    const calls = [1, 2, 3].map((by) => one.room.mutate.addUp({ id: "c1", by }));
    await until(() => one.link.calls.length === 3);
    one.link.cut();
    one.link.release("up");
    one.link.mend();
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([1, 2, 3]);
    expect(await expectAgreement(at, one)).toEqual({ shapes: { c1: { x: 6, y: 0 } } });
  });

  test("loses nothing over many cuts at any moment", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    const calls = [];
    for (let round = 0; round < 12; round++) {
      for (let n = 0; n < 10; n++) calls.push(one.room.mutate.addUp({ id: "c1", by: 1 }));
      other.room.mutate.addUp({ id: "c1", by: 1 });
      const frames = one.link.down.length;
      one.link.loses = () => one.link.down.length > frames + (round % 4);
      await until(() => one.link.down.length > frames);
      if (round % 2 === 0) one.link.cut();
      else one.link.cutUnnoticed();
      one.link.loses = () => false;
      one.link.mend();
      await until(() => one.room.status === "online");
    }
    const revs = (await Promise.all(calls.map(outcomeOf))) as number[];
    expect(revs).toEqual(revs.toSorted((a, b) => a - b));
    expect(new Set(revs).size).toBe(120);
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { c1: { x: 132, y: 0 } } });
  });
});

describe("a call whose answer was lost", () => {
  test("is answered with its first revision, and what others have written since stays", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    await other.room.transact((tx) => tx.shapes.put("s1", { x: 0, y: 0 })).committed;
    await until(() => one.room.rev === 1);
    const call = one.room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    await loseAnswer(one, () => other.room.state.shapes.get("s1")?.x === 1);
    await other.room.transact((tx) => tx.shapes.patch("s1", { x: 2 })).committed;
    expect(one.room.pending).toBe(1);
    one.link.mend();
    expect(await call.committed).toEqual({ rev: 2 });
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { s1: { x: 2, y: 0 } } });
    expect((await at.json()).rev).toBe(3);
  });

  test("brings back nothing that others have deleted since", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    const call = one.room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 }));
    await loseAnswer(one, () => other.room.state.shapes.has("s1"));
    await other.room.transact((tx) => tx.shapes.delete("s1")).committed;
    one.link.mend();
    expect(await call.committed).toEqual({ rev: 1 });
    expect(await expectAgreement(at, one, other)).toEqual({});
  });

  test("is answered the same when it is sent once more, on the same connection as well", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    one.link.loses = (frame) => frame.kind === "update" && frame.outcomes !== undefined;
    const call = one.room.mutate.addUp({ id: "c1", by: 1 });
    await until(() => other.room.rev === 1);
    // The next delta does not join on to what the client has, so it asks, and is told of what it missed.
    one.link.loses = () => false;
    await other.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    expect(await call.committed).toEqual({ rev: 1 });
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { c1: { x: 2, y: 0 } } });
    expect(one.link.hellos).toHaveLength(1);
  });

  test("is rejected the same when it was rejected", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const call = one.room.mutate.addUp({ id: "frozen", by: 1 });
    await loseAnswer(one, () => one.link.down.some((frame) => frame.kind === "update" && frame.outcomes));
    one.link.mend();
    await expect(call.committed).rejects.toMatchObject({ code: "frozen", data: { since: "yesterday" } });
    expect(one.room.state.shapes.has("frozen")).toBe(false);
  });

  test("is executed once, even while the room takes the old connection for alive", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    one.link.loses = ({ kind }) => kind === "update";
    const call = one.room.mutate.addUp({ id: "c1", by: 1 });
    await until(() => one.link.down.some((frame) => frame.kind === "update" && frame.lastCallId === 1));
    one.link.cutUnnoticed();
    one.link.loses = () => false;
    one.link.mend();
    expect(await call.committed).toEqual({ rev: 1 });
    expect(await expectAgreement(at, one)).toEqual({ shapes: { c1: { x: 1, y: 0 } } });
  });

  test("survives the room's own sleep", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const other = await enter(at);
    const call = one.room.mutate.addUp({ id: "c1", by: 1 });
    await loseAnswer(one, () => other.room.rev === 1);
    await at.evict();
    one.link.mend();
    expect(await call.committed).toEqual({ rev: 1 });
    await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { c1: { x: 2, y: 0 } } });
  });
});

test("a client acknowledges, and so is not held back by a room that trusts nobody with more than 2 KB", async () => {
  const at = newThriftyRoom();
  const one = await enter(at);
  const other = await enter(at);
  for (let n = 0; n < 40; n++) {
    await one.room.transact((tx) => tx.notes.put("n1", { text: `${n}`.repeat(150) })).committed;
  }
  await expectAgreement(at, one, other);
  expect(other.link.up.filter(({ kind }) => kind === "ack").length).toBeGreaterThan(10);
});

describe("a snapshot", () => {
  test("that comes in many parts is shown whole, with what has changed meanwhile", async () => {
    const at = newSmallRoom();
    const one = await enter(at);
    for (let n = 0; n < 30; n++) {
      await one.room.transact((tx) => tx.notes.put(`n${n}`, { text: `${n}`.repeat(100) })).committed;
    }
    const late = approach(at);
    late.link.hold("down");
    const seen: number[] = [];
    late.room.subscribe(
      (s) => s.notes.size,
      (size) => seen.push(size),
    );
    await until(() => late.link.down.some(({ kind }) => kind === "peers"));
    await one.room.transact((tx) => tx.notes.delete("n0")).committed;
    expect(late.link.down.filter(({ kind }) => kind === "snapshot").length).toBeGreaterThan(3);
    late.link.release("down");
    await late.room.ready;
    expect(seen).toEqual([30]);
    await expectAgreement(at, one, late);
    expect(late.room.state.notes.size).toBe(29);
  });

  test("that is cut off in the middle leaves the old state in place until the next one is whole", async () => {
    const at = newSmallRoom();
    const one = await enter(at);
    const other = await enter(at);
    await other.room.transact((tx) => tx.shapes.put("s1", { x: 0, y: 0 })).committed;
    await until(() => one.room.rev === 1);
    one.room.disconnect();
    for (let n = 0; n < 30; n++) {
      await other.room.transact((tx) => tx.notes.put(`n${n % 20}`, { text: `${n}`.repeat(100) })).committed;
    }
    await other.room.transact((tx) => tx.shapes.delete("s1")).committed;
    one.link.loses = (frame) => frame.kind === "update" || (frame.kind === "snapshot" && frame.part > 2);
    one.room.reconnect();
    await until(() => one.link.down.some((frame) => frame.kind === "snapshot" && frame.part > 2));
    one.link.cut();
    expect([one.room.rev, one.room.state.shapes.size, one.room.state.notes.size]).toEqual([1, 1, 0]);
    one.link.loses = () => false;
    one.link.mend();
    await expectAgreement(at, one, other);
    expect([one.room.state.shapes.size, one.room.state.notes.size]).toEqual([0, 20]);
  });

  test("keeps the calls that wait on top of it", async () => {
    const at = newSmallRoom();
    const one = await enter(at);
    const other = await enter(at);
    one.room.disconnect();
    one.room.mutate.addUp({ id: "c1", by: 1 });
    for (let n = 0; n < 30; n++) await other.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    one.room.reconnect();
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { c1: { x: 31, y: 0 } } });
  });
});

describe("a restored room", () => {
  test("is taken in whole, and calls that it does not know are made anew, once", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    const backup = await at.inside((_, { storage }) => dump(storage));
    for (let n = 0; n < 3; n++) await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    one.link.hold("up");
    const calls = [one.room.mutate.addUp({ id: "c1", by: 10 }), one.room.mutate.addUp({ id: "c1", by: 10 })];
    await until(() => one.link.up.filter(({ kind }) => kind === "push").length >= 4);
    one.room.disconnect();
    calls.push(one.room.mutate.addUp({ id: "c1", by: 10 }));
    await at.inside((_, { storage }) => restore(storage, backup));
    await at.evict();
    one.link.release("up");
    const { epoch } = await at.json();
    one.room.reconnect();
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([3, 4, 5]);
    expect(await expectAgreement(at, one)).toEqual({ shapes: { c1: { x: 32, y: 0 } } });
    expect(one.link.calls.slice(-3).map(({ clientReqId }) => clientReqId)).toEqual([3, 4, 5]);
    await one.room.mutate.addUp({ id: "c1", by: 1 }).committed;
    one.room.disconnect();
    one.room.reconnect();
    await expectAgreement(at, one);
    expect(one.link.hellos.at(-1)).toMatchObject({ epoch, rev: 6, confirmed: 6 });
  });
});

describe("a client that may not come in", () => {
  test("is told so, stays away, and comes in with another token, with what it has made meanwhile", async () => {
    const at = newPrivateRoom();
    let token = "user:alice";
    const one = await enter(at, { token: () => token });
    const statuses: string[] = [];
    one.room.on("status", (status) => statuses.push(status));
    token = "expired";
    one.link.cut();
    one.link.mend();
    await until(() => one.room.status === "closed");
    expect(one.errors.splice(0)).toEqual(["unauthorized"]);
    const call = one.room.mutate.addUp({ id: "c1", by: 1 });
    token = "user:alice";
    one.room.reconnect();
    expect(await call.committed).toEqual({ rev: 1 });
    expect(statuses).toEqual(["offline", "connecting", "closed", "connecting", "online"]);
    // The one that was good once may have expired, so it was asked for another.
    const tokens = ["user:alice", "expired", "expired", "user:alice"];
    expect(one.link.hellos.map((hello) => hello?.token)).toEqual(tokens);
  });

  test("at the start has a `ready` that rejects", async () => {
    const one = approach(newPrivateRoom(), { token: () => "expired" });
    await expect(one.room.ready).rejects.toMatchObject({
      name: "RoomError",
      code: "unauthorized",
      willRetry: false,
    });
    expect(one.errors.splice(0)).toEqual(["unauthorized"]);
    expect(one.room.status).toBe("closed");
  });

  test("may be one who only looks: calls are rejected, and the state still comes", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: () => "user:alice" });
    const reader = await enter(at, { token: () => "reader:bob" });
    expect(await outcomeOf(reader.room.mutate.addUp({ id: "c1", by: 1 }))).toBe("forbidden");
    await one.room.mutate.addUp({ id: "c1", by: 5 }).committed;
    expect(await expectAgreement(at, one, reader)).toEqual({ shapes: { c1: { x: 5, y: 0 } } });
  });
});

type Dump = { [table: string]: Record<string, SqlStorageValue>[] };
const tables = ["room", "journal", "page", "segment", "client"].map((name) => `deltaroom_${name}`);

function dump({ sql }: DurableObjectStorage): Dump {
  return Object.fromEntries(tables.map((table) => [table, sql.exec(`SELECT * FROM ${table}`).toArray()]));
}

/** Puts a backup in place as one would: an epoch of its own, and the counter of flushes goes on. */
function restore({ sql }: DurableObjectStorage, backup: Dump): void {
  for (const [table, rows] of Object.entries(backup)) {
    sql.exec(`DELETE FROM ${table}`);
    for (const row of rows) {
      const columns = Object.keys(row).map((column) => `"${column}"`);
      const values = columns.map(() => "?");
      sql.exec(`INSERT INTO ${table} (${columns.join()}) VALUES (${values.join()})`, ...Object.values(row));
    }
  }
  sql.exec("UPDATE deltaroom_room SET epoch = 'restored'");
  sql.exec("UPDATE deltaroom_journal SET epoch = 'restored'");
}
