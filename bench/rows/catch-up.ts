import { countDiffering } from "../load/convergence.ts";
import { comesTrue, type Stage } from "../load/stage.ts";
import { Writer } from "../load/writer.ts";
import type { Figures } from "../results.ts";

export interface CatchUp {
  readonly kind: "catch-up";
  readonly records: number;
  /** Operations that are missed each time. */
  readonly missed: readonly number[];
}

const window = 256;
const writeTimeoutMs = 120_000;
const catchUpTimeoutMs = 60_000;

/** A client loses its connection, others go on, and it comes back with the state that it had. */
export async function catchUp(stage: Stage, { records, missed }: CatchUp): Promise<Figures> {
  await stage.fill(records);
  const judge = await stage.judge();
  const writer = new Writer(await stage.player({ wantsAcknowledgements: true }), records);
  const figures: Record<string, number> = {};
  for (const count of missed) {
    judge.disconnect();
    const total = writer.made + count;
    const isDone = await comesTrue(() => {
      writer.fillWindow(window, writer.player.acknowledged, total);
      return writer.player.acknowledged === total;
    }, writeTimeoutMs);
    if (!isDone) throw new Error(`${writer.player.acknowledged} of ${total} operations were acknowledged`);
    const finish = stage.measure();
    judge.reconnect();
    const differing = await countDiffering(judge, writer.expected, catchUpTimeoutMs);
    if (differing > 0) throw new Error(`behind ${count} operations, ${differing} records never came`);
    const { seconds, traffic, serverCpuSeconds } = finish();
    figures[`bytesAfter${count}`] = traffic.downBytes;
    figures[`msAfter${count}`] = seconds * 1_000;
    figures[`cpuMsAfter${count}`] = serverCpuSeconds * 1_000;
  }
  return figures;
}
