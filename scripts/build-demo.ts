/** Bundles a page, and what it imports of the package: `node scripts/build-demo.ts ENTRY OUTFILE`, by default the demo's. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const [entry = "demo/main.ts", outfile = "demo/public/main.js"] = process.argv.slice(2);

const { outputFiles } = await build({
  absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
  entryPoints: [entry],
  outfile,
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  write: false,
});

// `wrangler dev` runs this again whenever something beside a page changes, these very files included:
// writing only what differs is what ends that.
for (const { path, contents } of outputFiles) {
  const previous = await readFile(path).catch(() => undefined);
  if (previous === undefined || !previous.equals(contents)) await writeFile(path, contents);
}
