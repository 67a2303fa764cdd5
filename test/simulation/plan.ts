import { defaultLimits, type Limits } from "../../src/room/limits.ts";
import type { Dice } from "./dice.ts";

/** Everything bad that can happen. A run has about half of these, so that some can be seen without the others. */
export const faultNames = [
  "stall",
  "cut",
  "half-open",
  "unnoticed",
  "outage",
  "slow-handshake",
  "re-send",
  "evict",
  "crash",
  "crash-in-write",
  "disk",
  "disk-reads",
  "restore",
  "renew-epoch",
  "supersede",
  "clock",
  "reload",
  "copy-tab",
  "full-disk",
  "mute",
  "offline",
  "close",
] as const;
export type FaultName = (typeof faultNames)[number];

/** How one run is set up. */
export interface Plan {
  readonly limits: Limits;
  readonly faults: readonly FaultName[];
  /** Of what happens, the share that is a fault. */
  readonly faultShare: number;
  /** Things that happen before everything is left to come to rest. */
  readonly steps: number;
  readonly pages: number;
  /** Milliseconds that a message is on its way. */
  readonly latencyMs: readonly [low: number, high: number];
  /** Milliseconds until what a page has kept is written. */
  readonly keepMs: readonly [low: number, high: number];
  /** Milliseconds until a page forgets an answered call that it has kept. */
  readonly forgetMs: readonly [low: number, high: number];
  /** The share of pages that find a base. */
  readonly baseShare: number;
  /** Whether notes are private. */
  readonly isClosed: boolean;
  /** Whether hooks of the app write, tell and throw. */
  readonly hasHooks: boolean;
  /** Whether the disk is put back at last, and the room is not told. */
  readonly endsUntold: boolean;
  /** Whether each restore is undone: the room goes on with the history that the restore has ended. */
  readonly undoesRestores: boolean;
}

/** Small limits, so that everything wraps, folds, splits, lags and is forgotten within a hundred calls. */
export function drawPlan(dice: Dice, without: readonly FaultName[]): Omit<Plan, "undoesRestores"> {
  const fewClients = dice.chance(0.2);
  const limits: Limits = {
    ...defaultLimits,
    maxRingFlushes: dice.between(3, 8),
    maxRingBytes: dice.pick([500, 2_000, 100_000]),
    pageBytes: dice.pick([150, 400]),
    maxUnacknowledgedBytes: dice.pick([2_048, 4_096]),
    maxUnacknowledgedFrames: dice.pick([8, 16, 64]),
    flushIntervalMs: dice.pick([0, 16]),
    quietCheckpointMs: 50,
    checksumIntervalMs: dice.pick([0, 1_000, 30_000]),
    callsPerSecond: dice.pick([20, 200]),
    callsBurst: dice.pick([20, 1_000]),
    maxTombstones: dice.pick([1, 8, 1_024]),
    maxRowBytes: dice.pick([8_000, defaultLimits.maxRowBytes]),
    ...(fewClients && { maxLoggedClients: dice.between(2, 4), maxClientLogAgeDays: dice.between(1, 3) }),
  };
  const low = dice.between(0, 20);
  const drawn = faultNames.filter((fault) => dice.chance(0.5) && !without.includes(fault));
  return {
    limits,
    // Where the room has forgotten a client, each copy of its queue gives ids of its own anew.
    faults: fewClients || drawn.includes("restore") ? drawn.filter((fault) => fault !== "copy-tab") : drawn,
    faultShare: dice.pick([0.05, 0.15, 0.3]),
    steps: dice.between(30, 90),
    pages: dice.between(2, 4),
    latencyMs: [low, low + dice.pick([2, 20, 200])],
    keepMs: [0, 50],
    forgetMs: [0, 2_000],
    baseShare: 0.5,
    isClosed: dice.chance(0.3),
    hasHooks: dice.chance(0.3),
    endsUntold: dice.chance(0.2),
  };
}
