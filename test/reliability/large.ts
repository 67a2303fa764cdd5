/**
 * Fills a room of the demo to its 32 MB with small records and lives with it: `npm run test:large`. The isolate has
 * no more heap than production would give it, so whatever holds the whole state twice ends the run. Exits with 1
 * when the room is not what it should be. `--heap-mb 512` shows what it takes when it may.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { newId, type Traffic } from "../../client/index.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import { differences, openBoard, readBoard, type BoardJson, type BoardRoom } from "./clients/board-client.ts";
import { Findings } from "./support/findings.ts";
import { limitHeap, productionHeapMb, readHeapMb } from "./process/isolate.ts";
import { comesTrue } from "./support/wait-until.ts";
import { readMemory } from "./process/process-memory.ts";
import { get } from "./clients/request.ts";
import { RoomFile } from "./disk/room-file.ts";
import { runOn } from "./process/run-checks.ts";
import type { Workerd } from "./process/workerd.ts";

/** As a JSON text of 134 bytes with its id, 250,000 of them come to the 32 MB. */
const note = { kind: "note", x: 100, y: 100, color: "sun", text: "x".repeat(53) } as const;
/** Records of one call: 2,500 are as many as a payload may well hold. */
const callSizes = [2_500, 250];
const deletesOfCall = 8_000;
/** A row may have 2 MB. */
const maxRowBytes = 1_900_000;
const checkpointTimeoutMs = 15_000;
/** After 10 s without an event the platform hibernates an object. */
const idleMs = 11_500;
const slowReaders = 3;
const settleTimeoutMs = 30_000;

const { values: options } = parseArgs({
  options: { "heap-mb": { type: "string", default: String(productionHeapMb) } },
});
const findings = new Findings();

/** A client with what it has been sent since `forget`. */
class Visitor {
  readonly room: BoardRoom;
  readonly troubles: string[] = [];
  #received: Traffic[] = [];

  constructor(url: string) {
    const onTraffic = (traffic: Traffic) => {
      if (traffic.direction === "down") this.#received.push(traffic);
    };
    this.room = openBoard(url, { onTraffic });
    this.room.on("error", ({ code, message }) => this.troubles.push(`${code}: ${message}`));
    this.room.on("reject", ({ code }) => code === "too-large" || this.troubles.push(`rejected ${code}`));
  }

  get received(): readonly Traffic[] {
    return this.#received;
  }

  get receivedBytes(): number {
    return this.#received.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get largestFrameBytes(): number {
    return Math.max(0, ...this.#received.map(({ bytes }) => bytes));
  }

  forget(): void {
    this.#received = [];
  }
}

async function figure(server: Workerd, moment: string, more = ""): Promise<void> {
  const { residentMb, peakMb } = readMemory(server.pid);
  const heapMb = await readHeapMb();
  const memory = `heap ${mb(heapMb)} of ${options["heap-mb"]}, process ${mb(residentMb)} (at most ${mb(peakMb)}) MB`;
  console.log(`${moment.padEnd(14)} ${memory}${more && `; ${more}`}`);
}

function mb(megabytes: number): string {
  return megabytes.toFixed(1);
}

function kb(bytes: number): string {
  return (bytes / 1024).toFixed(1);
}

/** Puts `count` new records, in one call. False when the room is full. */
async function put(room: BoardRoom, count: number): Promise<boolean> {
  const call = room.transact((tx) => {
    for (let made = 0; made < count; made++) tx.shapes.put(newId(), note);
  });
  try {
    await call.committed;
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "too-large") return false;
    throw error;
  }
}

/** Changes a few records to others of the same size: also a full room has to take that. */
async function move(room: BoardRoom, count: number): Promise<void> {
  const ids = room.state.shapes.ids();
  const step = Math.floor(ids.length / count);
  for (let moved = 0; moved < count; moved++) {
    const id = ids[moved * step] ?? "";
    const x = 100 + (((room.state.shapes.get(id)?.x ?? 100) + 1) % 900);
    await room.transact((tx) => tx.shapes.patch(id, { x })).committed;
  }
}

