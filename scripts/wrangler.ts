/**
 * Runs wrangler with the given arguments and keeps it off the network: `node scripts/wrangler.ts dev --port 9000`.
 *
 * Wrangler reads the switches for that from the environment before it reads any file, and an npm script that
 * sets one is written differently on Windows; hence this file.
 */
import { spawn } from "node:child_process";
import { wranglerBin, wranglerEnv } from "./wrangler-process.ts";

const args = process.argv.slice(2);
// A server for trying things out. What is deployed has to be told so by name, see `src/worker.ts`.
if (args[0] === "dev") args.push("--var", "DELTAROOM_ALLOW_ANONYMOUS:true");

const wrangler = spawn(process.execPath, [wranglerBin, ...args], {
  stdio: "inherit",
  env: wranglerEnv,
});
wrangler.on("exit", (code, signal) => {
  process.exit(code ?? (signal === null ? 1 : 0));
});

// Ctrl-C reaches every process of the terminal by itself; a signal sent to this one alone has to be passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => wrangler.kill(signal));
}

// A signal sent to npm ends npm and its shell but never arrives here, and the port would stay taken.
const parent = process.ppid;
if (process.env["npm_lifecycle_event"] !== undefined) {
  setInterval(() => {
    if (process.ppid !== parent) wrangler.kill("SIGTERM");
  }, 500).unref();
}
