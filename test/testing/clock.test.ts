import { afterEach, describe, expect, test, vi } from "vitest";
import { newTeamRoom, outcomeOf, withTwo } from "./support/team-board.ts";

afterEach(() => void vi.useRealTimers());

describe("time", () => {
  test("passes by itself, so that a call is answered without a word of the test", async () => {
    const { one, other } = await withTwo({ latencyMs: 20 });
    const startedAt = performance.now();
    for (let rev = 1; rev <= 3; rev++) expect(await outcomeOf(one.room.mutate.push({ id: "s" }))).toBe(rev);
    expect(performance.now() - startedAt).toBeGreaterThan(100);
    await vi.waitFor(() => expect(other.room.state.shapes.get("s")?.x).toBe(3), { interval: 2 });
  });

  test("costs no waiting when the test settles or advances", async () => {
    const startedAt = performance.now();
    const { server, one } = await withTwo({ latencyMs: 2_000 });
    one.room.mutate.push({ id: "s" });
    await server.settle();
    await server.clock.advance(3_600_000);
    expect(one.room.pending).toBe(0);
    expect(server.clock.now - Date.now()).toBeGreaterThan(3_600_000);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });

  test("that is stopped passes by advance and settle alone", async () => {
    const { server, one } = await withTwo({ latencyMs: 5 });
    server.clock.stop();
    const now = server.clock.now;
    one.room.mutate.push({ id: "s" });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect([server.clock.now, server.rev]).toEqual([now, 0]);
    await server.clock.advance(5);
    expect([server.clock.now, server.rev]).toEqual([now + 5, 1]);
    await server.settle();
    expect(one.room.pending).toBe(0);
    expect(server.clock.now).toBeGreaterThanOrEqual(now + 10);
    server.clock.start();
    await one.room.mutate.push({ id: "s" }).committed;
  });

  test("is the room's and the clients'", async () => {
    const { server, one } = await withTwo();
    server.clock.stop();
    await server.clock.advance(1_000);
    one.room.mutate.addTask({ id: "t1" });
    one.network.latencyMs = 300;
    expect(one.room.state.tasks.get("t1")?.at).toBe(server.clock.now);
    const madeAt = server.clock.now;
    await server.clock.advance(500);
    expect(server.state.tasks.get("t1")?.at).toBe(madeAt + 300);
  });

  test.each([Number.NaN, -1])("does not pass by %s ms", async (ms) => {
    await expect(newTeamRoom().clock.advance(ms)).rejects.toThrow(RangeError);
  });
});

describe("with fake timers", () => {
  test("clients connect and settle", async () => {
    vi.useFakeTimers();
    const { server, one, other } = await withTwo({ latencyMs: 50 });
    for (let times = 0; times < 5; times++) one.room.mutate.push({ id: "s" });
    await server.settle();
    expect(other.room.state.shapes.get("s")?.x).toBe(5);
  });

  test("the room's time passes with the test's", async () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const { server, one } = await withTwo();
    one.network.latencyMs = 100;
    const { now } = server.clock;
    expect(now).toBeGreaterThanOrEqual(1_000_000);
    one.room.mutate.push({ id: "s" });
    await vi.advanceTimersByTimeAsync(99);
    expect(server.rev).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.rev).toBe(1);
    await vi.advanceTimersByTimeAsync(100);
    expect([one.room.pending, server.clock.now]).toEqual([0, now + 200]);
  });

  test("that come and go nothing stops, and time does not go back", async () => {
    const { server, one } = await withTwo({ latencyMs: 10 });
    const { now } = server.clock;
    vi.useFakeTimers({ now: 0 });
    expect(server.clock.now).toBeGreaterThanOrEqual(now);
    one.room.mutate.push({ id: "s" });
    await vi.advanceTimersByTimeAsync(5);
    vi.useRealTimers();
    await server.clock.advance(0);
    expect(await outcomeOf(one.room.mutate.push({ id: "s" }))).toBe(2);
  });
});
