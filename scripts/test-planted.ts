/**
 * Puts each bug of `test/planted/bugs.ts` into a copy of the source and sees whether a test notices:
 * `npm run test:planted [-- --only TEXT] [--seeds N]`. Ends with the score; fails unless every bug was caught.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { plantedBugs, type PlantedBug } from "../test/planted/bugs.ts";
import { placeOf } from "../test/planted/place.ts";

const { values: options } = parseArgs({
  options: { only: { type: "string" }, seeds: { type: "string", default: "300" } },
});
const repository = fileURLToPath(new URL("..", import.meta.url));
const copied = [
  "src",
  "client",
  "testing",
  "demo",
  "test",
  "scripts",
  "docs",
  "README.md",
  "package.json",
  "wrangler.toml",
  "tsconfig.base.json",
  "vitest.config.ts",
];
/** A bug may make a loop endless. */
const timeoutMs = 120_000;

interface Verdict {
  readonly bug: PlantedBug;
  /** What the simulation said, undefined when it noticed nothing. */
  readonly simulation: string | undefined;
  readonly isCaughtByTests: boolean;
}

/** A copy of the repository, for bugs to be put in. */
class Copy {
  readonly path = mkdtempSync(join(tmpdir(), "deltaroom-planted-"));

  constructor() {
    for (const name of copied) cpSync(join(repository, name), join(this.path, name), { recursive: true });
    symlinkSync(join(repository, "node_modules"), join(this.path, "node_modules"), "dir");
  }

  async judge(bug: PlantedBug): Promise<Verdict> {
    const places = bug.edits.map((edit) => ({ ...placeOf(edit), replace: edit.replace }));
    const files = new Set(places.map(({ file }) => file));
    // From the last to the first, so that no edit moves another one's place.
    for (const { file, start, end, replace } of places.toSorted((a, b) => b.start - a.start)) {
      const path = join(this.path, file);
      const source = readFileSync(path, "utf8");
      writeFileSync(path, source.slice(0, start) + replace + source.slice(end));
    }
    const simulation = await this.simulate();
    const tests = await this.#run([
      join("node_modules", "vitest", "vitest.mjs"),
      "run",
      "--bail",
      "1",
      ...bug.tests,
    ]);
    for (const file of files) cpSync(join(repository, file), join(this.path, file));
    return { bug, simulation, isCaughtByTests: tests.failed };
  }

  /** The first seed that fails, undefined when none does. */
  async simulate(): Promise<string | undefined> {
    const { failed, output } = await this.#run(["scripts/simulate.ts", "--seeds", options.seeds], failedSeed);
    return failed ? (failedSeed.exec(output)?.[1] ?? "unknown") : undefined;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Runs a script to its end, or until it prints what is enough to know. */
  async #run(command: readonly string[], enough?: RegExp): Promise<{ failed: boolean; output: string }> {
    const child = spawn(process.execPath, command, {
      cwd: this.path,
      env: { ...process.env, NO_COLOR: "1", CI: "true" },
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (enough?.test(output)) child.kill("SIGKILL");
      });
    }
    const failed = await new Promise<boolean>((resolve) => child.on("close", (code) => resolve(code !== 0)));
    return { failed, output };
  }
}

const failedSeed = /seed (\d+) failed/;
const bugs = plantedBugs.filter(({ name }) => name.includes(options.only ?? ""));
await assertSound();
const waiting = [...bugs];
const verdicts: Verdict[] = [];
const workers = Array.from({ length: Math.min(availableParallelism(), bugs.length) }, async () => {
  const copy = new Copy();
  try {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const verdict = await copy.judge(bug);
      verdicts.push(verdict);
      const by = [
        verdict.simulation && `simulation (seed ${verdict.simulation})`,
        verdict.isCaughtByTests && "tests",
      ];
      console.log(
        `${isCaught(verdict) ? "caught" : "MISSED"}: ${bug.name}: ${by.filter(Boolean).join(", ") || "by nothing"}`,
      );
    }
  } finally {
    copy.remove();
  }
});
await Promise.all(workers);

/** Without a bug nothing may be found, or the score would mean nothing. */
async function assertSound(): Promise<void> {
  const copy = new Copy();
  const failed = await copy.simulate();
  copy.remove();
  if (failed !== undefined) throw new Error(`seed ${failed} fails without any planted bug`);
}

function isCaught({ simulation, isCaughtByTests }: Verdict): boolean {
  return simulation !== undefined || isCaughtByTests;
}

const caught = verdicts.filter(isCaught).length;
const bySimulation = verdicts.filter(({ simulation }) => simulation !== undefined).length;
const byTests = verdicts.filter(({ isCaughtByTests }) => isCaughtByTests).length;
console.log(
  `\nmutation score: ${caught} of ${bugs.length} planted bugs caught; ${byTests} by tests, ${bySimulation} by ${options.seeds} seeds of the simulation`,
);
process.exitCode = caught === bugs.length && bugs.length > 0 ? 0 : 1;
