import { callLimits } from "../../model/call-limits.ts";
import { MB } from "./units.ts";

/**
 * The limits that keep one client, one user or one app's hook from taking the room's time and memory from the others. Clients of
 * this package do not reach them. Lower them where the room is open to strangers.
 */
export interface ProtectiveLimits {
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
  /**
   * Bytes of heap that the records take, as `weight.ts` estimates them: the state lives in the memory of an isolate of 128 MB, beside
   * its history and its frames. Many small records take far more memory than text.
   */
  readonly maxStateWeight: number;
  /**
   * A session that owes acknowledgements for too much, and has acknowledged less than a quarter of what it may owe for so long, is
   * closed: what was sent to it waits in memory, and keeps the room awake. A bad phone line takes half a minute for a quarter.
   */
  readonly maxStallMs: number;
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
}

/** The defaults. */
export const protectiveDefaults: ProtectiveLimits = {
  maxIdLength: callLimits.maxIdLength,
  maxDepth: 32,
  maxKeyLength: 256,
  maxKeys: 10_000,
  maxOperationBytes: 1 * MB,
  maxFrameBytes: 1 * MB,
  maxCallsPerFrame: 256,
  framesPerSecond: 500,
  framesBurst: 2_000,
  frameBytesPerSecond: 4 * MB,
  frameBytesBurst: 32 * MB,
  refusalsPerSecond: 2,
  refusalsBurst: 100,
  userCallsPerSecond: 1_000,
  userCallsBurst: 5_000,
  workPerSecond: 8 * MB,
  workBurst: 64 * MB,
  allWorkPerSecond: 16 * MB,
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
  maxStateWeight: 88 * MB,
  maxStallMs: 60_000,
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
};
