/**
 * Ends the real runtime with SIGKILL at random moments while eight clients write to a room on a real disk, starts it
 * again on the same files, and compares what it then says with everything that it has ever told anybody:
 * `npm run test:kill -- --rounds 1000 --seed 7`. Exits with 1 when anything was lost, doubled or altered.
 *
 * SIGKILL takes the process and leaves what it has handed to the system; for the cut of power see power-cut.ts.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { Chance } from "./support/seeded-random.ts";
import { interruptedWrite } from "./disk/interrupted-write.ts";
import type { LedgerJson } from "./rooms/ledger.ts";
import { ProductWriter } from "./clients/product-writer.ts";
import { Killer } from "./process/killer.ts";
import { ClientObservations, type Violation } from "./support/client-observations.ts";
import { WireWriter } from "./clients/wire-writer.ts";
import { bundle, Workerd } from "./process/workerd.ts";

const wireWriters = 5;
const productWriters = 3;
/** After so many rounds the writers finish, every call is accounted for, and a new room begins. */
const roundsPerRoom = 10;
const maxStartMs = 100;
const maxWakeMs = 40;
const maxWritingMs = 400;
/** For a moment that does not come by itself. */
const patienceMs = 1_000;
/** How far into what is written at once, in writes to the file. */
const maxWrite = 24;
const finishTimeoutMs = 60_000;

/**
 * When to kill: while the process starts; while the room wakes and clients come back; at any moment of writing; during
 * a write to the WAL; while pages are moved from it into the database.
 */
const moments = ["start", "wake", "writing", "writing", "wal", "wal", "database"] as const;
type Moment = (typeof moments)[number];
const databaseName = /^[0-9a-f]+\.sqlite$/;
/** The file of a room that is written to at that moment. */
const written: { readonly [moment: string]: RegExp } = {
  wal: /^[0-9a-f]+\.sqlite-wal$/,
  database: databaseName,
};

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
  },
});
const rounds = Number(options.rounds);
const chance = new Chance(Number(options.seed));

const killer = new Killer();

const figures = {
  rooms: 0,
  committed: 0,
  refused: 0,
  resent: 0,
  remembered: 0,
  kills: { start: 0, wake: 0, writing: 0, wal: 0, database: 0 },
  transactionsCut: 0,
  longestCutPages: 0,
  movesCut: 0,
  found: { lost: 0, doubled: 0, altered: 0 },
};

/** One room with its writers, over many lives of the server. The server is down before and after each round. */
class Run {
  readonly observations = new ClientObservations();
  readonly #server: Workerd;
  readonly #roomUrl: string;
  readonly #wires: readonly WireWriter[];
  readonly #products: readonly ProductWriter[];
  #startedAt = 0;

