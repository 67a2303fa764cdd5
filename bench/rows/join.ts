import { setTimeout as sleep } from "node:timers/promises";
import { comesTrue, type Stage } from "../load/stage.ts";
import type { Figures } from "../results.ts";
import { median } from "../statistics.ts";

export interface Join {
  readonly kind: "join";
  readonly records: number;
}

/** Longer than any system takes until what it has been told is saved. */
export const saveDelayMs = 4_000;
const joinTimeoutMs = 120_000;
const repeats = 9;

/** Somebody comes to a room for the first time: right after the server was started anew, and then again. */
export async function join(stage: Stage, { records }: Join): Promise<Figures> {
  await stage.fill(records);
  let first: JoinCost | undefined;
  if (stage.system.storage !== "memory") {
    await sleep(saveDelayMs);
    await stage.server.kill();
    await stage.server.start();
    first = await joinOnce(stage, records);
  }
  const again: JoinCost[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) again.push(await joinOnce(stage, records));
  const middle = (name: keyof JoinCost): number => median(again.map((cost) => cost[name]));
  // The kernel counts CPU by 10 ms, which may be all of one join.
  const cpuMs = again.reduce((sum, cost) => sum + cost.cpuMs, 0) / repeats;
  return {
    ...(first && { firstMs: first.ms, firstMegabytes: first.megabytes, firstCpuMs: first.cpuMs }),
    againMs: middle("ms"),
    againMegabytes: middle("megabytes"),
    againCpuMs: cpuMs,
  };
}

interface JoinCost {
  readonly ms: number;
  readonly megabytes: number;
  readonly cpuMs: number;
}

async function joinOnce(stage: Stage, records: number): Promise<JoinCost> {
  const finish = stage.measure();
  const judge = await stage.judge();
  if (!(await comesTrue(() => judge.size === records, joinTimeoutMs)))
    throw new Error(`a client that joined has ${judge.size} records of ${records}`);
  const { seconds, traffic, serverCpuSeconds } = finish();
  stage.leave(judge);
  return { ms: seconds * 1_000, megabytes: traffic.downBytes / 1e6, cpuMs: serverCpuSeconds * 1_000 };
}
