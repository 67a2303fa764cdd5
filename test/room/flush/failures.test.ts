import { describe, expect, it } from "vitest";
import { encodeDelta } from "../../../src/protocol/encoding/delta.ts";
import { hexOf } from "../../support/frames/hex.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { newSmallRoom, put } from "../../support/rooms/test-rooms.ts";

const add = (by: number) => ["addUp", { id: "sum", by }] as const;
const everyMessage = { flushIntervalMs: 0, maxRingFlushes: 8 };

describe("when a row cannot be written", () => {
  it("no answer to a call of it is given, not even to one that was asked for twice", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(add(1));
      alice.take();
      alice.push(add(10));
      alice.pushAt(2, add(10)); // its outcome is known by now, but not on disk
      room.failing.append = "disk full";
      room.pass(40);
      expect(alice.take()).toMatchObject([
        { kind: "error", code: "internal", clientReqId: 2, retryAfterMs: 1_000 },
      ]);
      expect(room.logged).toEqual(["storage-failed"]);
      room.failing.append = undefined;
      alice.send({ kind: "presence", presence: { at: 1 } });
      room.pass(40);
      expect(alice.copy.outcomes.has(2)).toBe(false);
      alice.pushAt(2, add(10));
      room.pass(40);
      expect(alice.copy.outcomes.get(2)).toBe(2);
      expect(alice.copy.get("shapes", "sum")).toEqual({ x: 11, y: 0 });
    });
  });

  it("who had nothing in it hears nothing, and an answer that is on disk is still given", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      bob.push(add(1));
      for (const client of [alice, bob]) client.take();
      room.failing.append = "disk full";
      for (let attempt = 0; attempt < 50; attempt++) {
        alice.pushAt(1, add(10));
        room.pass(40);
      }
      expect(bob.take()).toEqual([]);
      alice.pushAt(1, add(10));
      bob.pushAt(1, add(1));
      room.pass(40);
      room.failing.append = undefined;
      room.pass(1_000);
      expect(bob.take()).toEqual([{ kind: "update", lastCallId: 1, outcomes: [[1, 1]] }]);
    });
  });

  it("presence and events that waited for the same flush are told a little later", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.push(add(1));
      alice.send({ kind: "presence", presence: { at: 1 } });
      alice.send({ kind: "event", event: "wave", payload: { text: "hi" } });
      alice.push(add(1));
      room.failing.append = "disk full";
      room.pass(40);
      room.failing.append = undefined;
      room.pass(1_000);
      expect(bob.copy.peers.has(idOf("actor-alice"))).toBe(true);
      expect(bob.copy.events).toHaveLength(1);
    });
  });

  it("a newcomer is shown what is on disk", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(add(1));
      alice.push(add(10));
      room.failing.append = "disk full";
      const bob = room.join("actor-bob");
      room.pass(100);
      expect(bob.copy.rev).toBe(1);
      expect(alice.take().at(-1)).toMatchObject({
        kind: "error",
        code: "internal",
        clientReqId: 2,
        retryAfterMs: 1_000,
      });
    });
  });

  it("an RPC caller is told by an exception, and may call again", async () => {
    await withLoneRoom({}, (room) => {
      const cron = { clientId: "rpc:1", user: null, access: "write" as const };
      room.failing.append = "disk full";
      expect(() => room.room.call(cron, ...add(1))).toThrow("came to nothing");
      room.failing.append = undefined;
      expect(room.room.call(cron, ...add(1))).toEqual({ kind: "accepted", rev: 1 });
      expect(room.room.call(cron, ...add(1))).toEqual({ kind: "accepted", rev: 1 });
    });
  });

  it("and storage cannot be read either, the instance ends", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      room.failing.append = "gone";
      room.failing.room = "gone";
      alice.push(add(1));
      expect(room.aborted).toBe("storage cannot be read");
      expect(alice.take()).toEqual([]);
    });
  });
});

