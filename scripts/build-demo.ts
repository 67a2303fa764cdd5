/** Bundles demo/main.ts, and what it imports of the package, into demo/public/main.js. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const { outputFiles } = await build({
  absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
  entryPoints: ["demo/main.ts"],
  outfile: "demo/public/main.js",
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  write: false,
});

// `wrangler dev` runs this again whenever something under demo/ changes, these very files included:
// writing only what differs is what ends that.
for (const { path, contents } of outputFiles) {
  const previous = await readFile(path).catch(() => undefined);
  if (previous === undefined || !previous.equals(contents)) await writeFile(path, contents);
}
