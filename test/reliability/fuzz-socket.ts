/**
 * Fuzzes a server over real sockets: `--cases 100000 --seed 1`. Frames after the grammar, with bytes of them changed, in and around the
 * WebSocket's own, against workerd alone, while two people work on the same board. Exits with 1 when they notice, when the room
 * restarts, or when somebody is told what nobody should be told.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { safeParse } from "zod/v4/core";
import { board } from "../../demo/board.ts";
import { codes } from "../../src/protocol/codes.ts";
import { nameTable } from "../../src/protocol/names.ts";
import { Attacker } from "../fuzz/attacker.ts";
import { Inventor } from "../fuzz/inventor.ts";
import { errorCodes, rejectionCodes } from "../fuzz/listed-codes.ts";
import { readFrame } from "../support/frames/decoded-frames.ts";
import { Dice } from "../simulation/dice.ts";
import { Bystanders } from "./clients/bystanders.ts";
import { encodeFrame, RawSocket, type Heard } from "./clients/raw-socket.ts";
import { oddLines } from "./process/log.ts";
import { Workerd } from "./process/workerd.ts";

/** Messages between two looks at what they were told. */
const batchSize = 25;
const attackersAtOnce = 4;
const patienceMs = 5_000;

/** Codes that a room or the platform may close an attacker with; 1000 and 1005 are answers to its own close. */
const closeCodes = new Set([
  1000,
  1002,
  1005,
  1007,
  1009,
  codes["rate-limited"].closeCode,
  codes.invalid.closeCode,
]);
/** The board has a refusal of its own. */
const outcomeCodes = new Set([...rejectionCodes, "nothing-to-clear"]);

