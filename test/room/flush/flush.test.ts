import { describe, expect, it } from "vitest";
import { FlushPace } from "../../../src/room/flush/flush-pace.ts";
import { withLoneRoom, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { patch, put, remove } from "../../support/rooms/test-rooms.ts";

const edit = (x: number) => put("shapes", "s", { x, y: 0 });

/** Lets a client commit each millisecond for a while; answers when the room flushed, from the first on. */
function flushTimes(room: LoneRoom, forMs: number): number[] {
  const alice = room.join("actor-alice");
  const times: number[] = [];
  for (let ms = 0; ms < forMs; ms++) {
    alice.push(edit(ms));
    const before = room.rows.length;
    room.pass(1);
    if (alice.take().length > 0) times.push(before === room.rows.length ? ms : ms + 1);
  }
  return times;
}

describe("a flush", () => {
  it("follows the first commit after a quiet moment at once", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 1; x <= 3; x++) {
        alice.push(edit(x));
        expect(alice.take()).toMatchObject([{ outcomes: [[x, x]] }]);
        room.pass(100);
        expect(alice.take()).toEqual([]);
      }
    });
  });

  it("comes at most once an interval while commits keep coming", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 20 } }, (room) => {
      expect(flushTimes(room, 100)).toEqual([0, 40, 60, 80, 100]);
    });
  });

  it("comes when it is due, although no timer got its turn", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit(1));
      alice.push(edit(2));
      alice.take();
      room.now += 33; // and no timer runs
      alice.push(edit(3));
      expect(alice.take()).toMatchObject([
        {
          outcomes: [
            [2, 2],
            [3, 3],
          ],
        },
      ]);
    });
  });

  it("is not held up by a clock that was set back", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit(1));
      room.now -= 3_600_000;
      alice.push(edit(2));
      room.pass(40);
      expect(alice.copy.rev).toBe(2);
    });
  });

  it("is not caused by a reader, who is shown what the last one has put on disk", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(put("shapes", "s1", { x: 1, y: 0 }), put("shapes", "s2", { x: 1, y: 0 }));
      alice.push(
        remove("shapes", "s1"),
        patch("shapes", "s2", { x: 2 }),
        put("shapes", "s0", { x: 2, y: 0 }),
      );
      alice.push(patch("shapes", "s2", { x: 3 }), put("shapes", "s1", { x: 3, y: 0 }));
      alice.take();
      const shown = () => {
        const { rev, records } = room.room.read();
        return [rev, records.ids("shapes").map((id) => [id, records.get("shapes", id)?.["x"]])];
      };
      expect(shown()).toEqual([
        2,
        [
          ["s1", 1],
          ["s2", 1],
        ],
      ]);
      expect([room.rows.length, alice.take().length]).toEqual([1, 0]);
      room.pass(40);
      expect(shown()).toEqual([
        7,
        [
          ["s0", 2],
          ["s1", 3],
          ["s2", 3],
        ],
      ]);
    });
  });

  it("is not caused by a backend that makes a call again", async () => {
    await withLoneRoom({}, (room) => {
      const cron = { clientId: "rpc:1", user: null, access: "write" as const };
      const call = () => room.room.call(cron, "addUp", { id: "sum", by: 1 });
      const outcome = call();
      room.join("actor-alice").push(edit(1));
      const rows = room.rows.length;
      expect([call(), call()]).toEqual([outcome, outcome]);
      expect(room.rows).toHaveLength(rows);
    });
  });

  it("brings outcomes in order of id, also those that were asked for again before it came", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit(1));
      alice.take();
      alice.push(edit(2), edit(3));
      alice.pushAt(3, edit(3));
      alice.pushAt(2, edit(2));
      room.pass(40);
      const outcomes = alice
        .take()
        .flatMap((frame) => (frame.kind === "update" ? (frame.outcomes ?? []) : []));
      const ids = outcomes.map(([id]) => id);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(new Set(ids)).toEqual(new Set([2, 3]));
    });
  });
});

/** A delta of enough operations to be worth its row. */
const many = { from: 0, to: 100 };

