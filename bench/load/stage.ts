import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readCpuSeconds, ownCpuSeconds } from "../servers/process-cpu.ts";
import type { Server } from "../servers/server.ts";
import { maxPuts, type Judge, type Player, type PlayerOptions, type System } from "../systems/system.ts";
import { readTraffic, type Traffic } from "./socket.ts";

const fillTimeoutMs = 60_000;
const countersTimeoutMs = 5_000;
const pollIntervalMs = 5;
/** Operations that fill a room and are on their way at a time. */
const maxPutsUnderWay = 4;

/** What the platform bills, of systems on Durable Objects. */
export interface Counters {
  readonly rowsWritten: number;
  readonly rowsRead: number;
  /** Alarms that were set. */
  readonly alarms: number;
  /** Times that an object was made: at first, or out of hibernation. */
  readonly objects: number;
}

/** What was used up between two moments. */
export interface Usage {
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly clientCpuSeconds: number;
  readonly traffic: Traffic;
}

/** One system's server, and the sessions of this process in its room. Everything ends with `close`. */
export class Stage {
  readonly system: System;
  readonly server: Server;
  readonly #folder: string;
  readonly #sessions = new Set<{ close(): void }>();

  private constructor(system: System, server: Server, folder: string) {
    this.system = system;
    this.server = server;
    this.#folder = folder;
  }

  static async set(system: System, dataFolder: string, inspectorPort?: number): Promise<Stage> {
    const folder = await mkdtemp(join(dataFolder, "deltaroom-bench-"));
    try {
      const server = await system.create({ folder, inspectorPort });
      await server.start();
      return new Stage(system, server, folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async judge(timeoutMs = fillTimeoutMs): Promise<Judge> {
    const judge = this.system.judge(this.server.url);
    this.#sessions.add(judge);
    await within(judge.ready, timeoutMs, "a client was never given the state");
    return judge;
  }

  async player(options?: PlayerOptions): Promise<Player> {
    const player = await within(
      this.system.player(this.server.url, options),
      fillTimeoutMs,
      "a session never began",
    );
    this.#sessions.add(player);
    return player;
  }

  /** Opens so many, a few at a time. */
  async players(count: number, optionsOf: (index: number) => PlayerOptions): Promise<Player[]> {
    const players: Player[] = [];
    const atATime = 20;
    for (let first = 0; first < count; first += atATime) {
      const indices = Array.from({ length: Math.min(atATime, count - first) }, (_, offset) => first + offset);
      players.push(...(await Promise.all(indices.map((index) => this.player(optionsOf(index))))));
    }
    return players;
  }

  /** Makes so many records, and waits until a client has them all. */
  async fill(records: number): Promise<void> {
    const judge = await this.judge();
    const player = await this.player();
    for (let first = 0; first < records; first += maxPuts) {
      player.put(first, Math.min(maxPuts, records - first));
      const wanted = first - maxPuts * maxPutsUnderWay;
      await comesTrue(() => judge.size >= wanted, fillTimeoutMs);
    }
    const isFull = await comesTrue(() => judge.size === records, fillTimeoutMs);
    if (!isFull) throw new Error(`of ${records} records ${judge.size} arrived; ${player.closed ?? ""}`);
    this.leave(judge);
    this.leave(player);
  }

  leave(session: Judge | Player): void {
    session.close();
    this.#sessions.delete(session);
  }

  /** A server that is busy with its sockets may leave this without an answer: ask before and after the load. */
  async counters(): Promise<Counters | undefined> {
    if (this.system.runsOn === "node") return undefined;
    try {
      const response = await fetch(`${this.server.url}/counters`, {
        headers: { Connection: "close" },
        signal: AbortSignal.timeout(countersTimeoutMs),
      });
      return (await response.json()) as Counters;
    } catch {
      return undefined; // it drowns
    }
  }

  /** Starts to measure; the function that it answers says what was used since. */
  measure(): () => Usage {
    const before = this.#read();
    return () => {
      const after = this.#read();
      return {
        seconds: after.at - before.at,
        serverCpuSeconds: after.server - before.server,
        clientCpuSeconds: after.client - before.client,
        traffic: difference(after.traffic, before.traffic),
      };
    };
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.close();
    await this.server.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  #read() {
    return {
      at: performance.now() / 1_000,
      server: readCpuSeconds(this.server.pid),
      client: ownCpuSeconds(),
      traffic: readTraffic(),
    };
  }
}

/** Waits until `holds`, or for `timeoutMs`. Answers whether it came to that. */
export async function comesTrue(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) return false;
    await sleep(pollIntervalMs);
  }
  return true;
}

/** Rejects with `complaint` when `promise` takes longer. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, complaint: string): Promise<T> {
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Error(complaint)), timeoutMs);
  try {
    return await Promise.race([promise, timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

export function difference<T extends { readonly [name in keyof T]: number }>(after: T, before: T): T {
  const entries = Object.entries<number>(after).map(([name, value]) => [
    name,
    value - (before[name as keyof T] ?? 0),
  ]);
  return Object.fromEntries(entries) as T;
}