describe("when a checkpoint cannot be written", () => {
  it("nobody notices, and nothing is lost", async () => {
    await withLoneRoom({ limits: everyMessage }, (room) => {
      const alice = room.join("actor-alice");
      room.failing.checkpoint = "disk full";
      for (let call = 1; call <= 10; call++) {
        alice.push(add(1));
        expect(alice.copy.outcomes.get(call)).toBe(call);
      }
      expect(room.logged).toContain("storage-failed");
      room.failing.checkpoint = undefined;
      alice.push(add(1));
      expect(room.checkpointN).toBe(11);
      room.evict();
      expect(room.room.read().records.get("shapes", "sum")).toEqual({ x: 11, y: 0 });
    });
  });

  it("although the row before it was written, each client still receives that row, and is sent it once", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0, pageBytes: 100 } }, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bobby")];
      for (let call = 1; call <= 3; call++) alice.push(put("notes", `n${call}`, { text: "x".repeat(200) }));
      room.failing.checkpoint = "disk full";
      room.failing.appended = "disk full";
      for (const { session } of [alice, bob]) if (session) session.lastSentRev = -1; // only a snapshot will do
      alice.push(add(1)); // the room makes a checkpoint before each snapshot
      room.failing.appended = undefined;
      room.pass(2_000);
      for (const client of [alice, bob]) {
        expect(client.closed).toBeUndefined();
        expect(client.copy.get("shapes", "sum")).toEqual({ x: 1, y: 0 });
      }
      expect(alice.copy.lastCallId).toBe(4);
      expect(room.logged.filter((event) => event !== "storage-failed")).toEqual([]);
      expect(room.logged.length).toBeLessThan(10);
      alice.push(add(1));
      expect(bob.copy.get("shapes", "sum")).toEqual({ x: 2, y: 0 });
    });
  });

  it("to its end, nothing of it is, and the room wakes as it was", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0, quietCheckpointMs: 1_000 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let call = 1; call <= 40; call++) alice.push(add(1));
      room.sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON deltaroom_room BEGIN SELECT RAISE(FAIL, 'disk full'); END",
      );
      room.pass(2_000);
      expect(room.logged).toContain("storage-failed");
      const rows = (table: string) => room.sql.exec(`SELECT * FROM ${table}`).toArray().length;
      expect([rows("deltaroom_page"), rows("deltaroom_client"), room.checkpointN]).toEqual([0, 0, 0]);
      room.sql.exec("DROP TRIGGER full");
      room.evict();
      expect(room.room.read().records.get("shapes", "sum")).toEqual({ x: 40, y: 0 });
    });
  });

  it("that was to begin another history, the room keeps the one it has, and what is committed to it", async () => {
    await withLoneRoom({ limits: everyMessage }, (room) => {
      const alice = room.join("actor-alice");
      alice.push(add(1));
      room.failing.checkpoint = "disk full";
      expect(() => room.room.renewEpoch()).toThrow("disk full");
      room.failing.checkpoint = undefined;
      expect(room.room.read().epoch).toBe(alice.copy.epoch);
      alice.push(add(1));
      room.evict();
      expect(room.room.read().records.get("shapes", "sum")).toEqual({ x: 2, y: 0 });
    });
  });

  it("for as long as the journal has slots, calls are refused rather than written over what was acknowledged", async () => {
    await withLoneRoom({ limits: everyMessage }, (room) => {
      const alice = room.join("actor-alice");
      room.failing.checkpoint = "disk full";
      for (let call = 1; call <= 40; call++) alice.pushAt(alice.copy.lastCallId + 1, add(1));
      const acknowledged = alice.copy.lastCallId;
      expect(acknowledged).toBeGreaterThanOrEqual(15);
      room.evict();
      expect(room.room.read().records.get("shapes", "sum")).toEqual({ x: acknowledged, y: 0 });
      room.failing.checkpoint = undefined;
      alice.pushAt(acknowledged + 1, add(1));
      alice.pushAt(alice.copy.lastCallId + 1, add(1));
      expect(room.room.read().records.get("shapes", "sum")).toEqual({ x: alice.copy.lastCallId, y: 0 });
      expect(alice.copy.lastCallId).toBeGreaterThan(acknowledged);
    });
  });
});

