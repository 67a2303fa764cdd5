import { setTimeout as sleep } from "node:timers/promises";
import { comesTrue, type Stage } from "../load/stage.ts";
import { Writer } from "../load/writer.ts";
import type { Figures } from "../results.ts";
import type { Inspector } from "../servers/inspector.ts";
import { readHeapMb } from "./memory.ts";

export interface History {
  readonly kind: "history";
  readonly records: number;
  /** Operations after which the heap is read. */
  readonly operations: readonly number[];
}

const window = 256;
const writeTimeoutMs = 120_000;
const quietMs = 4_000;

/** What a room of few records holds in memory, the more has happened in it. */
export async function history(stage: Stage, inspector: Inspector, work: History): Promise<Figures> {
  await stage.fill(work.records);
  const writer = new Writer(await stage.player({ wantsAcknowledgements: true }), work.records);
  const figures: Record<string, number> = {};
  for (const total of work.operations) {
    const isDone = await comesTrue(() => {
      writer.fillWindow(window, writer.player.acknowledged, total);
      return writer.player.acknowledged === total;
    }, writeTimeoutMs);
    if (!isDone) throw new Error(`${writer.player.acknowledged} of ${total} operations were acknowledged`);
    await sleep(quietMs);
    figures[`heapMbAfter${total}`] = await readHeapMb(stage, inspector);
  }
  return figures;
}
