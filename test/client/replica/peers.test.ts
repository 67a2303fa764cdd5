import { describe, expect, test, vi } from "vitest";
import { newPrivateRoom, newTestRoom, newWatchfulRoom } from "../../support/rooms/test-rooms.ts";
import { enter, until } from "../../support/clients/joined-client.ts";

describe("others in a room", () => {
  test("are told of who comes, what they show of themselves, and who goes", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: () => "user:alice", initialPresence: { at: 1 } });
    const seen: unknown[] = [];
    one.room.onOthers((others) => seen.push(others.map(({ user, presence }) => [user?.name, presence])));
    const other = await enter(at, { token: () => "user:bob", initialPresence: { at: 2, note: "hello" } });
    await until(() => one.room.others.length === 1);
    expect(one.room.others).toEqual([
      {
        clientId: other.room.self.clientId,
        user: { id: "bob", name: "BOB" },
        presence: { at: 2, note: "hello" },
      },
    ]);
    other.room.presence.update({ at: 3 });
    await until(() => one.room.others[0]?.presence.at === 3);
    other.room.close();
    await until(() => one.room.others.length === 0);
    expect(seen).toEqual([[["BOB", { at: 2, note: "hello" }]], [["BOB", { at: 3, note: "hello" }]], []]);
  });

  test("see who lost the connection without a word and came back as one, all the time", async () => {
    const at = newTestRoom();
    const one = await enter(at, { initialPresence: { at: 1 } });
    const other = await enter(at, { initialPresence: { at: 2 } });
    await until(() => other.room.others.length === 1);
    const [peer] = other.room.others;
    await at.evict();
    const seen: number[] = [];
    other.room.onOthers((others) => seen.push(others.length));
    one.link.cutUnnoticed(); // the room takes its session for alive
    one.link.mend();
    one.room.presence.update({ at: 3 });
    await until(() => one.room.status === "online" && other.room.others[0]?.presence.at === 3);
    await at.evict();
    const late = await enter(at);
    expect(late.room.others.map(({ presence }) => presence.at).toSorted((a, b) => a - b)).toEqual([2, 3]);
    expect(new Set(seen)).toEqual(new Set([1]));
    expect(other.room.others[0]?.clientId).toBe(peer?.clientId);
  });

  test("are told of one who vanished without a word, and not of one who only listens", async () => {
    const at = newWatchfulRoom();
    const watcher = await enter(at);
    const listens = await enter(at, { initialPresence: { at: 1 } });
    const vanishes = await enter(at, { initialPresence: { at: 2 } });
    await until(() => watcher.room.others.length === 2);
    const vanishedAt = Date.now();
    vanishes.link.cutUnnoticed();
    await vi.waitFor(() => expect(watcher.room.others).toHaveLength(1), { timeout: 4_000, interval: 20 });
    expect(Date.now() - vanishedAt).toBeGreaterThan(1_500);
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // longer than anybody may be silent
    expect(watcher.room.others.map(({ presence }) => presence.at)).toEqual([1]);
    expect([watcher.link.hellos.length, listens.link.hellos.length]).toEqual([1, 1]);
  }, 15_000);

  test("who were there first are known to who comes later", async () => {
    const at = newTestRoom();
    const one = await enter(at, { initialPresence: { at: 1 } });
    await until(() => one.link.up.some(({ kind }) => kind === "presence"));
    const silent = await enter(at);
    const late = await enter(at, { initialPresence: { at: 3 } });
    await until(() => late.room.others.length === 1);
    expect(late.room.others).toEqual([{ clientId: one.room.self.clientId, user: null, presence: { at: 1 } }]);
    expect(silent.room.self).toEqual({
      clientId: expect.any(String),
      user: null,
      access: "write",
      presence: {},
    });
  });

  test("who have gone while one was away are gone afterwards", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    const stays = await enter(at, { initialPresence: { at: 1 } });
    const goes = await enter(at, { initialPresence: { at: 2 } });
    await until(() => one.room.others.length === 2);
    const [peer] = one.room.others;
    one.room.disconnect();
    expect(one.room.others).toHaveLength(2); // the last that was known
    goes.room.close();
    await until(() => stays.room.others.length === 0);
    one.room.reconnect();
    await until(() => one.room.others.length === 1);
    expect(one.room.others[0]).toBe(peer);
    expect(peer?.clientId).toBe(stays.room.self.clientId);
  });
});

describe("events in a room", () => {
  test("reach everybody else, in order, with who sent them", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: () => "user:alice", initialPresence: { at: 1 } });
    const other = await enter(at, { token: () => "user:bob", initialPresence: { at: 2 } });
    await until(() => other.room.others.length === 1 && one.room.others.length === 1);
    const heard: unknown[] = [];
    const echoed = vi.fn<() => void>();
    other.room.onEvent("wave", (payload, from) => heard.push([payload.text, from]));
    one.room.onEvent("wave", echoed);
    for (const text of ["a", "b", "c"]) one.room.broadcast("wave", { text });
    await until(() => heard.length === 3);
    const from = { clientId: one.room.self.clientId, user: { id: "alice", name: "ALICE" } };
    expect(heard).toEqual(["a", "b", "c"].map((text) => [text, from]));
    await one.room.mutate.addUp({ id: "s1", by: 1 }).committed;
    expect(echoed).not.toHaveBeenCalled();
  });

  test("of a mutator come from the room, to its caller as well, and only once it has committed", async () => {
    const at = newTestRoom();
    const { room } = await enter(at);
    const heard: unknown[] = [];
    room.onEvent("wave", (payload, from) => heard.push([payload, from, room.rev]));
    const { committed } = room.mutate.celebrate({ text: "hooray" });
    expect(heard).toEqual([]);
    await committed;
    await until(() => heard.length > 0);
    expect(heard).toEqual([[{ text: "hooray" }, null, 1]]);
  });
});
