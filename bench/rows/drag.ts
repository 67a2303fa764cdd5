import { setTimeout as sleep } from "node:timers/promises";
import { countDiffering } from "../load/convergence.ts";
import type { Stage } from "../load/stage.ts";
import { Histogram } from "../statistics.ts";
import type { Figures } from "../results.ts";
import type { Player, Position } from "../systems/system.ts";

export interface Drag {
  readonly kind: "drag";
  readonly clients: number;
  /** Moves of each, a second. */
  readonly hz: number;
  readonly records: number;
  readonly seconds: number;
}

const warmUpMs = 2_000;
const tickMs = 4;
const judges = 2;
/** Sessions at which the time of arrival is taken. */
const samplers = 8;
const settleTimeoutMs = 20_000;
/** Newest moves of each record whose time of departure is known. */
const remembered = 4_096;

/** Everybody moves a record of their own, at a steady pace. */
export async function drag(stage: Stage, { clients, hz, records, seconds }: Drag): Promise<Figures> {
  await stage.fill(records);
  const watching = await Promise.all(Array.from({ length: judges }, async () => await stage.judge()));
  const pace = new Pace(clients, hz);
  const latency = new Histogram();
  let isMeasuring = false;
  const sampled = new Set(Array.from({ length: samplers }, (_, index) => Math.floor((index * clients) / samplers)));
  const players = await stage.players(clients, (index) => {
    if (!sampled.has(index)) return {};
    const onMove = (record: number, x: number): void => {
      const sentAt = record === index ? undefined : pace.sentAt(record, x);
      if (isMeasuring && sentAt !== undefined) latency.add(performance.now() - sentAt);
    };
    return { onMove };
  });

  pace.start(players);
  await sleep(warmUpMs);
  const finish = await stage.measure();
  const sentBefore = pace.sent;
  isMeasuring = true;
  await sleep(seconds * 1_000);
  isMeasuring = false;
  const sent = pace.sent - sentBefore;
  const usage = await finish();
  pace.stop();

  const cutOff = players.filter(({ closed }) => closed !== undefined);
  const late = await stage.judge();
  const differing = Math.max(
    ...(await Promise.all(
      [...watching, late].map(async (judge) => await countDiffering(judge, pace.expected, settleTimeoutMs)),
    )),
  );
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
    offeredShare: sent / usage.seconds / (clients * hz),
    messagesPerThousand: upMessages / operations,
    ...(usage.counters && { rowsPerThousand: usage.counters.rowsWritten / operations }),
    cutOff: cutOff.length,
    differing,
    ...(cutOff[0]?.closed !== undefined && { trouble: cutOff[0].closed }),
  };
}

/** Moves every record when its time has come. A client that is late leaves a move out, as a hand does. */
class Pace {
  readonly expected = new Map<number, Position>();
  sent = 0;
  readonly #periodMs: number;
  readonly #dueAt: number[];
  readonly #sequence: number[];
  readonly #sentAt: Float64Array[];
  #ticking: NodeJS.Timeout | undefined;

  constructor(clients: number, hz: number) {
    this.#periodMs = 1_000 / hz;
    this.#dueAt = Array.from({ length: clients }, (_, index) => (index / clients) * this.#periodMs);
    this.#sequence = this.#dueAt.map(() => 0);
    this.#sentAt = this.#dueAt.map(() => new Float64Array(remembered));
  }

  /** When `record` was sent to this `x`, which is the number of the move. */
  sentAt(record: number, x: number): number | undefined {
    return this.#sentAt[record]?.[x % remembered];
  }

  start(players: readonly Player[]): void {
    const startedAt = performance.now();
    this.#ticking = setInterval(() => this.#tick(players, startedAt), tickMs);
  }

  stop(): void {
    clearInterval(this.#ticking);
  }

  #tick(players: readonly Player[], startedAt: number): void {
    const now = performance.now() - startedAt;
    for (const [index, player] of players.entries()) {
      const dueAt = this.#dueAt[index] ?? 0;
      if (now < dueAt) continue;
      const next = dueAt + this.#periodMs;
      this.#dueAt[index] = next > now - this.#periodMs ? next : now;
      if (player.closed === undefined) this.#move(player, index);
    }
  }

  #move(player: Player, record: number): void {
    const x = (this.#sequence[record] ?? 0) + 1;
    const y = (x * 37 + record) % 1_000;
    this.#sequence[record] = x;
    const times = this.#sentAt[record];
    if (times) times[x % remembered] = performance.now();
    player.move(record, x, y);
    this.expected.set(record, { x, y });
    this.sent += 1;
  }
}
