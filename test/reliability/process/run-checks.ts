import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Findings } from "../support/findings.ts";
import { Workerd } from "./workerd.ts";

const intervalMs = 200;

/** Runs on a runtime of its own, started `under` a command, and ends this process with what was found. */
export async function runOn(
  under: readonly string[],
  findings: Findings,
  run: (server: Workerd) => Promise<void>,
): Promise<never> {
  const server = await Workerd.start({ under });
  try {
    await Promise.race([run(server), watch(server)]);
  } catch (error) {
    console.error(error);
    findings.check(false, `the run ended early: ${error instanceof Error ? error.message : String(error)}`);
    console.error(server.log.slice(-2_000));
  }
  await server.stop().catch(() => {});
  process.exit(findings.conclude());
}

/** Throws when the runtime has ended without having been told to: its clients would wait for it without end. */
async function watch(server: Workerd): Promise<never> {
  for (;;) {
    await sleep(intervalMs);
    const pid = pidOf(server);
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) throw new Error("workerd has ended by itself");
  }
}

function pidOf(server: Workerd): number | undefined {
  try {
    return server.pid;
  } catch {
    return undefined; // it was killed, and is about to be started again
  }
}
