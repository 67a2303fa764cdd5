import type { Row } from "../plan/plan.ts";
import { figuresOf, type Results } from "../results.ts";
import { systemNames, type SystemName } from "../systems/index.ts";
import { markdownTable } from "./markdown.ts";

/** How the systems are called in tables and charts. */
export const titles: { readonly [name in SystemName]: string } = {
  deltaroom: "deltaroom",
  "deltaroom-50ms": "deltaroom, 50 ms",
  "deltaroom-0ms": "deltaroom, 0 ms",
  naive: "naive",
  tldraw: "tldraw sync",
  "y-partyserver": "y-partyserver",
  hocuspocus: "Hocuspocus",
  colyseus: "Colyseus",
};

/** Every row that has something to show, one table a row: not every system does every row. */
export function formatTable(results: Results, plan: readonly Row[]): string {
  return plan
    .filter(({ id, lines }) => lines.length > 0 && results.rows[id] !== undefined)
    .map((row) => `**${row.title}**\n\n${formatRow(results, row)}`)
    .join("\n\n");
}

function formatRow(results: Results, row: Row): string {
  const systems = systemNames.filter((name) => row.systems.includes(name));
  const cells = row.lines.map(({ label, show }) => {
    const shown = systems.map((name) => {
      const figures = figuresOf(results, row.id, name);
      return figures === undefined ? "–" : (show(figures) ?? "–");
    });
    return [label, ...shown];
  });
  const failures = systems.map((name) => figuresOf(results, row.id, name)?.["failed"]);
  if (failures.some((failure) => failure !== undefined))
    cells.push(["", ...failures.map((failure) => String(failure ?? ""))]);
  return markdownTable(["", ...systems.map((name) => titles[name])], cells);
}
