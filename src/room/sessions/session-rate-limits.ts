import type { Limits } from "../limits.ts";
import type { BucketState } from "../../model/token-bucket.ts";
import { SavedTokenBucket } from "./saved-token-bucket.ts";

/** Everything of which a client has so much a second and so much at once. */
const kinds = [
  "frames",
  "frameBytes",
  "refusals",
  "calls",
  "userCalls",
  "work",
  "ephemeral",
  "userEphemeral",
  "resyncs",
  "catchUpBytes",
  "joins",
] as const;
type Kind = (typeof kinds)[number];

/** Kinds of which all sessions of a user use one bucket: to open more sockets must not have the room do more. */
const userKinds: ReadonlySet<Kind> = new Set(["frameBytes", "userCalls", "work", "userEphemeral"]);

/** A meter as it is kept; what was never used is left out. The time of the first is when the client was last heard. */
export type RateLimitState = { readonly [K in Kind]?: BucketState } & {
  readonly frames: BucketState;
  readonly calls: BucketState;
};

/** How long a client has to stay away that was closed for going on in spite of refusals. */
const penaltyMs = 10_000;

/**
 * What one client has used up. It survives hibernation with its session, and reconnects with `UserRateLimits`. The rate limits of one user's
 * sessions share the buckets of {@link userKinds}.
 */
export class SessionRateLimits {
  readonly frames: SavedTokenBucket;
  readonly frameBytes: SavedTokenBucket;
  readonly refusals: SavedTokenBucket;
  readonly calls: SavedTokenBucket;
  readonly userCalls: SavedTokenBucket;
  readonly work: SavedTokenBucket;
  readonly ephemeral: SavedTokenBucket;
  readonly userEphemeral: SavedTokenBucket;
  readonly resyncs: SavedTokenBucket;
  readonly catchUpBytes: SavedTokenBucket;
  readonly joins: SavedTokenBucket;
  readonly #limits: Limits;
  readonly #buckets: readonly SavedTokenBucket[];

  /** `fellow` is the meter of another session of the same user. */
  constructor(limits: Limits, state: RateLimitState, fellow?: SessionRateLimits) {
    const bucket = (kind: Kind) => {
      const [perSecond, burst] = rateOf(kind, limits);
      const saved = state[kind];
      if (fellow !== undefined && userKinds.has(kind)) {
        if (saved !== undefined) fellow[kind].lowerTo(saved);
        return fellow[kind];
      }
      return new SavedTokenBucket(perSecond, burst, saved ?? { tokens: burst, at: state.frames.at });
    };
    this.#limits = limits;
    this.frames = bucket("frames");
    this.frameBytes = bucket("frameBytes");
    this.refusals = bucket("refusals");
    this.calls = bucket("calls");
    this.userCalls = bucket("userCalls");
    this.work = bucket("work");
    this.ephemeral = bucket("ephemeral");
    this.userEphemeral = bucket("userEphemeral");
    this.resyncs = bucket("resyncs");
    this.catchUpBytes = bucket("catchUpBytes");
    this.joins = bucket("joins");
    this.#buckets = kinds.map((kind) => this[kind]);
  }

  /** Of a client that was never here. */
  static full(limits: Limits, now: number): SessionRateLimits {
    const { framesBurst, callsBurst } = limits;
    return new SessionRateLimits(limits, {
      frames: { tokens: framesBurst, at: now },
      calls: { tokens: callsBurst, at: now },
    });
  }

  get state(): RateLimitState {
    const used = kinds.filter((kind) => this[kind].state.tokens < rateOf(kind, this.#limits)[1]);
    const states = Object.fromEntries(used.map((kind) => [kind, this[kind].state]));
    return { ...states, frames: this.frames.state, calls: this.calls.state };
  }

  /** When a message last came, and when one that a person may have caused: a call, a presence or an event. */
  get heardAt(): number {
    return Math.max(this.frames.state.at, this.activeAt);
  }

  get activeAt(): number {
    return Math.max(this.calls.state.at, this.ephemeral.state.at);
  }

  /** Takes a message in: milliseconds to wait instead when it is one too many. */
  takeFrame(now: number, bytes: number): number {
    return this.frames.take(now) || this.frameBytes.take(now, 1, bytes);
  }

  /** Takes a call in, of `calls` that have come together, in the same manner. What it costs is known when it has run: see `work`. */
  takeCall(now: number, calls: number): number {
    return this.takeWork(now) || this.userCalls.take(now, calls) || this.calls.take(now, calls);
  }

  /** Takes presence or an event in, in the same manner. */
  takeEphemeral(now: number): number {
    return this.ephemeral.take(now) || this.userEphemeral.take(now);
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
  isLessThan(saved: RateLimitState): boolean {
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
    case "userCalls":
      return [limits.userCallsPerSecond, limits.userCallsBurst];
    case "work":
      return [limits.workPerSecond, limits.workBurst];
    case "ephemeral":
      return [limits.ephemeralPerSecond, limits.ephemeralBurst];
    case "userEphemeral":
      return [limits.userEphemeralPerSecond, limits.userEphemeralBurst];
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