describe("the pace", () => {
  it("is that of the interval for few frames, and slower for many", () => {
    const pace = new FlushPace(16);
    pace.flushed(1_000, 10, many, undefined);
    expect(pace.dueAt(1_000)).toBe(1_016);
    pace.flushed(2_000, 1_000, many, undefined);
    expect(pace.dueAt(2_000)).toBe(2_060);
    pace.flushed(3_000, 100_000, many, undefined);
    expect(pace.dueAt(3_000)).toBe(3_250);
  });

  it("is half of that while a flush has few operations, each of which is a row all the same", () => {
    const pace = new FlushPace(16);
    pace.flushed(1_000, 10, { from: 5, to: 8 }, undefined);
    expect(pace.dueAt(1_000)).toBe(1_032);
    pace.flushed(2_000, 10, { from: 12, to: 20 }, undefined);
    expect(pace.dueAt(2_000)).toBe(2_016);
    pace.flushed(3_000, 10, undefined, undefined);
    expect(pace.dueAt(3_000)).toBe(3_032);
  });

  it("slows down when timers come late, and recovers", () => {
    const pace = new FlushPace(16);
    let now = 0;
    const flush = (lateMs: number) => {
      const dueAt = pace.dueAt(now);
      now = dueAt + lateMs;
      pace.flushed(now, 1, many, dueAt);
      return pace.dueAt(now) - now;
    };
    pace.flushed(now, 1, many, undefined);
    const slowed = Array.from({ length: 30 }, () => flush(1_000));
    expect(slowed[0]).toBe(24);
    expect(slowed.at(-1)).toBe(250);
    const recovering = Array.from({ length: 40 }, () => flush(0));
    expect(recovering.at(-1)).toBe(16);
  });

  it("slows down while messages keep timers from firing, and recovers once timers fire in time", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      let [flushedAt, longestMs] = [room.now, 0];
      room.together(() => {
        for (let x = 0; x < 400; x++) {
          room.now += 10; // and no timer fires
          alice.push(edit(x));
          if (alice.take().length === 0) continue;
          alice.send({ kind: "ack", bytes: alice.sentBytes });
          longestMs = Math.max(longestMs, room.now - flushedAt);
          flushedAt = room.now;
        }
      });
      expect(longestMs).toBe(250);
      room.pass(1_000);
      let flushes = 0;
      for (let x = 0; x < 300; x++) {
        alice.push(edit(x));
        room.pass(20);
        alice.send({ kind: "ack", bytes: alice.sentBytes });
        if (x >= 200) flushes += alice.take().length;
      }
      expect(flushes).toBeGreaterThan(40); // in two seconds, of few operations each
    });
  });

  it.each([
    ["an old revision", 0],
    ["no revision that there was", 4_000_000_000],
  ])("is the same whatever revision a caller claims to have: %s", async (_, baseRev) => {
    await withLoneRoom({}, (room) => {
      const liar = room.join("actor-liar", {}, { user: { id: "liar", name: "Liar" }, access: "read" });
      const alice = room.join("actor-alice");
      for (let x = 0; x < 200; x++) {
        alice.push(edit(x));
        liar.push([...edit(x), baseRev]);
        room.pass(40);
        for (const client of [alice, liar]) client.send({ kind: "ack", bytes: client.sentBytes });
        expect(alice.copy.rev).toBe(x + 1);
      }
    });
  });

  it("of 0 milliseconds flushes once for all that has come together", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const alice = room.join("actor-alice");
      const bob = room.join("actor-bobby");
      room.together(() => {
        for (let x = 0; x < 5; x++) {
          alice.push(edit(x));
          bob.push(edit(x));
        }
      });
      expect(room.rows).toHaveLength(1);
    });
  });

  it("of 0 milliseconds does not wait for a timer that never gets its turn", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const alice = room.join("actor-alice");
      room.together(() => {
        for (let x = 0; x < 20; x++) {
          alice.push(edit(x));
          room.now += 1;
        }
      });
      expect(room.rows.length).toBeGreaterThan(2);
    });
  });

  it("of 0 milliseconds flushes every message that comes alone", async () => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 0; x < 5; x++) alice.push(edit(x));
      expect(room.rows).toHaveLength(5);
    });
  });
});

