import { setTimeout as sleep } from "node:timers/promises";
import { judgeAll } from "../load/convergence.ts";
import { Pace } from "../load/pace.ts";
import type { Stage } from "../load/stage.ts";
import { Histogram } from "../statistics.ts";
import type { Figures } from "../results.ts";

export interface Drag {
  readonly kind: "drag";
  readonly clients: number;
  /** How many of them move a record; all of them when left out. */
  readonly writers?: number;
  /** Moves of each, a second. */
  readonly hz: number;
  readonly records: number;
  readonly seconds: number;
}

const warmUpMs = 2_000;
const judges = 2;
/** Sessions at which the time of arrival is taken. */
const samplers = 8;

/** Everybody moves a record of their own, at a steady pace. */
export async function drag(stage: Stage, work: Drag): Promise<Figures> {
  const { clients, writers = clients, hz, records, seconds } = work;
  await stage.fill(records);
  const watching = await Promise.all(Array.from({ length: judges }, async () => await stage.judge()));
  const pace = new Pace(writers, hz);
  const latency = new Histogram();
  let isMeasuring = false;
  const sampled = new Set(
    Array.from({ length: samplers }, (_, index) => Math.floor((index * clients) / samplers)),
  );
  const players = await stage.players(clients, (index) => {
    if (!sampled.has(index)) return {};
    const onMove = (record: number, x: number): void => {
      const sentAt = record === index ? undefined : pace.sentAt(record, x);
      if (isMeasuring && sentAt !== undefined) latency.add(performance.now() - sentAt);
    };
    return { onMove };
  });

  const countersBefore = await stage.counters();
  pace.start(players.slice(0, writers));
  await sleep(warmUpMs);
  const finish = stage.measure();
  const sentBefore = pace.sent;
  isMeasuring = true;
  await sleep(seconds * 1_000);
  isMeasuring = false;
  const sent = pace.sent - sentBefore;
  const usage = finish();
  pace.stop();

  const cutOff = players.filter(({ closed }) => closed !== undefined);
  const differing = await judgeAll(stage, watching, pace.expected);
  const countersAfter = await stage.counters();
  const operations = sent / 1_000;
  const { upBytes, downBytes, upMessages } = usage.traffic;
  const sessions = clients + judges;
  return {
    p50Ms: latency.quantile(0.5),
    p99Ms: latency.quantile(0.99),
    downBytesPerOperation: downBytes / sent / sessions,
    upBytesPerOperation: upBytes / sent,
    serverCpuPerThousand: usage.serverCpuSeconds / operations,
    clientCpuPerThousand: usage.clientCpuSeconds / operations,
    serverCpuShare: usage.serverCpuSeconds / usage.seconds,
    clientCpuShare: usage.clientCpuSeconds / usage.seconds,
    operationsPerSecond: sent / usage.seconds,
    offeredShare: sent / usage.seconds / (writers * hz),
    messagesPerThousand: upMessages / operations,
    ...(countersBefore &&
      countersAfter && {
        rowsPerThousand: (countersAfter.rowsWritten - countersBefore.rowsWritten) / (pace.sent / 1_000),
      }),
    cutOff: cutOff.length,
    differing,
    ...(cutOff[0]?.closed !== undefined && { trouble: cutOff[0].closed }),
  };
}
