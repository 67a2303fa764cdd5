import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { attacks } from "../attacks/attacks.ts";
import { withTable } from "../attacks/table.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/SECURITY.md", import.meta.url)), "utf8");

it("the table of attacks in docs/SECURITY.md is that of the tests; else run npm run docs:attacks", () => {
  expect(withTable(page, attacks)).toBe(page);
});

it("no two attacks have one name, and every row of the table is one of them", () => {
  const ids = attacks.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const rows = page.slice(page.indexOf("npm run docs:attacks")).match(/^\| `[a-z0-9-]+` \|/gm);
  expect(rows).toHaveLength(ids.length);
});
