import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stagesOf } from "./code-blocks.ts";

const repo = fileURLToPath(new URL("../../", import.meta.url));
const [files = new Map<string, string>()] = stagesOf("docs/guide/testing.md");
const [privateFiles = new Map<string, string>()] = stagesOf("docs/guide/private.md");
let app: string;

/** A folder with the pages' files, in which the package is installed as it would be published. */
beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), "deltaroom-testing-"));
  const installed = join(app, "node_modules/deltaroom");
  mkdirSync(installed, { recursive: true });
  cpSync(join(repo, "package.json"), join(installed, "package.json"));
  run(
    join(repo, "node_modules/.bin/tsc"),
    "-p",
    join(repo, "tsconfig.build.json"),
    "--outDir",
    join(installed, "dist"),
  );
  for (const name of ["fractional-indexing", "idb", "vitest", "vite", "zod"])
    symlinkSync(join(repo, "node_modules", name), join(app, "node_modules", name), "dir");
  writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module" }));
  for (const [name, text] of files) writeFileSync(join(app, name), text);
  mkdirSync(join(app, "private"));
  for (const [name, text] of privateFiles) writeFileSync(join(app, "private", name), text);
}, 60_000);
afterAll(() => rmSync(app, { recursive: true }));

/** Runs a command in the folder and answers what it prints, without colours. Throws that when it fails. */
function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: app,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${status}\n${stdout}${stderr}`);
  return stripVTControlCharacters(stdout + stderr);
}

it("passes with vitest", () => {
  const printed = run(process.execPath, join(repo, "node_modules/vitest/vitest.mjs"), "run", "--root", app);
  expect(printed).toMatch(/Test Files +5 passed/);
  expect(printed).toMatch(/Tests +9 passed/);
  expect(printed).not.toContain("deltaroom/testing:");
});

it("passes with the runner of Node, which ends by itself", () => {
  const printed = run(process.execPath, "--test", "claim.node-test.ts");
  expect(printed).toMatch(/pass 1\b/);
  expect(printed).toMatch(/fail 0\b/);
});