async function remove(room: BoardRoom, ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += deletesOfCall) {
    const some = ids.slice(start, start + deletesOfCall);
    await room.transact((tx) => some.forEach((id) => tx.shapes.delete(id))).committed;
  }
}

/** Waits for the checkpoint that a room writes when it has gone quiet, if what is new is worth one. */
async function awaitCheckpoint(server: Workerd): Promise<void> {
  using file = new RoomFile(server.dataPath);
  if (!(await comesTrue(() => file.journaledBytes() < defaultLimits.pageBytes, checkpointTimeoutMs)))
    throw new Error("no checkpoint was written when the room went quiet");
}

/** Near its limit a room counts its journal as well, until a checkpoint; then a bit more fits. */
async function fill(server: Workerd, room: BoardRoom): Promise<void> {
  for (const size of callSizes) {
    let added: number;
    do {
      added = 0;
      while (await put(room, size)) added += 1;
      if (added > 0) await awaitCheckpoint(server);
    } while (added > 0);
  }
}

function checkFile(server: Workerd, records: number): void {
  using file = new RoomFile(server.dataPath);
  for (const [name, { rows, largestRowBytes, largestValueBytes }] of file.tables()) {
    console.log(
      `  table ${name}: ${rows} rows, the largest ${kb(largestRowBytes)} KB, its largest value ${kb(largestValueBytes)} KB`,
    );
    findings.check(
      largestRowBytes <= maxRowBytes,
      `a row of ${name} has ${largestRowBytes} bytes, over ${maxRowBytes}`,
    );
  }
  const pages = file.pages();
  const average = pages.bytes / pages.count;
  const { pageBytes } = defaultLimits;
  console.log(
    `  ${pages.count} pages, on average ${kb(average)} KB, the largest ${kb(pages.largestBytes)} KB; ${pages.records} records`,
  );
  // What a quiet room leaves in its journal is less than a page.
  const missing = Math.abs(records - pages.records);
  findings.check(
    missing * JSON.stringify(note).length < pageBytes,
    `the pages hold ${pages.records} records of ${records}`,
  );
  findings.check(
    pages.largestBytes <= pageBytes + JSON.stringify(note).length,
    `a page has ${pages.largestBytes} bytes, over ${pageBytes}`,
  );
  findings.check(
    average >= 0.4 * pageBytes,
    `pages have ${Math.round(average)} bytes on average, of ${pageBytes}: too many of them for what they hold`,
  );
  findings.check(pages.empty === 0, `${pages.empty} pages are empty`);
}

async function checkAgreement(url: string, visitors: readonly Visitor[]): Promise<BoardJson> {
  const truth = await readBoard(url);
  for (const [index, { room }] of visitors.entries()) {
    await comesTrue(() => room.rev >= truth.rev && room.pending === 0, settleTimeoutMs);
    const differing = differences(room, truth);
    findings.check(differing.length === 0, `client ${index} differs from GET in ${differing.join(", ")}`);
  }
  return truth;
}

/** Several readers who take their time, and an edit meanwhile: each gets the state of the moment it asked. */
async function checkSlowReaders(server: Workerd, url: string, editor: Visitor): Promise<void> {
  const { rev } = editor.room;
  const bodies = [];
  for (let reader = 0; reader < slowReaders; reader++) {
    const response = await get(url);
    findings.check(!response.headers.has("content-length"), "GET is answered in one piece, with its length");
    bodies.push(response);
  }
  await move(editor.room, 3);
  await figure(server, "slow readers", `${slowReaders} at once, which have read nothing yet`);
  for (const response of bodies) {
    const { rev: read } = (await response.json()) as BoardJson;
    findings.check(read === rev, `a slow reader asked at revision ${rev} and was given ${read}`);
  }
}