describe("when a page cannot be read", () => {
  const small = { flushIntervalMs: 0, maxRingFlushes: 2, pageBytes: 300, maxUnacknowledgedBytes: 1_000 };
  const fill = (room: LoneRoom) => {
    const alice = room.join("actor-alice");
    for (let id = 0; id < 20; id++) {
      alice.push(put("notes", `n${id}`, { text: "x".repeat(200) }));
      alice.send({ kind: "ack", bytes: 10_000 });
    }
    return alice;
  };

  it("who comes is sent away, to come again, and leaves no trace", async () => {
    await withLoneRoom({ limits: small }, (room) => {
      fill(room);
      room.failing.pageRecords = "disk error";
      expect(() => room.join("actor-bobby")).toThrow("internal");
      room.failing.pageRecords = undefined;
      expect(room.logged).toEqual(["session-failed"]);
      expect(room.join("actor-carol").take()).toEqual([]);
      expect(room.join("actor-bobby").copy.welcome).toBeDefined();
    });
  });

  const acknowledge = (client: LoneClient) => client.send({ kind: "ack", bytes: 1_000_000 });
  const resync = (client: LoneClient) =>
    client.send({ kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 0 });

  it.each([
    ["acknowledges parts of a snapshot", 0, acknowledge],
    ["asks for a snapshot", 20, resync],
  ])("a client that %s is sent away, to come again, and nobody else notices", async (_, parts, ask) => {
    await withLoneRoom({ limits: small }, (room) => {
      const alice = fill(room);
      const bob = room.join("actor-bobby"); // its snapshot waits for acknowledgements
      for (let part = 0; part < parts; part++) acknowledge(bob);
      room.failing.pageRecords = "disk error";
      ask(bob);
      expect(bob.closed?.reason).toBe("internal");
      alice.push(put("shapes", "s", { x: 1, y: 1 }));
      expect(alice.copy.get("shapes", "s")).toBeDefined();
      expect(alice.closed).toBeUndefined();
    });
  });

  it("a flush still reaches everybody else", async () => {
    await withLoneRoom({ limits: { ...small, maxUnacknowledgedBytes: 100_000 } }, (room) => {
      const [bob, carol] = [room.join("actor-bobby"), room.join("actor-carol")];
      const alice = fill(room);
      carol.take();
      if (bob.session) bob.session.lastSentRev = 99; // as after a failure: only a snapshot will do
      room.failing.pageRecords = "disk error";
      alice.push(put("shapes", "s", { x: 1, y: 1 }));
      expect(bob.closed?.reason).toBe("internal");
      expect(carol.take()).toMatchObject([{ kind: "update", delta: { to: 21 } }]);
    });
  });
});

describe("when a page cannot be read that many throttled sessions wait for", () => {
  it("the room closes each of them, and goes on", async () => {
    const many = 2_500;
    const limits = {
      flushIntervalMs: 0,
      maxRingFlushes: 2,
      pageBytes: 300,
      maxAllUnacknowledgedBytes: 4_000,
      maxSessions: 2 * many,
      maxSessionsPerUser: 2 * many,
      maxSessionsWithoutUser: 2 * many,
      joinsBurst: 2 * many,
      rejoinsBurst: 2 * many,
    };
    await withLoneRoom({ limits }, (room) => {
      const alice = room.join("actor-alice");
      for (let id = 0; id < 20; id++) alice.push(put("notes", `n${id}`, { text: "x".repeat(200) }));
      alice.send({ kind: "ack", bytes: 1_000_000 });
      const bob = room.join("actor-bobby"); // its snapshot is all that may be unacknowledged
      const waiting = Array.from({ length: many }, (_, id) => {
        const client = room.join(`actor-${1_000 + id}`);
        client.send({ kind: "ack", bytes: client.sentBytes });
        return client;
      });
      room.failing.pageRecords = "disk error";
      bob.leave();
      expect(new Set(waiting.map(({ closed }) => closed?.reason))).toEqual(new Set(["internal"]));
      expect(new Set(room.logged)).toEqual(new Set(["session-failed"]));
      room.failing.pageRecords = undefined;
      expect(room.join("actor-carol").closed).toBeUndefined();
    });
  });
});

describe("an instance whose pages another one has written anew", () => {
  it("sends nobody a snapshot of them, but ends", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0, maxRingFlushes: 2 } }, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bobby")];
      for (const x of [1, 2]) alice.push(put("shapes", "s", { x, y: 0 }));
      bob.take();
      const carol = room.rival().join("actor-carol");
      for (const x of [3, 4]) carol.push(put("shapes", "s", { x, y: 0 }));
      if (bob.session) bob.session.lastSentRev = 99; // as after a failure: only a snapshot will do
      expect(() => alice.send({ kind: "presence", presence: { at: 1 } })).toThrow("another instance");
      expect([room.aborted?.slice(0, 16), bob.take()]).toEqual(["another instance", []]);
    });
  });
});

