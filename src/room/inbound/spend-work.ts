import type { Workload } from "../owners/workload.ts";
import type { Session } from "../sessions/session.ts";

/** Charges a session, its user, and all clients together for work of the room. */
export function spendWork(
  workload: Workload,
  { rateLimits, holder }: Session,
  units: number,
  now: number,
): void {
  rateLimits.work.take(now, 0, units);
  workload.note(holder, units, now);
}
