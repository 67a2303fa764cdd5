import { clientIdOf } from "../../src/protocol/handshake/client-secret.ts";
import { safeParse } from "zod/v4/core";
import { wake } from "../../src/room/storage/room-state.ts";
import type { Operation } from "../../src/room/engine/batch.ts";
import { canonicalJson } from "../../src/model/checksum.ts";
import { defaultLimits, type Limits } from "../../src/room/limits.ts";
import type { Fields } from "../../src/model/json.ts";
import { decodeDown, frameBytes } from "../../src/protocol/codec.ts";
import { codes } from "../../src/protocol/codes.ts";
import { encodeBase64Url } from "../../src/protocol/encoding/base64url.ts";
import { decodeHello, type Hello } from "../../src/protocol/handshake/hello.ts";
import { nameTable } from "../../src/protocol/names.ts";
import { journalSlots } from "../../src/room/storage/journal.ts";
import { RoomServer } from "../../src/room/room-server.ts";
import type { Session, Socket } from "../../src/room/sessions/session.ts";
import { MemoryStorage } from "../../testing/memory-storage.ts";
import { watchPrototypes } from "../attacks/actions/prototypes.ts";
import { readFrame, type ReadFrame } from "../support/frames/decoded-frames.ts";
import { ClientCopy } from "../support/clients/client-copy.ts";
import { Dice } from "../simulation/dice.ts";
import { fakeCompressed } from "../simulation/platform/fake-compression.ts";
import { Attacker, type Message } from "./attacker.ts";
import { fuzzBoard } from "./fuzz-board.ts";
import { Inventor } from "./inventor.ts";
import { errorCodes, rejectionCodes } from "./listed-codes.ts";

/** What came of many cases: how often what was answered, and the first thing that must not have happened. */
export interface FuzzReport {
  readonly cases: number;
  readonly answers: Map<string, number>;
  readonly failure: string | undefined;
}

/** Of one seed, from an empty room on. */
export const casesASeed = 1_000;

/** Small enough that checkpoints, snapshots and forgetting come all the time. */
const limits: Limits = {
  ...defaultLimits,
  flushIntervalMs: 0,
  maxRingFlushes: 32,
  pageBytes: 2_048,
  quietCheckpointMs: 200,
  maxLoggedClients: 50,
  maxStateBytes: 60_000,
  maxRingBytes: 20_000,
  maxRecordBytes: 2_000,
};

const closeReasons = new Set(["rate-limited", "replaced"]);
const forbidden = new Set(["__proto__", "constructor", "prototype"]);
const refusals = new Set([
  "schema-mismatch",
  "id-conflict",
  "replaced",
  "too-old",
  "room-full",
  "unauthorized",
]);

/** One end of a session in the same process. */
class Peer {
  readonly clientId: string;
  readonly copy = new ClientCopy();
  readonly socket: Socket;
  session: Session | undefined;
  closed: string | undefined;
  owedBytes = 0;
  owedFrames = 0;
  /** The last frame as it came. */
  newest: Message = "";
  #fresh: ReadFrame[] = [];

  constructor(clientId: string) {
    this.clientId = clientId;
    this.socket = {
      send: (raw) => this.#hear(raw),
      close: (closeCode, reason) => {
        if ((codes as { [code: string]: { closeCode: number } })[reason]?.closeCode !== closeCode)
          throw new Error(`closed with ${closeCode} ${reason}`);
        this.closed ??= reason;
      },
      pingedAt: () => 0,
      save: (attachment) => void structuredClone(attachment),
    };
  }

  /** The frames since the last time. */
  take(): ReadFrame[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  #hear(raw: string | Uint8Array): void {
    if (raw === "ping") return;
    this.owedBytes += frameBytes(raw);
    this.owedFrames += 1;
    this.newest = raw;
    const frame = readFrame(raw, fakeCompressed);
    this.copy.take(frame); // it throws for what breaks the protocol
    this.#fresh.push(frame);
  }
}