describe("when a page cannot be read that a call needs", () => {
  /** Nineteen notes in pages, and none of them in memory; alice is there. */
  const sleeping = (room: LoneRoom) => {
    const alice = room.join("actor-alice");
    for (let id = 1; id < 20; id++) alice.push(put("notes", `n${id}`, { text: "x".repeat(200) }));
    alice.push(add(1));
    room.pass(100);
    room.evict();
    alice.take();
    return alice;
  };
  const limits = { flushIntervalMs: 0, maxRingFlushes: 2, pageBytes: 300 };
  const again = { text: "again" };

  it("its client is told no outcome but sent away, and makes it again", async () => {
    await withLoneRoom({ limits }, (room) => {
      const alice = sleeping(room);
      const bob = room.join("actor-bobby");
      room.failing.page = "disk error";
      alice.push(put("notes", "n3", again));
      expect([alice.take(), alice.closed?.reason]).toEqual([[], "internal"]);
      expect(room.logged).toEqual(["session-failed"]);
      room.failing.page = undefined;
      const back = room.join("actor-alice", { confirmed: 20 });
      back.pushAt(21, put("notes", "n3", again));
      expect(back.copy.outcomes.get(21)).toBe(21);
      expect(bob.copy.get("notes", "n3")).toEqual(again);
    });
  });

  it("what came with it and was executed is kept", async () => {
    await withLoneRoom({ limits: { ...limits, flushIntervalMs: 16 } }, (room) => {
      const alice = sleeping(room);
      alice.push(put("notes", "n3", again)); // whose page is in memory now
      alice.take();
      room.failing.page = "disk error";
      alice.push(put("notes", "n3", { text: "once more" }), put("notes", "n9", again));
      room.failing.page = undefined;
      room.pass(100);
      expect(alice.closed?.reason).toBe("internal");
      const back = room.join("actor-alice");
      expect([back.copy.lastCallId, back.copy.get("notes", "n3")]).toEqual([22, { text: "once more" }]);
      expect(back.copy.get("notes", "n9")).not.toEqual(again);
    });
  });

  it("its session does not come back from hibernation", async () => {
    await withLoneRoom({ limits }, (room) => {
      const alice = sleeping(room);
      room.failing.page = "disk error";
      alice.push(put("notes", "n3", again));
      expect(alice.attachment).toBeUndefined();
    });
  });

  it("an RPC caller is told by an exception, and may call again", async () => {
    await withLoneRoom({ limits }, (room) => {
      sleeping(room);
      const cron = { clientId: "rpc:1", user: null, access: "write" as const };
      room.failing.page = "disk error";
      expect(() => room.room.call(cron, ...add(1))).toThrow("disk error");
      expect(() => room.room.transact((tx) => tx["notes"]?.delete("n3"))).toThrow("disk error");
      room.failing.page = undefined;
      expect(room.room.call(cron, ...add(1))).toEqual({ kind: "accepted", rev: 21 });
      expect(room.room.read().records.get("shapes", "sum")).toEqual({ x: 2, y: 0 });
    });
  });

  it("since another instance has written it, this one ends", async () => {
    const write = (room: LoneRoom) => {
      const rival = room.rival();
      const bob = rival.join("actor-bobby");
      for (let call = 0; call < 2; call++) bob.push(put("notes", "n3", { text: `theirs ${call}` }));
      return rival;
    };
    const asked = [
      ["checkpoint", (_: LoneRoom, alice: LoneClient) => alice.push(put("notes", "n3", again))],
      ["flush", ({ room }: LoneRoom) => room.transact((tx) => tx["notes"]?.delete("n3"))],
      [
        "flush",
        ({ room }: LoneRoom) => room.call({ clientId: "rpc:1", user: null, access: "write" }, ...add(1)),
      ],
    ] as const;
    for (const [what, ask] of asked) {
      await withLoneRoom({ limits }, (room) => {
        const alice = sleeping(room);
        const rival = write(room);
        expect(() => ask(room, alice)).toThrow(`another instance has written ${what}`);
        expect([room.aborted?.slice(0, 16), alice.take()]).toEqual(["another instance", []]);
        expect(rival.room.read().records.get("notes", "n3")).toEqual({ text: "theirs 1" });
      });
    }
  });
});

