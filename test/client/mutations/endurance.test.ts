import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { newTestRoom, newThriftyRoom } from "../../support/rooms/test-rooms.ts";
import {
  enter,
  expectAgreement,
  outcomeOf,
  until,
  viewOf,
  type Entered,
} from "../../support/clients/joined-client.ts";

beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {})); // the room's log of refusals
afterEach(() => void vi.restoreAllMocks());

const ids = ["a", "b", "d"];

/** Random numbers in [0, 1) that are the same for the same seed; what the network makes of them is not. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What a client can do, or have done to it; the number is how often. */
function actions(at: ReturnType<typeof newTestRoom>, random: () => number) {
  const id = () => ids[Math.floor(random() * ids.length)] as string;
  const direction = () => (random() < 0.5 ? "up" : "down");
  const rest = () => new Promise<void>((resolve) => setTimeout(resolve, random() * 12));
  const put = ({ room }: Entered) => {
    const on = id();
    room.transact((tx) => tx.shapes.put(on, { x: random(), y: 0 }));
  };
  const patch = ({ room }: Entered) => {
    const on = id();
    if (room.state.shapes.has(on)) room.transact((tx) => tx.shapes.patch(on, { y: random() }));
  };
  const remove = ({ room }: Entered) => {
    const on = id();
    room.transact((tx) => tx.shapes.delete(on));
  };
  return [
    [5, put],
    [5, patch],
    [2, remove],
    [1, ({ room }: Entered) => void room.mutate.addUp({ id: "frozen", by: 1 })],
    [1, ({ room }: Entered) => room.presence.update({ at: random() })],
    [1, ({ link }: Entered) => link.cut()],
    [1, ({ link }: Entered) => link.cutUnnoticed()],
    [2, ({ link }: Entered) => link.mend()],
    [1, ({ link }: Entered) => link.hold(direction())],
    [2, ({ link }: Entered) => link.release(direction())],
    [1, ({ room }: Entered) => room.disconnect()],
    [1, ({ room }: Entered) => room.reconnect()],
    [1, async () => await at.evict().catch(() => {})], // it may be asleep already
    [2, rest],
  ] as const;
}

/** A collection as an observer sees it who knows nothing else, and each change that did not begin where it was. */
function protocolCopyOf({ room }: Entered) {
  const records = new Map<string, unknown>();
  const leaps: unknown[] = [];
  room.observe("shapes", (changes) => {
    for (const { id, before, after } of changes) {
      if (JSON.stringify(before) !== JSON.stringify(records.get(id)))
        leaps.push([id, before, records.get(id)]);
      if (after === undefined) records.delete(id);
      else records.set(id, after);
    }
  });
  return { records, leaps };
}

describe.each([
  ["a room", newTestRoom],
  ["a room that trusts nobody with more than 2 KB", newThriftyRoom],
])("whatever happens on the way to %s", (_, newRoom) => {
  test.each([1, 2, 3, 4])("everything counts once and everybody ends where the room is: %i", async (seed) => {
    const random = dice(seed * 7_919);
    const at = newRoom() as ReturnType<typeof newTestRoom>;
    const clients: Entered[] = [];
    for (let number = 0; number < 3; number++)
      clients.push(await enter(at, { initialPresence: { at: number } }));
    const protocolCopies = clients.map(protocolCopyOf);
    const choices = actions(at, random).flatMap(([times, act]) => Array.from({ length: times }, () => act));
    const counted = [];
    for (let step = 0; step < 120; step++) {
      const one = clients[Math.floor(random() * clients.length)] as Entered;
      if (step % 4 === 0) counted.push(one.room.mutate.addUp({ id: "c", by: 1 }));
      else await choices[Math.floor(random() * choices.length)]?.(one);
    }
    for (const { link, room } of clients) {
      link.mend();
      link.release("up");
      link.release("down");
      room.reconnect();
    }
    const collections = await expectAgreement(at, ...clients);
    expect(collections["shapes"]?.["c"]?.["x"]).toBe(30);
    const revs = await Promise.all(counted.map(outcomeOf));
    expect(new Set(revs).size).toBe(30);
    for (const [number, { records, leaps }] of protocolCopies.entries()) {
      expect(leaps).toEqual([]);
      expect(Object.fromEntries(records)).toEqual(viewOf(clients[number]?.room as Entered["room"])["shapes"]);
    }
    const shown = clients.map(({ room }) => [room.self.clientId, room.self.presence] as const);
    const seesAll = ({ room }: Entered) => {
      const seen = new Map(
        [room.self, ...room.others].map(({ clientId, presence }) => [clientId, presence.at]),
      );
      return shown.every(([clientId, { at }]) => seen.get(clientId) === at) && seen.size === clients.length;
    };
    await until(() => clients.every(seesAll));
  });
});

test("3,000 calls made at once are paced, and every one commits, once", { timeout: 30_000 }, async () => {
  hurry(10);
  const at = newTestRoom();
  const one = await enter(at);
  const calls = Array.from({ length: 3_000 }, () => one.room.mutate.addUp({ id: "c1", by: 1 }));
  expect(one.room.state.shapes.get("c1")?.x).toBe(3_000);
  const revs = await Promise.all(calls.map(outcomeOf));
  expect(revs).toEqual(Array.from(revs, (_, n) => n + 1));
  expect(await expectAgreement(at, one)).toEqual({ shapes: { c1: { x: 3_000, y: 0 } } });
  // On a machine that is busy with others the room may still have to ask for a pause, but not again and again.
  expect(one.link.calls.length).toBeLessThan(4_000);
  const sizes = one.link.up.map((frame) => (frame.kind === "push" ? frame.calls.length : 0));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256);
});

/** Makes the clock run faster, the room's and the client's alike: here they share a global. */
function hurry(times: number): void {
  const now = Date.now.bind(Date);
  const since = now();
  const clock = vi.spyOn(Date, "now").mockImplementation(() => since + (now() - since) * times);
  onTestFinished(() => clock.mockRestore());
}
