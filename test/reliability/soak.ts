/**
 * Two hundred clients on one board who come and go all the time, for as long as is asked:
 * `npm run soak -- --minutes 60 --seed 7`. Memory has to stay as it is, and nobody and no socket may be left behind.
 * Exits with 1 when something is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { defaultLimits } from "../../src/room/limits.ts";
import { journalSlots } from "../../src/room/storage/journal.ts";
import { Chance } from "./support/seeded-random.ts";
import { Crowd } from "./clients/crowd.ts";
import { Exchange } from "./clients/tcp-proxy.ts";
import { Findings } from "./support/findings.ts";
import { collectGarbage } from "./process/garbage.ts";
import { limitHeap, readHeapMb } from "./process/isolate.ts";
import { readMemory } from "./process/process-memory.ts";
import { RestCheck } from "./support/rest-check.ts";
import { RoomFile } from "./disk/room-file.ts";
import { Series } from "./support/series.ts";
import { runOn } from "./process/run-checks.ts";
import type { Workerd } from "./process/workerd.ts";

/** Between two moments of rest. */
const leastStretchMs = 15_000;
const mostStretchMs = 60_000;
/** Every so many stretches nobody does anything for so long that the room hibernates. */
const stretchesPerPause = 4;
const pauseMs = 12_000;
const sampleMs = 1_000;
/** The room takes a tenth of it. Were it given more, the collector would let garbage gather for minutes. */
const maxHeapMb = 48;
/** What memory may grow by from the first third to the last: a share of itself, and megabytes. */
const slackShare = 0.1;
const slackMb = 16;
/** Far fewer than a level of history and its merged ones ever come to. */
const maxSegments = 64;

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    clients: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
  },
});
const totalMs = Number(options.minutes) * 60_000;

const findings = new Findings();
const troubles = new Map<string, number>();
const runtimeMb = new Series();
const clientsMb = new Series();

function sample(server: Workerd): void {
  runtimeMb.add(readMemory(server.pid).residentMb);
}

/** Of this process only what is in use counts: how much its garbage takes is its collector's choice. */
function sampleClients(): void {
  collectGarbage();
  clientsMb.add(process.memoryUsage().heapUsed / 2 ** 20);
}

function noteTrouble(trouble: string): void {
  const kind = trouble.replace(/^guest-\d+ /, "");
  troubles.set(kind, (troubles.get(kind) ?? 0) + 1);
}

async function live(server: Workerd, crowd: Crowd, rest: RestCheck): Promise<void> {
  const deadline = Date.now() + totalMs;
  const stretchMs = Math.min(mostStretchMs, Math.max(leastStretchMs, totalMs / 8));
  for (let stretch = 1; Date.now() < deadline; stretch++) {
    await crowd.live(stretchMs);
    await rest.check(crowd);
    sampleClients();
    if (stretch % stretchesPerPause === 0) {
      await sleep(pauseMs);
      await rest.check(crowd); // whoever has hibernated is still there
    }
    const minutes = (1 - (deadline - Date.now()) / totalMs) * Number(options.minutes);
    const memory = `${readMemory(server.pid).residentMb.toFixed(0)} MB, its heap ${(await readHeapMb()).toFixed(0)}`;
    console.log(`${minutes.toFixed(1)} min: ${crowd.arrivals} clients have come; the runtime has ${memory}`);
  }
}

function checkFile(server: Workerd, crowd: Crowd): void {
  using file = new RoomFile(server.dataPath);
  const tables = file.tables();
  const rows = (name: string): number => tables.get(`deltaroom_${name}`)?.rows ?? Infinity;
  const most = {
    journal: journalSlots(defaultLimits),
    client: Math.min(crowd.arrivals, defaultLimits.maxLoggedClients + Number(options.clients)),
    segment: maxSegments,
    page: 2 + Math.ceil((2 * file.pages().bytes) / defaultLimits.pageBytes),
    room: 1,
  };
  for (const [name, count] of Object.entries(most)) {
    findings.check(rows(name) <= count, `table ${name} has ${rows(name)} rows, at most ${count} are due`);
  }
  console.log([...tables].map(([name, table]) => `${name} ${table.rows}`).join(", "));
}

function checkMemory(): void {
  for (const [name, series] of [
    ["runtime, resident", runtimeMb],
    ["clients, heap in use", clientsMb],
  ] as const) {
    const { early, late } = series.trend;
    console.log(`${name} (MB): ${series.toString()}; ${early.toFixed(1)}, in the end ${late.toFixed(1)}`);
    findings.check(
      series.isFlat(slackShare, slackMb),
      `${name}: ${early.toFixed(1)} MB became ${late.toFixed(1)} MB`,
    );
  }
}

async function run(server: Workerd): Promise<void> {
  const exchange = await Exchange.open(server.url);
  const chance = new Chance(Number(options.seed));
  const url = `${exchange.url}/rooms/soak`;
  const crowd = new Crowd(exchange, url, Number(options.clients), chance, noteTrouble);
  const rest = new RestCheck(server, exchange, url, findings);
  const sampling = setInterval(() => sample(server), sampleMs);
  await live(server, crowd, rest);
  clearInterval(sampling);
  crowd.close();
  await rest.checkDeserted(crowd);
  exchange.close();
  console.log([...crowd.happened].map(([what, count]) => `${what} ${count}`).join(", "));
  checkFile(server, crowd);
  checkMemory();
  for (const [trouble, count] of troubles) findings.check(false, `${count} times somebody ${trouble}`);
  const reported = server.log.split("\n").filter((line) => line.includes('"event"'));
  findings.check(reported.length === 0, `the room has reported ${reported.length} events: ${reported[0]}`);
}

console.log(`${options.minutes} minutes, ${options.clients} clients, seed ${options.seed}`);
await runOn(limitHeap(maxHeapMb), findings, run);
