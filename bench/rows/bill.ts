import { setTimeout as sleep } from "node:timers/promises";
import { Pace } from "../load/pace.ts";
import { difference, type Counters, type Stage } from "../load/stage.ts";
import type { Figures } from "../results.ts";

export interface BillRow {
  readonly kind: "bill";
  readonly clients: number;
  readonly hz: number;
  readonly records: number;
  readonly seconds: number;
  readonly idleSeconds: number;
}

/** Rows that are written only once a room goes quiet belong to the work before. */
const quietMs = 4_000;
const warmUpMs = 2_000;

/** Counts what is billed: of people who drag, and of the same number who are only connected. */
export async function bill(
  stage: Stage,
  { clients, hz, records, seconds, idleSeconds }: BillRow,
): Promise<Figures> {
  await stage.fill(records);
  await sleep(quietMs);
  const pace = new Pace(clients, hz);
  const players = await stage.players(clients, () => ({}));
  const countersBefore = await stage.counters();
  const finish = stage.measure();
  pace.start(players);
  await sleep(seconds * 1_000);
  pace.stop();
  await sleep(quietMs);
  const dragging = finish();
  const counted = await countSince(stage, countersBefore);
  for (const player of players) stage.leave(player);

  // The peers' own client libraries: what they say to keep a connection is billed.
  const judges = await Promise.all(Array.from({ length: clients }, async () => await stage.judge()));
  await sleep(warmUpMs);
  const countersIdle = await stage.counters();
  const finishIdle = stage.measure();
  await sleep(idleSeconds * 1_000);
  const idle = finishIdle();
  const countedIdle = await countSince(stage, countersIdle);
  // Whoever hibernates is made anew: by an alarm meanwhile, or by who comes now.
  const player = await stage.player();
  const madeAnew = (await countSince(stage, countersIdle))?.objects ?? 0;
  stage.leave(player);
  for (const judge of judges) stage.leave(judge);
  return {
    seconds,
    operations: pace.sent,
    rowsWritten: counted?.rowsWritten,
    rowsRead: counted?.rowsRead,
    messages: dragging.traffic.upMessages,
    idleSeconds,
    idleMessages: idle.traffic.upMessages,
    idleRowsWritten: countedIdle?.rowsWritten,
    idleAlarms: countedIdle?.alarms,
    idleCpuSeconds: idle.serverCpuSeconds,
    hibernates: madeAnew > 0 ? 1 : 0,
  };
}

async function countSince(stage: Stage, before: Counters | undefined): Promise<Counters | undefined> {
  const after = await stage.counters();
  return after && before && difference(after, before);
}
