import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ordersBetween } from "../../../src/index.ts";
import { isOrderKey } from "../../../src/schema/order-key.ts";
import { ListWorld, type ListClient } from "../support/list-world.ts";

afterEach(() => vi.restoreAllMocks());

const command = fc.record({
  kind: fc.constantFrom(
    ...(["insert", "insert", "insert", "move", "move", "remove", "batch", "same key", "long key"] as const),
    ...(["execute", "execute", "execute", "flush", "receive", "receive", "evict", "checkpoint"] as const),
  ),
  client: fc.nat(2),
  place: fc.nat(30),
  other: fc.nat(30),
});
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** Dice that fall on few sides, so that who inserts at the same place often gets the same key. */
function loadDice(seed: number): void {
  let state = seed;
  vi.spyOn(Math, "random").mockImplementation(() => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state < 1_073_741_824 ? 0.3 : 0.6;
  });
}

/** What one client does to its list. */
function edit(client: ListClient, { kind, place, other }: Command, newId: () => string): void {
  const { shown } = client;
  const [id = "none", key = "a0"] = shown[other % Math.max(shown.length, 1)] ?? [];
  if (kind === "insert") client.make("add", { id: newId(), order: client.keyAt(place) });
  if (kind === "move") client.make("move", { id, order: client.keyAt(place, id) });
  if (kind === "remove") client.make("remove", { id });
  if (kind === "same key") client.make("add", { id: newId(), order: key });
  if (kind === "long key")
    client.make("add", { id: newId(), order: `${key}${"V".repeat(20)}`.slice(0, 250) });
  if (kind === "batch") {
    const at = place % (shown.length + 1);
    for (const order of ordersBetween(shown[at - 1]?.[1], shown[at]?.[1], 5))
      client.make("add", { id: newId(), order });
  }
}

/** Has the room execute a call; whatever that does to keys, nobody who was not moved changes places. */
function executeNext(world: ListWorld, client: ListClient): void {
  const before = Object.keys(world.keys);
  const moved = world.execute(client);
  const after = Object.keys(world.keys);
  const rest = (ids: string[], others: string[]) => ids.filter((id) => id !== moved && others.includes(id));
  expect(rest(after, before)).toEqual(rest(before, after));
  const keys = Object.values(world.keys);
  expect(keys.every(isOrderKey)).toBe(true);
  expect(keys).toEqual([...new Set(keys)].toSorted());
}

/** Has the room forget all memory: from its disk it comes to the same keys. */
function evict(world: ListWorld, withCheckpoint: boolean): void {
  const before = world.keys;
  world.evict(withCheckpoint);
  expect(world.keys).toEqual(before);
}

/** What is shown has to be in order, however it came about. */
function expectInOrder(client: ListClient): void {
  const { shown } = client;
  const sorted = shown.toSorted(([a, keyA], [b, keyB]) => (keyA < keyB || (keyA === keyB && a < b) ? -1 : 1));
  expect(shown).toEqual(sorted);
  expect(shown.map(([id]) => id).toSorted()).toEqual(client.tasks.ids());
}

test("whatever several clients do to a list, all come to see it in one order, with a key of its own for each record", () => {
  let repaired = 0;
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120, size: "max" }), fc.nat(), (commands, seed) => {
      loadDice(seed);
      const world = new ListWorld(["ann", "ben", "eve"]);
      let ids = 0;
      const newId = () => `${"cab"[ids % 3]}${++ids}`; // not in the order in which they are made
      for (const next of commands) {
        const client = world.clients[next.client] as ListClient;
        edit(client, next, newId);
        if (next.kind === "execute") executeNext(world, client);
        if (next.kind === "flush") world.flush();
        if (next.kind === "receive") client.receive();
        if (next.kind === "evict" || next.kind === "checkpoint") evict(world, next.kind === "checkpoint");
        expectInOrder(client);
      }
      const sent = world.clients.flatMap(({ pending }) =>
        pending.map(({ payload }) => payload as { id: string; order?: string }),
      );
      for (const client of world.clients) while (client.up.length > 0) executeNext(world, client);
      for (const { id, order } of sent) repaired += order !== undefined && world.keys[id] !== order ? 1 : 0;
      world.settle();
      const truth = Object.entries(world.keys);
      for (const client of world.clients) {
        expect(client.pending).toEqual([]);
        expect(client.shown).toEqual(truth);
      }
    }),
    { numRuns: 60 },
  );
  expect(repaired).toBeGreaterThan(20); // or the dice were not loaded
}, 30_000);

describe("clients who insert at the same place while nobody hears of the others", () => {
  const between = (world: ListWorld) => {
    const [first] = world.clients as [ListClient];
    first.make("add", { id: "top", order: "a0" });
    first.make("add", { id: "bottom", order: "a1" });
    world.settle();
  };

  test.each([2, 3])("come to one order when they are %d, each record between its neighbours", (count) => {
    const world = new ListWorld(["ann", "ben", "eve"].slice(0, count));
    between(world);
    for (const client of world.clients) {
      client.make("add", { id: `by-${client.clientId}`, order: client.keyAt(1) });
    }
    world.settle();
    const ids = Object.keys(world.keys);
    expect([ids[0], ids.at(-1), ids.length]).toEqual(["top", "bottom", count + 2]);
    for (const client of world.clients) expect(client.tasks.ids("order")).toEqual(ids);
  });

  test("keep their batches together, and of what they add one by one each their own order", () => {
    const world = new ListWorld(["ann", "ben", "eve"]);
    between(world);
    for (const client of world.clients) {
      const [[, top], [, bottom]] = client.shown as [[string, string], [string, string]];
      for (const [at, order] of ordersBetween(top, bottom, 4).entries())
        client.make("add", { id: `${client.clientId}-${at}`, order });
    }
    world.settle();
    const authors = Object.keys(world.keys).map((id) => id.split("-")[0]);
    expect(authors.filter((author, at) => author !== authors[at - 1])).toHaveLength(5);

    for (const client of world.clients) {
      for (let at = 0; at < 4; at++) {
        const last = client.shown.length;
        client.make("add", { id: `${client.clientId}+${at}`, order: client.keyAt(last) });
      }
    }
    world.settle();
    for (const { clientId } of world.clients) {
      const own = Object.keys(world.keys).filter((id) => id.startsWith(`${clientId}+`));
      expect(own).toEqual([0, 1, 2, 3].map((at) => `${clientId}+${at}`));
    }
  });
});
