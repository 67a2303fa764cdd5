import { setTimeout as sleep } from "node:timers/promises";
import { countDiffering } from "../load/convergence.ts";
import type { Stage } from "../load/stage.ts";
import { Writer } from "../load/writer.ts";
import type { Figures } from "../results.ts";

export interface Throughput {
  readonly kind: "throughput";
  readonly receivers: number;
  /** Operations that may be under way: made, and not yet seen by a receiver. */
  readonly window: number;
  readonly records: number;
  readonly seconds: number;
  /** Operations that are made in one turn are sent as the system's own client does; else each is a message of its own. */
  readonly gathers: boolean;
}

const warmUpMs = 1_000;
/** Receivers whose slowest decides what has been seen; the others only count. */
const maxWatchers = 4;
const settleTimeoutMs = 20_000;

/** One writer, as fast as its receivers see what it writes. */
export async function throughput(stage: Stage, work: Throughput): Promise<Figures> {
  const { receivers, window, records, seconds, gathers } = work;
  await stage.fill(records);
  const writer = new Writer(await stage.player({ gathers }), records);
  const seen = Array.from({ length: Math.min(receivers, maxWatchers) }, () => 0);
  let isWriting = true;
  const players = await stage.players(receivers, (index) => {
    if (index >= seen.length) return {};
    const onMove = (_record: number, x: number): void => {
      if (x <= (seen[index] ?? 0)) return;
      seen[index] = x;
      if (isWriting) writer.fillWindow(window, Math.min(...seen));
    };
    return { onMove };
  });

  const countersBefore = await stage.counters();
  writer.fillWindow(window, 0);
  await sleep(warmUpMs);
  const finish = stage.measure();
  const before = Math.min(...seen);
  await sleep(seconds * 1_000);
  const operations = Math.min(...seen) - before;
  const usage = finish();
  isWriting = false;

  const closed = [writer.player, ...players].find((player) => player.closed !== undefined)?.closed;
  const differing = await countDiffering(await stage.judge(), writer.expected, settleTimeoutMs);
  const { rowsWritten: rowsAfter = 0 } = (await stage.counters()) ?? {};
  return {
    operationsPerSecond: operations / usage.seconds,
    serverCpuShare: usage.serverCpuSeconds / usage.seconds,
    clientCpuShare: usage.clientCpuSeconds / usage.seconds,
    serverCpuPerThousand: usage.serverCpuSeconds / (operations / 1_000),
    ...(countersBefore && {
      rowsPerThousand: (rowsAfter - countersBefore.rowsWritten) / (writer.made / 1_000),
    }),
    differing,
    ...(closed !== undefined && { trouble: closed }),
  };
}
