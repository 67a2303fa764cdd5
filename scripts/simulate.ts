/**
 * Runs the simulation: `--seed 4711` for one seed, with every step when it fails; `--seeds 10000 [--from 1]` for
 * many, on all processors or on `--workers 1`. `--from commit` begins at a seed that belongs to the checked out commit.
 * `--without supersede,clock` leaves faults out. Exits with 1 when a seed fails, and prints the command that repeats it.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { faultNames, type FaultName } from "../test/simulation/plan.ts";
import { runSeed, type Report } from "../test/simulation/run.ts";
import { firstSeed } from "./seed-range.ts";

/** What a worker is given, and what it posts for each share of the seeds. */
interface Job {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly without: readonly FaultName[];
}

interface Progress {
  readonly seeds: number;
  readonly counts: readonly (readonly [string, number])[];
  readonly failures: readonly { readonly seed: number; readonly failure: string | undefined }[];
}

/** The seeds of one run. */
interface Range {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  readonly without: readonly FaultName[];
}

const seedsAPost = 20;
const repository = fileURLToPath(new URL("..", import.meta.url));

// The client tells the console of what an app's mutator throws, and some of these throw on purpose.
console.error = () => {};
// Thousands of refusals are thrown, and nobody reads where they came from.
if (!isMainThread) Error.stackTraceLimit = 0;

if (isMainThread) await main();
else await work(workerData as Job);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      workers: { type: "string", default: String(availableParallelism()) },
      without: { type: "string", default: "" },
    },
  });
  const without = faultNames.filter((fault) => values.without.split(",").includes(fault));
  const failed =
    values.seed === undefined
      ? await runMany({
          from: firstSeed(values.from, repository),
          seeds: Number(values.seeds),
          workers: Number(values.workers),
          without,
        })
      : await runOne(Number(values.seed), without);
  process.exitCode = failed ? 1 : 0;
}

async function runOne(seed: number, without: readonly FaultName[]): Promise<boolean> {
  const { failure, trace, counts } = await runSeed(seed, { isTraced: true, without });
  if (failure === undefined) {
    printFigures(counts);
    console.log(`seed ${seed}: everything holds`);
    return false;
  }
  for (const line of trace) console.log(line);
  console.log(`seed ${seed} failed: ${failure}`);
  return true;
}

async function runMany({ from, seeds, without, ...range }: Range): Promise<boolean> {
  console.log(`seeds ${from} to ${from + seeds - 1}`);
  const startedAt = performance.now();
  const workers = Math.min(range.workers, seeds);
  const counts = new Map<string, number>();
  let done = 0;
  let failures = 0;
  const note = (progress: Progress) => {
    done += progress.seeds;
    for (const [what, times] of progress.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    for (const { seed, failure } of progress.failures) {
      failures += 1;
      console.log(`\nseed ${seed} failed: ${failure}\nrepeat it: ${commandOf(seed, without)}`);
    }
    if (process.stdout.isTTY || done % 1_000 < progress.seeds)
      process.stdout.write(`\r${done} of ${seeds} seeds, ${failures} failed`);
  };
  const jobs = Array.from({ length: workers }, (_, worker): Job => {
    return { from: from + worker, to: from + seeds, step: workers, without };
  });
  await Promise.all(jobs.map(async (job) => await runWorker(job, note)));
  console.log();
  printFigures(counts);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${done} seeds from ${from} in ${seconds} s on ${workers} processors: ${failures} failed`);
  return failures > 0 || done < seeds;
}

/** What runs one seed again, with every step. */
function commandOf(seed: number, without: readonly FaultName[]): string {
  const left = without.length === 0 ? "" : ` --without ${without.join()}`;
  return `npm run simulate -- --seed ${seed}${left}`;
}

async function runWorker(job: Job, note: (progress: Progress) => void): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  const ended = Promise.withResolvers<void>();
  worker.on("message", note);
  worker.on("error", (error) => {
    console.log(`\na worker failed: ${String(error)}`);
    ended.resolve();
  });
  worker.on("exit", () => ended.resolve());
  await ended.promise;
}

async function work({ from, to, step, without }: Job): Promise<void> {
  let unhandled: string | undefined;
  process.on("unhandledRejection", (reason) => (unhandled ??= `a promise was rejected: ${String(reason)}`));
  let reports: Report[] = [];
  const post = () => {
    const counts = new Map<string, number>();
    for (const report of reports) {
      for (const [what, times] of report.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    }
    const failures = reports
      .filter(({ failure }) => failure !== undefined)
      .map(({ seed, failure }) => ({ seed, failure }));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of Node has no origin
    parentPort?.postMessage({ seeds: reports.length, counts: [...counts], failures } satisfies Progress);
    reports = [];
  };
  for (let seed = from; seed < to; seed += step) {
    const report = await runSeed(seed, { without });
    // An unhandled rejection is told of once this turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    reports.push({ ...report, failure: report.failure ?? unhandled });
    unhandled = undefined;
    if (reports.length === seedsAPost) post();
  }
  post();
}

function printFigures(counts: ReadonlyMap<string, number>): void {
  const names = [...counts.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  for (const name of names) console.log(`${String(counts.get(name)).padStart(12)}  ${name}`);
}
