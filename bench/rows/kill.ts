import { setTimeout as sleep } from "node:timers/promises";
import { comesTrue, type Stage } from "../load/stage.ts";
import { Writer } from "../load/writer.ts";
import type { Figures } from "../results.ts";

export interface Kill {
  readonly kind: "kill";
  readonly records: number;
  readonly seconds: number;
}

const window = 64;
const tickMs = 2;

/** The server is ended by SIGKILL while somebody writes, and started again: what of the acknowledged is gone? */
export async function kill(stage: Stage, { records, seconds }: Kill): Promise<Figures> {
  await stage.fill(records);
  const writer = new Writer(await stage.player({ wantsAcknowledgements: true }), records);
  const ticking = setInterval(() => writer.fillWindow(window, writer.player.acknowledged), tickMs);
  await sleep(seconds * 1_000);
  await stage.server.kill();
  clearInterval(ticking);
  // What was on its way to the writer before the end is an acknowledgement as well.
  await comesTrue(() => writer.player.closed !== undefined, 2_000);
  const { acknowledged } = writer.player;
  stage.leave(writer.player);
  if (acknowledged === 0) throw new Error("nothing was acknowledged");

  await stage.server.start();
  const judge = await stage.judge();
  let lost = 0;
  for (let operation = 1; operation <= acknowledged; operation++) {
    const { x } = judge.position(operation % records) ?? { x: 0 };
    if (x < operation) lost += 1;
  }
  return { acknowledged, lost };
}
