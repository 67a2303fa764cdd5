import { describe, expect, test } from "vitest";
import { newTeamRoom } from "../../testing/support/team-board.ts";

const calls = 1_200;

describe("a client that has been offline for long and comes back with all that was made meanwhile", () => {
  test.each([
    ["at the room's pace", {}],
    ["in a room that takes far less", { callsPerSecond: 50, callsBurst: 100 }],
    ["in a room that forgives nothing", { refusalsBurst: 5, refusalsPerSecond: 0.1 }],
  ])(
    "sends it %s, and is neither refused nor closed",
    async (_, limits) => {
      const server = newTeamRoom({ limits });
      const { room, network } = await server.connect();
      const told: string[] = [];
      room.on("error", ({ code }) => told.push(code));
      room.on("reject", ({ code }) => told.push(code));
      network.cut();
      for (let task = 0; task < calls; task++) room.mutate.addTask({ id: `t${task}` });
      network.restore();
      for (let second = 0; second < 90 && room.pending > 0; second++) await server.clock.advance(1_000);
      expect([room.pending, server.rev, told]).toEqual([0, calls, []]);
    },
    20_000,
  );

  test("and is reloaded in the midst of it, waits as it is told to, and is not closed", async () => {
    const server = newTeamRoom({ limits: { callsPerSecond: 50, callsBurst: 100 } });
    const user = { id: "ann", name: "Ann" };
    const first = await server.connect({ user });
    for (let task = 0; task < 100; task++) first.room.mutate.addTask({ id: `first-${task}` });
    await server.clock.advance(100);
    first.room.close();
    // It takes its bucket for full, and the room knows better.
    const { room } = await server.connect({ user });
    const told: string[] = [];
    room.on("error", ({ code }) => told.push(code));
    for (let task = 0; task < 500; task++) room.mutate.addTask({ id: `t${task}` });
    for (let second = 0; second < 60 && room.pending > 0; second++) await server.clock.advance(1_000);
    expect([room.pending, told]).toEqual([0, []]);
  });
});
