import { requireKnownOptions } from "../schema/option-names.ts";
import { callLimits } from "../model/call-limits.ts";

/**
 * Every limit of a room, with its unit in its name. All can be overridden by `RoomObject(board, { limits })`.
 * Bytes are UTF-8 bytes of JSON text.
 */
export interface Limits {
  /** A record has to travel whole in one frame and share a page with others. */
  readonly maxRecordBytes: number;
  /** The arguments of one call: room for a pasted document, not for a film. */
  readonly maxPayloadBytes: number;
  /** Characters of a record's id; clients predict by the default, so it can be lowered only. */
  readonly maxIdLength: number;
  /** Levels of JSON from outside: what is deeper would break recursion. Clients predict by the default, so it can be lowered only. */
  readonly maxDepth: number;
  /** Characters of a key in JSON from outside: a key is a name, and what is long belongs into a value. */
  readonly maxKeyLength: number;
  /** Keys of one object in JSON from outside: in memory each costs far more than its bytes. */
  readonly maxKeys: number;
  /** What one operation may change: it is one piece of a journal row, and a row ends at 2 MB. */
  readonly maxOperationBytes: number;
  /** One message from a client; more is refused before it is parsed. */
  readonly maxFrameBytes: number;
  /** Calls in one frame: a frame is handled in one turn, during which nobody else is. */
  readonly maxCallsPerFrame: number;
  /**
   * Messages of one session of whatever kind, a second and at once, pings left out: more than a client sends that keeps to the
   * limits of calls, presence and events, so that what is beyond is noise, and is not read.
   */
  readonly framesPerSecond: number;
  /** Frames that a session may send at once before it is held to the sustained rate. */
  readonly framesBurst: number;
  /** Bytes of those messages, of all clients of one user together: to read JSON takes time, of which a room has one thread for all. The burst is a long offline queue twice. */
  readonly frameBytesPerSecond: number;
  /** Bytes of frames that a user may send at once before it is held to the sustained rate. */
  readonly frameBytesBurst: number;
  /**
   * Messages of one session that were refused, a second and at once. Honest clients pace themselves and are hardly ever refused;
   * who goes on beyond it is closed, and has to stay away for ten seconds.
   */
  readonly refusalsPerSecond: number;
  /** Refusals in a row after which a session is closed; those that come in at the sustained rate are forgiven. */
  readonly refusalsBurst: number;
  /** Sustained calls of one session: the bucket's refill. */
  readonly callsPerSecond: number;
  /** Calls that a session may make at once before it is held to the sustained rate. */
  readonly callsBurst: number;
  /**
   * Sustained calls of all clients of one user: five that call as fast as they may. Clients without a user have only
   * `callsPerSecond`, each its own.
   */
  readonly userCallsPerSecond: number;
  /** Calls that all clients of one user may make at once before they are held to the sustained rate. */
  readonly userCallsBurst: number;
  /**
   * Work of all clients of one user, or of one client without a user, in units of 10 to 50 ns: bytes that are read, checked, shown
   * to the app's code and written, see `call-work.ts`. A call of a few bytes can have the room check a record of 256 KB, or list a
   * whole collection. It is a twelfth of the room's thread, however many sockets the user opens.
   */
  readonly workPerSecond: number;
  /** Units of work that a user may cause at once before it is held to the sustained rate. */
  readonly workBurst: number;
  /**
   * Work of all clients together: two users at their own rate, a sixth of the room's thread. Beyond it those who had the most
   * of it done wait, and clients without a user count as one user together.
   */
  readonly allWorkPerSecond: number;
  /**
   * Presence and event messages of one session together, a second and at once: twice the display's rate. They share a bucket since
   * they cost the same: a place in everybody's next frame.
   */
  readonly ephemeralPerSecond: number;
  /** Such messages that a session may send at once before it is held to the sustained rate. */
  readonly ephemeralBurst: number;
  /** Such messages of all clients of one user, a second: five clients that send as many as they may. */
  readonly userEphemeralPerSecond: number;
  /** Such messages that all clients of one user may send at once before they are held to the sustained rate. */
  readonly userEphemeralBurst: number;
  /** Catch-ups that one session asks for: a client needs one when a frame did not fit, which should never happen. */
  readonly resyncsPerSecond: number;
  /** Catch-ups that a session may ask for at once before it is held to the sustained rate. */
  readonly resyncsBurst: number;
  /**
   * Bytes of the snapshots, deltas and rosters that one client is sent because it came or asked, over all its connections: a few
   * bytes of hello can ask for all of the room. The burst is the largest room twice.
   */
  readonly catchUpBytesPerSecond: number;
  /** Bytes of catch-ups that a client may be sent at once before it is held to the sustained rate. */
  readonly catchUpBytesBurst: number;
  /** Connections of one client, or of one user's clients one after the other: each tells everybody, and is told of everybody. */
  readonly rejoinsPerSecond: number;
  /** Connections that a client may make at once before it is held to the sustained rate. */
  readonly rejoinsBurst: number;
  /**
   * First connections of people without a user, of all of them together, since nothing tells them apart: a full room's worth and
   * again as many at once. Who has a user, or was here already, is not held up.
   */
  readonly joinsPerSecond: number;
  /** First connections without a user that may come at once before they are held to the sustained rate. */
  readonly joinsBurst: number;
  /** `GET`s of the state by one user, and by all without a user together: each may be all of the room. */
  readonly readsPerSecond: number;
  /** `GET`s that may come at once before they are held to the sustained rate. */
  readonly readsBurst: number;
  /** Bytes of the state that `GET`s write for one user, and for all without a user together: to write JSON takes time. */
  readonly readBytesPerSecond: number;
  /** Bytes that `GET`s may write at once before they are held to the sustained rate: the largest room four times. */
  readonly readBytesBurst: number;
  /** `GET`s of the state that are answered at once: each holds a piece of it in memory for as long as its reader is slow. */
  readonly maxReads: number;
  /**
   * Bytes of the states that `GET`s under way hold, of different revisions, since each may hold records that the room has no more: the
   * largest room once. One state is held in any case, and all who read the same revision share it.
   */
  readonly maxReadBytes: number;
  /** A `GET` whose reader has taken nothing for so long is cut. */
  readonly maxReadStallMs: number;
  /** A `GET` that takes longer is cut: the largest room at 4 Mbit/s, so that a reader cannot hold its place by reading slowly. */
  readonly maxReadMs: number;
  /** Clients that have left of which is remembered what they had used up, so that coming back gives nothing; until the room sleeps. */
  readonly maxLeavers: number;
  /** Presence is kept in the socket's attachment, which holds 16 KB. */
  readonly maxPresenceBytes: number;
  /** What `authenticate` says of a person is kept beside the presence, and sent to everybody. */
  readonly maxUserBytes: number;
  /** Events are copied to every session. */
  readonly maxEventBytes: number;
  /** The state as JSON text, as it is stored and sent. */
  readonly maxStateBytes: number;
  /**
   * Bytes of heap that the records take, as `weight.ts` estimates them: the state lives in the memory of an isolate of 128 MB, beside
   * its history and its frames. Many small records take far more memory than text.
   */
  readonly maxStateWeight: number;
  /** Sockets of one room: each costs a frame at every flush. */
  readonly maxSessions: number;
  /** Of them, those without a user. The rest is kept for users. A room whose definition has no `user` keeps none. */
  readonly maxSessionsWithoutUser: number;
  /** Of them, those of one user: tabs and devices, of which nobody may take all places. */
  readonly maxSessionsPerUser: number;
  /**
   * Time between two flushes while commits keep coming; twice that behind a flush of few. With 0 a flush follows as soon
   * as the messages that have come are executed.
   */
  readonly flushIntervalMs: number;
  /** A journal row, of which the platform takes 2 MB. */
  readonly maxRowBytes: number;
  /** Flushes that the ring buffer holds. */
  readonly maxRingFlushes: number;
  /** Bytes of the flushes that the ring buffer holds, and of journal that one checkpoint covers. */
  readonly maxRingBytes: number;
  /** Bytes of all history, the ring buffer included; nor more than a snapshot, which would be sent in its place. */
  readonly maxHistoryBytes: number;
  /** Where a page is split: small enough to write often, large enough to be few. */
  readonly pageBytes: number;
  /** Time between two checksums in the updates of a busy room: each takes some 20 bytes a collection. */
  readonly checksumIntervalMs: number;
  /** A quiet room writes its checkpoint after this time, well before it hibernates. */
  readonly quietCheckpointMs: number;
  /**
   * Of a session of which nothing was heard for so long, neither a frame nor a ping, the others are told that it has gone. Infinity
   * leaves that to the network, which may never say so.
   */
  readonly maxSilenceMs: number;
  /**
   * A session that owes acknowledgements for too much, and has acknowledged less than a quarter of what it may owe for so long, is
   * closed: what was sent to it waits in memory, and keeps the room awake. A bad phone line takes half a minute for a quarter.
   */
  readonly maxStallMs: number;
  /**
   * A session that made no call, showed no presence and sent no event for so long is closed for good. Infinity, since a session at rest
   * costs nothing: pings are answered without waking the room. Set it where places are few.
   */
  readonly maxIdleMs: number;
  /** Bytes sent to one session and not yet acknowledged: a stalled reader's share of memory. */
  readonly maxUnacknowledgedBytes: number;
  /** Frames sent to one session and not yet acknowledged, a second's worth: whoever is later needs one squashed delta. */
  readonly maxUnacknowledgedFrames: number;
  /** Bytes sent to all sessions and not yet acknowledged: a quarter of an isolate. From two thirds of it on, the users who owe most are held back. */
  readonly maxAllUnacknowledgedBytes: number;
  /** Clients that the room remembers. Beyond it the room forgets the longest unseen client of the owner with the most. */
  readonly maxLoggedClients: number;
  /** Of them, those of one signed-in user, who must not push out others by opening pages. */
  readonly maxLoggedClientsPerUser: number;
  /** Idempotency keys of backends that are remembered. Beyond it the room forgets the oldest key of the user with the most. */
  readonly maxRemoteClients: number;
  /** Days for which the room remembers a client that it does not see. */
  readonly maxClientLogAgeDays: number;
  /** Outcomes kept for one client until it confirms them. */
  readonly maxUnconfirmedOutcomes: number;
  /** Bytes of those outcomes: one row of storage, which a client that never confirms must not outgrow. */
  readonly maxUnconfirmedBytes: number;
  /** Bytes of those outcomes of all clients. Beyond it the owners with the most bytes must confirm first. */
  readonly maxAllUnconfirmedBytes: number;
  /**
   * Writes by which the hooks of the app may answer one join, leave or commit, and then the commits of those writes. A hook that
   * writes in answer to its own write would go on for ever. Each write is a frame to all: half of what a session may leave
   * unacknowledged.
   */
  readonly maxHookWrites: number;
  /** Deleted records whose deletion `changedByOthers` still knows. */
  readonly maxTombstones: number;
  /** Characters of an order key above which the room gives a record, and its neighbours, shorter ones. */
  readonly longOrderKeyLength: number;
  /** Records that get shorter order keys at once: each is a change that everybody is sent. */
  readonly maxShortenedOrderKeys: number;
}

