import { expect, it } from "vitest";
import { newSmallRoom, put } from "../../support/rooms/test-rooms.ts";

const names = ["room", "journal", "page", "segment", "client"];

it("the app's own tables and indexes may have any name that does not begin with deltaroom_", async () => {
  const room = newSmallRoom();
  for (const name of names) {
    await room.sql(`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, label TEXT UNIQUE)`);
    await room.sql(`CREATE INDEX ${name}_label ON ${name} (label)`);
    await room.sql(`INSERT INTO ${name} VALUES (1, 'of the app')`);
  }
  const alice = await room.join();
  for (let x = 1; x <= 20; x++) await alice.commit(put("shapes", "s", { x, y: 0 }));
  await room.evict();
  expect(await room.json()).toMatchObject({ rev: 20, collections: { shapes: { s: { x: 20, y: 0 } } } });
  for (const name of names)
    expect(await room.sql(`SELECT * FROM ${name}`)).toEqual([{ id: 1, label: "of the app" }]);
  for (const name of names) await room.sql(`DROP TABLE ${name}`);
  expect(await alice.commit(put("shapes", "s", { x: 21, y: 0 }))).toEqual([21]);
});
