/**
 * Fuzzes the parser and the room behind it, in memory: `--cases 1000000 --seed 1` on all processors, a thousand cases a seed. Prints what
 * was answered how often, and the seeds that failed, which fail again by `--seed <seed> --cases 1000`. Exits with 1 then.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { casesASeed, fuzz } from "../test/fuzz/fuzz-world.ts";

/** Every `step`-th seed. */
interface Job {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

interface Progress {
  readonly seed: number;
  readonly cases: number;
  readonly answers: readonly (readonly [string, number])[];
  readonly failure: string | undefined;
}

if (isMainThread) await main();
else work(workerData as Job);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { cases: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
  });
  const from = Number(values.seed);
  const to = from + Math.ceil(Number(values.cases) / casesASeed);
  const startedAt = performance.now();
  const answers = new Map<string, number>();
  let cases = 0;
  let failures = 0;
  const note = (progress: Progress) => {
    cases += progress.cases;
    for (const [answer, times] of progress.answers) answers.set(answer, (answers.get(answer) ?? 0) + times);
    if (progress.failure === undefined) return;
    failures += 1;
    console.log(`seed ${progress.seed} failed in ${progress.failure}`);
  };
  const workers = Math.min(availableParallelism(), to - from);
  const jobs = Array.from({ length: workers }, (_, worker): Job => ({
    from: from + worker,
    to,
    step: workers,
  }));
  const ended = await Promise.all(jobs.map(async (job) => await runWorker(job, note)));
  for (const [answer, times] of [...answers].toSorted(([, a], [, b]) => b - a))
    console.log(`${String(times).padStart(10)}  ${answer}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${cases} cases of ${to - from} seeds from ${from} in ${seconds} s: ${failures} seeds failed`);
  process.exitCode = failures > 0 || cases < (to - from) * casesASeed || ended.includes(false) ? 1 : 0;
}

/** False when the worker itself has failed. */
async function runWorker(job: Job, note: (progress: Progress) => void): Promise<boolean> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  worker.on("message", note);
  worker.on("error", (error) => {
    console.log(`a worker failed: ${String(error)}`);
    resolve(false);
  });
  worker.on("exit", (code) => resolve(code === 0));
  return await promise;
}

function work({ from, to, step }: Job): void {
  Error.stackTraceLimit = 4; // thousands of refusals are thrown, and nobody reads where they came from
  for (let seed = from; seed < to; seed += step) {
    const { cases, answers, failure } = fuzz(seed, casesASeed);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of Node has no origin
    parentPort?.postMessage({ seed, cases, answers: [...answers], failure } satisfies Progress);
  }
}
