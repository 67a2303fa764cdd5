import { callLimits } from "./call-limits.ts";

/**
 * Every limit of a room, with its unit in its name. All can be overridden by `RoomObject(board, { limits })`.
 * Bytes are UTF-8 bytes of JSON text.
 */
export interface Limits {
  /** A record has to travel whole in one frame and share a page with others. */
  readonly maxRecordBytes: number;
  /** The arguments of one call: room for a pasted document, not for a film. */
  readonly maxPayloadBytes: number;
  /** What one operation may change: it is one piece of a journal row, and a row ends at 2 MB. */
  readonly maxOperationBytes: number;
  /** One message from a client; more is refused before it is parsed. */
  readonly maxFrameBytes: number;
  /** Calls in one frame: a frame is handled in one turn, during which nobody else is. */
  readonly maxCallsPerFrame: number;
  /** Sustained calls of one session: the bucket's refill. */
  readonly callsPerSecond: number;
  /** Calls that a session may make at once before it is held to the sustained rate. */
  readonly callsBurst: number;
  /** Presence and event messages of one session, sustained: twice the display's rate. */
  readonly signalsPerSecond: number;
  /** Such messages that a session may send at once before it is held to the sustained rate. */
  readonly signalsBurst: number;
  /** Presence is kept in the socket's attachment, which holds 16 KB. */
  readonly maxPresenceBytes: number;
  /** What `authenticate` says of a person is kept beside the presence, and sent to everybody. */
  readonly maxUserBytes: number;
  /** Events are copied to every session. */
  readonly maxEventBytes: number;
  /** The state lives in the memory of an isolate of 128 MB, beside its history and its frames. */
  readonly maxStateBytes: number;
  /** Sockets of one room: each costs a frame at every flush. */
  readonly maxSessions: number;
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
  /** Bytes sent to one session and not yet acknowledged: a stalled reader's share of memory. */
  readonly maxUnacknowledgedBytes: number;
  /** Frames sent to one session and not yet acknowledged, a second's worth: whoever is later needs one squashed delta. */
  readonly maxUnacknowledgedFrames: number;
  /** Clients whose marks are remembered; beyond it the longest unseen is forgotten. */
  readonly maxMarks: number;
  /** Of them, those of one signed-in user, who must not push out others by opening pages. */
  readonly maxMarksPerUser: number;
  /** Idempotency keys of backends that are remembered; beyond it the oldest is forgotten. */
  readonly maxRemoteMarks: number;
  /** Days for which an unseen client's mark is remembered. */
  readonly maxMarkAgeDays: number;
  /** Outcomes kept for one client until it confirms them. */
  readonly maxUnconfirmedOutcomes: number;
  /** Bytes of those outcomes: one row of storage, which a client that never confirms must not outgrow. */
  readonly maxUnconfirmedBytes: number;
  /** Bytes of those outcomes of all clients: beyond it who has not confirmed must do that first. */
  readonly maxAllUnconfirmedBytes: number;
  /** Deleted records whose deletion `changedByOthers` still knows. */
  readonly maxTombstones: number;
  /** Characters of an order key above which the room gives a record, and its neighbours, shorter ones. */
  readonly longOrderKeyLength: number;
  /** Records that get shorter order keys at once: each is a change that everybody is sent. */
  readonly maxShortenedOrderKeys: number;
}

const KB = 1024;
const MB = 1024 * KB;

/** What a room keeps to unless `RoomObject` is told otherwise. Frozen. */
export const defaultLimits: Limits = Object.freeze({
  ...callLimits,
  maxOperationBytes: 1 * MB,
  maxFrameBytes: 1 * MB,
  maxCallsPerFrame: 256,
  callsPerSecond: 200,
  callsBurst: 1_000,
  signalsPerSecond: 120,
  signalsBurst: 240,
  maxPresenceBytes: 4 * KB,
  maxUserBytes: 4 * KB,
  maxEventBytes: 16 * KB,
  maxStateBytes: 32 * MB,
  maxSessions: 1_000,
  flushIntervalMs: 16,
  maxRowBytes: 1_900_000,
  maxRingFlushes: 1_024,
  maxRingBytes: 4 * MB,
  maxHistoryBytes: 8 * MB,
  pageBytes: 64 * KB,
  checksumIntervalMs: 5_000,
  quietCheckpointMs: 3_000,
  maxSilenceMs: 25_000,
  maxUnacknowledgedBytes: 1 * MB,
  maxUnacknowledgedFrames: 64,
  maxMarks: 10_000,
  maxMarksPerUser: 1_000,
  maxRemoteMarks: 10_000,
  maxMarkAgeDays: 30,
  maxUnconfirmedOutcomes: 4_096,
  maxUnconfirmedBytes: 1 * MB,
  maxAllUnconfirmedBytes: 16 * MB,
  maxTombstones: 1_024,
  longOrderKeyLength: 48,
  maxShortenedOrderKeys: 256,
});
