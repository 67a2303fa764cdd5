import { KB } from "./limits/units.ts";
import { requireKnownOptions } from "../schema/option-names.ts";
import { everydayDefaults, type EverydayLimits } from "./limits/everyday-limits.ts";
import { internalDefaults, type InternalLimits } from "./limits/internal-limits.ts";
import { protectiveDefaults, type ProtectiveLimits } from "./limits/protective-limits.ts";

/**
 * Every limit of a room, with its unit in its name. All can be overridden by `RoomObject(board, { limits })`.
 * Bytes are UTF-8 bytes of JSON text. The three groups say which of them an app needs to know.
 */
export interface Limits extends EverydayLimits, ProtectiveLimits, InternalLimits {}

/** Units of work that a call has at the default limits, if calls come as fast as they may. */
const workOfCall = 40_000;

/** Clients of one user that are used as fast as they may be, where limits follow from others. */
const usedClients = 5;
/** Users who have the room work as much as they may, where limits follow from others. */
const busyUsers = 2;
/** Of the places of a room: those that clients without a user may take. */
const strangersShare = 0.9;

/** What a room keeps to unless `RoomObject` is told otherwise. Frozen. */
export const defaultLimits: Limits = Object.freeze({
  ...everydayDefaults,
  ...protectiveDefaults,
  ...internalDefaults,
});

/**
 * The limits of a room whose app has set `given`. Frames that nothing is said of follow the calls, presence and events: who may make a
 * million calls a second may send each by itself. Throws `TypeError` for a limit that there is not, and `RangeError` for one
 * that is no such number.
 */
export function limitsWith(given: Partial<Limits> = {}): Limits {
  requireLimits(given);
  const said = Object.entries(given).filter(([, limit]) => limit !== undefined);
  const limits: Limits = { ...defaultLimits, ...Object.fromEntries(said) };
  const { callsPerSecond, callsBurst, ephemeralPerSecond, ephemeralBurst } = limits;
  const workPerSecond = given.workPerSecond ?? Math.max(limits.workPerSecond, callsPerSecond * workOfCall);
  return {
    ...limits,
    framesPerSecond:
      given.framesPerSecond ?? Math.max(limits.framesPerSecond, callsPerSecond + ephemeralPerSecond),
    framesBurst: given.framesBurst ?? Math.max(limits.framesBurst, callsBurst + ephemeralBurst),
    frameBytesPerSecond:
      given.frameBytesPerSecond ?? Math.max(limits.frameBytesPerSecond, callsPerSecond * KB),
    userCallsPerSecond:
      given.userCallsPerSecond ?? Math.max(limits.userCallsPerSecond, usedClients * callsPerSecond),
    userCallsBurst: given.userCallsBurst ?? Math.max(limits.userCallsBurst, usedClients * callsBurst),
    userEphemeralPerSecond:
      given.userEphemeralPerSecond ??
      Math.max(limits.userEphemeralPerSecond, usedClients * ephemeralPerSecond),
    userEphemeralBurst:
      given.userEphemeralBurst ?? Math.max(limits.userEphemeralBurst, usedClients * ephemeralBurst),
    workPerSecond,
    allWorkPerSecond: given.allWorkPerSecond ?? Math.max(limits.allWorkPerSecond, busyUsers * workPerSecond),
    maxSessionsWithoutUser: given.maxSessionsWithoutUser ?? Math.ceil(strangersShare * limits.maxSessions),
  };
}

/** Limits by which clients predict: a higher one would be of no use to them. */
const notRaised = ["maxIdLength", "maxDepth"] as const;

function requireLimits(given: Partial<Limits>): void {
  requireKnownOptions(given, Object.keys(defaultLimits), "limits");
  for (const [name, limit] of Object.entries(given)) {
    if (limit === undefined) continue;
    // A rate, and a number of days, may be a part of one.
    const seesEverything = !/PerSecond$|Days$/.test(name);
    if (
      typeof limit !== "number" ||
      !(limit >= 0) ||
      (seesEverything && limit !== Infinity && !Number.isInteger(limit))
    )
      throw new RangeError(
        `limits: ${name} is ${String(limit)}; it must be ${seesEverything ? "a whole number" : "a number"} from 0 on, or Infinity`,
      );
  }
  for (const name of notRaised) {
    if ((given[name] ?? 0) > defaultLimits[name])
      throw new RangeError(
        `limits: ${name} is ${given[name]}; it can be lowered only, from ${defaultLimits[name]}`,
      );
  }
}
