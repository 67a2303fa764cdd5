import { abortAllDurableObjects } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newTestRoom, type AnyRoom } from "../../support/rooms/test-rooms.ts";
import {
  enter,
  expectAgreement,
  outcomeOf,
  until,
  type Entered,
} from "../../support/clients/joined-client.ts";

// The client waits for a random part of its time before it comes back: here for none of it.
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
afterEach(() => void vi.restoreAllMocks());

const soon = { interval: 2, timeout: 4_000 };

const add = ({ room }: Entered, by = 1) => room.mutate.addUp({ id: "sum", by });

/** Whom each of the clients sees: what the others show, in order. */
function seenBy(...clients: readonly Entered[]): string[] {
  return clients.map(({ room }) =>
    room.others
      .map(({ presence }) => presence.at)
      .toSorted((a, b) => a - b)
      .join(),
  );
}

/** Only a room that is awake can be evicted. */
async function evict(room: AnyRoom, webSockets: "hibernate" | "close"): Promise<void> {
  await room.json();
  await room.evict(webSockets);
}

/** How a room's memory can end, and whether its sockets survive that. */
const ends: [string, (room: AnyRoom) => Promise<void>, boolean][] = [
  ["an eviction", async (room) => await evict(room, "hibernate"), true],
  ["an eviction that closes the sockets", async (room) => await evict(room, "close"), false],
  ["a crash", async () => await abortAllDurableObjects(), false],
];

describe.each(ends)("%s", (_, end, keepsSockets) => {
  test("costs no call, wherever it was on its way, and none is doubled", async () => {
    const at = newTestRoom();
    const [one, other] = [await enter(at), await enter(at)];
    const answered = add(one);
    await answered.committed;
    one.link.hold("down");
    const committed = add(one, 10);
    await until(() => other.room.rev === 2);
    one.link.hold("up");
    const sent = add(one, 100);
    await until(() => one.link.calls.length === 3);
    await end(at);
    const made = add(one, 1_000);
    one.link.release("up");
    one.link.release("down");
    expect(await Promise.all([answered, committed, sent, made].map(outcomeOf))).toEqual([1, 2, 3, 4]);
    expect(await expectAgreement(at, one, other)).toEqual({ shapes: { sum: { x: 1_111, y: 0 } } });
  });

  test("in the middle of a rush costs no call, and everybody sees the count rise only", async () => {
    const at = newTestRoom();
    const clients = [await enter(at), await enter(at), await enter(at)];
    const counts: number[][] = clients.map(() => []);
    for (const [index, { room }] of clients.entries()) {
      room.subscribe(
        (s) => s.shapes.get("sum")?.x ?? 0,
        (count) => counts[index]?.push(count),
      );
    }
    const calls = [];
    for (let round = 0; round < 5; round++) {
      for (const client of clients) calls.push(add(client), add(client));
      await end(at);
      for (const client of clients) calls.push(add(client));
    }
    const revs = (await Promise.all(calls.map(outcomeOf))) as number[];
    expect(revs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 45 }, (__, index) => index + 1));
    expect(await expectAgreement(at, ...clients)).toEqual({ shapes: { sum: { x: 45, y: 0 } } });
    for (const told of counts) {
      expect(told.at(-1)).toBe(45);
      expect(told).toEqual(told.toSorted((a, b) => a - b));
    }
  });

  test("takes back nothing that was acknowledged, not even right behind the answer", async () => {
    const at = newTestRoom();
    const one = await enter(at);
    for (let rev = 1; rev <= 3; rev++) {
      expect(await add(one).committed).toEqual({ rev });
      await end(at);
    }
    expect((await at.json()).collections).toEqual({ shapes: { sum: { x: 3, y: 0 } } });
    await expectAgreement(at, one);
  });

  test("is not to be seen in the presence of the others, and leaves no ghost of who has gone meanwhile", async () => {
    const at = newTestRoom();
    const shown = async (number: number) => await enter(at, { initialPresence: { at: number } });
    const [one, other, third] = [await shown(1), await shown(2), await shown(3)];
    await expect.poll(() => seenBy(one, other, third), soon).toEqual(["2,3", "1,3", "1,2"]);
    await end(at);
    third.link.cut();
    await expect.poll(() => seenBy(one, other), soon).toEqual(["2", "1"]);
    one.room.presence.update({ at: 7 });
    await expect.poll(() => seenBy(one, other), soon).toEqual(["2", "7"]);
    await end(at);
    const late = await shown(4);
    await expect.poll(() => seenBy(one, other, late), soon).toEqual(["2,4", "4,7", "2,7"]);
  });

  test(`is ${keepsSockets ? "noticed by nobody" : "followed by a new connection, made by itself"}`, async () => {
    const at = newTestRoom();
    const [one, other] = [await enter(at), await enter(at)];
    const statuses: string[] = [];
    one.room.on("status", (status) => statuses.push(status));
    add(other);
    await until(() => one.room.rev === 1);
    await end(at);
    add(other);
    await expectAgreement(at, one, other);
    expect(statuses).toEqual(keepsSockets ? [] : ["offline", "connecting", "online"]);
    expect(one.link.hellos.slice(1)).toMatchObject(keepsSockets ? [] : [{ rev: 1 }]);
  });
});
