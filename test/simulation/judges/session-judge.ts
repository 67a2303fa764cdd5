import { frameBytes } from "../../../src/protocol/codec.ts";
import type { Welcome } from "../../../src/protocol/down/down-frames.ts";
import { readFrame, type ReadFrame, type ReadUpdate } from "../../support/frames/decoded-frames.ts";
import type { Disk } from "../platform/disk.ts";
import { acknowledgedBy, frameUp, type Raw } from "../client/sent-frames.ts";
import type { Stage } from "../stage.ts";
import type { Wire } from "../platform/wire.ts";
import { fakeCompressed } from "../platform/fake-compression.ts";

/** What a session owes. */
interface Debt {
  bytes: number;
  frames: number;
  largestBytes: number;
  /** Times that the room has forgotten what was owed. */
  restores: number;
  /** Sizes of what was sent and not acknowledged, oldest first. */
  readonly sizes: number[];
  /** Bytes ever sent of gaps and errors, which are answered whatever is owed. */
  answerBytes: number;
}

/** Sees every frame as it leaves the room: nothing may leave that is not on disk, and not without bound. */
export class SessionJudge {
  readonly #stage: Stage;
  readonly #disk: Disk;
  readonly #debts = new Map<Wire, Debt>();
  /** Calls that were answered, by `client id#id`. */
  readonly #answered = new Set<string>();

  constructor(stage: Stage, disk: Disk) {
    this.#stage = stage;
    this.#disk = disk;
  }

  sent(wire: Wire, raw: Raw): void {
    const frame = readFrame(raw, fakeCompressed);
    const isEnd = frame.kind === "update" && frame.parts !== undefined;
    this.#stage.figures.count(`sent: ${isEnd ? "snapshot's end" : frame.kind}`);
    if (frame.kind === "update") this.#judgeUpdate(wire, frame);
    if (frame.kind === "welcome") this.#judgeWelcome(frame);
    this.#owe(wire, frame, frameBytes(raw));
  }

  /** The room has woken, and counts anew what this wire owes. */
  restored(wire: Wire): void {
    this.#debtOf(wire).restores += 1;
  }

  /** The room has received `bytes` as acknowledged. */
  acknowledged(wire: Wire, raw: Raw): void {
    const debt = this.#debtOf(wire);
    let left = acknowledgedBy(frameUp(raw));
    for (;;) {
      const oldest = debt.sizes[0];
      if (oldest === undefined) return;
      debt.bytes -= Math.min(oldest, left);
      if (oldest > left) {
        debt.sizes[0] = oldest - left;
        return;
      }
      debt.sizes.shift();
      left -= oldest;
      debt.frames -= 1;
    }
  }

  #judgeWelcome({ epoch, knownSince }: Welcome): void {
    const { ledger } = this.#disk;
    if (epoch !== ledger.epoch && this.#disk.histories.of(epoch) !== ledger)
      this.#stage.fail(`a welcome to epoch ${epoch}, disk is at ${ledger.epoch}`);
    if (knownSince > ledger.n)
      this.#stage.fail(`a welcome tells of flush ${knownSince}, disk is at ${ledger.n}`);
  }

  #judgeUpdate({ clientId, secret }: Wire, { lastCallId, outcomes = [], delta }: ReadUpdate): void {
    const { ledger } = this.#disk;
    if (delta !== undefined && (delta.to > ledger.rev || !ledger.states.has(delta.to)))
      this.#stage.fail(
        `${clientId} is shown revision ${delta.to}, which is no end of a flush on disk (${ledger.rev})`,
      );
    const durable = ledger.clientLog.get(clientId);
    // A forgotten client's mark may still be in the memory of an instance that was superseded.
    if (lastCallId !== undefined && durable !== undefined && lastCallId > durable.lastCallId)
      this.#stage.fail(`${clientId} is told mark ${lastCallId}, on disk is ${durable.lastCallId}`);
    for (const [id, result] of outcomes) {
      const texts = ledger.texts.get(`${clientId}#${id}`);
      if (texts === undefined) this.#stage.fail(`the answer to call ${id} of ${clientId} is not on disk`);
      else if (!texts.has(JSON.stringify(result)) && !isExcused(result, this.#stage.isDoubted(secret)))
        this.#stage.fail(
          `call ${id} of ${clientId} is answered ${JSON.stringify(result)}, on disk is ${[...texts].join(" ")}`,
        );
      const key = `${clientId}#${id}`;
      this.#stage.figures.count(this.#answered.has(key) ? "answers given again" : "answers");
      this.#answered.add(key);
    }
  }

  #owe(wire: Wire, { kind }: ReadFrame, bytes: number): void {
    const debt = this.#debtOf(wire);
    debt.bytes += bytes;
    debt.frames += 1;
    debt.sizes.push(bytes);
    debt.largestBytes = Math.max(debt.largestBytes, bytes);
    const { maxUnacknowledgedBytes, maxUnacknowledgedFrames } = this.#stage.plan.limits;
    const times = 1 + debt.restores;
    // Errors and gaps are answered whatever is owed, until the session is closed for it.
    const maxFrames = times * (4 * maxUnacknowledgedFrames + 8);
    if (debt.frames > maxFrames)
      this.#stage.fail(`${wire.name} owes ${debt.frames} frames, allowed are ${maxFrames}`);
    if (kind === "gap" || kind === "error") debt.answerBytes += bytes;
    // Beyond the limit goes the frame that passes it, and a catch-up's end with its `peers`.
    const maxBytes = times * (maxUnacknowledgedBytes + 3 * debt.largestBytes) + debt.answerBytes;
    if (debt.bytes > maxBytes)
      this.#stage.fail(`${wire.name} owes ${debt.bytes} bytes, allowed are ${maxBytes}`);
  }

  #debtOf(wire: Wire): Debt {
    let debt = this.#debts.get(wire);
    if (debt === undefined) {
      debt = { bytes: 0, frames: 0, largestBytes: 0, restores: 0, sizes: [], answerBytes: 0 };
      this.#debts.set(wire, debt);
    }
    return debt;
  }
}

/** What a call is answered whose outcome was confirmed, and one whose id may name two calls. */
function isExcused(result: unknown, isDoubted: boolean): boolean {
  const code = (result as { code?: string }).code;
  return code === "too-old" || (isDoubted && code === "id-conflict");
}
