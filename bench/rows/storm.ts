import { setTimeout as sleep } from "node:timers/promises";
import { judgeAll } from "../load/convergence.ts";
import { Pace } from "../load/pace.ts";
import { comesTrue, type Stage } from "../load/stage.ts";
import { Histogram } from "../statistics.ts";
import type { Figures } from "../results.ts";
import type { Player } from "../systems/system.ts";
import { saveDelayMs } from "./join.ts";

export interface Storm {
  readonly kind: "storm";
  readonly records: number;
  /** Each moves a record of its own, before the storm, in it and behind it. */
  readonly writers: number;
  /** Moves of each, a second. */
  readonly hz: number;
  /** Sessions that are opened, evenly over so many seconds. */
  readonly joins: number;
  readonly seconds: number;
}

const warmUpMs = 2_000;
const judges = 2;
/** Sessions that are there all the time, and at which the time of arrival is taken. */
const watchers = 4;
/** How long the last to come may wait for the state. */
const patienceMs = 10_000;

/** A crowd comes to a large room all at once, as when a link is shared, while others go on writing in it. */
export async function storm(stage: Stage, work: Storm): Promise<Figures> {
  const { records, writers, hz, joins, seconds } = work;
  await stage.fill(records);
  await sleep(saveDelayMs);
  const watching = await Promise.all(Array.from({ length: judges }, async () => await stage.judge()));
  const pace = new Pace(writers, hz);
  const latency = new Histogram();
  let isMeasuring = false;
  const onMove = (record: number, x: number): void => {
    const sentAt = pace.sentAt(record, x);
    if (isMeasuring && sentAt !== undefined) latency.add(performance.now() - sentAt);
  };
  const residents = [
    ...(await stage.players(writers, () => ({}))),
    ...(await stage.players(watchers, () => ({ onMove, neverWrites: true }))),
  ];

  pace.start(residents.slice(0, writers));
  await sleep(warmUpMs);
  const crowd = new Crowd(stage);
  const sentBefore = pace.sent;
  const finish = stage.measure();
  isMeasuring = true;
  const openedInSeconds = await crowd.come(joins, seconds);
  await comesTrue(() => crowd.isComplete, patienceMs);
  isMeasuring = false;
  const usage = finish();
  const { players, refusals, waited, bytes } = crowd.seen();
  const sent = pace.sent - sentBefore;
  pace.stop();

  const closed = [...residents, ...players].flatMap((player) => player.closed ?? []);
  const cutOff = [...closed, ...refusals];
  const differing = await judgeAll(stage, watching, pace.expected);
  return {
    joins,
    arrived: players.length,
    joinP50Ms: waited.quantile(0.5),
    joinP99Ms: waited.quantile(0.99),
    joinBytes: bytes / players.length,
    p50Ms: latency.quantile(0.5),
    p99Ms: latency.quantile(0.99),
    serverCpuMsPerJoin: (usage.serverCpuSeconds * 1_000) / players.length,
    serverCpuShare: usage.serverCpuSeconds / usage.seconds,
    clientCpuShare: usage.clientCpuSeconds / usage.seconds,
    // Of the moves or of the sessions, whichever the load was later with.
    offeredShare: Math.min(sent / usage.seconds / (writers * hz), seconds / openedInSeconds),
    seconds: usage.seconds,
    cutOff: cutOff.length,
    differing,
    ...(cutOff[0] !== undefined && { trouble: cutOff[0] }),
  };
}

/** What had become of a crowd at some moment. */
interface Arrivals {
  /** Those who have the state. */
  readonly players: readonly Player[];
  /** Why others will never have it. */
  readonly refusals: readonly string[];
  /** From opening to having the whole state; of those who do not have it, how long they have waited. */
  readonly waited: Histogram;
  /** Sent to `players` until they had the state. */
  readonly bytes: number;
}

/** Those who come. They only listen. */
class Crowd {
  readonly #stage: Stage;
  readonly #players: Player[] = [];
  readonly #refusals: string[] = [];
  readonly #arrivalsMs: number[] = [];
  /** Those who do not have the state, by when they were opened. */
  readonly #waiting = new Set<{ readonly at: number }>();
  #bytes = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get isComplete(): boolean {
    return this.#waiting.size === this.#refusals.length;
  }

  /** Opens so many sessions, waiting for none. Answers in how many seconds it could. */
  async come(count: number, seconds: number): Promise<number> {
    const startedAt = performance.now();
    for (let index = 0; index < count; index++) {
      const dueAt = startedAt + (index / count) * seconds * 1_000;
      await sleep(Math.max(0, dueAt - performance.now()));
      void this.#open();
    }
    return Math.max(seconds, (performance.now() - startedAt) / 1_000);
  }

  seen(): Arrivals {
    const now = performance.now();
    const waited = new Histogram();
    for (const ms of this.#arrivalsMs) waited.add(ms);
    for (const { at } of this.#waiting) waited.add(now - at);
    return { players: [...this.#players], refusals: [...this.#refusals], waited, bytes: this.#bytes };
  }

  async #open(): Promise<void> {
    const opened = { at: performance.now() };
    this.#waiting.add(opened);
    try {
      const player = await this.#stage.player({ neverWrites: true });
      this.#waiting.delete(opened);
      this.#arrivalsMs.push(performance.now() - opened.at);
      this.#bytes += player.downBytes;
      this.#players.push(player);
    } catch (error) {
      this.#refusals.push(error instanceof Error ? error.message : String(error));
    }
  }
}
