import { expect, it, vi } from "vitest";
import { approach, until, viewOf, type Entered } from "../../support/clients/joined-client.ts";
import type { Collections, SeenFrame } from "../../support/clients/client-copy.ts";
import { newSmallRoom, newThriftyRoom, put, type AnyRoom } from "../../support/rooms/test-rooms.ts";
import type { Call, WireClient } from "../../support/clients/wire-client.ts";

const evictionsOfEach = 125;

const add: Call = ["addUp", { id: "sum", by: 1 }];
const refuse: Call = ["refuse", { text: "no" }];

/** Answers numbers below `below` that look random and are the same in every run. */
type Random = (below: number) => number;

function randomOf(seed: number): Random {
  let state = seed * 48_271 + 1;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Somebody in a room who works without waiting for answers. */
interface Worker {
  readonly clientId: string;
  /** The last that it has shown of itself. */
  readonly shown: number;
  /** Calls of `addUp` so far. */
  readonly additions: number;
  act(random: Random): void;
  /** The revision that it has, once all its calls are answered. */
  settledRev(): number | undefined;
  collections(): Collections;
  /** What it sees of everybody else, by client id. */
  others(): ReadonlyMap<string, unknown>;
  /** Whatever has happened to it that should not. */
  mishaps(): unknown[];
}

/** Speaks the protocol; its copy judges every frame. A lazy one acknowledges so late that the room has to hold back. */
class WireWorker implements Worker {
  shown = 0;
  readonly #client: WireClient;
  readonly #isLazy: boolean;
  readonly #calls: Call[] = [];
  #waves = 0;

  constructor(client: WireClient, isLazy: boolean) {
    this.#client = client;
    this.#isLazy = isLazy;
    client.setPresence({ at: 0 });
  }

  get clientId(): string {
    return this.#client.clientId;
  }

  get additions(): number {
    return this.#calls.filter((call) => call === add).length;
  }

  act(random: Random): void {
    const edit = put("notes", `n${random(4)}`, { text: "x".repeat(random(4_000)) });
    const calls = [add, edit, refuse, add].slice(random(4));
    this.#client.push(...calls);
    this.#calls.push(...calls);
    if (random(3) === 0) this.#client.setPresence({ at: (this.shown = random(600)) });
    if (random(3) === 0) this.#client.sendEvent("wave", { text: `${++this.#waves}` });
    if (this.#isLazy && random(5) === 0) this.#client.ack();
  }

  settledRev(): number | undefined {
    if (this.#isLazy) this.#client.ack();
    const { rev, outcomes } = this.#client.copy;
    return outcomes.size === this.#calls.length ? rev : undefined;
  }

  collections(): Collections {
    return this.#client.copy.collections;
  }

  others(): ReadonlyMap<string, unknown> {
    const peers = [...this.#client.copy.peers];
    return new Map(peers.map(([clientId, { presence }]) => [clientId, (presence as { at: number }).at]));
  }

  mishaps(): unknown[] {
    const { closing, copy, frames } = this.#client;
    const refusals = frames.filter(isRefusal);
    const wrong = this.#calls.filter(
      (call, index) => (typeof copy.outcomes.get(index + 1) === "number") === (call === refuse),
    );
    const waves = copy.events.map((event) => JSON.stringify(event));
    const again = waves.filter((wave, index) => waves.indexOf(wave) !== index);
    return [closing ?? [], refusals, wrong, again].flat();
  }
}

/** Has the product's own client. */
class RealWorker implements Worker {
  shown = 0;
  additions = 0;
  readonly #entered: Entered;
  /** Changes of its status, and rejections. */
  readonly #told: unknown[] = [];

  constructor(entered: Entered) {
    this.#entered = entered;
    entered.room.on("status", (status) => this.#told.push(status));
    entered.room.on("reject", (error) => this.#told.push(error));
  }

  get clientId(): string {
    return this.#entered.room.self.clientId;
  }

  act(random: Random): void {
    const { room } = this.#entered;
    room.transact((tx) => tx.notes.put(`n${random(4)}`, { text: `${random(600)}` }));
    room.mutate.addUp({ id: "sum", by: 1 });
    this.additions += 1;
    if (random(3) === 0) room.presence.update({ at: (this.shown = random(600)) });
  }

  settledRev(): number | undefined {
    const { pending, rev } = this.#entered.room;
    return pending === 0 ? rev : undefined;
  }

  collections(): Collections {
    return viewOf(this.#entered.room);
  }

  others(): ReadonlyMap<string, unknown> {
    return new Map(this.#entered.room.others.map(({ clientId, presence }) => [clientId, presence.at]));
  }

  mishaps(): unknown[] {
    const { link } = this.#entered;
    const deltas = link.down.flatMap((frame) => (frame.kind === "update" ? (frame.delta ?? []) : []));
    const back = deltas.filter(({ to }, index) => to < (deltas[index - 1]?.to ?? 0));
    return [this.#told, link.hellos.slice(1), link.down.filter(isRefusal), back].flat();
  }
}

function isRefusal({ kind }: Pick<SeenFrame, "kind">): boolean {
  return kind === "error" || kind === "gap";
}

async function workersIn(room: AnyRoom): Promise<Worker[]> {
  const real = approach(room, { initialPresence: { at: 0 } });
  await until(() => real.room.status === "online");
  const [busy, lazy] = [await room.join(), await room.join({ acks: false })];
  return [new RealWorker(real), new WireWorker(busy, false), new WireWorker(lazy, true)];
}

/** False when nobody has woken the room since the last time. */
async function evict(room: AnyRoom): Promise<boolean> {
  try {
    await room.evict();
    return true;
  } catch (error) {
    if (String(error).includes("not currently running")) return false;
    throw error;
  }
}

/** Evicts a room again and again while others work in it, looks at what has come of that, and answers how often it did. */
async function wearDown(room: AnyRoom, seed: number): Promise<number> {
  const workers = await workersIn(room);
  const random = randomOf(seed);
  const closing = new AbortController();
  const shifts = workers.map(async (worker) => {
    while (!closing.signal.aborted) {
      worker.act(random);
      await pause(random(300));
    }
  });
  let evictions = 0;
  while (evictions < evictionsOfEach) {
    if (await evict(room)) evictions += 1;
    else await pause(1);
  }
  closing.abort();
  await Promise.all(shifts);

  await patiently(() => expect(workers.map((worker) => worker.settledRev())).not.toContain(undefined));
  const { rev, collections } = await room.json();
  await patiently(() => {
    for (const worker of workers) {
      expect(worker.settledRev()).toBe(rev);
      const others = workers
        .filter((other) => other !== worker)
        .map(({ clientId, shown }) => [clientId, shown] as const);
      expect(Object.fromEntries(worker.others())).toEqual(Object.fromEntries(others));
    }
  });
  const additions = workers.reduce((sum, worker) => sum + worker.additions, 0);
  expect(additions).toBeGreaterThan(evictionsOfEach);
  expect(collections["shapes"]).toEqual({ sum: { x: additions, y: 0 } });
  for (const worker of workers) {
    expect(worker.mishaps()).toEqual([]);
    expect(worker.collections()).toEqual(collections);
  }
  await room.evict();
  const { copy } = await room.join();
  expect(copy.collections).toEqual(collections);
  const shown = workers.map(({ clientId, shown: at }) => [clientId, { user: null, presence: { at } }]);
  expect(Object.fromEntries(copy.peers)).toEqual(Object.fromEntries(shown));
  return evictions;
}

async function patiently(claim: () => void): Promise<void> {
  await vi.waitFor(claim, { interval: 10, timeout: 20_000 });
}

it(
  "1,000 evictions under load cost nobody a call, a revision, a presence or the connection",
  { timeout: 180_000 },
  async () => {
    const rooms: AnyRoom[] = Array.from({ length: 8 }, (_, index) =>
      index % 2 ? newThriftyRoom() : newSmallRoom(),
    );
    const evictions = await Promise.all(rooms.map(async (room, index) => await wearDown(room, index + 1)));
    expect(evictions.reduce((sum, count) => sum + count)).toBe(1_000);
  },
);
