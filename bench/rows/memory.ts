import { setTimeout as sleep } from "node:timers/promises";
import type { Inspector } from "../servers/inspector.ts";
import { readResidentMb } from "../servers/process-cpu.ts";
import { comesTrue, type Stage } from "../load/stage.ts";
import { Writer } from "../load/writer.ts";
import type { Figures } from "../results.ts";

export interface Memory {
  readonly kind: "memory";
  readonly records: number;
  readonly sessions: number;
  /** Operations after which the heap is read, on a room of few records: what history holds. */
  readonly operations: readonly number[];
}

const few = 500;
const window = 256;
const writeTimeoutMs = 300_000;
const settleMs = 4_000;

/** What a room holds in memory: for its history, its records, and its sessions. */
export async function memory(stage: Stage, inspector: Inspector, work: Memory): Promise<Figures> {
  const figures: Record<string, number> = {};
  await stage.fill(few);
  const writer = new Writer(await stage.player({ wantsAcknowledgements: true }), few);
  for (const total of work.operations) {
    const isDone = await comesTrue(() => {
      writer.fillWindow(window, writer.player.acknowledged, total);
      return writer.player.acknowledged === total;
    }, writeTimeoutMs);
    if (!isDone) throw new Error(`${writer.player.acknowledged} of ${total} operations were acknowledged`);
    await sleep(settleMs);
    figures[`heapMbAfter${total}`] = toMb(await readHeapBytes(stage, inspector));
  }
  stage.leave(writer.player);

  const withFew = await readHeapBytes(stage, inspector);
  await stage.fill(work.records);
  await sleep(settleMs);
  const withRecords = await readHeapBytes(stage, inspector);
  await stage.players(work.sessions, () => ({}));
  await sleep(settleMs);
  const withSessions = await readHeapBytes(stage, inspector);
  return {
    ...figures,
    bytesPerRecord: (withRecords - withFew) / (work.records - few),
    bytesPerSession: (withSessions - withRecords) / work.sessions,
    heapMb: toMb(withSessions),
    residentMb: readResidentMb(stage.server.pid),
  };
}

/** Behind a collection of garbage. */
async function readHeapBytes(stage: Stage, inspector: Inspector): Promise<number> {
  await fetch(`${stage.server.url}/collect-garbage`, { headers: { Connection: "close" } });
  return await inspector.readHeapBytes();
}

function toMb(bytes: number): number {
  return bytes / 2 ** 20;
}
