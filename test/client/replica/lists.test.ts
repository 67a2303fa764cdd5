import { expect, test } from "vitest";
import { orderBetween, ordersBetween, type Room } from "../../../client/index.ts";
import { isOrderKey } from "../../../src/schema/order-key.ts";
import { newTestRoom } from "../../support/rooms/test-rooms.ts";
import type { TestBoard } from "../../support/boards/test-board.ts";
import {
  enter,
  expectAgreement,
  outcomeOf,
  until,
  type Entered,
} from "../../support/clients/joined-client.ts";

const put = (room: Room<TestBoard>, id: string, place: string) =>
  room.transact((tx) => tx.cards.put(id, { title: id, place }));

/** What each of them shows: the same, in order, with a key for each. */
function listOf(...clients: readonly Entered[]): string[] {
  const lists = clients.map(({ room }) => room.state.cards.ids("place"));
  for (const list of lists) expect(list).toEqual(lists[0]);
  const places = clients[0]?.room.state.cards.values("place").map(({ place }) => place) ?? [];
  expect(places.every(isOrderKey)).toBe(true);
  expect(places).toEqual([...new Set(places)].toSorted());
  return [...(lists[0] ?? [])];
}

test("three people who insert at one place at the same time come to see one order", async () => {
  const at = newTestRoom();
  const clients = [await enter(at), await enter(at), await enter(at)];
  const [ann, ben] = clients as [Entered, Entered, Entered];
  await put(ann.room, "top", "a0").committed;
  await put(ann.room, "bottom", "a1").committed;
  await until(() => clients.every(({ room }) => room.rev === 2));
  for (const { link } of clients) link.hold("up");
  for (const [name, { room }] of clients.entries()) {
    const [top, bottom] = room.state.cards.values("place");
    put(room, `one-${name}`, orderBetween(top?.place, bottom?.place));
    for (const [index, place] of ordersBetween(top?.place, bottom?.place, 3).entries())
      put(room, `batch-${name}-${index}`, place);
  }
  for (const { link } of clients) link.release("up");
  await expectAgreement(at, ...clients);
  const list = listOf(...clients);
  expect([list[0], list.at(-1), list.length]).toEqual(["top", "bottom", 14]);
  for (const name of clients.keys()) {
    const from = list.indexOf(`batch-${name}-0`);
    const batch = list
      .slice(from)
      .filter((id) => !id.startsWith("one-"))
      .slice(0, 3);
    expect(batch).toEqual([0, 1, 2].map((index) => `batch-${name}-${index}`));
  }
  expect(ben.room.state.cards.get("top")?.place).toBe("a0");
});

test("of two who send the same key one is given another, over a sleep of the room too, and what they see does not jump", async () => {
  const at = newTestRoom();
  const [ann, ben] = [await enter(at), await enter(at)];
  await put(ann.room, "m", "a0").committed;
  await until(() => ben.room.rev === 1);
  ben.link.hold("up");
  const seen: string[] = [];
  ben.room.subscribe(
    (s) => s.cards.ids("place").join(),
    (ids) => seen.push(ids),
  );
  const call = put(ben.room, "b", "a0");
  await at.json();
  await at.evict();
  await put(ann.room, "z", "a0").committed;
  ben.link.release("up");
  expect(await outcomeOf(call)).toBe(3);
  const { cards } = await expectAgreement(at, ann, ben);
  expect(listOf(ann, ben)).toEqual(["b", "m", "z"]);
  expect(cards?.["m"]).toEqual({ title: "m", place: "a0" });
  expect(seen).toEqual(["b,m", "b,m,z"]);
});

test("who inserts at one place for a long time has keys that stay short, and everybody's list stays as it was", async () => {
  const at = newTestRoom();
  const [ann, ben] = [await enter(at), await enter(at)];
  await put(ann.room, "000", "a0").committed;
  await put(ann.room, "999", "a1").committed;
  for (let count = 1; count <= 300; count++) {
    const [before, after] = ann.room.state.cards.values("place").slice(-2);
    put(ann.room, String(count).padStart(3, "0"), orderBetween(before?.place, after?.place));
  }
  await expectAgreement(at, ann, ben);
  const list = listOf(ann, ben);
  expect(list).toEqual(list.toSorted());
  expect(list).toHaveLength(302);
  const lengths = ben.room.state.cards.values().map(({ place }) => place.length);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(48);
});

test("a text that is no key is refused before it is sent", async () => {
  const { room } = await enter(newTestRoom());
  expect(() => put(room, "c", "first")).toThrow("cards record c does not fit its schema");
  expect(room.state.cards.size).toBe(0);
});
