import { describe, expect, it } from "vitest";
import { withLoneRoom } from "../../support/rooms/lone-room.ts";
import { linesLogged } from "../../support/logged-lines.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { newSmallRoom, newTestRoom, put, type AnyRoom } from "../../support/rooms/test-rooms.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });
const gone = { closeCode: 4414, reason: "gone" };

/** What every room under test has, whichever class it is of. */
interface Inside {
  inside(look: (room: object, state: DurableObjectState) => Promise<void>): Promise<void>;
}

async function deleteAll(room: Inside): Promise<void> {
  await room.inside(async (_, { storage }) => await storage.deleteAll());
}

async function expectEmpty(room: AnyRoom): Promise<void> {
  const response = await room.get();
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ rev: 0, collections: {} });
}

describe("a room whose storage is deleted while it lives", () => {
  it("is an empty one for the next GET, and closes its sessions for good", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    await alice.commit(edit);
    await deleteAll(room);
    const lines = linesLogged();
    await expectEmpty(room);
    expect(lines).toContainEqual(expect.objectContaining({ event: "storage-deleted", sessions: 1 }));
    expect(await alice.closed()).toEqual(gone);
    expect(await room.sql("SELECT name FROM sqlite_master WHERE name LIKE 'deltaroom_%'")).toEqual([]);
  });

  it.each([
    ["an edit", async (alice: Joined) => alice.push(edit)],
    ["presence", async (alice: Joined) => alice.send({ kind: "presence", presence: { at: 1 } })],
    [
      "a resync",
      async (alice: Joined) => alice.send({ kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 0 }),
    ],
    ["a newcomer", async (_: Joined, room: AnyRoom) => void (await room.join())],
  ] as const)("closes its sessions at %s, and takes nothing of them over", async (_, act) => {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(edit);
    await deleteAll(room);
    await act(alice, room);
    await room.get();
    expect(await alice.closed()).toEqual(gone);
    await expectEmpty(room);
  });

  it("refuses a client that knows the former one, and lets newcomers in", async () => {
    await withLoneRoom({}, (lone) => {
      const alice = lone.join("actor-alice");
      alice.push(edit);
      lone.pass(100);
      lone.dropTables();
      expect(() => lone.join("actor-bobby", { epoch: alice.greetedEpoch, rev: 1 })).toThrow("gone");
      expect(() => lone.join("actor-carol", { knownSince: 1 })).toThrow("gone");
      const dave = lone.join("actor-david");
      dave.push(edit);
      lone.pass(100);
      expect(alice.closed).toEqual(gone);
      expect([dave.copy.outcomes.get(1), dave.greetedEpoch === alice.greetedEpoch]).toEqual([1, false]);
    });
  });

  it("can be filled anew at once by the room itself and by a backend", async () => {
    await withLoneRoom({}, (lone) => {
      lone.join("actor-alice").push(edit);
      lone.pass(100);
      lone.dropTables();
      expect(lone.room.transact((tx) => tx["notes"]?.put("n", { text: "new" }))).toBe(1);
      expect(lone.collections).toEqual({ notes: { n: { text: "new" } } });
      lone.dropTables();
      const cron = { clientId: "rpc:1", user: null, access: "write" as const };
      expect(lone.room.call(cron, "addUp", { id: "sum", by: 2 })).toEqual({ kind: "accepted", rev: 1 });
      expect(lone.collections).toEqual({ shapes: { sum: { x: 2, y: 0 } } });
    });
  });

  it("in a hook ends all sessions, and their leaving is told", async () => {
    await withLoneRoom({}, (lone) => {
      const heard: string[] = [];
      lone.rules.onLeave = ({ clientId }) => void heard.push(`leave ${clientId}`);
      lone.rules.onCommit = ({ type, rev }) => {
        heard.push(`commit ${rev}`);
        if (type === "celebrate") lone.dropTables();
      };
      const alice = lone.join("actor-alice");
      alice.push(edit, ["celebrate", { text: "the end" }], edit);
      lone.pass(100);
      alice.push(edit);
      lone.pass(100);
      expect(heard).toEqual(["commit 1", "commit 2", "commit 3", `leave ${idOf("actor-alice")}`]);
      expect([alice.closed, lone.room.read().rev]).toEqual([gone, 0]);
    });
  });

  it("while it hibernates closes its sessions when it wakes", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    await alice.commit(edit);
    await deleteAll(room);
    await room.evict();
    await expectEmpty(room);
    expect(await alice.closed()).toEqual(gone);
  });

  it("when a page is read or a checkpoint written, is noticed too", async () => {
    await withLoneRoom({ limits: { maxRingFlushes: 4, flushIntervalMs: 0 } }, (lone) => {
      const alice = lone.join("actor-alice");
      for (let count = 0; count < 5; count++) alice.push(put("notes", `n${count}`, { text: "" }));
      lone.evict();
      lone.dropTables();
      alice.push(put("notes", "n1", { text: "again" }));
      expect(alice.closed).toEqual(gone);
    });
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (lone) => {
      const bob = lone.join("actor-bobby");
      for (let count = 0; count < 20; count++) bob.push(edit);
      lone.dropTables();
      lone.pass(10_000);
      expect(bob.closed).toEqual(gone);
    });
  });
});

describe("storage that the app has changed in other ways", () => {
  it.each(["room", "journal", "page", "segment", "client"])(
    "is not taken for a new room when only the table of %s is dropped",
    async (name) => {
      const room = newSmallRoom();
      const alice = await room.join();
      await alice.commit(edit);
      await room.sql(`DROP TABLE deltaroom_${name}`);
      await room.evict();
      const lines = linesLogged();
      expect((await room.get()).status).toBe(503);
      expect(lines).toContainEqual(
        expect.objectContaining({ error: expect.stringContaining(`storage has no table deltaroom_${name}`) }),
      );
    },
  );

  it("ends the instance when a table is dropped under it", async () => {
    await withLoneRoom({}, (lone) => {
      const alice = lone.join("actor-alice");
      alice.push(edit);
      lone.pass(100);
      lone.sql.exec("DROP TABLE deltaroom_journal");
      alice.push(edit);
      lone.pass(100);
      expect(lone.aborted).toBe("storage cannot be read");
    });
  });

  it("is refused without the row of the room", async () => {
    const room = newTestRoom();
    await (await room.join()).commit(edit);
    await room.sql("DELETE FROM deltaroom_room");
    await room.evict();
    const lines = linesLogged();
    expect((await room.get()).status).toBe(503);
    expect(lines).toContainEqual(
      expect.objectContaining({ error: expect.stringContaining("the row of the table deltaroom_room") }),
    );
  });

  it("does without a deleted alarm until the next join", async () => {
    const room = newTestRoom();
    const [alice] = [await room.join(), await room.join()];
    await room.inside(async (_, { storage }) => await storage.deleteAlarm());
    expect(await alice.commit(edit)).toEqual([1]);
    await room.join();
    expect((await room.json()).rev).toBe(1);
  });
});

type Joined = Awaited<ReturnType<AnyRoom["join"]>>;
