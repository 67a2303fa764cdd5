import { describe, expect, test } from "vitest";
import { newTeamRoom, outcomeOf, withTwo } from "./support/team-board.ts";

describe("a network", () => {
  test("takes its time, each way", async () => {
    const { server, one, other } = await withTwo();
    server.clock.stop();
    one.network.latencyMs = 200;
    one.room.mutate.push({ id: "s" });
    await server.clock.advance(199);
    expect([server.rev, other.room.rev]).toEqual([0, 0]);
    await server.clock.advance(1);
    expect([server.rev, other.room.rev, one.room.pending]).toEqual([1, 1, 1]);
    await server.clock.advance(199);
    expect(one.room.pending).toBe(1);
    await server.clock.advance(1);
    expect(one.room.pending).toBe(0);
  });

  test("of a room that is far from everybody is slow for each client", async () => {
    const server = newTeamRoom({ latencyMs: 100 });
    const startedAt = server.clock.now;
    await server.connect();
    expect(server.clock.now - startedAt).toBeGreaterThanOrEqual(200);
    await server.connect({ latencyMs: 1_000 });
    expect(server.clock.now - startedAt).toBeGreaterThanOrEqual(2_200);
  });

  test("lets nothing overtake when it becomes faster", async () => {
    const { server, one, other } = await withTwo();
    const seen: unknown[] = [];
    other.room.observe("shapes", (changes) => seen.push(...changes.map(({ after }) => after?.x)));
    one.network.latencyMs = 500;
    one.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 0 }));
    await server.clock.advance(20);
    one.network.latencyMs = 0;
    one.room.transact((tx) => tx.shapes.put("s", { x: 2, y: 0 }));
    await server.settle();
    expect(seen).toEqual([1, 2]);
  });

  test("that is cut is noticed by both ends, and what was made meanwhile goes when it is back", async () => {
    const { server, one, other } = await withTwo();
    one.room.presence.update({ x: 1 });
    await server.settle();
    one.network.cut();
    expect(one.room.status).toBe("offline");
    const call = one.room.mutate.push({ id: "s" });
    await server.settle();
    expect([one.room.pending, other.room.others.length, server.calls.length]).toEqual([1, 0, 0]);
    one.network.restore();
    await server.settle();
    expect(await outcomeOf(call)).toBe(1);
    expect([one.room.status, other.room.others.length]).toEqual(["online", 1]);
  });

  test("that stays cut is tried again and again, less and less often", async () => {
    const { server, one } = await withTwo();
    const attempts: number[] = [];
    one.room.on("status", (status) => status === "connecting" && attempts.push(server.clock.now));
    server.clock.stop();
    one.network.cut();
    await server.clock.advance(60_000);
    const pauses = attempts.slice(1).map((at, index) => at - (attempts[index] as number));
    expect(pauses).toEqual(
      [250, 500, 1_000, 2_000, 4_000, 7_500, 7_500, 7_500, 7_500, 7_500, 7_500].slice(0, pauses.length),
    );
    expect(pauses.length).toBeGreaterThan(8);
    one.network.restore();
    await server.clock.advance(0); // it does not wait for the next attempt
    expect(one.room.status).toBe("online");
  });

  test("that loses answers leaves a call executed and unanswered, and it counts once", async () => {
    const { server, one, other } = await withTwo();
    one.network.dropAnswers();
    const call = one.room.mutate.push({ id: "s" });
    await server.settle();
    expect(server.calls[0]?.outcome).toEqual({ kind: "accepted", rev: 1 });
    expect([one.room.pending, other.room.state.shapes.get("s")?.x]).toEqual([1, 1]);
    other.room.transact((tx) => tx.shapes.put("s", { x: 9, y: 9 }));
    await server.settle();
    one.network.restore();
    await server.settle();
    expect(await outcomeOf(call)).toBe(1);
    expect(one.room.state.shapes.get("s")).toEqual({ x: 9, y: 9 });
    expect(server.rev).toBe(2);
  });

  test("holds what goes one way, and lets it go in order", async () => {
    const { server, one, other } = await withTwo();
    one.network.hold("up");
    for (let times = 0; times < 3; times++) {
      one.room.transact((tx) => tx.shapes.put(`s${times}`, { x: times, y: 0 }));
      await server.settle();
    }
    other.room.mutate.push({ id: "other" });
    await server.settle();
    expect([one.room.rev, one.room.pending, server.calls.length]).toEqual([1, 3, 1]);
    one.network.release();
    await server.settle();
    expect([one.room.rev, one.room.pending]).toEqual([4, 0]);
    one.network.hold("down");
    one.room.mutate.push({ id: "s0" });
    await server.settle();
    expect([server.rev, one.room.rev, one.room.pending]).toEqual([5, 4, 1]);
    one.network.restore();
    await server.settle();
    expect([one.room.rev, one.room.pending]).toEqual([5, 0]);
  });

  test("on which nothing comes through is found out by the silence", async () => {
    const { server, one } = await withTwo();
    server.clock.stop();
    one.network.hold();
    await server.clock.advance(10_000);
    expect(one.room.status).toBe("online");
    await server.clock.advance(30_000);
    expect(one.room.status).not.toBe("online");
    one.network.restore();
    await server.settle();
    expect(one.room.status).toBe("online");
  });

  test("at whose end the room refuses is over for good, or until the room has a place again", async () => {
    const { server, one, other } = await withTwo();
    const told: string[] = [];
    for (const { room } of [one, other])
      room.on("error", ({ code, willRetry }) => told.push(`${code} ${willRetry}`));
    one.network.refuse("unauthorized");
    other.network.refuse("room-full");
    await server.settle();
    expect([one.room.status, other.room.status]).toEqual(["closed", "offline"]);
    // A token that was good once is asked for again, so that this refusal is the second.
    expect(told).toEqual(["room-full true", "unauthorized false"]);
    one.network.restore();
    other.network.restore();
    await server.settle();
    expect([one.room.status, other.room.status]).toEqual(["closed", "online"]);
    one.room.reconnect();
    await server.settle();
    expect(one.room.status).toBe("online");
  });

  test("of a client that went offline by itself is not waited for", async () => {
    const { server, one } = await withTwo();
    one.room.disconnect();
    one.room.mutate.push({ id: "s" });
    await server.settle();
    expect([one.room.status, one.room.pending]).toEqual(["offline", 1]);
    one.room.reconnect();
    await server.settle();
    expect(one.room.pending).toBe(0);
  });
});

