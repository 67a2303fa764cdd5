/**
 * Readers who stop reading while somebody writes a megabyte a second: `npm run test:stalled`. On a room of deltaroom, and on one
 * that sends everything to everybody, for the figures to be beside each other. Exits with 1 when the room's memory grows with what is not
 * read, somebody else is delayed, a reader that goes on is not brought up to date at once, one that does not stays, or the room does
 * not sleep afterwards. `--seconds 30 --readers 8`
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect } from "../../client/index.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import { Exchange } from "./clients/tcp-proxy.ts";
import { Findings } from "./support/findings.ts";
import { comesTrue } from "./support/wait-until.ts";
import { naivePath, pool, wokenText } from "./rooms/pool.ts";
import { readMemory } from "./process/process-memory.ts";
import { StalledReader } from "./clients/stalled-reader.ts";
import { bundle, Workerd } from "./process/workerd.ts";

const { values: options } = parseArgs({
  options: { seconds: { type: "string", default: "30" }, readers: { type: "string", default: "8" } },
});
const loadMs = Number(options.seconds) * 1_000;
const readers = Number(options.readers);

/** What is written: so much, so often, over and over into the same few records. */
const text = "x".repeat(10_000);
const writeMs = 10;
const records = 50;
const bystanderMs = 50;
/** The room is awake for ten seconds after the last event. */
const idleMs = 12_000;
const quietMs = 3_000;
/** Beside what readers may owe: what a room takes that is written to for so long. */
const slackMb = 64;
const mostDelayedMs = 250;

const findings = new Findings();

interface Load {
  /** Megabytes that the process has grown by at the most. */
  readonly grownMb: number;
  readonly writtenMb: number;
  /** Milliseconds of the bystander's round trips, ascending. */
  readonly roundTrips: readonly number[];
}

/** Writes until the time is over, and measures meanwhile what somebody else's calls take. */
async function load(
  server: Workerd,
  write: (number: number) => void,
  roundTrip: () => Promise<unknown>,
): Promise<Load> {
  const { residentMb } = readMemory(server.pid);
  let most = residentMb;
  let written = 0;
  const roundTrips: number[] = [];
  const startedAt = performance.now();
  const writing = setInterval(() => {
    for (; written * writeMs < performance.now() - startedAt; written++) write(written);
    most = Math.max(most, readMemory(server.pid).residentMb);
  }, writeMs);
  while (performance.now() - startedAt < loadMs) {
    const at = performance.now();
    await roundTrip();
    roundTrips.push(performance.now() - at);
    await sleep(bystanderMs);
  }
  clearInterval(writing);
  return {
    grownMb: most - residentMb,
    writtenMb: (written * text.length) / 2 ** 20,
    roundTrips: roundTrips.toSorted((a, b) => a - b),
  };
}

function report(what: string, { grownMb, writtenMb, roundTrips }: Load): void {
  const at = (share: number) => (roundTrips[Math.floor(roundTrips.length * share)] ?? NaN).toFixed(1);
  console.log(
    `${what.padEnd(26)} ${writtenMb.toFixed(0)} MB written; the process has grown by ${grownMb.toFixed(0)} MB; ` +
      `a bystander's round trip ${at(0.5)} ms, 99 of 100 below ${at(0.99)}, the longest ${(roundTrips.at(-1) ?? NaN).toFixed(1)}`,
  );
}

const timesWoken = (server: Workerd) => server.log.split(wokenText).length - 1;

async function open(server: Workerd) {
  const room = connect(`${server.url}/rooms/pool`, pool, {});
  await room.ready;
  return room;
}

type PoolRoom = Awaited<ReturnType<typeof open>>;

function writeTo(room: PoolRoom, number: number): void {
  room.transact((tx) => tx.texts.put(`t${number % records}`, { text: `${number} ${text}` }));
}

async function loadRoom(server: Workerd, writer: PoolRoom, bystander: PoolRoom): Promise<Load> {
  return await load(
    server,
    (number) => writeTo(writer, number),
    () => bystander.transact((tx) => tx.texts.put("bystander", { text: String(Date.now()) })).committed,
  );
}

