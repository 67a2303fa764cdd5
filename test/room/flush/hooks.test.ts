import { describe, expect, it } from "vitest";
import type { Operation } from "../../../src/room/engine/batch.ts";
import type { RoomServer } from "../../../src/room/room-server.ts";
import { withLoneRoom, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { put } from "../../support/rooms/test-rooms.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });
const add = (by: number) => ["addUp", { id: "sum", by }] as const;

/** Writes one record of the room's own. */
function note(room: RoomServer, id: string): number {
  return room.transact((tx) => tx["notes"]?.put(id, { text: id }));
}

/** What hooks hear, in order. `answers` is called with each operation as well. */
function listen(lone: LoneRoom, answers: (operation: Operation) => unknown = () => {}): string[] {
  const heard: string[] = [];
  lone.rules.onJoin = ({ clientId }) => void heard.push(`join ${clientId}`);
  lone.rules.onLeave = ({ clientId }) => void heard.push(`leave ${clientId}`);
  lone.rules.onCommit = (operation) => {
    heard.push(`commit ${operation.rev}`);
    return answers(operation);
  };
  return heard;
}

/** As the clients and a room woken from the same disk have it. */
function expectOnDisk(lone: LoneRoom): void {
  const { records, rev } = lone.room.read();
  const notes = records.ids("notes").map((id) => [id, records.get("notes", id)]);
  const woken = lone.rival().room.read();
  expect([woken.rev, woken.records.ids("notes").map((id) => [id, woken.records.get("notes", id)])]).toEqual([
    rev,
    notes,
  ]);
}

describe("hooks that write", () => {
  it("hear every operation once and in order of revisions, their own included", async () => {
    await withLoneRoom({}, (lone) => {
      const heard = listen(lone, ({ rev, clientId }) => {
        if (clientId !== "room") note(lone.room, `to-${rev}`);
      });
      const alice = lone.join("actor-alice");
      lone.pass(100);
      alice.push(edit, edit, edit, edit);
      lone.pass(100);
      expect(heard).toEqual([
        `join ${idOf("actor-alice")}`,
        ...Array.from({ length: 8 }, (_, index) => `commit ${index + 1}`),
      ]);
      expect(alice.copy.rev).toBe(8);
      expectOnDisk(lone);
    });
  });

  it("are called when the flush is on disk and sent, and not in the middle of it", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0, maxRingFlushes: 8 } }, (lone) => {
      const alice = lone.join("actor-alice");
      const sent: number[] = [];
      listen(lone, ({ rev, clientId }) => {
        if (clientId !== "room") return;
        sent.push(alice.copy.rev - rev);
      });
      for (let count = 0; count < 20; count++) note(lone.room, "n"); // a checkpoint in between
      expect(sent).toEqual(Array.from({ length: 20 }, () => 0));
    });
  });

  it("of every kind may write, in the midst of a join, a dismissal, an alarm and a renewed epoch", async () => {
    await withLoneRoom({ limits: { maxSilenceMs: 1_000 } }, (lone) => {
      const heard: string[] = [];
      lone.rules.onJoin = ({ clientId }) =>
        void heard.push(`join ${clientId} ${note(lone.room, `join-${clientId}`)}`);
      lone.rules.onLeave = ({ clientId }) =>
        void heard.push(`leave ${clientId} ${note(lone.room, `leave-${clientId}`)}`);
      const alice = lone.join("actor-alice");
      const bob = lone.join("actor-bobby");
      alice.send({ kind: "presence", presence: { at: 1 } });
      bob.send({ kind: "presence", presence: { at: 1 } });
      alice.push(edit);
      bob.leave();
      lone.join("actor-carol");
      lone.now += 10_000_000;
      lone.room.alarm();
      lone.runDue();
      lone.room.renewEpoch();
      expect(heard).toEqual([
        `join ${idOf("actor-alice")} 1`,
        `join ${idOf("actor-bobby")} 2`,
        expect.stringMatching(/^leave .* [34]$/),
        expect.stringMatching(/^join .* [45]$/),
        expect.stringMatching(/^leave /),
        expect.stringMatching(/^leave /),
      ]);
      expectOnDisk(lone);
    });
  });

  it("may begin a new epoch, which closes who has just come", async () => {
    await withLoneRoom({}, (lone) => {
      lone.rules.onJoin = () => lone.room.renewEpoch();
      const alice = lone.join("actor-alice");
      expect(alice.closed?.reason).toBe("epoch-changed");
      lone.rules.onJoin = () => {};
      const bob = lone.join("actor-bobby");
      bob.push(edit);
      lone.pass(100);
      expect(bob.copy.outcomes.get(1)).toBe(1);
    });
  });

  it("without end are refused after maxHookWrites, one event at a time, and others work on", async () => {
    await withLoneRoom({ limits: { maxHookWrites: 10 } }, (lone) => {
      const heard = listen(lone, () => note(lone.room, "again"));
      const alice = lone.join("actor-alice");
      alice.push(edit);
      lone.pass(100);
      expect(heard).toHaveLength(12);
      expect(lone.thrown).toHaveLength(1);
      alice.push(edit);
      lone.pass(100);
      expect(heard).toHaveLength(23);
      expect(heard.slice(1)).toEqual(Array.from({ length: 22 }, (_, index) => `commit ${index + 1}`));
      expect(alice.copy.rev).toBe(22);
      expect(lone.logged).toEqual(["hook-failed", "hook-failed"]);
      expectOnDisk(lone);
    });
  });

  it("twice each time are bounded all together", async () => {
    await withLoneRoom({ limits: { maxHookWrites: 20 } }, (lone) => {
      listen(lone, () => {
        note(lone.room, "one");
        note(lone.room, "two");
      });
      lone.join("actor-alice").push(edit);
      lone.pass(100);
      expect(lone.room.read().rev).toBe(21);
    });
  });

  it("in answer to each of a thousand operations of clients are not taken for endless", async () => {
    await withLoneRoom({}, (lone) => {
      const heard = listen(lone, ({ clientId, rev }) => {
        if (clientId !== "room") note(lone.room, `n${rev % 7}`);
      });
      const alice = lone.join("actor-alice");
      for (let frame = 0; frame < 4; frame++) alice.push(...Array.from({ length: 250 }, () => edit));
      lone.pass(1_000);
      expect(lone.thrown).toEqual([]);
      expect(heard.slice(1)).toEqual(Array.from({ length: 2_000 }, (_, index) => `commit ${index + 1}`));
    });
  });

  it("when a write fails hear nothing of it, and may try again", async () => {
    await withLoneRoom({}, (lone) => {
      const failed: unknown[] = [];
      const heard = listen(lone, ({ clientId }) => {
        if (clientId === "room") return;
        lone.failing.append = "disk full";
        try {
          note(lone.room, "n");
        } catch (error) {
          failed.push(error);
        }
        lone.failing.append = undefined;
        note(lone.room, "n");
      });
      lone.join("actor-alice").push(edit);
      lone.pass(100);
      expect(failed).toEqual([new Error("storage failed: the edit was not made")]);
      expect(heard).toEqual([`join ${idOf("actor-alice")}`, "commit 1", "commit 2"]);
      expectOnDisk(lone);
    });
  });
});