describe("an instance that another one has superseded", () => {
  /** A room with one commit, of which storage then knows one more, by somebody that this instance never heard of. */
  async function supersededRoom() {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(add(1));
    const put = { change: { kind: "put", record: { x: 7, y: 7 } }, id: "theirs" } as const;
    const { body } = encodeDelta(1, 2, new Map([["shapes", new Map([[1, put]])]]));
    const authors = JSON.stringify({ clientIds: ["actor-other"], records: [2, 0, 0] });
    await room.sql(
      `INSERT INTO deltaroom_journal SELECT 2, 2, epoch, 1, 2, X'${hexOf(body)}', '[]', '[]', '${authors}' FROM deltaroom_journal`,
    );
    return { room, alice };
  }

  it("acknowledges nothing, ends, and its successor has both histories", async () => {
    const { room, alice } = await supersededRoom();
    alice.push(add(10));
    expect(await alice.closed()).toMatchObject({ closeCode: 1006 });
    await alice.open();
    const { delta, lastCallId } = await alice.caughtUp();
    expect([delta?.from, delta?.to, lastCallId]).toEqual([1, 2, 1]);
    alice.pushAt(2, add(10));
    expect(await alice.outcomesOf(2)).toEqual([3]);
    expect((await room.json()).collections["shapes"]).toEqual({
      sum: { x: 11, y: 0 },
      theirs: { x: 7, y: 7 },
    });
  });

  it("writes no checkpoint over what its successor has written", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0, quietCheckpointMs: 1_000 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let call = 1; call <= 40; call++) alice.push(add(1));
      room.sql.exec(
        'INSERT INTO deltaroom_journal SELECT slot + 1, flushSeq + 1, epoch, "to", "to", body, ids, clientLog, authors FROM deltaroom_journal WHERE flushSeq = 40',
      );
      room.pass(2_000);
      expect(room.checkpointN).toBe(0);
      expect(room.aborted).toBe("another instance has written flush 41");
    });
  });

  it("shows its state to no newcomer", async () => {
    const { room, alice } = await supersededRoom();
    const bob = room.client();
    await bob.open();
    expect(await bob.closed()).toEqual({ closeCode: 4500, reason: "internal" });
    await alice.closed();
    await bob.open();
    await bob.caughtUp();
    expect(bob.copy.get("shapes", "theirs")).toEqual({ x: 7, y: 7 });
  });

  it("tells its state to no reader", async () => {
    const { room } = await supersededRoom();
    expect((await room.get()).status).toBe(503);
    expect((await room.json()).rev).toBe(2);
  });

  it("answers no resync", async () => {
    const { alice } = await supersededRoom();
    alice.resync(1);
    expect(await alice.closed()).toMatchObject({ closeCode: 1006 });
    expect(alice.heard).not.toContain('"tag":1');
  });

  describe("although both stand at the same flush,", () => {
    /** Two instances of a room with 40 flushes, and a client at each. */
    async function withTwo(
      story: (one: LoneRoom, other: LoneRoom, alice: LoneClient, bob: LoneClient) => void,
    ): Promise<void> {
      await withLoneRoom({ limits: { flushIntervalMs: 0, quietCheckpointMs: 1_000 } }, (one) => {
        const alice = one.join("actor-alice");
        for (let call = 1; call <= 40; call++) alice.push(add(1));
        const other = one.rival();
        const bob = other.join("actor-bobby");
        alice.take();
        story(one, other, alice, bob);
      });
    }

    const frames = (client: LoneClient) => client.take().filter(({ kind }) => kind === "update");

    it("writes no row once another has written a checkpoint, and answers nobody", async () => {
      await withTwo((one, other, _, bob) => {
        one.pass(2_000);
        expect(one.checkpointN).toBe(40);
        bob.push(put("shapes", "late", { x: 1, y: 1 }));
        expect(other.aborted).toContain("another instance has written");
        expect(frames(bob)).toEqual([]);
        expect(() => other.room.read()).toThrow("another instance has written checkpoint 1");
        other.evict();
        expect(other.room.read().records.get("shapes", "late")).toBeUndefined();
        expect(other.room.read().rev).toBe(40);
      });
    });

    it("writes no checkpoint once another has written one", async () => {
      await withTwo((one, other, _, bob) => {
        one.pass(2_000);
        const pages = one.sql.exec("SELECT * FROM deltaroom_page").toArray();
        expect(() => other.room.renewEpoch()).toThrow("another instance has written checkpoint 1");
        expect(other.aborted).toContain("another instance has written");
        expect(one.sql.exec("SELECT * FROM deltaroom_page").toArray()).toEqual(pages);
        expect(bob.closed).toBeUndefined();
      });
    });

    it("commits nothing to an epoch that another has ended", async () => {
      await withTwo((one, other, alice) => {
        other.room.renewEpoch();
        alice.push(add(1_000));
        expect(one.aborted).toContain("another instance has written");
        expect(frames(alice)).toEqual([]);
        one.evict();
        expect(one.room.read().epoch).toBe(other.room.read().epoch);
        const carol = one.join("actor-carol");
        carol.push(add(1));
        expect(carol.copy.get("shapes", "sum")).toEqual({ x: 41, y: 0 });
      });
    });
  });

  it("does not make a room that another has made", async () => {
    await withLoneRoom({}, (one) => {
      const other = one.rival();
      one.join("actor-alice").push(add(1));
      one.pass(100);
      expect(() => other.join("actor-bobby")).toThrow("another instance has made the room");
      expect(other.aborted).toContain("another instance has made the room");
      expect(one.rival().join("actor-bobby").copy.get("shapes", "sum")).toEqual({ x: 1, y: 0 });
    });
  });
});
