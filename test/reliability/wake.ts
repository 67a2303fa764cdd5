/**
 * How long a room takes to wake: `npm run test:wake`. Fills rooms of the demo, restarts the runtime again and again, and
 * each time has a client that is up to date come back with one edit: the time is that from opening its socket to the
 * acknowledgement. Exits with 1 when the median is over its budget, or the room is not what it should be.
 * `--runs 20` for more of them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { newId } from "../../client/index.ts";
import { transactType } from "../../src/model/call.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import { openBoard, readBoard } from "./clients/board-client.ts";
import { Findings } from "./support/findings.ts";
import { firstAck, type FirstAck } from "./clients/first-ack.ts";
import { comesTrue } from "./support/wait-until.ts";
import { RoomFile } from "./disk/room-file.ts";
import { Workerd } from "./process/workerd.ts";

/** As a JSON text of 134 bytes with its id. */
const note = { kind: "note", x: 100, y: 100, color: "sun", text: "x".repeat(53) } as const;
const recordsOfCall = 2_500;
const checkpointTimeoutMs = 15_000;
/** Until the runtime has nothing more to do for its start. */
const settledMs = 500;

/** Milliseconds to the first acknowledgement, by records in the room. */
const budgets = [
  { records: 10_000, budgetMs: 25 },
  { records: 100_000, budgetMs: 150 },
] as const;

const { values: options } = parseArgs({ options: { runs: { type: "string", default: "9" } } });
const findings = new Findings();

/** Makes a room of so many records, and answers their ids. */
async function fill(url: string, records: number): Promise<readonly string[]> {
  const room = openBoard(url, {});
  await room.ready;
  for (let made = 0; made < records; made += recordsOfCall) {
    await room.transact((tx) => {
      for (let one = made; one < Math.min(records, made + recordsOfCall); one++) tx.shapes.put(newId(), note);
    }).committed;
  }
  const ids = room.state.shapes.ids();
  room.close();
  return ids;
}

/** Waits until the pages of the only room hold what it has, as they do when it has been quiet for a while. */
async function awaitCheckpoint(server: Workerd): Promise<void> {
  const isWritten = () => {
    using file = new RoomFile(server.dataPath);
    return file.journaledBytes() < defaultLimits.pageBytes;
  };
  if (!(await comesTrue(isWritten, checkpointTimeoutMs)))
    throw new Error("no checkpoint was written when the room went quiet");
}

/** A room, and what is known of it without asking. */
class Sleeper {
  readonly url: string;
  readonly #ids: readonly string[];
  readonly #epoch: string;
  #rev: number;
  /** Of the next edit, and of the record that it is made to. */
  #edits = 0;

  constructor(url: string, ids: readonly string[], { epoch, rev }: { epoch: string; rev: number }) {
    this.url = url;
    this.#ids = ids;
    this.#epoch = epoch;
    this.#rev = rev;
  }

  async firstAck(): Promise<FirstAck> {
    const id = this.#ids[(++this.#edits * 7_919) % this.#ids.length] ?? "";
    const edit = { shapes: [["patch", id, { x: this.#edits }]] };
    const ack = await firstAck(this.url, { epoch: this.#epoch, rev: this.#rev }, transactType, edit);
    this.#rev = ack.rev;
    return ack;
  }

  /** Whether each edit has changed its record, and nothing else. */
  async isAsEdited(): Promise<boolean> {
    const { shapes } = (await readBoard(this.url)).collections;
    const moved = Object.values(shapes).filter((shape) => (shape as { x: number }).x !== note.x);
    return (
      Object.keys(shapes).length === this.#ids.length &&
      moved.length === Math.min(this.#edits, this.#ids.length)
    );
  }
}

async function sleeper(server: Workerd, name: string, records: number): Promise<Sleeper> {
  const url = `${server.url}/rooms/${name}`;
  const ids = await fill(url, records);
  return new Sleeper(url, ids, await readBoard(url));
}

/** Prints the times of one moment, and answers their median. */
function report(moment: string, acks: readonly FirstAck[]): number {
  const sorted = acks.toSorted((a, b) => a.ackMs - b.ackMs);
  const median = sorted[Math.floor(sorted.length / 2)] as FirstAck;
  const all = sorted.map(({ ackMs }) => ackMs.toFixed(0)).join(" ");
  console.log(
    `  ${moment.padEnd(22)} first acknowledgement after ${median.ackMs.toFixed(1)} ms, caught up after ${median.caughtUpMs.toFixed(1)} ms (${all})`,
  );
  return median.ackMs;
}

async function measure(server: Workerd, records: number, budgetMs: number): Promise<void> {
  const room = await sleeper(server, "large", records);
  await awaitCheckpoint(server);
  const other = await sleeper(server, "other", 1);
  const restart = async () => {
    await server.kill();
    await server.start();
    await sleep(settledMs);
  };
  const cold: FirstAck[] = [];
  const warm: FirstAck[] = [];
  for (let run = 0; run < Number(options.runs); run++) {
    await restart();
    cold.push(await room.firstAck());
    await restart();
    await other.firstAck();
    warm.push(await room.firstAck());
  }
  console.log(`${records} records`);
  report("in a new isolate", cold);
  // As from hibernation: there, the isolate has run before.
  const medianMs = report("in one that has run", warm);
  findings.check(
    medianMs <= budgetMs,
    `${records} records: ${medianMs.toFixed(1)} ms, allowed are ${budgetMs}`,
  );
  findings.check(await room.isAsEdited(), `the room of ${records} records is not what it was edited to`);
}

for (const { records, budgetMs } of budgets) {
  const server = await Workerd.start();
  try {
    await measure(server, records, budgetMs);
  } finally {
    await server.stop();
  }
}
process.exit(findings.conclude());
