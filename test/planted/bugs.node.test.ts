import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { plantedBugs } from "./bugs.ts";

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

test("no two planted bugs have one name, and there are enough of them", () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length);
  expect(plantedBugs.length).toBeGreaterThanOrEqual(30);
});

test.each(plantedBugs)("there is still a place for the bug: $name", ({ edits, tests }) => {
  for (const { file, find, replace } of edits) {
    expect(readFileSync(pathOf(file), "utf8").split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  }
  for (const path of tests) expect(existsSync(pathOf(path))).toBe(true);
});
