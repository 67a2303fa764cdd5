import type { Limits } from "../core/limits.ts";
import { TokenBucket, type BucketState } from "../core/token-bucket.ts";

/** Everything of which a client has so much a second and so much at once. */
const kinds = [
  "frames",
  "frameBytes",
  "refusals",
  "calls",
  "work",
  "signals",
  "resyncs",
  "catchUpBytes",
  "joins",
] as const;
type Kind = (typeof kinds)[number];

/** A meter as it is kept; what was never used is left out. The time of the first is when the client was last heard. */
export type MeterState = { readonly [K in Kind]?: BucketState } & {
  readonly frames: BucketState;
  readonly calls: BucketState;
};

/** How long a client has to stay away that was closed for going on in spite of refusals. */
const penaltyMs = 10_000;

/** What one client has used up. It survives hibernation with its session, and reconnects with `Quotas`. */
export class Meter {
  readonly frames: TokenBucket;
  readonly frameBytes: TokenBucket;
  readonly refusals: TokenBucket;
  readonly calls: TokenBucket;
  readonly work: TokenBucket;
  readonly signals: TokenBucket;
  readonly resyncs: TokenBucket;
  readonly catchUpBytes: TokenBucket;
  readonly joins: TokenBucket;
  readonly #limits: Limits;
  readonly #buckets: readonly TokenBucket[];

  constructor(limits: Limits, state: MeterState) {
    const bucket = (kind: Kind) => {
      const [perSecond, burst] = rateOf(kind, limits);
      return new TokenBucket(perSecond, burst, state[kind] ?? { tokens: burst, at: state.frames.at });
    };
    this.#limits = limits;
    this.frames = bucket("frames");
    this.frameBytes = bucket("frameBytes");
    this.refusals = bucket("refusals");
    this.calls = bucket("calls");
    this.work = bucket("work");
    this.signals = bucket("signals");
    this.resyncs = bucket("resyncs");
    this.catchUpBytes = bucket("catchUpBytes");
    this.joins = bucket("joins");
    this.#buckets = kinds.map((kind) => this[kind]);
  }

  /** Of a client that was never here. */
  static full(limits: Limits, now: number): Meter {
    const { framesBurst, callsBurst } = limits;
    return new Meter(limits, {
      frames: { tokens: framesBurst, at: now },
      calls: { tokens: callsBurst, at: now },
    });
  }

  get state(): MeterState {
    const used = kinds.filter((kind) => this[kind].state.tokens < rateOf(kind, this.#limits)[1]);
    const states = Object.fromEntries(used.map((kind) => [kind, this[kind].state]));
    return { ...states, frames: this.frames.state, calls: this.calls.state };
  }

  /** When a message last came, and when one that a person may have caused: a call, a presence or an event. */
  get heardAt(): number {
    return Math.max(this.frames.state.at, this.activeAt);
  }

  get activeAt(): number {
    return Math.max(this.calls.state.at, this.signals.state.at);
  }

  /** Takes a message in: milliseconds to wait instead when it is one too many. */
  takeFrame(now: number, bytes: number): number {
    return this.frames.take(now) || this.frameBytes.take(now, 1, bytes);
  }

  /** Takes a call in, of `calls` that have come together, in the same manner. What it costs is known when it has run: see `work`. */
  takeCall(now: number, calls: number): number {
    return this.takeWork(now) || this.calls.take(now, calls);
  }

  /** Whether there is work left: milliseconds until there is a second's worth of it, so that a client is not refused for each call. */
  takeWork(now: number): number {
    return this.work.take(now, this.#limits.workPerSecond, 0);
  }

  /** Takes a new connection in, in the same manner. */
  takeJoin(now: number): number {
    // With it, the client is heard and active. What costs nothing is only looked at.
    this.frames.take(now, 1, 0);
    this.calls.take(now, 1, 0);
    return this.refusals.take(now, 1, 0) || this.joins.take(now) || this.catchUpBytes.take(now, 1, 0);
  }

  /** Takes in that a catch-up is asked for, in the same manner. */
  takeResync(now: number): number {
    return this.resyncs.take(now) || this.catchUpBytes.take(now, 1, 0);
  }

  /** Notes that a message was refused. False when it was one too many: from now on the client may not even come. */
  noteRefusal(now: number): boolean {
    if (this.refusals.take(now) === 0) return true;
    this.punish(now);
    return false;
  }

  /** Has the client stay away for a while. */
  punish(now: number): void {
    const { refusalsPerSecond } = this.#limits;
    const left = Math.max(0, this.refusals.state.tokens);
    this.refusals.take(now, 0, left + (penaltyMs * refusalsPerSecond) / 1_000);
  }

  /** Whether a meter restored from `saved` would have too much more than this one. */
  isLessThan(saved: MeterState): boolean {
    // Asked behind each message, and mostly of nobody who is in a hurry.
    if (this.#areNearlyFull) return false;
    return kinds.some((kind) => this[kind].isLessThan(saved[kind] ?? neverUsed));
  }

  get #areNearlyFull(): boolean {
    for (const bucket of this.#buckets) if (!bucket.isNearlyFull) return false;
    return true;
  }
}

/** As full as any bucket will be. */
const neverUsed: BucketState = { tokens: Infinity, at: 0 };

function rateOf(kind: Kind, limits: Limits): readonly [perSecond: number, burst: number] {
  switch (kind) {
    case "frames":
      return [limits.framesPerSecond, limits.framesBurst];
    case "frameBytes":
      return [limits.frameBytesPerSecond, limits.frameBytesBurst];
    case "refusals":
      return [limits.refusalsPerSecond, limits.refusalsBurst];
    case "calls":
      return [limits.callsPerSecond, limits.callsBurst];
    case "work":
      return [limits.workPerSecond, limits.workBurst];
    case "signals":
      return [limits.signalsPerSecond, limits.signalsBurst];
    case "resyncs":
      return [limits.resyncsPerSecond, limits.resyncsBurst];
    case "catchUpBytes":
      return [limits.catchUpBytesPerSecond, limits.catchUpBytesBurst];
    case "joins":
      return [limits.rejoinsPerSecond, limits.rejoinsBurst];
    default:
      return kind satisfies never;
  }
}
