import { setTimeout as sleep } from "node:timers/promises";
import type { Stage } from "../load/stage.ts";
import type { Figures } from "../results.ts";
import type { Inspector } from "../servers/inspector.ts";
import { readResidentMb } from "../servers/process-cpu.ts";

export interface Memory {
  readonly kind: "memory";
  readonly records: number;
  readonly sessions: number;
}

const few = 500;
const quietMs = 4_000;
const bytesPerMb = 2 ** 20;

/** What a room holds in memory for its records and its sessions. */
export async function memory(stage: Stage, inspector: Inspector, work: Memory): Promise<Figures> {
  await stage.fill(few);
  await sleep(quietMs);
  const withFewMb = await readHeapMb(stage, inspector);
  // In a small room: beside a large one's garbage a session is too little to be seen.
  const early = await stage.players(work.sessions, () => ({ isCurrent: true }));
  await sleep(quietMs);
  const withSessionsMb = await readHeapMb(stage, inspector);
  for (const player of early) stage.leave(player);
  await stage.fill(work.records);
  await sleep(quietMs);
  const withRecordsMb = await readHeapMb(stage, inspector);
  // That all of them are sent the state would take longer than it tells.
  await stage.players(work.sessions, () => ({ isCurrent: true }));
  await sleep(quietMs);
  return {
    bytesPerRecord: ((withRecordsMb - withFewMb) * bytesPerMb) / (work.records - few),
    bytesPerSession: ((withSessionsMb - withFewMb) * bytesPerMb) / work.sessions,
    heapMb: await readHeapMb(stage, inspector),
    residentMb: readResidentMb(stage.server.pid),
  };
}

/** Behind a collection of garbage, with the buffers that the heap keeps alive. */
export async function readHeapMb(stage: Stage, inspector: Inspector): Promise<number> {
  await fetch(`${stage.server.url}/collect-garbage`, { headers: { Connection: "close" } });
  return (await inspector.readHeapBytes()) / bytesPerMb;
}
