import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Workerd } from "./workerd.ts";

const intervalMs = 200;

/** Throws when the runtime has ended without having been told to: its clients would wait for it without end. */
export async function watch(server: Workerd): Promise<never> {
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
