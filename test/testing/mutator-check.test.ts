import { describe, expect, onTestFinished, test, vi } from "vitest";
import { newTeamRoom, withTwo } from "./support/team-board.ts";

const records = { tasks: { t1: { title: "T", assignee: null } } };

describe("a mutator that does another thing each time", () => {
  test.each([
    ["Date.now()", "stampNow"],
    ["new Date()", "stampNew"],
    ["Math.random()", "roll"],
    ["a variable of its module", "count"],
  ] as const)("by %s fails the next settle, with what it has left", async (_, type) => {
    const onError = vi.fn<(error: unknown, what: string) => void>();
    const { server, one } = await withTwo({ onError });
    one.room.mutate[type]({ id: "s" });
    await expect(server.settle()).rejects.toThrow(
      new RegExp(`the mutator ${type} does not do the same each time.* shapes/s once as {.*}, once as {`),
    );
    expect(onError).toHaveBeenCalledOnce();
    await server.settle(); // it has been told
  });

  test("is found even where a test has fixed the time and the dice", async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0);
    onTestFinished(() => {
      vi.useRealTimers();
      vi.restoreAllMocks();
    });
    const { server, one } = await withTwo({ onError: () => {} });
    one.room.mutate.stampNow({ id: "s" });
    await expect(server.settle()).rejects.toThrow("stampNow");
    one.room.mutate.roll({ id: "s" });
    await expect(server.settle()).rejects.toThrow("roll");
  });

  test("is found by the ids that it makes up, and by what it refuses at times", async () => {
    const { server, one } = await withTwo({ onError: () => {} });
    one.room.on("reject", () => {});
    one.room.mutate.name({});
    await expect(server.settle()).rejects.toThrow(
      /shapes\/\S+ once as (nothing, once as {|{.*}, once as nothing)/,
    );
    one.room.mutate.refuseAtTimes({});
    one.room.mutate.refuseAtTimes({});
    await expect(server.settle()).rejects.toThrow(
      /once it came to (not-now|accepted), once to (not-now|accepted)/,
    );
  });

  test("is left alone when the test says so", async () => {
    const { server, one, other } = await withTwo({ checksMutators: false });
    one.room.mutate.count({ id: "s" });
    one.room.mutate.stampNow({ id: "t" });
    await server.settle();
    expect(server.calls.map(({ prediction }) => prediction)).toEqual([undefined, undefined]);
    expect(other.room.state.shapes.entries()).toEqual(one.room.state.shapes.entries());
  });
});

test("a mutator that does the same each time leaves no trace of having been tried", async () => {
  const date = Date;
  const { random } = Math;
  const { server, one, other } = await withTwo({ records });
  const waves = vi.fn<() => void>();
  other.room.onEvent("wave", waves);
  for (let times = 0; times < 3; times++) one.room.mutate.push({ id: "s" });
  one.room.mutate.addTask({ id: "t2" });
  await server.settle();
  expect(server.records("shapes")).toEqual({ s: { x: 3, y: 0 } });
  expect(waves).toHaveBeenCalledTimes(3);
  expect([Date, Math.random]).toEqual([date, random]);
  expect(server.calls.map(({ prediction }) => prediction)).toEqual(
    Array.from({ length: 4 }, () => ({ outcome: "accepted", differences: [] })),
  );
});

test("a server's own mutator may do as it likes", async () => {
  const server = newTeamRoom();
  await server.mutate.decide({ id: "s" });
  await server.settle();
  expect(server.calls[0]?.prediction).toBeUndefined();
});

describe("where prediction and truth part by design", () => {
  test("the log has both, and nothing fails", async () => {
    const { server, one } = await withTwo();
    one.room.mutate.judge({ id: "s" });
    expect(one.room.state.shapes.get("s")?.x).toBe(1);
    await server.settle();
    expect(one.room.state.shapes.get("s")?.x).toBe(2);
    expect(server.calls[0]?.prediction).toEqual({
      outcome: "accepted",
      differences: [{ collection: "shapes", id: "s", predicted: { x: 1, y: 0 }, actual: { x: 2, y: 0 } }],
    });
  });

  test("a conflict was no conflict to its caller", async () => {
    const { server, one } = await withTwo({ records });
    one.room.on("reject", () => {});
    one.network.hold("down");
    server.transact((tx) => tx.tasks.patch("t1", { title: "another" }));
    one.room.mutate.claim({ id: "t1" });
    await server.settle();
    expect(server.calls[0]?.outcome).toMatchObject({ code: "conflict" });
    expect(server.calls[0]?.prediction).toEqual({ outcome: "accepted", differences: [] });
  });
});
