import * as z from "zod/mini";
import type { Outcome } from "../core/call.ts";
import type { Checksums } from "../core/checksum.ts";
import type { Delta } from "../core/delta.ts";
import type { Json } from "../schema/json.ts";

const Counter = z.int().check(z.nonnegative());
/** JSON of any shape: what frames carry came out of `JSON.parse`, and the schema of the room checks it further in. */
const AnyJson = z.custom<Json>(() => true);

// ── up: client → room ──────────────────────────────────────────────────────────────────────────────────────────

/** A mutator's name or `transact`; the payload of `transact` is a set of changes. */
export const WireCall = z.tuple([Counter, z.string().check(z.maxLength(64)), AnyJson]);
/** `[baseRev, type, payload]` */
export type WireCall = z.infer<typeof WireCall>;

/** Calls in order; the first has the id `first`, each next one more. */
const Push = z.object({
  kind: z.literal("push"),
  first: z.int().check(z.positive()),
  calls: z.array(WireCall).check(z.minLength(1)),
  /** Newest `clientReqId` whose outcome the client has: the room may forget outcomes up to here. */
  confirmed: Counter,
  /** Spares a frame of its own: as `bytes` of an ack. */
  received: z.optional(Counter),
});

/** The client's whole presence from now on. */
const SetPresence = z.object({ kind: z.literal("presence"), presence: AnyJson });

/** A message for everybody else. */
const SendEvent = z.object({
  kind: z.literal("event"),
  event: z.string().check(z.maxLength(64)),
  payload: AnyJson,
});

/** Bytes of frames received since the last such message, heartbeats left out. */
const Ack = z.object({ kind: z.literal("ack"), bytes: Counter });

/** A delta did not fit: asks for a catch-up from `rev`, which will carry `tag`. */
const Resync = z.object({
  kind: z.literal("resync"),
  tag: z.int().check(z.positive()),
  epoch: z.nullable(z.string().check(z.maxLength(64))),
  rev: Counter,
  confirmed: Counter,
  /** The collections of which the client found that its copy was not the room's. */
  diverged: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(256))),
});

export const UpFrame = z.discriminatedUnion("kind", [Push, SetPresence, SendEvent, Ack, Resync]);
export type UpFrame = z.infer<typeof UpFrame>;

// ── down: room → client ────────────────────────────────────────────────────────────────────────────────────────

/**
 * What a call came to; in a catch-up with the hash of that call, since another page under the same client id may have
 * made it.
 */
export type WireOutcome = readonly [clientReqId: number, outcome: Outcome, callHash?: number];

/** Somebody is here with a first presence; has changed it; is gone. */
export const PeerChange = z.union([
  z.tuple([z.literal("join"), z.string(), AnyJson, AnyJson]),
  z.tuple([z.literal("set"), z.string(), AnyJson]),
  z.tuple([z.literal("leave"), z.string()]),
]);
/** `["join", actor, user, presence]`, `["set", actor, presence]` or `["leave", actor]` */
export type PeerChange = z.infer<typeof PeerChange>;

/** `[actor, event, payload]`; the actor is null for an event of the room itself. */
export const WireEvent = z.tuple([z.nullable(z.string()), z.string(), AnyJson]);
export type WireEvent = z.infer<typeof WireEvent>;

/** First frame on every connection. */
export const Welcome = z.object({
  kind: z.literal("welcome"),
  epoch: z.string(),
  actor: z.string(),
  user: AnyJson,
  role: z.string(),
  /** To be said in later hellos, as long as calls sent on this connection are unanswered. */
  birth: Counter,
  /** Whether the room's names are those of the client's, so that pushes may be bytes. */
  isCompact: z.boolean(),
  /** How much the room takes, so that the client can pace itself. */
  limits: z.object({
    callsPerSecond: z.number(),
    callsBurst: z.number(),
    maxCallsPerFrame: z.number(),
    maxFrameBytes: z.number(),
    maxUnacknowledgedBytes: z.number(),
    maxUnacknowledgedFrames: z.number(),
  }),
});
export type Welcome = z.infer<typeof Welcome>;

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
  /** JSON of `PageRecord[]` as UTF-8. */
  readonly content: Uint8Array;
}

/** What a flush brings; every member may be missing. State comes first, then presence, then events. Bytes. */
export interface Update {
  readonly kind: "update";
  /** The reply to the hello (0) or to the resync of that tag. */
  readonly tag?: number;
  /** The client's newest executed call as of `delta.to`. */
  readonly mark?: number;
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

/** Everybody who is here, in place of all that was known: `[actor, user, presence]`. */
export const Roster = z.object({
  kind: z.literal("roster"),
  peers: z.array(z.tuple([z.string(), AnyJson, AnyJson])),
});
export type Roster = z.infer<typeof Roster>;

/** The room has executed nothing above `expected - 1` of this client: send again from `expected`. */
const Gap = z.object({ kind: z.literal("gap"), expected: z.int().check(z.positive()) });

/** A message was refused and changed nothing; a `clientReqId` names the first call that was not executed. */
export const ErrorFrame = z.object({
  kind: z.literal("error"),
  code: z.string(),
  message: z.string(),
  clientReqId: z.optional(Counter),
  retryAfterMs: z.optional(Counter),
});
export type ErrorFrame = z.infer<typeof ErrorFrame>;

/** A frame of the room that is text. */
export const TextFrame = z.discriminatedUnion("kind", [Welcome, Roster, Gap, ErrorFrame]);
export type TextFrame = z.infer<typeof TextFrame>;

/** A frame of the room. */
export type DownFrame = TextFrame | Update | SnapshotPart;
