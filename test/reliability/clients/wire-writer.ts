import { createHash, randomBytes } from "node:crypto";
import type { UpFrame, WireCall } from "../../../src/protocol/down/down-frames.ts";
import { readFrame, type ReadFrame } from "../../support/frames/decoded-frames.ts";
import { ClientCopy } from "../../support/clients/client-copy.ts";
import type { Chance } from "../support/seeded-random.ts";
import { inventCall } from "../rooms/ledger-call.ts";
import type { ClientObservations } from "../support/client-observations.ts";

const pumpIntervalMs = 10;
/** Of the checksums: to add up the whole copy takes a while, and `connect` compares each of them. */
const comparedShare = 0.2;
/** Calls that may wait for their answers. */
const maxUnanswered = 96;

/**
 * A client made after docs/PROTOCOL.md alone. It waits for no answer before it sends the next call, often sends one
 * again that it has an answer to, and says late which answers it has, so that it is told them again. All that it
 * hears goes into the testimony.
 */
export class WireWriter {
  readonly name: string;
  /** Names of the calls made; the first has the `clientReqId` 1. */
  readonly names: string[] = [];
  /** Calls sent more than once, and outcomes heard more than once. */
  resent = 0;
  remembered = 0;
  isWriting = true;
  readonly secret = randomBytes(18).toString("base64url");
  /** Its public id, as docs/PROTOCOL.md has it follow from the secret. */
  readonly clientId = createHash("sha256").update(this.secret).digest().subarray(0, 12).toString("base64url");
  /** One that never confirms makes the room keep every outcome. */
  readonly confirms: boolean;
  /** What it was told, and a judge of each frame. */
  readonly #copy = new ClientCopy();
  readonly #url: string;
  readonly #chance: Chance;
  readonly #observations: ClientObservations;
  readonly #calls: WireCall[] = [];
  readonly #pumping: NodeJS.Timeout;
  #socket: WebSocket | undefined;
  #closed: Promise<void> = Promise.resolve();
  #isLive = false;
  /** Outcomes up to here are known; are said to be known. */
  #answered = 0;
  #confirmed = 0;
  /** The call to send next on this connection; the newest ever sent. */
  #next = 1;
  #sent = 0;
  #waitUntil = 0;
  #knownSince: number | null = null;
  #tokens = 0;
  #tokensAt = 0;
  #owedBytes = 0;
  #owedFrames = 0;

  constructor(url: string, name: string, chance: Chance, observations: ClientObservations, confirms = true) {
    this.name = name;
    this.#url = url.replace(/^http/, "ws");
    this.#chance = chance;
    this.#observations = observations;
    this.confirms = confirms;
    this.#pumping = setInterval(() => this.#pump(), pumpIntervalMs);
  }

  get unanswered(): number {
    return this.#calls.length - this.#answered;
  }

  get rev(): number {
    return this.#copy.rev;
  }

  get collections(): unknown {
    return this.#copy.collections;
  }

