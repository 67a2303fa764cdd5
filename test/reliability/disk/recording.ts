import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReadFrame } from "../../support/frames/decoded-frames.ts";
import type { Chance } from "../support/seeded-random.ts";
import { SentFrames } from "./sent-frames.ts";
import { readTrace, straceCommand, type SystemCall } from "./strace.ts";
import { ClientObservations } from "../support/client-observations.ts";
import { WireWriter } from "../clients/wire-writer.ts";
import { Workerd } from "../process/workerd.ts";

export const roomId = "power-cut";
const writerCount = 4;
/** Of those: how many never confirm an outcome. */
const silentCount = 2;
/** Every so often all clients connect anew, and are told again what they have not confirmed. */
const reconnectIntervalMs = 1_500;
const finishTimeoutMs = 60_000;
const tracerTimeoutMs = 30_000;

/** A frame that was sent to a client, and where in the trace it began to leave. */
export interface Telling {
  readonly at: number;
  readonly clientId: string;
  readonly frame: ReadFrame;
}

/** What became of a load under strace. */
export interface Recording {
  readonly calls: readonly SystemCall[];
  readonly tellings: readonly Telling[];
  readonly writers: readonly WireWriter[];
  /** What the clients say that they heard. */
  readonly heard: ClientObservations;
  /** The files in the end, by path. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Lets clients write for some seconds, and then to the end of what they have begun. */
export async function record(script: string, seconds: number, chance: Chance): Promise<Recording> {
  const folder = await mkdtemp(join(tmpdir(), "deltaroom-trace-"));
  const tracePath = join(folder, "trace");
  const server = await Workerd.start({ script, under: straceCommand(tracePath) });
  const heard = new ClientObservations();
  const writers = Array.from({ length: writerCount }, (_, index) => {
    const url = `${server.url}/rooms/${roomId}`;
    return new WireWriter(url, `wire${index}`, chance.fork(), heard, index >= silentCount);
  });
  for (const writer of writers) writer.connect();
  const endAt = Date.now() + seconds * 1_000;
  for (let leftMs = endAt - Date.now(); leftMs > 0; leftMs = endAt - Date.now()) {
    await sleep(Math.min(reconnectIntervalMs, leftMs));
    for (const writer of writers) await comeBack(writer);
  }
  for (const writer of writers) writer.isWriting = false;
  const deadline = Date.now() + finishTimeoutMs;
  while (writers.some(({ unanswered }) => unanswered > 0) && Date.now() < deadline) await sleep(20);
  for (const { name, unanswered } of writers) {
    if (unanswered > 0) heard.accuse("lost", `${name} waits for the answers to ${unanswered} calls`);
  }
  for (const writer of writers) writer.close();
  const { pid } = server;
  await server.kill();
  for (
    const giveUpAt = Date.now() + tracerTimeoutMs;
    !(await endsWithKill(tracePath, pid));
    await sleep(50)
  ) {
    if (Date.now() > giveUpAt) throw new Error(`strace has not noted the end of ${pid} in ${tracePath}`);
  }
  const calls = await readTrace(tracePath, server.dataPath);
  const files = await readAll(server.dataPath);
  await rm(folder, { recursive: true });
  await server.stop();
  return { calls, tellings: tellingsIn(calls), writers, heard, files };
}

async function comeBack(writer: WireWriter): Promise<void> {
  writer.disconnect();
  await writer.gone();
  writer.connect();
}

/** Whether the tracer, which runs on for a moment, has seen the end of the process. */
async function endsWithKill(tracePath: string, pid: number): Promise<boolean> {
  await using file = await open(tracePath);
  const { size } = await file.stat();
  const { buffer } = await file.read({ position: Math.max(0, size - 4_096) });
  return new RegExp(`^${pid} +\\+\\+\\+ killed by SIGKILL`, "m").test(buffer.toString("latin1"));
}

/** All but the index of a WAL, which is no part of what lasts. */
async function readAll(folder: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith("-shm"));
  const paths = names.map((name) => join(folder, name));
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(path)] as const)));
}

function tellingsIn(calls: readonly SystemCall[]): Telling[] {
  const sockets = new Map<string, SentFrames>();
  const clientIds = new Map<string, string>();
  const tellings: Telling[] = [];
  for (const call of calls) {
    if (call.kind !== "send") continue;
    const sent = sockets.get(call.socket) ?? new SentFrames();
    sockets.set(call.socket, sent);
    for (const { at, frame } of sent.take(call.startedAt, call.data)) {
      if (frame.kind === "welcome") clientIds.set(call.socket, frame.clientId);
      tellings.push({ at, clientId: clientIds.get(call.socket) ?? "nobody", frame });
    }
  }
  return tellings.toSorted((a, b) => a.at - b.at);
}
