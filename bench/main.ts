import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// `npm run bench` at the root. The peers are no dependencies of the product, so they are installed when they are needed.

const bench = fileURLToPath(new URL(".", import.meta.url));
if (!existsSync(`${bench}node_modules`)) {
  console.log("installing the peers: some minutes, once");
  const { status } = spawnSync("npm", ["install", "--prefix", bench, "--no-package-lock"], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
}
const run = spawn(process.execPath, ["--no-warnings", `${bench}run.ts`, ...process.argv.slice(2)], {
  stdio: "inherit",
});
// The terminal sends Ctrl-C to both; this one waits for the other to have cleaned up.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => run.kill(signal));
run.on("exit", (code) => process.exit(code ?? 1));
