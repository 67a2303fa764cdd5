/**
 * Cuts the power: runs the real runtime under strace while clients write, and rebuilds, for many of the moments at
 * which it told them something, the files as they would be had the machine lost its power then: with what had been
 * fsynced, and nothing else. `npm run test:power-cut -- --moments 150 --seconds 6 --seed 7`.
 *
 * Each of those databases is opened and must hold all that anybody was told up to that moment. At every second one
 * some of what was not fsynced is there as well; at the others the last fsync is left out, which has to be noticed.
 * Exits with 1 when it is not, or when anything is missing.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { Chance } from "./support/seeded-random.ts";
import { DiskReplay, type PowerCut } from "./disk/disk-replay.ts";
import type { LedgerJson } from "./rooms/ledger.ts";
import { record, roomId, type Recording, type Telling } from "./disk/recording.ts";
import { hearAgain } from "./clients/remembered-calls.ts";
import { assertIntact, openDatabase, readTables, wakeRoom } from "./disk/stored-room.ts";
import { straceVersion, type SystemCall } from "./disk/strace.ts";
import type { Violation } from "./support/client-observations.ts";
import { Told } from "./disk/expected-storage.ts";
import type { WireWriter } from "./clients/wire-writer.ts";
import { bundle, Workerd } from "./process/workerd.ts";

/** So many of the databases are also given to a real runtime. */
const servedCount = 5;

