import { expect, test } from "vitest";
import { Horizons } from "../../../../src/room/engine/client-log/horizons.ts";

test("one owner's horizon moves no other owner's", () => {
  const horizons = new Horizons();
  horizons.move(["ann", ""], 7);
  horizons.move(["ann"], 9);
  expect(["ann", "", "ben"].map((owner) => horizons.of(owner))).toEqual([9, 7, 0]);
});

test("horizons are the same after they were written and read back", () => {
  const horizons = new Horizons(3);
  horizons.move(["ann", "ben"], 7);
  horizons.move(["ann"], 8);
  const read = Horizons.fromJson(horizons.toJson());
  expect(read.toJson()).toBe(horizons.toJson());
  expect(["ann", "ben", "cem"].map((owner) => read.of(owner))).toEqual([8, 7, 3]);
});

test("beyond 1,024 owners, the horizons moved longest ago become those of all other owners", () => {
  const horizons = new Horizons();
  for (let n = 1; n <= 1_026; n++) horizons.move([`owner-${n}`], n);
  expect(["owner-1", "owner-3", "owner-1026", "new"].map((owner) => horizons.of(owner))).toEqual([
    2, 3, 1_026, 2,
  ]);
});
