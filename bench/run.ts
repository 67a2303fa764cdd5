import { fork, type ChildProcess } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { billRows, fullPlan, quickPlan, type Row } from "./plan/plan.ts";
import { formatBill } from "./report/bill-table.ts";
import { writeReport } from "./report/report.ts";
import { formatTable } from "./report/table.ts";
import type { Figures, Results } from "./results.ts";
import { workerdVersion } from "./servers/workerd.ts";
import { systemNames, type SystemName } from "./systems/index.ts";

// npm run bench -- [bill] [--quick] [--only deltaroom,tldraw] [--rows drag-50,join] [--repeats 3] [--data /path] [--write] [--keep]

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    /** Systems, or the beginnings of their names. */
    only: { type: "string", default: "" },
    /** Rows, or the beginnings of their names. */
    rows: { type: "string", default: "" },
    repeats: { type: "string", default: "3" },
    /** A folder for the data of all rows, in place of memory for latency and disk for throughput. */
    data: { type: "string" },
    /** Writes `results/full.json`, docs/PERFORMANCE.md and its charts. */
    write: { type: "boolean", default: false },
    /** Keeps what `results/full.json` has of rows and systems that this run does not do. */
    keep: { type: "boolean", default: false },
  },
});
const isBill = positionals.includes("bill");
const bench = fileURLToPath(new URL(".", import.meta.url));
const trialScript = join(bench, "trial.ts");
/** No trial begins behind this, so that the whole stays under 4 or 25 minutes; repeats are the last to be done. */
const budgetMs = options.quick ? 215_000 : 1_440_000;
const quickRepeats = 1;

/** Removed at the end, whatever a trial that was stopped has left there. */
const diskFolder = await makeFolder(options.data ?? join(bench, "results"));
const hasTmpfs = options.data === undefined && existsSync("/dev/shm");
const memoryFolder = await makeFolder(options.data ?? (hasTmpfs ? "/dev/shm" : tmpdir()));
const startedAt = performance.now();
const rows: Record<string, Record<string, Figures[]>> = {};
let running: ChildProcess | undefined;

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // The trial ends with its channel, and its server with the trial.
  process.on(signal, () => {
    running?.kill("SIGKILL");
    for (const folder of [diskFolder, memoryFolder]) rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  });
}

async function makeFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  return await mkdtemp(join(parent, "deltaroom-data-"));
}

function isWanted(name: string, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((one) => name === one || name.startsWith(`${one}-`));
}

function chosen(): readonly Row[] {
  const plan = isBill ? billRows(options.quick) : options.quick ? quickPlan() : fullPlan();
  const wantedRows = options.rows.split(",").filter(Boolean);
  const wantedSystems = options.only.split(",").filter(Boolean);
  return plan
    .filter(({ id }) => isWanted(id, wantedRows))
    .map((row) => ({ ...row, systems: row.systems.filter((name) => isWanted(name, wantedSystems)) }));
}

function hasFailed(figures: Figures | undefined): boolean {
  if (figures === undefined) return true;
  const { failed, cutOff = 0, differing = 0 } = figures;
  return failed !== undefined || cutOff !== 0 || differing !== 0;
}

/** Everybody's trial of a row, one after the other, so that what disturbs the machine disturbs them alike. */
async function runRow(row: Row, repeat: number): Promise<void> {
  for (const system of row.systems) {
    const trials = ((rows[row.id] ??= {})[system] ??= []);
    if (repeat > 0 && hasFailed(trials.at(-1))) continue;
    if (performance.now() - startedAt > budgetMs) {
      if (repeat === 0) trials.push({ failed: "out of time" });
      continue;
    }
    const before = row.after === undefined ? undefined : rows[row.after]?.[system];
    if (before !== undefined && hasFailed(before.at(-1))) {
      if (trials.length === 0) trials.push({ failed: `failed at ${row.after}` });
      continue;
    }
    const figures = await runTrial(row, system);
    trials.push(figures);
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    console.log(`${String(seconds).padStart(5)} s  ${row.id}  ${system}: ${describe(row, figures)}`);
  }
}

async function runTrial(row: Row, system: SystemName): Promise<Figures> {
  const data = row.isOnDisk ? diskFolder : memoryFolder;
  const args = ["--system", system, "--data", data, "--work", JSON.stringify(row.work)];
  const child = fork(trialScript, args, {
    execArgv: ["--no-warnings"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  running = child;
  let figures: Figures | undefined;
  let log = "";
  for (const output of [child.stdout, child.stderr])
    output?.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-4_000)));
  child.on("message", (message) => (figures = message as Figures));
  const timer = setTimeout(() => child.kill("SIGKILL"), row.timeoutSeconds * 1_000);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on("exit", (...end) => resolve(end)),
  );
  clearTimeout(timer);
  running = undefined;
  if (figures !== undefined) return figures;
  if (signal !== null) return { failed: `took over ${row.timeoutSeconds} s` };
  const [complaint = `ended with ${code}`] = /^(?:\w*Error: )(.*)$/m.exec(log)?.slice(1) ?? [];
  return { failed: complaint };
}

function describe(row: Row, figures: Figures): string {
  if (typeof figures["failed"] === "string") return `failed: ${figures["failed"]}`;
  const lines = row.lines.map(({ label, show }) => [label, show(figures)] as const);
  const said = lines.flatMap(([label, text]) => (text === undefined ? [] : [`${label}: ${text}`]));
  return said.length > 0 ? said.join(" · ") : JSON.stringify(figures);
}

const plan = chosen();
console.log(`systems: ${systemNames.join(", ")}; rows: ${plan.map(({ id }) => id).join(", ")}`);
console.log(`data: ${memoryFolder} for latency, ${diskFolder} where the disk counts`);
const repeats = options.quick || isBill ? quickRepeats : Number(options.repeats);
for (let repeat = 0; repeat < repeats; repeat++) {
  for (const row of plan) if (repeat < row.maxRepeats) await runRow(row, repeat);
}

/** The rows of an earlier run, with those of this one in their places. */
function withKept(kept: Results, done: Results): Results {
  const merged: Record<string, Results["rows"][string]> = { ...kept.rows };
  for (const [row, systems] of Object.entries(done.rows)) merged[row] = { ...merged[row], ...systems };
  const command = `${kept.command}\`, and then \`${done.command}`;
  return { ...done, command, minutes: Math.round(10 * (kept.minutes + done.minutes)) / 10, rows: merged };
}

const done: Results = {
  command: `npm run bench${["", ...process.argv.slice(2)].join(" ").replace(/^ /, " -- ")}`,
  date: new Date().toISOString().slice(0, 10),
  machine: {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    node: process.version,
    workerd: workerdVersion(),
    memoryFolder: hasTmpfs ? "tmpfs" : "disk",
    diskFolder: "disk",
  },
  minutes: Math.round((performance.now() - startedAt) / 6_000) / 10,
  rows,
};
const keptFile = join(bench, "results", "full.json");
const results = options.keep ? withKept(JSON.parse(await readFile(keptFile, "utf8")) as Results, done) : done;
await mkdir(join(bench, "results"), { recursive: true });
await writeFile(join(bench, "results", "latest.json"), `${JSON.stringify(results, undefined, 1)}\n`);
for (const folder of [diskFolder, memoryFolder])
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
console.log(`\n${formatTable(results, plan)}`);
const bill = formatBill(results);
if (bill !== undefined) console.log(`\n${bill}`);
if (options.write) await writeReport(results, options.keep ? fullPlan() : plan);
console.log(`\n${results.minutes} minutes`);
