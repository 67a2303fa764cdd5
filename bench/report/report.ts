import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Row } from "../plan/plan.ts";
import type { Results } from "../results.ts";
import { formatBill } from "./bill-table.ts";
import { drawCharts } from "./charts.ts";
import { formatTable } from "./table.ts";

const root = new URL("../../", import.meta.url);

/** Writes docs/PERFORMANCE.md, its charts, and the figures behind them. */
export async function writeReport(results: Results, plan: readonly Row[]): Promise<void> {
  const charts = await drawCharts(results);
  const folder = new URL("docs/charts/", root);
  await mkdir(folder, { recursive: true });
  for (const { file, svg } of charts) await writeFile(new URL(file, folder), `${svg}\n`);
  const images = new Map(charts.map(({ file, alt }) => [file, `![${alt}](charts/${file})`]));
  const image = (name: string): string => images.get(`${name}.svg`) ?? "";
  const page = [
    "# Performance",
    provenance(results),
    image("comparison"),
    image("crowd"),
    "## Side by side",
    reading,
    formatTable(results, plan),
    "## Growth",
    image("growth"),
    "## The bill",
    billing,
    image("bill"),
    formatBill(results) ?? "",
  ];
  await writeFile(new URL("docs/PERFORMANCE.md", root), `${page.filter(Boolean).join("\n\n")}\n`);
  await writeFile(new URL("bench/results/full.json", root), `${JSON.stringify(results, undefined, 1)}\n`);
  console.log(`written: ${fileURLToPath(new URL("docs/PERFORMANCE.md", root))} and ${charts.length} charts`);
}

function provenance({ command, date, minutes, machine }: Results): string {
  return `Made by \`${command}\` in ${minutes} minutes on ${date}: ${machine.cores} cores (${machine.cpu}), Node ${machine.node}, workerd ${machine.workerd}, data on ${machine.memoryFolder} where latency is measured and on ${machine.diskFolder} where the disk counts. Everything ran on one machine, server and load in a process of their own each. Do not edit it: run the command with \`--write\`. How it is measured is in [bench/README.md](../bench/README.md).`;
}

const reading = `Medians of the repeats; "–" is what a system does not have, or was not asked because it failed at a smaller size. A figure counts only when everybody ended with the same state, which is checked by clients of each system's own library that were there all the time and by one that came afterwards.`;

const billing = `Counted where the platform bills: rows and messages by a counter before the storage of the object, at $1.00 a million rows written, $0.001 a million read, $0.15 a million requests (20 incoming messages are one) and $12.50 a million GB-s (128 MB as long as the object runs, or is idle and could not hibernate; an alarm is a request, and of who is only connected the CPU of the server stands for the time that the object ran). What the plan includes is left out.`;