/** A room in memory, attackers of every kind, and two bystanders: each case is one message, and everything is checked behind it. */
class FuzzWorld {
  readonly answers = new Map<string, number>();
  readonly #dice: Dice;
  readonly #attacker: Attacker;
  readonly #inventor: Inventor;
  readonly #storage = new MemoryStorage(journalSlots(limits));
  readonly #room: RoomServer;
  readonly #writer: Peer;
  readonly #sessionJudge: Peer;
  readonly #attackers: Peer[] = [];
  readonly #assertPrototypes = watchPrototypes();
  #operations: Operation[] = [];
  #now = 1_800_000_000_000;
  #timers: { at: number; run: () => void }[] = [];
  #clients = 0;
  #writes = 0;
  #rev = 0;
  #sums = "";
  /** Who has just sent something. */
  #broadcaster: Peer | undefined;
  /** What that was. */
  #describe: () => string = () => "the beginning";

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.#attacker = new Attacker(this.#dice, fuzzBoard);
    this.#inventor = new Inventor(this.#dice);
    const rules = {
      serverMutators: {},
      authorize: () => true,
      onJoin() {},
      onLeave() {},
      onFlush() {},
      onCommit: (operation: Operation) => void this.#operations.push(operation),
    };
    let epochs = 0;
    this.#room = new RoomServer(fuzzBoard, limits, rules, {
      storage: this.#storage,
      now: () => this.#now,
      setTimer: (run, delayMs) => {
        const timer = { at: this.#now + delayMs, run };
        this.#timers.push(timer);
        return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
      },
      setAlarm() {},
      newEpoch: () => `epoch-${++epochs}`,
      deflate: (bytes) => Promise.resolve(fakeCompressed(bytes)),
      abort: (reason) => this.#fail(`the room has ended: ${reason}`),
      log: (event, { type }) => {
        // One mutator fails as it should; of any other that is told, something has slipped through the checks before it.
        const isExpected = event === "client-diverged" || (event === "mutator-failed" && type === "stumble");
        if (!isExpected) this.#fail(`the room has logged ${event} of ${String(type)}`);
      },
    });
    this.#writer = this.#enter({});
    this.#sessionJudge = this.#enter({});
    for (const kind of ["text", "compact", "compact", "reader"] as const)
      this.#attackers.push(this.#enter({}, kind));
    this.#round();
    this.#note();
  }

  /** One case. Throws for whatever must not have happened. */
  step(): void {
    const dice = this.#dice;
    const index = dice.between(0, this.#attackers.length - 1);
    if (dice.chance(0.08)) this.#tryHello();
    else this.#trySending(index);
    this.#pass(dice.between(0, 40));
    this.#check();
    if (dice.chance(0.1)) this.#mislead(this.#attackers[index]?.newest ?? "");
    if (dice.chance(0.02)) this.#round();
    if (dice.chance(0.002)) this.#lookDeeper();
  }

  /** At the end, and now and then: disk, schemas and copies. */
  #lookDeeper(): void {
    this.#round();
    this.#assertPrototypes();
    const roomState = this.#room.read();
    const woken = wake(this.#storage.copy(), limits, () => "never");
    if (woken.rev !== roomState.rev) this.#fail(`disk has revision ${woken.rev}, memory ${roomState.rev}`);
    for (const [name, schema] of Object.entries(fuzzBoard.collections)) {
      const ids = roomState.records.ids(name);
      if (ids.join("\n") !== woken.records.ids(name).join("\n")) this.#fail(`disk has other ids of ${name}`);
      for (const id of ids) {
        const record = roomState.records.get(name, id) as Fields;
        const text = canonicalJson(record);
        if (!/^.{1,128}$/su.test(id) || !id.isWellFormed() || forbidden.has(id))
          this.#fail(`a record is called ${id}`);
        if (/"(?:__proto__|constructor|prototype)":/.test(text) || !text.isWellFormed())
          this.#fail(`${name}/${id} holds ${text}`);
        if (!safeParse(schema, record).success) this.#fail(`${name}/${id} does not fit: ${text}`);
        if (text !== canonicalJson(woken.records.get(name, id) as Fields))
          this.#fail(`disk has another ${name}/${id}`);
        if (text !== canonicalJson((this.#sessionJudge.copy.get(name, id) ?? null) as Fields))
          this.#fail(`the witness has another ${name}/${id}`);
      }
    }
    if (roomState.records.get("ledger", "never") !== undefined) this.#fail("a call was half done");
  }

  finish(): void {
    this.#lookDeeper();
  }

  // ── attacks ────────────────────────────────────────────────────────────────────────────────────────────────

  #trySending(index: number): void {
    const peer = this.#attackers[index];
    const session = peer?.session;
    if (peer === undefined || session === undefined || peer.closed !== undefined) return this.#replace(index);
    const { epoch, rev, lastCallId } = peer.copy;
    const message = this.#attacker.message({ epoch, rev, due: lastCallId + 1 }, session.acceptsBinary);
    this.#describe = () => show(message);
    this.#broadcaster = peer;
    this.#room.receive(session, message);
    if (peer.owedFrames > 10 && peer.closed === undefined) this.#acknowledge(peer);
  }

  #tryHello(): void {
    const { epoch, rev } = this.#sessionJudge.copy;
    const secret = this.#dice.chance(0.8)
      ? `secret-of-a-fuzzer-${++this.#clients}`
      : this.#writer.clientId.padEnd(20, "x");
    const json = this.#attacker.hello(secret, { epoch, rev, due: 1 });
    this.#describe = () => `hello ${json}`;
    const escaped = json.replace(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    const hello = decodeHello(["deltaroom.v1", `hello.${encodeBase64Url(escaped)}`]);
    if (hello === undefined) return this.#count("hello: closed invalid");
    const peer = this.#join(hello, this.#dice.pick(["text", "reader"] as const));
    if (typeof peer === "string") {
      if (!refusals.has(peer)) this.#fail(`the hello was refused with ${peer}`);
      return this.#count(`hello: closed ${peer}`);
    }
    this.#count("hello: welcome");
    // What a lying hello brings is its own: it leaves again.
    this.#pass(5);
    if (peer.session !== undefined) this.#room.leave(peer.session);
  }

  #replace(index: number): void {
    const old = this.#attackers[index];
    if (old?.session !== undefined) this.#room.leave(old.session);
    const kind = (["text", "compact", "compact", "reader"] as const)[index] ?? "text";
    this.#attackers[index] = this.#enter({}, kind);
    this.#describe = () => "a new session";
  }

  /** A room that says what no room would: a client throws an error, upon which it asks again or connects anew. */
  #mislead(frame: Message): void {
    const units = typeof frame === "string" ? Array.from(frame, (unit) => unit.charCodeAt(0)) : [...frame];
    const garbled = this.#inventor.garble(units);
    const said = typeof frame === "string" ? String.fromCharCode(...garbled) : new Uint8Array(garbled);
    this.#describe = () => `a client is told ${show(said)}`;
    try {
      decodeDown(said);
      this.#count("client: read");
    } catch (error) {
      if (!(error instanceof Error) || error instanceof RangeError)
        this.#fail(`a client throws ${String(error)}`);
      this.#count("client: not read");
    }
  }

  // ── sessions ───────────────────────────────────────────────────────────────────────────────────────────────

  #enter(hello: Partial<Hello>, kind: "text" | "compact" | "reader" = "text"): Peer {
    const secret = `secret-of-a-person-${++this.#clients}`;
    const position = { epoch: null, rev: 0, confirmed: 0, knownSince: null };
    const compact = kind === "compact" ? { names: nameTable(fuzzBoard).hash } : {};
    const joined = this.#join({ secret, schema: 3, ...position, ...compact, ...hello }, kind);
    if (typeof joined === "string") throw new Error(`a good hello was refused with ${joined}`);
    return joined;
  }

  #join(hello: Hello, kind: "text" | "compact" | "reader"): Peer | string {
    const peer = new Peer(clientIdOf(hello.secret));
    const lies = hello.epoch !== null || hello.resumeSnapshot !== undefined;
    if (lies) peer.copy.take = (frame) => frame as never; // nothing is promised to whoever lies about what it has
    const joined = this.#room.join(() => peer.socket, hello, {
      user: null,
      access: kind === "reader" ? "read" : "write",
    });
    if ("code" in joined) return joined.code;
    peer.session = joined;
    this.#pass(0);
    return peer;
  }

  #acknowledge(peer: Peer): void {
    const bytes = peer.owedBytes;
    peer.owedBytes = 0;
    peer.owedFrames = 0;
    this.#room.receive(peer.session as Session, JSON.stringify({ kind: "ack", bytes }));
  }

  // ── checks ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everybody was told what is in the contract, and nothing has changed that nobody was told of. */
  #check(): void {
    for (const peer of this.#attackers) this.#judge(peer);
    for (const peer of [this.#writer, this.#sessionJudge]) {
      if (peer.closed !== undefined) this.#fail(`a bystander was closed: ${peer.closed}`);
      for (const frame of peer.take())
        if (frame.kind === "error" || frame.kind === "gap")
          this.#fail(`a bystander was told ${JSON.stringify(frame)}`);
      if (peer.owedFrames > 10) this.#acknowledge(peer);
    }
    this.#room.flush();
    const { rev, records } = this.#room.roomState;
    const sums = JSON.stringify(records.checksums);
    const { length } = this.#operations;
    if (rev - this.#rev !== length) this.#fail(`${rev - this.#rev} revisions and ${length} operations`);
    if (length === 0 && sums !== this.#sums) this.#fail("the state has changed by itself");
    for (const { clientId, rev: at } of this.#operations) this.#assertTold(clientId, at);
    this.#broadcaster = undefined;
    this.#note();
  }

  #judge(peer: Peer): void {
    const frames = peer.take();
    let isAnswered = false;
    for (const frame of frames) {
      if (frame.kind === "error") {
        if (!errorCodes.has(frame.code)) this.#fail(`an error ${frame.code}: ${frame.message}`);
        if (frame.message.length > 600) this.#fail(`a message of ${frame.message.length} characters`);
        this.#count(`error ${frame.code}`);
      } else if (frame.kind === "gap") this.#count("gap");
      else if (frame.kind === "update") {
        if (frame.tag !== undefined && frame.tag > 0) this.#count("state");
        for (const [, result] of frame.tag === undefined ? (frame.outcomes ?? []) : [])
          this.#countOutcome(result);
      } else continue;
      isAnswered = true;
    }
    if (peer.closed !== undefined && peer.session !== undefined) {
      if (!closeReasons.has(peer.closed)) this.#fail(`closed with ${peer.closed}`);
      this.#count(`closed ${peer.closed}`);
      peer.session = undefined;
    } else if (!isAnswered && peer === this.#broadcaster) this.#count("nothing");
  }

  #countOutcome(result: unknown): void {
    if (typeof result === "number") return this.#count("accepted");
    const { code } = result as { code: string };
    const isOwn = rejectionCodes.has(code) || code === "internal";
    this.#count(isOwn ? `rejected ${code}` : "rejected by the app");
  }

  /** A committed operation was acknowledged to who made it, unless that one is gone or owes acknowledgements. */
  #assertTold(clientId: string, rev: number): void {
    const peer = [...this.#attackers, this.#writer].find((one) => one.clientId === clientId);
    if (peer === undefined) return this.#fail(`${clientId} has made an operation and is not here`);
    const isTold = [...peer.copy.outcomes.values()].includes(rev);
    if (!isTold && peer.session?.isLive === true && peer.closed === undefined)
      this.#fail(`revision ${rev} was not acknowledged`);
  }

  #note(): void {
    this.#room.flush();
    const { rev, records } = this.#room.roomState;
    this.#rev = rev;
    this.#sums = JSON.stringify(records.checksums);
    this.#operations = [];
  }

  /** A bystander's call is committed and seen by the other. */
  #round(): void {
    const writer = this.#writer;
    const n = (this.#writes += 1);
    const record = { sum: n, by: writer.clientId };
    const calls = [[writer.copy.rev, "book", { id: "bystander", sum: n }]];
    const push = { kind: "push", first: n, confirmed: n - 1, calls };
    this.#room.receive(writer.session as Session, JSON.stringify(push));
    this.#pass(300);
    if (typeof writer.copy.outcomes.get(n) !== "number")
      this.#fail(`the bystander's call came to ${JSON.stringify(writer.copy.outcomes.get(n))}`);
    const seen = this.#sessionJudge.copy.get("ledger", "bystander");
    if (canonicalJson(seen as Fields) !== canonicalJson(record))
      this.#fail(`the witness sees ${JSON.stringify(seen)}`);
    this.#describe = () => "a bystander's call";
    this.#check();
  }

  #pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = until;
  }

  #count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }

  #fail(what: string): never {
    throw new Error(`${what}\n  behind ${this.#describe()}`);
  }
}

/** Runs `cases` of a seed; the same seed runs the same. */
export function fuzz(seed: number, cases: number): FuzzReport {
  let done = 0;
  let world: FuzzWorld | undefined;
  try {
    world = new FuzzWorld(seed);
    for (; done < cases; done++) world.step();
    world.finish();
    return { cases: done, answers: world.answers, failure: undefined };
  } catch (error) {
    const failure = `case ${done}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    return { cases: done, answers: world?.answers ?? new Map(), failure };
  }
}

function show(message: Message): string {
  const text =
    typeof message === "string"
      ? message
      : `bytes ${[...message].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
  return text.slice(0, 2_000);
}
