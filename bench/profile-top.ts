import { readFileSync } from "node:fs";

// node bench/profile-top.ts FILE.cpuprofile: where the time went, by function.

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly lineNumber: number;
      readonly columnNumber: number;
    };
  }[];
  readonly samples: readonly number[];
}

const shown = 30;
const [path = ""] = process.argv.slice(2);
const profile = JSON.parse(readFileSync(path, "utf8")) as Profile;
const names = new Map(
  profile.nodes.map(({ id, callFrame: { functionName, lineNumber, columnNumber } }) => [
    id,
    `${functionName || "(anonymous)"} :${lineNumber + 1}:${columnNumber + 1}`,
  ]),
);
const counts = new Map<string, number>();
for (const sample of profile.samples) {
  const name = names.get(sample) ?? "?";
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
for (const [name, count] of [...counts].toSorted(([, a], [, b]) => b - a).slice(0, shown))
  console.log(`${((count / profile.samples.length) * 100).toFixed(1).padStart(5)} %  ${name}`);