/** Units of work that a call has at the default limits, if calls come as fast as they may. */
const workOfCall = 40_000;

/** Clients of one user that are used as fast as they may be, where limits follow from others. */
const usedClients = 5;
/** Users who have the room work as much as they may, where limits follow from others. */
const busyUsers = 2;
/** Of the places of a room: those that clients without a user may take. */
const strangersShare = 0.9;

const KB = 1024;
const MB = 1024 * KB;

/** What a room keeps to unless `RoomObject` is told otherwise. Frozen. */
export const defaultLimits: Limits = Object.freeze({
  ...callLimits,
  maxOperationBytes: 1 * MB,
  maxFrameBytes: 1 * MB,
  maxDepth: 32,
  maxKeyLength: 256,
  maxKeys: 10_000,
  maxCallsPerFrame: 256,
  framesPerSecond: 500,
  framesBurst: 2_000,
  frameBytesPerSecond: 4 * MB,
  frameBytesBurst: 32 * MB,
  refusalsPerSecond: 2,
  refusalsBurst: 100,
  callsPerSecond: 200,
  callsBurst: 1_000,
  userCallsPerSecond: 1_000,
  userCallsBurst: 5_000,
  workPerSecond: 8 * MB,
  workBurst: 64 * MB,
  allWorkPerSecond: 16 * MB,
  ephemeralPerSecond: 120,
  ephemeralBurst: 240,
  userEphemeralPerSecond: 600,
  userEphemeralBurst: 1_200,
  resyncsPerSecond: 1,
  resyncsBurst: 30,
  catchUpBytesPerSecond: 1 * MB,
  catchUpBytesBurst: 64 * MB,
  rejoinsPerSecond: 1,
  rejoinsBurst: 60,
  joinsPerSecond: 100,
  joinsBurst: 2_000,
  readsPerSecond: 100,
  readsBurst: 1_000,
  readBytesPerSecond: 16 * MB,
  readBytesBurst: 128 * MB,
  maxReads: 8,
  maxReadBytes: 32 * MB,
  maxReadStallMs: 10_000,
  maxReadMs: 60_000,
  maxLeavers: 4_096,
  maxPresenceBytes: 4 * KB,
  maxUserBytes: 4 * KB,
  maxEventBytes: 16 * KB,
  maxStateBytes: 32 * MB,
  maxStateWeight: 88 * MB,
  maxSessions: 1_000,
  maxSessionsWithoutUser: 900,
  maxSessionsPerUser: 50,
  flushIntervalMs: 16,
  maxRowBytes: 1_900_000,
  maxRingFlushes: 1_024,
  maxRingBytes: 4 * MB,
  maxHistoryBytes: 8 * MB,
  pageBytes: 64 * KB,
  checksumIntervalMs: 5_000,
  quietCheckpointMs: 3_000,
  maxSilenceMs: 25_000,
  maxStallMs: 60_000,
  maxIdleMs: Infinity,
  maxUnacknowledgedBytes: 1 * MB,
  maxUnacknowledgedFrames: 64,
  maxAllUnacknowledgedBytes: 32 * MB,
  maxLoggedClients: 10_000,
  maxLoggedClientsPerUser: 1_000,
  maxRemoteClients: 10_000,
  maxClientLogAgeDays: 30,
  maxUnconfirmedOutcomes: 4_096,
  maxUnconfirmedBytes: 1 * MB,
  maxAllUnconfirmedBytes: 16 * MB,
  maxHookWrites: 32,
  maxTombstones: 1_024,
  longOrderKeyLength: 48,
  maxShortenedOrderKeys: 256,
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
