import { execFileSync } from "node:child_process";

/** Seeds are numbers of 32 bits: the dice of a run take no more of them. */
const seedDigits = 8;

/**
 * The first seed of a range: a number as it is, or for `commit` one that belongs to the commit of `directory`. Each
 * commit then runs seeds of its own, and whoever runs the same commit again runs the same seeds.
 * Throws for anything else, and where no commit can be read.
 */
export function firstSeed(from: string, directory: string): number {
  if (from === "commit") return seedOfCommit(readCommit(directory));
  if (!/^\d+$/.test(from)) throw new Error(`--from is ${from}, expected a number or "commit"`);
  return Number(from);
}

/** The seed at which the range of a commit begins: the first digits of its hash. */
export function seedOfCommit(hash: string): number {
  return Number.parseInt(hash.slice(0, seedDigits), 16);
}

function readCommit(directory: string): string {
  // The checkout may belong to another user, as it often does in CI.
  const command = ["-c", "safe.directory=*", "rev-parse", "HEAD"];
  try {
    return execFileSync("git", command, { cwd: directory, encoding: "utf8", stdio: "pipe" }).trim();
  } catch (error) {
    throw new Error(`--from commit needs git and a checkout at ${directory}; give a number instead`, {
      cause: error,
    });
  }
}