  constructor(server: Workerd, number: number) {
    this.#server = server;
    this.#roomUrl = `${server.url}/rooms/ledger-${number}`;
    const writer = <W>(make: new (...given: ConstructorParameters<typeof WireWriter>) => W, name: string) =>
      new make(this.#roomUrl, name, chance.fork(), this.observations);
    this.#wires = Array.from({ length: wireWriters }, (_, index) => writer(WireWriter, `wire${index}`));
    this.#products = Array.from({ length: productWriters }, (_, index) =>
      writer(ProductWriter, `product${index}`),
    );
    for (const product of this.#products) product.disconnect();
  }

  get #writers(): readonly (WireWriter | ProductWriter)[] {
    return [...this.#wires, ...this.#products];
  }

  async round(moment: Moment): Promise<void> {
    this.#startedAt = Date.now();
    const starting = this.#server.start();
    if (moment === "start") {
      await sleep(chance.between(0, maxStartMs));
      await this.#kill(moment);
      await starting;
      return;
    }
    await starting;
    const told = this.observations.copy();
    for (const writer of this.#writers) writer.connect();
    if (moment === "wake") await sleep(chance.between(0, maxWakeMs));
    else {
      this.#accuse(told.audit(await this.#read()));
      await sleep(chance.between(0, maxWritingMs));
    }
    await this.#kill(moment);
    await Promise.all(this.#writers.map((writer) => writer.gone()));
  }

  /** Lets every call be answered, and accounts for all of them. Kills the server for the next room. */
  async finish(): Promise<void> {
    await this.#server.start();
    for (const writer of this.#writers) {
      writer.isWriting = false;
      writer.connect();
    }
    const deadline = Date.now() + finishTimeoutMs;
    while (this.#writers.some(({ unanswered }) => unanswered > 0) && Date.now() < deadline) await sleep(20);
    const truth = await this.#read();
    while (this.#writers.some(({ rev }) => rev < truth.rev) && Date.now() < deadline) await sleep(20);
    for (const writer of this.#writers) {
      if (isDeepStrictEqual(writer.collections, truth.collections)) continue;
      this.observations.accuse(
        "altered",
        `${writer.name} at ${writer.rev} has not what the room has at ${truth.rev}`,
      );
    }
    const calls = this.#writers.flatMap(({ names }) => names);
    this.#accuse(this.observations.settle(truth, calls));
    for (const writer of this.#writers) writer.close();
    await this.#server.kill();
    for (const outcome of this.observations.outcomes.values()) {
      if (typeof outcome === "number") figures.committed += 1;
      else figures.refused += 1;
    }
    for (const { resent, remembered } of this.#wires) {
      figures.resent += resent;
      figures.remembered += remembered;
    }
  }

  #accuse(violations: readonly Violation[]): void {
    this.observations.violations.push(...violations);
  }

  async #read(): Promise<LedgerJson> {
    const response = await fetch(this.#roomUrl);
    if (!response.ok) throw new Error(`GET: ${response.status} ${await response.text()}`);
    return (await response.json()) as LedgerJson;
  }

  async #kill(moment: Moment): Promise<void> {
    const pattern = written[moment];
    const folder = this.#server.dataPath;
    const write = chance.between(1, maxWrite);
    if (pattern === undefined) await this.#server.kill();
    else await this.#server.kill((pid) => killer.strike({ pid, folder, pattern, write, patienceMs }));
    figures.kills[moment] += 1;
    for (const name of await readdir(folder)) {
      if (!databaseName.test(name)) continue;
      const { transactionPages, isMoving } = interruptedWrite(join(folder, name), this.#startedAt);
      figures.transactionsCut += transactionPages > 0 ? 1 : 0;
      figures.longestCutPages = Math.max(figures.longestCutPages, transactionPages);
      figures.movesCut += isMoving ? 1 : 0;
    }
  }
}

/** Runs one room for `count` rounds. Throws when it has broken its word. */
async function runRoom(server: Workerd, number: number, count: number): Promise<void> {
  const run = new Run(server, number);
  for (let round = 0; round < count && run.observations.violations.length === 0; round++) {
    await run.round(chance.pick(moments));
  }
  if (run.observations.violations.length === 0) await run.finish();
  figures.rooms += 1;
  const { violations } = run.observations;
  for (const { kind } of violations) figures.found[kind] += 1;
  if (violations.length === 0) return;
  const lines = violations.slice(0, 20).map(({ kind, text }) => `  ${kind}: ${text}`);
  throw new Error(`${violations.length} violations in room ${number}:\n${lines.join("\n")}`);
}

function report(): void {
  const { rooms, kills, transactionsCut, longestCutPages, movesCut } = figures;
  const { committed, refused, resent, remembered, found } = figures;
  const by = Object.entries(kills).map(([moment, count]) => `${moment} ${count}`);
  const count = Object.values(kills).reduce((sum, number) => sum + number, 0);
  console.log(`${count} kills (${by.join(", ")}) in ${rooms} rooms`);
  console.log(
    `${transactionsCut} of them cut a transaction in two (the longest after ${longestCutPages} pages), ` +
      `${movesCut} a move of pages into the database`,
  );
  console.log(
    `${committed} calls committed and ${refused} refused, each answered; ${resent} were sent again, ` +
      `${remembered} outcomes were told again`,
  );
  console.log(`lost ${found.lost}, doubled ${found.doubled}, altered ${found.altered}`);
}

console.log(`${rounds} rounds, seed ${options.seed}`);
const server = await Workerd.create({ script: await bundle("test/reliability/rooms/ledger-worker.ts") });
try {
  for (let done = 0; done < rounds; done += roundsPerRoom) {
    await runRoom(server, figures.rooms + 1, Math.min(roundsPerRoom, rounds - done));
    if (figures.rooms % 10 === 0 && done + roundsPerRoom < rounds) report();
  }
  report();
  await server.stop();
} catch (error) {
  report();
  console.error(`FAILED with seed ${options.seed}; the data is in ${server.dataPath}`);
  console.error(error);
  console.error(server.log.slice(-4_000));
  process.exit(1);
}
process.exit(0);