describe("settle", () => {
  test("says who does not come to rest", async () => {
    const server = newTeamRoom({ limits: { maxSessions: 1 } });
    await server.connect();
    const { room } = server.open();
    room.on("error", () => {});
    await expect(server.settle()).rejects.toThrow(
      /not settled after 30 s of .*: client-2 is \w+, refused with room-full/,
    );
    room.close();
    await server.settle();
  });

  test("waits for calls that the room's pace holds back", async () => {
    const { server, one, other } = await withTwo({ limits: { callsPerSecond: 1, callsBurst: 2 } });
    for (let times = 0; times < 5; times++) one.room.mutate.push({ id: "s" });
    await server.settle();
    expect([one.room.pending, other.room.state.shapes.get("s")?.x]).toEqual([0, 5]);
  });

  test("waits for what is made by those who are told", async () => {
    const { server, one, other } = await withTwo();
    other.room.subscribe(
      (s) => s.shapes.get("s")?.x,
      (x) => {
        const answer = async () => {
          await Promise.resolve();
          if (x !== undefined && x < 5) other.room.mutate.push({ id: "s" });
        };
        void answer();
      },
    );
    one.room.mutate.push({ id: "s" });
    await server.settle();
    expect(one.room.state.shapes.get("s")?.x).toBe(5);
  });

  test("gives up on a client that answers itself without end", { timeout: 20_000 }, async () => {
    const { server, one } = await withTwo();
    one.room.onEvent("wave", () => void one.room.mutate.push({ id: "s" }));
    one.room.mutate.push({ id: "s" });
    await expect(server.settle()).rejects.toThrow("not settled after 30 s");
    server.close();
  });
});