const { values: options } = parseArgs({
  options: {
    moments: { type: "string", default: "150" },
    seconds: { type: "string", default: "6" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
  },
});
const chance = new Chance(Number(options.seed));

// ── the cuts ─────────────────────────────────────────────────────────────────────────────────────────────────

/** What one kind of cut came to, over all moments. */
interface Result {
  moments: number;
  /** Moments after which something that was told is missing, or the database cannot be read. */
  failed: number;
  first: string | undefined;
}

const results: { readonly [K in PowerCut]: Result } = {
  durable: { moments: 0, failed: 0, first: undefined },
  torn: { moments: 0, failed: 0, first: undefined },
  "without-last-sync": { moments: 0, failed: 0, first: undefined },
};
const checkpoints = new Set<number>();
const served: Result = { moments: 0, failed: 0, first: undefined };

/** Goes through the recording once more, and cuts the power just before each of the chosen tellings. */
async function cutAtEach(recording: Recording, script: string): Promise<DiskReplay> {
  const told = new Told(recording.writers);
  const disk = new DiskReplay();
  const steps = stepsOf(recording.calls);
  const chosen = choose(recording.tellings);
  const servedEach = Math.ceil(chosen.size / servedCount);
  let [next, moment] = [0, 0];
  for (const telling of recording.tellings) {
    for (; (steps[next]?.at ?? Infinity) < telling.at; next++) steps[next]?.run(disk);
    told.hear(telling.clientId, telling.frame);
    if (!chosen.has(telling)) continue;
    moment += 1;
    for (const kind of ["durable", moment % 2 === 0 ? "torn" : "without-last-sync"] as const) {
      note(results[kind], telling, auditFiles(roomFiles(disk.cut(kind, chance)), kind, told));
    }
    if (moment % servedEach !== 0) continue;
    note(
      served,
      telling,
      await serve(roomFiles(disk.cut("durable", chance)), script, told, recording.writers),
    );
  }
  for (const { run } of steps.slice(next)) run(disk);
  accuseAll(told.observations.violations);
  for (const [path, content] of recording.files) {
    if (!disk.written(path)?.equals(content))
      accuseAll([{ kind: "altered", text: `the trace does not make ${path} what it is` }]);
  }
  if (!isDeepStrictEqual(told.observations.outcomes, recording.heard.outcomes))
    accuseAll([{ kind: "altered", text: "the trace does not show the outcomes that the clients heard" }]);
  return disk;
}

/** The beginnings and ends of all calls, in the order of the trace. */
function stepsOf(
  calls: readonly SystemCall[],
): { readonly at: number; readonly run: (disk: DiskReplay) => void }[] {
  return calls
    .flatMap((call) => [
      { at: call.startedAt, run: (disk: DiskReplay) => disk.begin(call) },
      { at: call.endedAt, run: (disk: DiskReplay) => disk.end(call) },
    ])
    .toSorted((a, b) => a.at - b.at);
}

/** Evenly, of the tellings that a client could hold the room to. */
function choose(tellings: readonly Telling[]): ReadonlySet<Telling> {
  const binding = tellings.filter(
    ({ frame }) => frame.kind === "update" && (frame.outcomes !== undefined || frame.delta !== undefined),
  );
  const count = Math.min(Number(options.moments), binding.length);
  const picked = Array.from(
    { length: count },
    (_, index) => binding[Math.floor(((index + 1) * binding.length) / count) - 1],
  );
  return new Set(picked.filter((telling) => telling !== undefined));
}

/** The database of the room and what lies beside it, by file name. */
function roomFiles(files: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  const ofRoom = [...files].filter(([path]) => /^[0-9a-f]+\.sqlite/.test(basename(path)));
  return new Map(ofRoom.map(([path, content]) => [basename(path), content]));
}

function auditFiles(files: ReadonlyMap<string, Buffer>, kind: PowerCut, told: Told): Violation[] {
  const folder = mkdtempSync(join(tmpdir(), "deltaroom-cut-"));
  try {
    writeAll(files, folder);
    const name = [...files.keys()].find((file) => file.endsWith(".sqlite"));
    if (name === undefined) return [{ kind: "lost", text: "there is no database" }];
    return openDatabase(join(folder, name), (database) => {
      if (kind === "torn") assertIntact(database);
      const read = readTables(database);
      const woken = wakeRoom(database, read.clientLog.keys());
      checkpoints.add(read.checkpointRev);
      const found = [...told.audit(woken), ...told.audit(read)];
      if (!isDeepStrictEqual(woken, read))
        found.push({ kind: "altered", text: "the room wakes to what its tables do not say" });
      return found;
    });
  } catch (error) {
    return [{ kind: "lost", text: String(error) }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Starts the real runtime on the files, asks it for its state, and hears as each client what became of its calls. */
async function serve(
  files: ReadonlyMap<string, Buffer>,
  script: string,
  told: Told,
  writers: readonly WireWriter[],
): Promise<Violation[]> {
  const server = await Workerd.create({ script });
  try {
    writeAll(files, server.dataPath);
    await server.start();
    const url = `${server.url}/rooms/${roomId}`;
    const response = await fetch(url);
    if (!response.ok) return [{ kind: "lost", text: `GET: ${response.status} ${await response.text()}` }];
    const found = told.observations.audit((await response.json()) as LedgerJson);
    for (const { clientId, secret } of writers)
      found.push(...told.auditMark(clientId, await hearAgain(url, secret)));
    return found;
  } finally {
    await server.stop();
  }
}

function writeAll(files: ReadonlyMap<string, Buffer>, folder: string): void {
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
}

function note(result: Result, { at, clientId, frame }: Telling, violations: readonly Violation[]): void {
  result.moments += 1;
  const [worst] = violations;
  if (worst === undefined) return;
  result.failed += 1;
  const sent = JSON.stringify(frame).slice(0, 160);
  result.first ??= `at line ${at}, as ${clientId} was sent ${sent}: ${violations.length} violations, ${worst.kind}: ${worst.text}`;
}

function accuseAll(violations: readonly Violation[]): void {
  for (const { kind, text } of violations.slice(0, 20)) console.error(`${kind}: ${text}`);
  if (violations.length > 0) process.exitCode = 1;
}

// ── the run ──────────────────────────────────────────────────────────────────────────────────────────────────

const version = straceVersion();
if (version === undefined) {
  console.error("There is no strace here, and this test cannot do without: apt-get install strace");
  process.exit(1);
}
console.log(`${version}; seed ${options.seed}`);
const script = await bundle("test/reliability/rooms/ledger-worker.ts");
const recording = await record(script, Number(options.seconds), chance);
accuseAll(recording.heard.violations);
const disk = await cutAtEach(recording, script);

const { durable, torn, "without-last-sync": control } = results;
const missing = ({ failed, moments }: Result) => `${failed} of ${moments} databases miss something`;
console.log(
  `${recording.heard.outcomes.size} calls answered in ${recording.tellings.length} frames over ${disk.syncs} syncs; ` +
    `${checkpoints.size} checkpoints seen`,
);
console.log(`power cut, only what was synced before: ${missing(durable)}`);
console.log(`the same, and random sectors of what was not synced yet: ${missing(torn)}`);
console.log(`the same as the first, opened by workerd: ${missing(served)}`);
console.log(`negative control, the last sync left out: ${missing(control)}, as they should`);
for (const { first } of [durable, torn, served]) {
  if (first === undefined) continue;
  console.error(`FAILED ${first}`);
  process.exitCode = 1;
}
if (control.failed === 0) {
  console.error("FAILED: leaving a sync out went unnoticed, so this test proves nothing");
  process.exitCode = 1;
}
process.exit();
