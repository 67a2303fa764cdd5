import { describe, expect, test, vi } from "vitest";
import type { Progress } from "../../../client/index.ts";
import { newSmallRoom, type AnyRoom } from "../../support/rooms/test-rooms.ts";
import {
  approach,
  enter,
  expectAgreement,
  until,
  type Entered,
} from "../../support/clients/joined-client.ts";

const records = 60;

interface ObservedShape {
  readonly id: string;
  readonly before: object | undefined;
  readonly after: object | undefined;
}

/** A room of many small pages, which have been compressed. */
async function filled(): Promise<{ at: AnyRoom; alice: Entered }> {
  const at = newSmallRoom();
  const alice = await enter(at);
  for (let id = 0; id < records; id++) {
    alice.room.transact((tx) => tx.shapes.put(`shape-${id}`, { x: id, y: 1 }));
    await until(() => alice.room.pending === 0);
  }
  await until(() => alice.room.rev === records);
  // Who joins too early is sent the text of pages, which are compressed for the next.
  let isDeflated = false;
  while (!isDeflated) {
    const early = await enter(at);
    isDeflated = partsTo(early).every((part) => part.isDeflated);
    early.room.close();
  }
  return { at, alice };
}

const partsTo = ({ link }: Entered) =>
  link.down.flatMap((frame) => (frame.kind === "snapshot" ? [frame] : []));

test("a state that comes compressed is the room's, and the app is told how much of it is here", async () => {
  const { at, alice } = await filled();
  const ben = approach(at);
  const progress: Progress[] = [];
  ben.room.on("progress", (part) => progress.push(part));
  await ben.room.ready;
  const total = partsTo(ben).length;
  expect(total).toBeGreaterThan(4);
  expect(progress).toEqual(Array.from({ length: total }, (_, index) => ({ received: index + 1, total })));
  await expectAgreement(at, alice, ben);
});

test("what others write while it is being inflated is not lost", async () => {
  const { at, alice } = await filled();
  const ben = approach(at);
  for (let n = 0; n < 20; n++) {
    alice.room.transact((tx) => tx.shapes.patch("shape-7", { x: n }));
    await until(() => alice.room.pending === 0);
  }
  await ben.room.ready;
  expect(partsTo(ben).length).toBeGreaterThan(4);
  expect((await expectAgreement(at, alice, ben))["shapes"]?.["shape-7"]).toEqual({ x: 19, y: 1 });
});

test("a state that was cut in the middle goes on where it was", async () => {
  const { at, alice } = await filled();
  const ben = approach(at);
  ben.link.loses = (frame) => frame.kind === "update" || (frame.kind === "snapshot" && frame.part >= 3);
  const progress: Progress[] = [];
  ben.room.on("progress", (part) => progress.push(part));
  await until(() => progress.length === 3);
  ben.link.cut();
  alice.room.transact((tx) => tx.shapes.patch("shape-0", { x: 1_000 }));
  const sent = partsTo(ben).length;
  ben.link.loses = () => false;
  ben.link.mend();
  await ben.room.ready;
  expect(ben.link.hellos.at(-1)?.resumeSnapshot).toMatchObject({ parts: 3, collection: "shapes" });
  expect(partsTo(ben)[sent]?.part).toBe(3);
  await expectAgreement(at, alice, ben);
});

describe("a state that comes in parts", () => {
  const shapesOf = ({ room }: Entered) => Object.fromEntries(room.state.shapes.entries());

  test("is told as a whole to who observed a collection before it was there, and not to who observes afterwards", async () => {
    const { at, alice } = await filled();
    const ben = approach(at);
    const told: ObservedShape[][] = [];
    ben.room.observe("shapes", (changes) => told.push([...changes]));
    const tasks = vi.fn<() => void>();
    ben.room.observe("tasks", tasks);
    await ben.room.ready;
    const late = vi.fn<() => void>();
    ben.room.observe("shapes", late);
    expect(told).toHaveLength(1);
    expect(told[0]?.every(({ before }) => before === undefined)).toBe(true);
    expect(Object.fromEntries(told[0]?.map(({ id, after }) => [id, after]) ?? [])).toEqual(shapesOf(alice));
    expect(tasks).not.toHaveBeenCalled();
    expect(late).not.toHaveBeenCalled();
  });

  test("runs the selectors that were there before it", async () => {
    const { at } = await filled();
    const ben = approach(at);
    const told: unknown[] = [];
    ben.room.subscribe(
      (s) => s.shapes.get("shape-7")?.x,
      (x) => told.push(x),
    );
    ben.room.subscribe(
      (s) => s.shapes.size,
      (size) => told.push(size),
    );
    await ben.room.ready;
    expect(new Set(told)).toEqual(new Set([records, 7]));
  });

  test("is what the arrays hold that were empty before it, also when nobody watches", async () => {
    const { at } = await filled();
    const { room } = approach(at);
    expect([room.state.shapes.ids(), room.state.shapes.values(), room.state.shapes.entries()]).toEqual([
      [],
      [],
      [],
    ]);
    await room.ready;
    expect([
      room.state.shapes.ids().length,
      room.state.shapes.values().length,
      room.state.shapes.entries().length,
    ]).toEqual([records, records, records]);
  });

  test("cannot be changed by who reads it", async () => {
    const { at } = await filled();
    const { room } = approach(at);
    await room.ready;
    expect(room.state.shapes.values().every((shape) => Object.isFrozen(shape))).toBe(true);
  });
});
