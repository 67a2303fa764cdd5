import { expect, test } from "vitest";
import type { Progress } from "../../client/index.ts";
import { newSmallRoom, type AnyRoom } from "../room/rooms.ts";
import { approach, enter, expectAgreement, until, type Entered } from "./enter.ts";

const records = 60;

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
  expect(ben.link.hellos.at(-1)?.arrived).toMatchObject({ parts: 3, collection: "shapes" });
  expect(partsTo(ben)[sent]?.part).toBe(3);
  await expectAgreement(at, alice, ben);
});
