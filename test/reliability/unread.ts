/**
 * 900 requests for the state of a room of 4.8 MB, whose answers nobody reads: `npm run test:unread`. The isolate has no more heap than
 * production would give it. Exits with 1 when the runtime ends, its memory grows with what is not read, a call of a bystander waits,
 * or the state cannot be read afterwards. `--requests 900`
 */
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { newId } from "../../client/index.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import { openBoard, readBoard } from "./clients/board-client.ts";
import { Findings } from "./support/findings.ts";
import { limitHeap, productionHeapMb, readHeapMb } from "./process/isolate.ts";
import { readMemory } from "./process/process-memory.ts";
import { runOn } from "./process/run-checks.ts";
import type { Workerd } from "./process/workerd.ts";

const { values: options } = parseArgs({ options: { requests: { type: "string", default: "900" } } });
const requests = Number(options.requests);

const note = { kind: "note", x: 100, y: 100, color: "sun", text: "x".repeat(53) } as const;
const records = 36_000;
const recordsOfCall = 2_000;
/** The answers are cut before. */
const watchMs = defaultLimits.maxReadStallMs + 5_000;
const bystanderMs = 50;
/** What the runtime takes beside the answers that it may have under way: buffers and sockets of all who ask. */
const slackMb = 64;
const mostDelayedMs = 2_000;

const findings = new Findings();

/** Asks for the state, and reads nothing of the answer. */
function ask(url: string): Socket {
  const { hostname, port, host, pathname } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  socket.pause();
  socket.on("error", () => {}); // the room cuts what is not read
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  return socket;
}

async function run(server: Workerd): Promise<void> {
  const url = `${server.url}/rooms/unread`;
  const room = openBoard(url, {});
  await room.ready;
  for (let made = 0; made < records; made += recordsOfCall)
    await room.transact((tx) => {
      for (let one = 0; one < recordsOfCall; one++) tx.shapes.put(newId(), note);
    }).committed;
  const before = await readBoard(url);
  const { residentMb } = readMemory(server.pid);
  console.log(
    `filled: ${Math.round(JSON.stringify(before).length / 1e5) / 10} MB, process ${residentMb.toFixed(0)} MB`,
  );

  const sockets = Array.from({ length: requests }, () => ask(url));
  let [grownMb, heapMb, longestMs] = [0, 0, 0];
  const endsAt = Date.now() + watchMs;
  while (Date.now() < endsAt) {
    const startedAt = performance.now();
    await room.transact((tx) => tx.shapes.put("bystander", { ...note, x: Math.round(startedAt) % 900 }))
      .committed;
    longestMs = Math.max(longestMs, performance.now() - startedAt);
    grownMb = Math.max(grownMb, readMemory(server.pid).residentMb - residentMb);
    heapMb = Math.max(heapMb, await readHeapMb());
    await sleep(bystanderMs);
  }
  console.log(
    `${requests} unread: the process has grown by ${grownMb.toFixed(0)} MB, its heap had at most ${heapMb.toFixed(0)} of ` +
      `${productionHeapMb} MB; the longest call of a bystander took ${longestMs.toFixed(0)} ms`,
  );
  findings.check(grownMb < slackMb, `the process has grown by ${grownMb.toFixed(0)} MB`);
  findings.check(longestMs < mostDelayedMs, `a call of a bystander took ${longestMs.toFixed(0)} ms`);
  for (const socket of sockets) socket.destroy();
  const after = await readBoard(url);
  findings.check(
    Object.keys(after.collections.shapes).length === records + 1,
    "the state that was read afterwards lacks records",
  );
  room.close();
}

await runOn(limitHeap(productionHeapMb), findings, run);