const { values } = parseArgs({
  options: { cases: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
const wanted = Number(values.cases);
const seed = Number(values.seed);
const names = nameTable(board);

/** What all attackers have come to. */
const answers = new Map<string, number>();
const failures: string[] = [];
const accepted = new Set<number>();
let cases = 0;
let sessions = 0;
/** Calls of which nobody can know whether they were made: their session ended before it was told. */
let unsure = 0;

const count = (answer: string) => void answers.set(answer, (answers.get(answer) ?? 0) + 1);

/** One after another, sessions of an attacker, until there were enough cases. */
async function attack(url: string, dice: Dice): Promise<void> {
  const attacker = new Attacker(dice, board);
  const inventor = new Inventor(dice);
  while (cases < wanted && failures.length === 0) {
    const acceptsBinary = dice.chance(0.5);
    const raw = await enter(url, acceptsBinary);
    const session = { lastCallId: 0, rev: 0, tag: 1_000_000, sentSinceTold: 0 };
    let isOpen = true;
    while (isOpen && cases < wanted && failures.length === 0) {
      let isWild = false;
      for (let index = 0; index < batchSize && !isWild; index++) {
        cases += 1;
        const known = { epoch: null, rev: session.rev, due: session.lastCallId + 1 };
        const message = attacker.message(known, acceptsBinary);
        const [payload, opcode] = typeof message === "string" ? [Buffer.from(message), 1] : [message, 2];
        const garbled = dice.chance(0.6) ? new Uint8Array(inventor.garble([...payload])) : payload;
        const frame = encodeFrame({ opcode: dice.chance(0.05) ? 3 - opcode : opcode, payload: garbled });
        isWild = dice.chance(0.002);
        raw.write(isWild ? new Uint8Array(inventor.garble([...frame.subarray(0, 14)])) : frame);
        session.sentSinceTold += 1;
      }
      if (isWild) {
        await sleep(20); // the next frame would be read as part of this one
        isOpen = false;
      } else {
        const tag = (session.tag += 1);
        // Whoever owes too much is not sent a snapshot whole: this pays for all that has come meanwhile.
        raw.send(text({ kind: "ack", bytes: 1_000_000_000 }));
        raw.send(text({ kind: "resync", tag, epoch: null, rev: 0, confirmed: session.lastCallId }));
        const heard = await raw
          .until((message) => isReply(message, tag), patienceMs)
          .catch((error: unknown) => {
            failures.push(`${String(error)} of session ${sessions}`);
            return [];
          });
        isOpen = judge(heard, session, tag) && !raw.isEnded;
        if (isOpen) session.sentSinceTold = 0;
      }
      if (isOpen && dice.chance(0.02)) isOpen = false;
    }
    judge(raw.take(), session, undefined);
    unsure += session.sentSinceTold * 5; // calls that a message carries at most
    raw.end();
  }
}

async function enter(url: string, acceptsBinary: boolean): Promise<RawSocket> {
  const secret = `fuzzer-${String(++sessions).padStart(6, "0")}-${"s".repeat(16)}`;
  const hello = { secret, schema: board.version, epoch: null, rev: 0, confirmed: 0, knownSince: null };
  const raw = await RawSocket.upgrade(url, { ...hello, ...(acceptsBinary && { names: names.hash }) });
  await raw.until((heard) => heard.kind === "text" && heard.text.includes('"kind":"peers"'));
  return raw;
}

const text = (frame: object) => ({ opcode: 1, payload: Buffer.from(JSON.stringify(frame)) });

function isReply(message: Heard, tag: number): boolean {
  if (message.kind !== "bytes") return false;
  const frame = readFrame(message.bytes);
  return frame.kind === "update" && frame.tag === tag;
}

/** Takes note of what somebody was told. False when that was the end. */
function judge(
  heard: readonly Heard[],
  session: { lastCallId: number; rev: number },
  tag: number | undefined,
): boolean {
  for (const message of heard) {
    if (message.kind === "close") {
      if (!closeCodes.has(message.code)) failures.push(`closed with ${message.code} ${message.reason}`);
      count(`closed ${message.code} ${message.code >= 4000 ? message.reason : ""}`);
      return false;
    }
    if (message.kind === "text") judgeText(message.text);
    else if (message.kind === "bytes") judgeBytes(message.bytes, session, tag);
  }
  return true;
}

function judgeText(said: string): void {
  if (said === "pong") return count("pong");
  if (said === "ping") return;
  const frame = JSON.parse(said) as { kind: string; code: string; message: string };
  if (frame.kind === "error") {
    if (!errorCodes.has(frame.code)) failures.push(`told ${said}`);
    count(`error ${frame.code}`);
  } else if (frame.kind === "gap") count("gap");
}

function judgeBytes(
  bytes: Uint8Array,
  session: { lastCallId: number; rev: number },
  tag: number | undefined,
): void {
  const frame = readFrame(bytes);
  if (frame.kind !== "update") return;
  session.lastCallId = Math.max(session.lastCallId, frame.lastCallId ?? 0);
  session.rev = Math.max(session.rev, frame.delta?.to ?? 0);
  if (frame.tag !== undefined && frame.tag !== tag) count("state");
  for (const [, result] of frame.outcomes ?? []) {
    if (typeof result === "number") {
      if (frame.tag === undefined) count("accepted");
      accepted.add(result);
    } else {
      if (!outcomeCodes.has(result.code))
        failures.push(`a call was rejected ${result.code}: ${result.message}`);
      if (frame.tag === undefined) count(`rejected ${result.code}`);
    }
  }
}

/** What has to hold at the end. */
async function look(server: Workerd, bystanders: Bystanders, pid: number): Promise<void> {
  const { rev, collections } = await bystanders.state();
  const told = accepted.size + bystanders.rounds;
  if (rev < told || rev > told + unsure)
    failures.push(`revision ${rev}, of which ${told} were told and ${unsure} are unsure`);
  for (const [name, schema] of Object.entries(board.collections)) {
    for (const [id, record] of Object.entries(collections[name as "shapes" | "claims"])) {
      if (!safeParse(schema, record).success)
        failures.push(`${name}/${id} does not fit: ${JSON.stringify(record)}`);
    }
  }
  failures.push(...bystanders.troubles.map((trouble) => `a bystander: ${trouble}`));
  if (server.pid !== pid) failures.push("the server has started anew");
  const odd = oddLines(server.log);
  if (odd.length > 0) failures.push(`the log has ${odd.join("\n").slice(0, 500)}`);
}

const server = await Workerd.start();
try {
  const bystanders = await Bystanders.open(`${server.url}/rooms/fuzzed`);
  const { pid } = server;
  const startedAt = performance.now();
  const dice = Array.from(
    { length: attackersAtOnce },
    (_, index) => new Dice(seed * attackersAtOnce + index),
  );
  const over = new AbortController();
  const rounds = (async () => {
    do {
      await bystanders.round(patienceMs);
      await sleep(20);
    } while (!over.signal.aborted);
  })();
  await Promise.all([
    rounds,
    Promise.all(dice.map(async (one) => await attack(bystanders.url, one))).finally(() => over.abort()),
  ]);
  await look(server, bystanders, pid);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  for (const [answer, times] of [...answers].toSorted(([, a], [, b]) => b - a))
    console.log(`${String(times).padStart(10)}  ${answer}`);
  for (const failure of new Set(failures)) console.log(`seed ${seed} failed: ${failure}`);
  console.log(
    `${cases} cases of seed ${seed} in ${sessions} sessions and ${seconds} s: ${failures.length} failures; ${bystanders.rounds} round trips of bystanders, the longest ${Math.round(bystanders.worstMs)} ms`,
  );
  bystanders.close();
} finally {
  await server.stop();
}
process.exitCode = failures.length > 0 ? 1 : 0;