describe("a checkpoint", () => {
  const everyMessage = { flushIntervalMs: 0 };

  it("is written before the journal wraps over what the pages do not hold", async () => {
    await withLoneRoom({ limits: { ...everyMessage, maxRingFlushes: 8 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 1; x <= 50; x++) {
        alice.push(edit(x));
        expect(x - room.checkpointN).toBeLessThan(8);
      }
      expect(room.rows.length).toBe(16);
      room.evict();
      expect(room.room.read().records.get("shapes", "s")).toEqual({ x: 50, y: 0 });
    });
  });

  it("is written once the journal holds as many bytes as the ring buffer may", async () => {
    await withLoneRoom({ limits: { ...everyMessage, maxRingBytes: 10_000 } }, (room) => {
      const alice = room.join("actor-alice");
      alice.push(put("notes", "a", { text: "x".repeat(6_000) }));
      expect(room.checkpointN).toBe(0);
      alice.push(put("notes", "b", { text: "x".repeat(6_000) }));
      expect(room.checkpointN).toBe(2);
    });
  });

  it("is written in a quiet moment also while cursors move, which write nothing", async () => {
    await withLoneRoom({}, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 0; x < 40; x++) {
        alice.push(put("shapes", `s${x}`, { x, y: 0 }));
        room.pass(40);
      }
      for (let at = 0; at < 10; at++) {
        alice.send({ kind: "presence", presence: { at } });
        room.pass(500);
      }
      expect(room.checkpointN).toBe(40);
    });
  });

  it("is written when the room has gone quiet, not while it is busy; and then no timer keeps the room awake", async () => {
    await withLoneRoom({ limits: { ...everyMessage, quietCheckpointMs: 3_000 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 1; x <= 40; x++) {
        alice.push(edit(x));
        room.pass(1_000);
      }
      expect(room.checkpointN).toBe(0);
      room.pass(2_500);
      expect(room.checkpointN).toBe(40);
      expect(room.hasTimer).toBe(false);
    });
  });

  it("is not worth waking for when there is little to write", async () => {
    await withLoneRoom({ limits: everyMessage }, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 1; x <= 5; x++) alice.push(edit(x));
      room.pass(3_000);
      expect([room.checkpointN, room.hasTimer]).toEqual([0, false]);
    });
  });

  it("comes with the checksums of the last revision, once, for those who were not sent them", async () => {
    await withLoneRoom({ limits: { ...everyMessage, checksumIntervalMs: 60_000 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 1; x <= 3; x++) alice.push(edit(x)); // the first flush has checksums
      const bob = room.join("actor-bob"); // and so has a catch-up
      for (const client of [alice, bob]) client.take();
      room.pass(2_999);
      expect([alice.take(), bob.take()]).toEqual([[], []]);
      room.pass(1);
      const quiet = [{ kind: "update", checksums: { shapes: expect.any(Number) as number } }];
      expect([alice.take(), bob.take()]).toEqual([quiet, quiet]);
      expect(room.hasTimer).toBe(false);
      alice.send({ kind: "event", event: "wave", payload: { text: "hi" } });
      room.pass(60_000);
      expect(alice.seen.filter(({ kind }) => kind === "update").at(-1)).not.toHaveProperty("checksums");
      expect(room.hasTimer).toBe(false);
    });
  });

  it("sends no checksums from an instance that another one has superseded", async () => {
    await withLoneRoom({ limits: { ...everyMessage, checksumIntervalMs: 60_000 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let x = 1; x <= 3; x++) alice.push(edit(x));
      alice.take();
      room.rival().join("actor-bobby").push(edit(4));
      expect(() => room.pass(3_000)).toThrow("another instance");
      expect(alice.take()).toEqual([]);
    });
  });

  it("writes the pages that have changed and no others", async () => {
    await withLoneRoom({ limits: { ...everyMessage, maxRingFlushes: 4, pageBytes: 512 } }, (room) => {
      const alice = room.join("actor-alice");
      alice.push(["fill", { count: 20, chars: 100 }]);
      for (let x = 0; x < 3; x++) alice.push(edit(x));
      const pages = () => room.sql.exec("SELECT * FROM deltaroom_page ORDER BY number").toArray();
      const before = pages();
      expect(before).toHaveLength(6); // five of notes and one of shapes
      room.sql.exec("CREATE TABLE written (number INTEGER)");
      room.sql.exec(
        "CREATE TRIGGER note AFTER INSERT ON deltaroom_page BEGIN INSERT INTO written VALUES (new.number); END",
      );
      for (let turn = 0; turn < 4; turn++) alice.push(put("notes", "fill-3", { text: `turn ${turn}` }));
      expect(room.sql.exec("SELECT * FROM written").toArray()).toHaveLength(1);
      expect(
        pages().filter((page, index) => JSON.stringify(page) !== JSON.stringify(before[index])),
      ).toHaveLength(1);
    });
  });
});
