import { callLimits } from "../../model/call-limits.ts";
import { KB, MB } from "./units.ts";

/**
 * The limits that an app sets for what it is: how many people a room has, how large its state may become, how fast one client
 * may write. Limits that protect follow from them where they are higher, see `limitsWith`.
 */
export interface EverydayLimits {
  /** Sockets of one room: each costs a frame at every flush. */
  readonly maxSessions: number;
  /** Of them, those without a user. The rest is kept for users. A room whose definition has no `user` keeps none. */
  readonly maxSessionsWithoutUser: number;
  /** Of them, those of one user: tabs and devices, of which nobody may take all places. */
  readonly maxSessionsPerUser: number;
  /**
   * A session that made no call, showed no presence and sent no event for so long is closed for good. Infinity, since a session at rest
   * costs nothing: pings are answered without waking the room. Set it where places are few.
   */
  readonly maxIdleMs: number;
  /**
   * Of a session of which nothing was heard for so long, neither a frame nor a ping, the others are told that it has gone. Infinity
   * leaves that to the network, which may never say so.
   */
  readonly maxSilenceMs: number;
  /**
   * Time between two flushes while commits keep coming; twice that behind a flush of few. With 0 a flush follows as soon
   * as the messages that have come are executed.
   */
  readonly flushIntervalMs: number;
  /** The state as JSON text, as it is stored and sent. */
  readonly maxStateBytes: number;
  /** A record has to travel whole in one frame and share a page with others. */
  readonly maxRecordBytes: number;
  /** The arguments of one call: room for a pasted document, not for a film. */
  readonly maxPayloadBytes: number;
  /** Presence is kept in the socket's attachment, which holds 16 KB. */
  readonly maxPresenceBytes: number;
  /** Events are copied to every session. */
  readonly maxEventBytes: number;
  /** What `authenticate` says of a person is kept beside the presence, and sent to everybody. */
  readonly maxUserBytes: number;
  /** Sustained calls of one session: the bucket's refill. */
  readonly callsPerSecond: number;
  /** Calls that a session may make at once before it is held to the sustained rate. */
  readonly callsBurst: number;
  /**
   * Presence and event messages of one session together, a second and at once: twice the display's rate. They share a bucket since
   * they cost the same: a place in everybody's next frame.
   */
  readonly ephemeralPerSecond: number;
  /** Such messages that a session may send at once before it is held to the sustained rate. */
  readonly ephemeralBurst: number;
}

/** The defaults. */
export const everydayDefaults: EverydayLimits = {
  maxSessions: 1_000,
  maxSessionsWithoutUser: 900,
  maxSessionsPerUser: 50,
  maxIdleMs: Infinity,
  maxSilenceMs: 25_000,
  flushIntervalMs: 16,
  maxStateBytes: 32 * MB,
  maxRecordBytes: callLimits.maxRecordBytes,
  maxPayloadBytes: callLimits.maxPayloadBytes,
  maxPresenceBytes: 4 * KB,
  maxEventBytes: 16 * KB,
  maxUserBytes: 4 * KB,
  callsPerSecond: 200,
  callsBurst: 1_000,
  ephemeralPerSecond: 120,
  ephemeralBurst: 240,
};
