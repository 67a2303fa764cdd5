/**
 * Bundles the Worker as `wrangler deploy` would, and fails when it is larger, gzipped, than its budget.
 * A Worker's size is paid at each cold start; the platform's own limit (3 MB) is far above what a room needs.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { wranglerBin, wranglerEnv } from "./wrangler-process.ts";

const maxGzippedBytes = 150_000;

const outdir = mkdtempSync(join(tmpdir(), "deltaroom-worker-"));
try {
  execFileSync(process.execPath, [wranglerBin, "deploy", "--dry-run", "--outdir", outdir], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: wranglerEnv,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const modules = readdirSync(outdir).filter((name) => name.endsWith(".js"));
  if (modules.length === 0) throw new Error(`the dry run left no module in ${outdir}`);

  const gzippedBytes = modules
    .map((name) => gzipSync(readFileSync(join(outdir, name))).byteLength)
    .reduce((sum, bytes) => sum + bytes, 0);
  console.log(`Worker bundle: ${gzippedBytes} bytes gzipped, budget ${maxGzippedBytes}`);
  if (gzippedBytes > maxGzippedBytes) process.exitCode = 1;
} finally {
  rmSync(outdir, { recursive: true, force: true });
}