describe("asynchronous hooks", () => {
  it("have what they are rejected with logged and given to onError", async () => {
    await withLoneRoom({}, async (lone) => {
      lone.rules.onJoin = async () => await Promise.reject(new Error("join"));
      lone.rules.onLeave = async () => await Promise.reject(new Error("leave"));
      lone.rules.onCommit = async () => await Promise.reject(new Error("commit"));
      const alice = lone.join("actor-alice");
      alice.push(edit);
      lone.pass(100);
      alice.leave();
      await new Promise((resolve) => setTimeout(resolve, 0));
      expect(lone.thrown.map(String)).toEqual(["Error: join", "Error: commit", "Error: leave"]);
      expect(lone.logged).toEqual(["hook-failed", "hook-failed", "hook-failed"]);
    });
  });

  it.each([
    ["after an await", async (write: () => void) => await Promise.resolve().then(write)],
    ["by a microtask", (write: () => void) => queueMicrotask(write)],
  ])("that write without end %s leave others their turn", async (_, later) => {
    await withLoneRoom({ limits: { maxHookWrites: 10 } }, async (lone) => {
      let isOver = false;
      const heard = listen(lone, () => later(() => void (isOver || note(lone.room, "again"))));
      const alice = lone.join("actor-alice");
      alice.push(edit);
      lone.pass(100);
      // Were it a loop of microtasks, this timer would never come.
      await new Promise((resolve) => setTimeout(resolve, 0));
      expect(heard.length).toBeLessThan(20);
      alice.push(edit);
      lone.pass(100);
      await new Promise((resolve) => setTimeout(resolve, 0));
      isOver = true;
      lone.pass(100);
      expect(alice.copy.outcomes.get(2)).toEqual(expect.any(Number));
      expect(heard.slice(1)).toEqual(heard.slice(1).map((__, index) => `commit ${index + 1}`));
    });
  });
});

