import { describe, expect, it } from "vitest";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { readRowClients } from "../../support/frames/journal-rows.ts";
import { newSmallRoom, newTestRoom, patch, put, remove } from "../../support/rooms/test-rooms.ts";

const add = (by: number) => ["addUp", { id: "sum", by }] as const;

describe("a push", () => {
  it("is answered with the revision at which it was committed, and everybody is sent the change", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.push(put("shapes", "s1", { x: 1, y: 2 }));
    const delta = { from: 0, to: 1, changes: { shapes: [["put", "s1", { x: 1, y: 2 }]] } };
    expect(await alice.next("update")).toEqual({
      kind: "update",
      lastCallId: 1,
      outcomes: [[1, 1]],
      delta,
      checksums: expect.anything() as unknown,
    });
    expect(await bob.next("update")).toEqual({
      kind: "update",
      delta,
      checksums: expect.anything() as unknown,
    });
    expect(await room.json()).toMatchObject({ rev: 1, collections: { shapes: { s1: { x: 1, y: 2 } } } });
  });

  it("of several calls becomes one row and one frame, with an outcome for each call in order of id", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.push(
      put("shapes", "s1", { x: 1, y: 1 }),
      patch("shapes", "s1", { x: 2 }),
      ["refuse", { text: "" }],
      add(1),
    );
    const update = await alice.next("update");
    expect(update.outcomes?.map(([id]) => id)).toEqual([1, 2, 3, 4]);
    expect(update.delta).toEqual({
      from: 0,
      to: 3,
      changes: {
        shapes: [
          ["put", "s1", { x: 2, y: 1 }],
          ["put", "sum", { x: 1, y: 0 }],
        ],
      },
    });
    expect((await bob.next("update")).delta).toEqual(update.delta);
    expect(await room.rows()).toHaveLength(1);
  });

  it("is sent to everybody in the very bytes that the journal holds", async () => {
    const room = newTestRoom();
    const members = [await room.join(), await room.join(), await room.join()];
    members[0]?.push(put("notes", "n", { text: "für alle ✓", tags: ["a"] }));
    for (const member of members) await member.next("update");
    const [row] = await room.rows();
    const body = new Uint8Array(row?.body ?? new ArrayBuffer());
    expect(body.length).toBeGreaterThan(20);
    for (const member of members)
      expect((member.raws.at(-1) as Uint8Array).slice(-body.length)).toEqual(body);
    expect(members[1]?.raws.at(-1)).toEqual(members[2]?.raws.at(-1));
  });

  it("is told to nobody while its row cannot be written, and is executed once when it is sent again", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await alice.commit(add(1));
    await bob.until(({ rev }) => rev === 1);
    await room.sql(
      "CREATE TRIGGER full BEFORE INSERT ON deltaroom_journal BEGIN SELECT RAISE(FAIL, 'disk full'); END",
    );
    alice.push(add(10));
    const refusal = { code: "internal", clientReqId: 2, retryAfterMs: 1_000 };
    expect(await alice.next("error")).toMatchObject(refusal);
    expect(await bob.quiet()).toEqual([]);
    expect(await room.json()).toMatchObject({ rev: 1, collections: { shapes: { sum: { x: 1 } } } });

    await room.sql("DROP TRIGGER full");
    alice.pushAt(2, add(10));
    expect((await alice.next("update")).outcomes).toEqual([[2, 2]]);
    expect((await bob.next("update")).delta).toMatchObject({ from: 1, to: 2 });
    expect(await room.json()).toMatchObject({ rev: 2, collections: { shapes: { sum: { x: 11 } } } });
  });

  it("that is answered is on disk: an eviction right behind the answer takes nothing back", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    for (let call = 1; call <= 3; call++) {
      expect(await alice.commit(add(1))).toEqual([call]);
      await room.evict();
    }
    expect((await room.json()).collections).toEqual({ shapes: { sum: { x: 3, y: 0 } } });
  });

  it("that changes nothing is a revision of its own all the same", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    expect(await alice.commit(remove("shapes", "nobody"))).toEqual([1]);
    expect((await bob.next("update")).delta).toEqual({ from: 0, to: 1, changes: {} });
  });
});

describe("the journal", () => {
  it("has a row for rejections, of which only the author hears", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    alice.push(["refuse", { text: "hm" }]);
    expect(await alice.next("update")).toEqual({
      kind: "update",
      lastCallId: 1,
      outcomes: [[1, { code: "no-way", message: "this is never allowed", data: { text: "hm" } }]],
    });
    expect(await bob.quiet()).toEqual([]);
    const [row, ...others] = await room.rows();
    expect([row, others]).toMatchObject([{ flushSeq: 1, from: 0, to: 0, ids: "[]" }, []]);
    expect(readDelta(new Uint8Array(row?.body ?? []))).toEqual({ from: 0, to: 0, partitions: [] });
  });

  it("has no row for what consumes no id", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await alice.commit(add(1));
    alice.pushAt(1, add(1)); // a duplicate
    alice.pushAt(7, add(1)); // a gap
    alice.setPresence({ at: 1 });
    alice.sendEvent("wave", { text: "hi" });
    alice.ack();
    alice.resync(1);
    alice.sendRaw('{"kind":"push"}');
    await alice.quiet();
    await bob.until(({ events }) => events.length === 1);
    expect(await room.rows()).toMatchObject([{ flushSeq: 1, to: 1 }]);
  });

  it("keeps mark and unconfirmed outcomes of the authors to itself", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(add(1), ["refuse", { text: "" }]);
    const [row] = await room.rows();
    expect(readRowClients(row?.clientLog ?? "").clientLog).toMatchObject([
      {
        clientId: alice.clientId,
        confirmed: 0,
        answers: [
          [1, 1, expect.any(Number)],
          [2, {}, expect.any(Number)],
        ],
      },
    ]);
    expect(row?.body).not.toContain(alice.clientId);
    expect(JSON.stringify(row)).not.toContain(alice.secret);
  });
});