  connect(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    const isUnsure = this.#sent > this.#answered;
    const fromNothing = this.#chance.happens(0.2);
    const hello = {
      secret: this.secret,
      schema: 1,
      epoch: fromNothing ? null : this.#copy.epoch,
      rev: fromNothing ? 0 : this.#copy.rev,
      confirmed: this.#confirmed,
      knownSince: isUnsure ? this.#knownSince : null,
    };
    this.#copy.reconnect();
    this.#owedBytes = 0;
    this.#owedFrames = 0;
    const encoded = Buffer.from(JSON.stringify(hello)).toString("base64url");
    const socket = new WebSocket(this.#url, ["deltaroom.v1", `hello.${encoded}`]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      this.#hear(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data), isUnsure);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (code >= 3000) this.#observations.accuse("altered", `${this.name} was closed: ${code} ${reason}`);
      this.#socket = undefined;
      this.#isLive = false;
      resolve();
    });
  }

  /** Resolves once the socket has ended and nothing more can come out of it. */
  async gone(): Promise<void> {
    await this.#closed;
  }

  /** Goes away and comes back with the next `connect`. */
  disconnect(): void {
    this.#socket?.close(1000);
  }

  close(): void {
    clearInterval(this.#pumping);
    this.disconnect();
  }

  // ── up ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #pump(): void {
    if (this.isWriting && this.unanswered < maxUnanswered) {
      for (let count = this.#chance.between(0, 3); count > 0; count--) this.#make();
    }
    if (!this.#isLive || Date.now() < this.#waitUntil) return;
    if (this.confirms && this.#chance.happens(0.3)) this.#confirmed = this.#answered;
    while (this.#next <= this.#calls.length) {
      const count = Math.min(this.#chance.between(1, 8), this.#calls.length - this.#next + 1);
      if (!this.#push(this.#next, count)) return;
      this.#next += count;
    }
    // A call that nobody needs to hear of again, as a client cannot know whose answer was lost.
    const known = this.#sent - this.#confirmed;
    if (known > 0 && this.#chance.happens(0.2)) {
      const count = this.#chance.between(1, Math.min(known, 8));
      this.#push(this.#sent - this.#chance.between(count, known) + 1, count);
    }
  }

  #make(): void {
    const { type, payload } = inventCall(this.name, this.#calls.length + 1, this.#chance);
    this.names.push(payload.entry);
    this.#calls.push([this.#copy.rev, type, payload]);
  }

  /** False when the pace that the room asks for does not allow it yet. */
  #push(first: number, count: number): boolean {
    if (!this.#take(count)) return false;
    const calls = this.#calls.slice(first - 1, first - 1 + count);
    this.resent += Math.max(0, Math.min(this.#sent, first + count - 1) - first + 1);
    this.#sent = Math.max(this.#sent, first + count - 1);
    this.#send({ kind: "push", first, calls, confirmed: Math.min(this.#confirmed, first - 1) });
    return true;
  }

  #take(count: number): boolean {
    const limits = this.#copy.welcome?.limits;
    if (limits === undefined) return false;
    const now = Date.now();
    const grown = this.#tokens + ((now - this.#tokensAt) / 1_000) * limits.callsPerSecond;
    this.#tokens = Math.min(limits.callsBurst, grown);
    this.#tokensAt = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  #send(frame: UpFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  // ── down ───────────────────────────────────────────────────────────────────────────────────────────────────

  #hear(raw: string | Uint8Array, isUnsure: boolean): void {
    const frame = readFrame(raw);
    const known =
      frame.kind === "update" ? frame.outcomes?.filter(([id]) => this.#copy.outcomes.has(id)) : [];
    this.remembered += known?.length ?? 0;
    try {
      this.#copy.take(this.#chance.happens(comparedShare) ? frame : withoutChecksums(frame));
    } catch (error) {
      this.#observations.accuse(
        "altered",
        `${this.name}: ${String(error)}: ${JSON.stringify(frame).slice(0, 200)}`,
      );
    }
    this.#observations.hearFrame(frame, this.names);
    if (frame.kind === "welcome") {
      if (!isUnsure) this.#knownSince = frame.knownSince;
      this.#tokens = frame.limits.callsBurst;
      this.#tokensAt = Date.now();
    } else if (frame.kind === "update") {
      while (this.#copy.outcomes.has(this.#answered + 1)) this.#answered += 1;
      if (frame.tag === 0) this.#begin();
    } else if (frame.kind === "gap") {
      this.#next = frame.expected;
    } else if (frame.kind === "error") this.#obey(frame);
    this.#owe(Buffer.byteLength(raw));
  }

  /** It is caught up: what has no answer is sent again, and some of what has one. */
  #begin(): void {
    this.#isLive = true;
    this.#waitUntil = 0;
    this.#next = this.#copy.lastCallId + 1;
    if (this.#chance.happens(0.5)) this.#next = this.#chance.between(this.#confirmed + 1, this.#next);
    this.#pump();
  }

  #obey({ clientReqId, retryAfterMs = 0, code, message }: Extract<ReadFrame, { kind: "error" }>): void {
    if (clientReqId === undefined || code !== "rate-limited")
      return this.#observations.accuse("altered", `${this.name} was told ${code}: ${message}`);
    this.#next = clientReqId;
    this.#waitUntil = Date.now() + retryAfterMs;
  }

  /** A quarter of what may be unacknowledged is early enough for the room never to hold back. */
  #owe(bytes: number): void {
    this.#owedBytes += bytes;
    this.#owedFrames += 1;
    const { maxUnacknowledgedBytes = 0, maxUnacknowledgedFrames = 0 } = this.#copy.welcome?.limits ?? {};
    const isDue =
      this.#owedBytes > maxUnacknowledgedBytes / 4 || this.#owedFrames > maxUnacknowledgedFrames / 4;
    if (!isDue) return;
    this.#send({ kind: "ack", bytes: this.#owedBytes });
    this.#owedBytes = 0;
    this.#owedFrames = 0;
  }
}

function withoutChecksums(frame: ReadFrame): ReadFrame {
  if (frame.kind !== "update") return frame;
  const { checksums: _, ...rest } = frame;
  return rest;
}
