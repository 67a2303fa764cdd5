/**
 * Makes docs/reference from the doc comments of what the package exports. With `--check` it writes nothing, and fails when
 * the pages there are others. Both fail when an export or a member has no comment, when a signature names a type that no
 * entry point exports, and when a link leads nowhere.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readReference, type Reference } from "./reference/entries.ts";
import { renderPages, type Defaults } from "./reference/page.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = `${root}docs/reference/`;

/** In the order of the index; what several of them export is described where it comes first. */
const entryNames = [
  "deltaroom",
  "deltaroom/client",
  "deltaroom/client/offline",
  "deltaroom/client/undo",
  "deltaroom/server",
  "deltaroom/jwt",
  "deltaroom/react",
  "deltaroom/testing",
];

/** The source of each entry point that package.json exports. */
function sources(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
    exports: { [path: string]: { types: string } | string };
  };
  const found = new Map<string, string>();
  for (const [path, target] of Object.entries(exports)) {
    if (typeof target === "string") continue;
    found.set(
      path.replace(/^\./, "deltaroom"),
      target.types.replace("./dist/", root).replace(/\.d\.ts$/, ".ts"),
    );
  }
  const missing = [...found.keys()].filter((name) => !entryNames.includes(name));
  if (missing.length > 0) throw new Error(`entryNames has no ${missing.join(", ")}`);
  return new Map(entryNames.map((name) => [name, found.get(name) as string]));
}

async function defaultsOf({ entries }: Reference): Promise<Defaults> {
  const defaults = new Map<string, { readonly [member: string]: unknown }>();
  for (const { name, file, defaults: constant } of entries.flatMap(({ own }) => own)) {
    if (constant === undefined) continue;
    const module = (await import(file)) as { [name: string]: { readonly [member: string]: unknown } };
    defaults.set(name, module[constant] ?? {});
  }
  return defaults;
}

const reference = readReference(`${root}tsconfig.build.json`, sources());
const { pages, faults } = renderPages(reference, await defaultsOf(reference));
const wrong = [...reference.faults, ...faults];

if (process.argv.includes("--check")) {
  const there = new Set(readdirSync(folder));
  for (const [page, text] of pages)
    if (!there.has(page) || readFileSync(folder + page, "utf8") !== text)
      wrong.push(`docs/reference/${page} is not what the comments say: npm run docs:reference`);
  for (const page of there) if (!pages.has(page)) wrong.push(`docs/reference/${page} is of no entry point`);
} else {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [page, text] of pages) writeFileSync(folder + page, text);
}

for (const sentence of wrong) console.error(sentence);
if (wrong.length > 0) process.exitCode = 1;