/** What readers that have read nothing cost; and what becomes of one that goes on, and of the others. */
async function measureRoom(server: Workerd): Promise<void> {
  const exchange = await Exchange.open(server.url);
  const [writer, bystander] = [await open(server), await open(server)];
  const troubles: string[] = [];
  for (const room of [writer, bystander]) room.on("error", ({ code }) => troubles.push(code));
  const undisturbed = await loadRoom(server, writer, bystander);
  report("deltaroom, all read", undisturbed);

  const stalled = [];
  for (let reader = 0; reader < readers; reader++)
    stalled.push(await StalledReader.open(exchange, "/rooms/pool"));
  const loaded = await loadRoom(server, writer, bystander);
  report(`deltaroom, ${readers} stalled`, loaded);
  const owedMb = Math.min(
    (readers * defaultLimits.maxUnacknowledgedBytes) / 2 ** 20,
    defaultLimits.maxAllUnacknowledgedBytes / 2 ** 20,
  );
  findings.check(
    loaded.grownMb < owedMb + slackMb,
    `the process has grown by ${loaded.grownMb.toFixed(0)} MB`,
  );
  const longest = loaded.roundTrips.at(-1) ?? Infinity;
  const allowedMs = (undisturbed.roundTrips.at(-1) ?? 0) + mostDelayedMs;
  findings.check(longest < allowedMs, `a bystander's call took ${longest.toFixed(0)} ms`);

  const [back, ...gone] = stalled;
  if (back === undefined) throw new Error("there is no reader");
  await back.read();
  const isBack = await comesTrue(() => back.copy.rev === writer.rev, quietMs);
  console.log(`${"  one reads again".padEnd(26)} and is sent: ${back.kinds.join(", ")}`);
  findings.check(isBack, `the reader that went on is at ${back.copy.rev} of ${writer.rev}`);
  findings.check(
    back.kinds.filter((kind) => kind === "update").length === 1,
    `it was sent ${back.kinds.join(", ")}: not one catch-up`,
  );

  // Those that still read nothing. Their sockets wait for them in the runtime for as long as TCP does; the room is done with them.
  await sleep(defaultLimits.maxStallMs);
  const { residentMb } = readMemory(server.pid);
  const woken = timesWoken(server);
  await sleep(idleMs);
  writeTo(writer, 0);
  await comesTrue(() => writer.pending === 0, quietMs);
  const hasSlept = timesWoken(server) > woken;
  for (const reader of gone) await reader.read();
  await comesTrue(() => gone.every(({ isClosed }) => isClosed), quietMs);
  const closed = gone.filter(({ isClosed }) => isClosed).length;
  console.log(
    `${"  the others".padEnd(26)} ${closed} of ${gone.length} have been closed; in ${idleMs / 1_000} s without a message the room has ` +
      `${hasSlept ? "slept" : "NOT slept"}; the process has ${residentMb.toFixed(0)} MB`,
  );
  findings.check(hasSlept, "the room did not hibernate");
  findings.check(
    closed === gone.length,
    `${gone.length - closed} readers that did not go on were not closed`,
  );
  findings.check(troubles.length === 0, `somebody else was told ${troubles.join(", ")}`);
  for (const reader of stalled) reader.close();
  for (const room of [writer, bystander]) room.close();
  exchange.close();
}

/** The same for a room that does not look whether anybody reads. */
async function measureNaive(server: Workerd): Promise<void> {
  const exchange = await Exchange.open(server.url);
  const join = async (url: string) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}${naivePath}`);
    socket.binaryType = "arraybuffer";
    await once(socket, "open");
    return socket;
  };
  const [writer, bystander] = [await join(server.url), await join(server.url)];
  for (let reader = 0; reader < readers; reader++) await join(exchange.url);
  for (const line of exchange.lines) line.stall();
  let number = 0;
  const loaded = await load(
    server,
    (count) => writer.send(`${count} ${text}`),
    async () => {
      const own = `bystander ${number++}`;
      const { promise, resolve } = Promise.withResolvers<void>();
      const listen = ({ data }: MessageEvent) => data === own && resolve();
      bystander.addEventListener("message", listen);
      bystander.send(own);
      await promise;
      bystander.removeEventListener("message", listen);
    },
  );
  report(`naive, ${readers} stalled`, loaded);
  for (const socket of [writer, bystander]) socket.close();
  exchange.close();
}

const script = await bundle("test/reliability/rooms/stalled-worker.ts");
for (const measure of [measureNaive, measureRoom]) {
  const server = await Workerd.start({ script });
  try {
    await measure(server);
  } catch (error) {
    console.error(error);
    findings.check(false, `the run ended early: ${String(error)}`);
    console.error(server.log.slice(-2_000));
  } finally {
    await server.stop();
  }
}
process.exit(findings.conclude());
