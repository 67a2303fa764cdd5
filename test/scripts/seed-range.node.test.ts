import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firstSeed, seedOfCommit } from "../../scripts/seed-range.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
let directory: string;

beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "deltaroom-seeds-"))));
afterAll(() => rmSync(directory, { recursive: true }));

function git(...args: string[]): string {
  const who = ["-c", "user.name=ann", "-c", "user.email=ann@localhost"];
  const { status, stdout, stderr } = spawnSync("git", [...who, ...args], {
    cwd: directory,
    encoding: "utf8",
  });
  expect(`${status} ${stderr}`).toMatch(/^0 /);
  return stdout.trim();
}

function commit(text: string): string {
  writeFileSync(join(directory, "file"), text);
  git("add", "file");
  git("commit", "--quiet", "--message", text);
  return git("rev-parse", "HEAD");
}

describe("the first seed of a range", () => {
  test("is the number that was given", () => {
    expect(firstSeed("4711", directory)).toBe(4_711);
  });

  test.each(["", "-1", "1.5", "head", "1e3"])("is not %j", (from) => {
    expect(() => firstSeed(from, directory)).toThrow('expected a number or "commit"');
  });

  test("is the beginning of the commit's hash, the same each time and another for another commit", () => {
    expect(() => firstSeed("commit", directory)).toThrow("needs git and a checkout");
    git("init", "--quiet");
    const [one, two] = [commit("one"), commit("two")];
    expect(firstSeed("commit", directory)).toBe(seedOfCommit(two));
    expect(firstSeed("commit", directory)).toBe(seedOfCommit(two));
    git("checkout", "--quiet", one);
    expect(firstSeed("commit", directory)).toBe(seedOfCommit(one));
    expect(seedOfCommit(one)).not.toBe(seedOfCommit(two));
    expect(seedOfCommit("ffffffff00000000")).toBe(2 ** 32 - 1);
  });
});

test("the simulation prints the range that it runs, so that it can be run again", { timeout: 30_000 }, () => {
  const args = ["scripts/simulate.ts", "--from", "commit", "--seeds", "2", "--workers", "1"];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: repository, encoding: "utf8" });
  expect(stdout).toMatch(/^seeds (\d+) to \d+\n/);
  expect(stdout).toMatch(/2 seeds from \d+ in .* s on 1 processors: 0 failed/);
  expect(status).toBe(0);
});
