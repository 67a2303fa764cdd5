import { setTimeout as sleep } from "node:timers/promises";

const intervalMs = 50;

/** Waits until `holds`, or for `timeoutMs`. Answers whether it came to that. */
export async function comesTrue(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await holds()) return true;
    if (Date.now() > deadline) return false;
    await sleep(intervalMs);
  }
}
