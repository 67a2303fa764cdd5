import * as z from "zod/mini";
import type { Json } from "../../schema/json.ts";

// What comes up is checked by these schemas, for a room trusts nobody. A client has of this file the types alone.

// Zod has renamed the classes of its integers and unions within version 4. The annotations keep those names out of the
// package's declarations, so that the declarations compile with every zod in the peer range.
const Counter: z.ZodMiniType<number> = z.int().check(z.nonnegative());
const Positive: z.ZodMiniType<number> = z.int().check(z.positive());
/** JSON of any shape: what frames carry came out of `JSON.parse`, and the schema of the room checks it further in. */
const AnyJson = z.custom<Json>(() => true);

/** A mutator's name or `transact`; the payload of `transact` is a set of changes. */
export const WireCall = z.tuple([Counter, z.string().check(z.maxLength(64)), AnyJson]);
/** `[baseRev, type, payload]` */
export type WireCall = z.infer<typeof WireCall>;

/** Calls in order; the first has the id `first`, each next one more. */
const Push = z.object({
  kind: z.literal("push"),
  first: Positive,
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
  tag: Positive,
  epoch: z.nullable(z.string().check(z.maxLength(64))),
  rev: Counter,
  confirmed: Counter,
  /** The collections of which the client found that its copy was not the room's. */
  diverged: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(256))),
});

const frames = [Push, SetPresence, SendEvent, Ack, Resync] as const;
export type UpFrame = z.infer<(typeof frames)[number]>;
export const UpFrame: z.ZodMiniType<UpFrame> = z.discriminatedUnion("kind", frames);
