import type { Access } from "../../schema/access.ts";
import type { Outcome } from "../../model/call.ts";
import type { Checksums } from "../../model/checksum.ts";
import type { Delta } from "../encoding/delta.ts";
import type { Json } from "../../schema/json.ts";

/** Client → room: schemas, in a file of their own. */
export type { UpFrame, WireCall } from "../up/up-frames.ts";

// ── down: room → client ────────────────────────────────────────────────────────────────────────────────────────

/**
 * What a call came to; in a catch-up with the hash of that call, since another page under the same client id may have
 * made it.
 */
export type WireOutcome = readonly [clientReqId: number, outcome: Outcome, callHash?: number];

/** Somebody is here with this presence, whatever was known of them; has changed these fields of it; is gone. */
export type PeerChange =
  | readonly ["join", clientId: string, user: Json, presence: Json]
  | readonly ["set", clientId: string, fields: Json]
  | readonly ["leave", clientId: string];

/** A message; the client id is null for one of the room itself. */
export type WireEvent = readonly [clientId: string | null, event: string, payload: Json];

/** First frame on every connection. Text. */
export interface Welcome {
  readonly kind: "welcome";
  readonly epoch: string;
  readonly clientId: string;
  readonly user: Json;
  readonly access: Access;
  /** Left out when the client has none. */
  readonly role?: string;
  /** To be said in later hellos, as long as calls sent on this connection are unanswered. */
  readonly knownSince: number;
  /** Whether the room's names are those of the client's, so that pushes may be bytes. */
  readonly acceptsBinary: boolean;
  /** How much the room takes, so that the client can pace itself. */
  readonly limits: {
    readonly callsPerSecond: number;
    readonly callsBurst: number;
    readonly maxCallsPerFrame: number;
    readonly maxFrameBytes: number;
    readonly maxUnacknowledgedBytes: number;
    readonly maxUnacknowledgedFrames: number;
    readonly ephemeralPerSecond: number;
    readonly ephemeralBurst: number;
  };
}

/** One page of a snapshot: it replaces every record of `collection` whose id is in [from, until). Bytes. */
export interface SnapshotPart {
  readonly kind: "snapshot";
  /** 0 begins a snapshot anew. */
  readonly part: number;
  /** Parts that follow, as far as the room can tell. */
  readonly left: number;
  /** Revision at which the range was as the part has it. */
  readonly rev: number;
  readonly collection: string;
  readonly from: string;
  /** null: to the end of the collection. */
  readonly until: string | null;
  /** Whether `content` is compressed with raw deflate. */
  readonly isDeflated: boolean;
  /** The text of `PageRecords` as UTF-8. */
  readonly content: Uint8Array;
}

/** What a flush brings; every member may be missing. State comes first, then presence, then events. Bytes. */
export interface Update {
  readonly kind: "update";
  /** The reply to the hello (0) or to the resync of that tag. */
  readonly tag?: number;
  /** The client's newest executed call as of `delta.to`. */
  readonly lastCallId?: number;
  readonly outcomes?: readonly WireOutcome[];
  /** The delta belongs on top of the `parts` snapshot parts before it, not on what the client had. */
  readonly parts?: number;
  /** Takes a state from any revision in `from`…`to` to `to`. */
  readonly delta?: Delta;
  /** Of the state as of `delta.to`, or as the client has it when there is no delta. */
  readonly checksums?: Checksums;
  readonly presence?: readonly PeerChange[];
  readonly events?: readonly WireEvent[];
}

/** Everybody who is here, in place of all that was known. Text. */
export interface PeersFrame {
  readonly kind: "peers";
  readonly peers: readonly (readonly [clientId: string, user: Json, presence: Json])[];
}

/** The room has executed nothing above `expected - 1` of this client: send again from `expected`. Text. */
interface Gap {
  readonly kind: "gap";
  readonly expected: number;
}

/** A message was refused and changed nothing; a `clientReqId` names the first call that was not executed. Text. */
export interface ErrorFrame {
  readonly kind: "error";
  readonly code: string;
  readonly message: string;
  readonly clientReqId?: number;
  readonly retryAfterMs?: number;
}

/** A frame of the room that is text. */
export type TextFrame = Welcome | PeersFrame | Gap | ErrorFrame;

/** A frame of the room. */
export type DownFrame = TextFrame | Update | SnapshotPart;
