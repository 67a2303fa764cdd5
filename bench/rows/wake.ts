import { setTimeout as sleep } from "node:timers/promises";
import { comesTrue, type Stage } from "../load/stage.ts";
import type { Figures } from "../results.ts";
import type { Player } from "../systems/system.ts";
import { saveDelayMs } from "./join.ts";

export interface Wake {
  readonly kind: "wake";
  readonly records: number;
}

/** An idle object hibernates after about 10 s. */
const hibernationMs = 14_000;
const answerTimeoutMs = 60_000;

/**
 * The first operation in a room that is not in memory, until it is acknowledged: of somebody who connects to a server
 * that was just started (the state is sent on the way), and of somebody who is connected to an object that hibernates.
 */
export async function wake(stage: Stage, { records }: Wake): Promise<Figures> {
  await stage.fill(records);
  await sleep(saveDelayMs);
  await stage.server.kill();
  await stage.server.start();
  const startedAt = performance.now();
  const player = await stage.player({ wantsAcknowledgements: true });
  await moveOnce(player);
  const startedMs = performance.now() - startedAt;

  await sleep(saveDelayMs + hibernationMs);
  const before = await stage.counters();
  const hibernatedAt = performance.now();
  await moveOnce(player);
  const hibernatedMs = performance.now() - hibernatedAt;
  const after = await stage.counters();
  const hasHibernated = (after?.objects ?? 0) > (before?.objects ?? 0);
  return { startedMs, ...(hasHibernated ? { hibernatedMs } : { trouble: "the object did not hibernate" }) };
}

async function moveOnce(player: Player): Promise<void> {
  const wanted = player.acknowledged + 1;
  player.move(1, wanted, wanted);
  if (!(await comesTrue(() => player.acknowledged >= wanted, answerTimeoutMs)))
    throw new Error(`an operation was not acknowledged: ${player.closed ?? ""}`);
}
