import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { expect, test } from "vitest";
import { placeOf } from "./place.ts";
import { plantedBugs } from "./bugs.ts";

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

test("no two planted bugs have one name, and there are enough of them", () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length);
  expect(plantedBugs.length).toBeGreaterThanOrEqual(30);
});

test.each(plantedBugs)("there is still a place for the bug: $name", async ({ edits, tests }) => {
  for (const edit of edits) {
    const { file, start, end } = placeOf(edit);
    const source = readFileSync(pathOf(file), "utf8");
    const changed = source.slice(0, start) + edit.replace + source.slice(end);
    expect(changed).not.toBe(source);
    // A bug that does not compile would be caught by any test.
    await transform(changed, { loader: file.endsWith("x") ? "tsx" : "ts" });
  }
  for (const path of tests) expect(existsSync(pathOf(path))).toBe(true);
});