/** Each claim holds as long as the room is awake, and after it has slept, whether or not there was a checkpoint. */
const interludes: [string, (room: ReturnType<typeof newSmallRoom>) => Promise<void>][] = [
  ["while the room is awake", async () => {}],
  ["after an eviction", async (room) => await room.evict()],
  [
    "after a checkpoint and an eviction",
    async (room) => {
      const other = await room.join();
      for (let flush = 0; flush < 20; flush++) await other.commit(put("notes", "n", { text: String(flush) }));
      other.cut();
      await room.evict();
    },
  ],
];

describe.each(interludes)("%s", (_, interlude) => {
  it("a call that is sent again is answered the same and not executed again", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    const calls = [add(1), ["refuse", { text: "x" }], add(10)] as const;
    const outcomes = await alice.commit(...calls);
    await interlude(room);
    const { rev } = await room.json();
    alice.pushAt(1, ...calls);
    await alice.until(({ outcomes }) => outcomes.size === 3);
    alice.rest();
    alice.pushAt(1, ...calls);
    const answer = await alice.next("update");
    expect(answer.outcomes?.map(([, outcome]) => outcome)).toEqual(outcomes);
    expect(answer.delta).toBeUndefined();
    const after = await room.json();
    expect(after.rev).toBe(rev);
    expect(after.collections["shapes"]).toEqual({ sum: { x: 11, y: 0 } });
  });

  it("the same is so over a reconnect, and another call under its id is told so and not executed", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    const [rev] = await alice.commit(add(1));
    alice.cut();
    await interlude(room);
    await alice.open({ confirmed: 0 });
    expect(await alice.caughtUp()).toMatchObject({
      tag: 0,
      lastCallId: 1,
      outcomes: [[1, rev, expect.any(Number)]],
    });
    alice.rest();
    alice.pushAt(1, add(1_000));
    const conflict = { code: "id-conflict", message: "another call was made under the id 1" };
    expect(await alice.next("update")).toEqual({ kind: "update", lastCallId: 1, outcomes: [[1, conflict]] });
    alice.pushAt(1, add(1));
    expect(await alice.next("update")).toEqual({ kind: "update", lastCallId: 1, outcomes: [[1, rev]] });
    expect((await room.json()).collections["shapes"]).toEqual({ sum: { x: 1, y: 0 } });
  });

  it("a re-send never overwrites what others wrote since", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await alice.commit(put("shapes", "s", { x: 1, y: 1 }));
    await bob.commit(remove("shapes", "s"));
    await interlude(room);
    alice.pushAt(1, put("shapes", "s", { x: 1, y: 1 }));
    await alice.quiet();
    expect((await room.json()).collections["shapes"]).toBeUndefined();
  });

  it("a call too far ahead is answered with the id that is missing, and nothing of its frame runs", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(add(1));
    await interlude(room);
    await alice.quiet();
    alice.pushAt(3, add(1), add(1));
    expect(await alice.next("gap")).toEqual({ kind: "gap", expected: 2 });
    alice.pushAt(2, add(1), add(1), add(1));
    await alice.outcomesOf(2, 3);
    expect((await room.json()).collections["shapes"]).toEqual({ sum: { x: 4, y: 0 } });
  });

  it("outcomes come again in every catch-up until they are confirmed, to their author alone", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    const [rev] = await alice.commit(add(1), ["refuse", { text: "" }]);
    alice.cut();
    await interlude(room);
    for (let attempt = 0; attempt < 2; attempt++) {
      await alice.open({ confirmed: 0 });
      const refusal = { code: "no-way", message: "this is never allowed", data: { text: "" } };
      expect((await alice.caughtUp()).outcomes).toEqual([
        [1, rev, expect.any(Number)],
        [2, refusal, expect.any(Number)],
      ]);
    }
    await alice.open({ confirmed: 1 });
    expect((await alice.caughtUp()).outcomes?.map(([id]) => id)).toEqual([2]);
    await alice.open({ confirmed: 2 });
    expect(await alice.caughtUp()).toMatchObject({ lastCallId: 2 });
    expect((await alice.open(), await alice.caughtUp()).outcomes).toBeUndefined();
    const bob = room.client();
    await bob.open();
    expect(await bob.caughtUp()).not.toHaveProperty("outcomes");
  });

  it("a call that was confirmed and is sent again is not executed, and is told that it is too old", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(add(1));
    await alice.commit(add(1)); // says that it has the outcome of the first
    await interlude(room);
    await alice.quiet();
    alice.pushAt(1, add(1));
    expect(await alice.next("update")).toMatchObject({ outcomes: [[1, { code: "too-old" }]] });
    expect((await room.json()).collections["shapes"]).toEqual({ sum: { x: 2, y: 0 } });
  });
});
