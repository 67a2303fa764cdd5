import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { defaultLimits } from "../../src/room/limits.ts";

const page = readFileSync(new URL("../../docs/OPERATING.md", import.meta.url), "utf8");
const rows = page
  .split("\n## Limits")[1]
  ?.split("\n## ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| `"));

/** As the page writes it. */
function written(value: number): string[] {
  const [KB, MB] = [1_024, 1_024 * 1_024];
  const seconds = `${value / 1_000} s`;
  return [
    value.toLocaleString("en"),
    String(value),
    `${value / KB}`,
    `${value / MB}`,
    seconds,
    `${value / 1e6} MB`,
  ];
}

describe("the tables of limits in docs/OPERATING.md", () => {
  it.each(Object.entries(defaultLimits))("have %s, and its default %d", (name, value) => {
    const row = rows?.find((line) => line.includes(`\`${name}\``)) ?? "";
    const [, , ...cells] = row.split("|");
    const figures =
      cells
        .slice(0, 2)
        .join(" ")
        .match(/[\d.,]*\d|Infinity/g) ?? [];
    expect(
      figures.some((figure) =>
        written(value).some((text) => text === figure || text.startsWith(`${figure} `)),
      ),
    ).toBe(true);
  });

  it("have no other", () => {
    const named = rows?.flatMap((row) => row.split("|")[1]?.match(/`\w+`/g) ?? []) ?? [];
    const unknown = named.filter((name) => !Object.hasOwn(defaultLimits, name.slice(1, -1)));
    expect(
      unknown.filter((name) => !["`error`", "`GET`", "`changedByOthers`", "`authenticate`"].includes(name)),
    ).toEqual([]);
  });
});