/** A client that was away, also while the room was down, is sent the few edits it missed and nothing else. */
async function checkReturn(away: Visitor, editor: Visitor): Promise<void> {
  await move(editor.room, 5);
  const { rev } = away.room;
  away.forget();
  away.room.reconnect();
  await comesTrue(() => away.room.status === "online" && away.room.rev === editor.room.rev, settleTimeoutMs);
  const { received, receivedBytes } = away;
  const delta = received.find(({ to }) => to !== undefined);
  console.log(`  a client away for 5 edits: ${receivedBytes} bytes in ${received.length} frames`);
  findings.check(
    received.every(({ kind }) => kind !== "snapshot") && delta?.kind === "update",
    "a client that missed 5 edits was sent a snapshot",
  );
  findings.check(
    (delta?.from ?? Infinity) <= rev && delta?.to === editor.room.rev,
    `a client at ${rev} was sent a delta from ${delta?.from} to ${delta?.to}`,
  );
}

async function checkRefusal(url: string, refused: Visitor, other: Visitor): Promise<void> {
  const { rev, state } = refused.room;
  const { size } = state.shapes;
  const [isTaken] = await Promise.all([put(refused.room, 1_000), move(other.room, 3)]);
  findings.check(!isTaken, "an edit beyond the limit was not rejected as too-large");
  const truth = await checkAgreement(url, [refused, other]);
  findings.check(
    truth.rev === rev + 3,
    `3 edits beside a refused one took the room from ${rev} to ${truth.rev}`,
  );
  findings.check(state.shapes.size === size, "a refused edit left something behind");
}

async function run(server: Workerd): Promise<void> {
  const url = `${server.url}/rooms/large`;
  await figure(server, "empty");

  let startedAt = Date.now();
  const first = new Visitor(url);
  await first.room.ready;
  await fill(server, first.room);
  const records = first.room.state.shapes.size;
  await figure(server, "filled", `${records} records in ${Date.now() - startedAt} ms`);
  checkFile(server, records);
  first.room.disconnect();

  await server.kill();
  await server.start();
  await figure(server, "started again");
  startedAt = Date.now();
  const response = await get(url);
  const wakeMs = Date.now() - startedAt;
  let [pieces, bytes] = [0, 0];
  for await (const piece of response.body ?? []) {
    pieces += 1;
    bytes += piece.byteLength;
  }
  await figure(server, "woken", `first byte after ${wakeMs} ms; GET: ${bytes} bytes in ${pieces} pieces`);
  findings.check(
    bytes >= 0.97 * defaultLimits.maxStateBytes,
    `GET answers ${bytes} bytes: the room is not full`,
  );

  startedAt = Date.now();
  const second = new Visitor(url);
  await second.room.ready;
  const joinMs = Date.now() - startedAt;
  const join = `${joinMs} ms, ${second.receivedBytes} bytes in ${second.received.length} frames, the largest ${kb(second.largestFrameBytes)} KB`;
  await figure(server, "joined", join);
  findings.check(
    second.largestFrameBytes <= defaultLimits.pageBytes + 1_024,
    `a frame of ${second.largestFrameBytes} bytes is far more than a page`,
  );

  await checkReturn(first, second);
  await checkAgreement(url, [first, second]);
  await checkSlowReaders(server, url, second);
  await checkRefusal(url, first, second);

  await sleep(idleMs);
  startedAt = Date.now();
  await move(first.room, 1);
  const coldMs = Date.now() - startedAt;
  await move(first.room, 1);
  await figure(
    server,
    "idled",
    `first edit after ${coldMs} ms, the next after ${Date.now() - startedAt - coldMs} ms`,
  );

  await remove(
    first.room,
    first.room.state.shapes.ids().filter((_, index) => index % 20 === 0),
  );
  await awaitCheckpoint(server);
  findings.check(await put(second.room, 1_000), "after deletions the room still says that it is full");
  await remove(second.room, second.room.state.shapes.ids().slice(20_000));
  await awaitCheckpoint(server);
  await figure(server, "emptied", `${second.room.state.shapes.size} records are left`);
  checkFile(server, second.room.state.shapes.size);
  await checkAgreement(url, [first, second]);
  for (const { room, troubles } of [first, second]) {
    findings.check(troubles.length === 0, `a client was told ${troubles.join(", ")}`);
    room.close();
  }
}

await runOn(limitHeap(Number(options["heap-mb"])), findings, run);
