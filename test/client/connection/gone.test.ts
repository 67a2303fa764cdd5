import { describe, expect, test } from "vitest";
import { newTestRoom } from "../../support/rooms/test-rooms.ts";
import { enter, outcomeOf, until } from "../../support/clients/joined-client.ts";

describe("a room that was deleted", () => {
  test("ends its clients for good, rejects their calls, and is a new one when they connect again", async () => {
    const at = newTestRoom();
    const { room, errors } = await enter(at);
    await room.mutate.addUp({ id: "sum", by: 1 }).committed;
    await at.inside(async (_, { storage }) => await storage.deleteAll());
    expect(await outcomeOf(room.mutate.addUp({ id: "sum", by: 2 }))).toBe("gone");
    expect([room.status, room.closeReason]).toEqual(["closed", "gone"]);
    expect(errors.splice(0)).toEqual(["gone"]);
    room.reconnect();
    await until(() => room.status === "online");
    expect([room.rev, room.state.shapes.size]).toEqual([0, 0]);
    expect(await outcomeOf(room.mutate.addUp({ id: "sum", by: 3 }))).toBe(1);
    expect((await at.json()).collections).toEqual({ shapes: { sum: { x: 3, y: 0 } } });
  });

  test("while they were away takes nothing of what they made offline", async () => {
    const at = newTestRoom();
    const { room, errors } = await enter(at);
    await room.mutate.addUp({ id: "sum", by: 1 }).committed;
    room.disconnect();
    const call = room.mutate.addUp({ id: "sum", by: 2 });
    await at.inside(async (_, { storage }) => await storage.deleteAll());
    room.reconnect();
    expect(await outcomeOf(call)).toBe("gone");
    expect(errors.splice(0)).toEqual(["gone"]);
    expect(await at.json()).toMatchObject({ rev: 0, collections: {} });
    await enter(at);
    expect(await at.json()).toMatchObject({ rev: 0, collections: {} });
  });
});