describe("what a call runs", () => {
  const entries: [string, (room: RoomServer) => unknown][] = [
    ["transact", (room) => note(room, "n")],
    ["broadcast", (room) => room.broadcast("wave", { text: "hi" })],
    ["renewEpoch", (room) => room.renewEpoch()],
    ["a remote call", (room) => room.call({ clientId: "rpc:1", user: null, access: "write" }, ...add(1))],
    ["a read of the state", (room) => room.read()],
    ["flush", (room) => room.flush()],
    ["alarm", (room) => room.alarm()],
  ];

  it.each(entries)("may not use the room: %s", async (what, enter) => {
    await withLoneRoom({}, (lone) => {
      const problem = new RegExp(`^Error: ${what} inside a mutator, authorize or an edit`);
      const alice = lone.join("actor-alice");
      alice.push(add(1));
      lone.pass(100);
      alice.push(add(2)); // waits to be flushed
      expect(() => lone.room.transact(() => enter(lone.room))).toThrow(`${what} inside a mutator`);
      expect(lone.room.read().rev).toBe(2);
      lone.rules.authorize = () => enter(lone.room) === undefined;
      lone.evict();
      alice.push(add(4));
      lone.pass(100);
      expect(alice.copy.outcomes.get(3)).toMatchObject({ code: "internal" });
      expect(lone.thrown.map(String)).toEqual([expect.stringMatching(problem)]);
      expectOnDisk(lone);
    });
  });

  it("may not be an asynchronous edit", async () => {
    await withLoneRoom({}, (lone) => {
      const late = async () => await Promise.reject(new Error("too late"));
      expect(() =>
        lone.room.transact((tx) => {
          tx["notes"]?.put("n", { text: "half done" });
          return late();
        }),
      ).toThrow("the edit is asynchronous");
      expect(lone.room.read().rev).toBe(0);
    });
  });

  it("may not be an asynchronous authorize, which refuses and says so", async () => {
    const authorize = (async () =>
      await Promise.reject(new Error("no database"))) as unknown as () => boolean;
    await withLoneRoom({ rules: { authorize } }, async (lone) => {
      const alice = lone.join("actor-alice");
      alice.push(edit);
      lone.pass(100);
      await new Promise((resolve) => setTimeout(resolve, 0));
      expect(alice.copy.outcomes.get(1)).toMatchObject({ code: "forbidden" });
      expect(lone.thrown.map(String)).toEqual([
        "TypeError: authorize returned a promise: it must return a boolean",
        "Error: no database",
      ]);
    });
  });
});
