import * as z from "zod/mini";
import type { Json } from "../../schema/json.ts";

// What comes up is checked by these schemas, for a room trusts nobody. A client has of this file the types alone.

// Zod has renamed the classes of its integers and unions within version 4. The annotations keep those names out of the
// package's declarations, so that the declarations compile with every zod in the peer range.
const counter: z.ZodMiniType<number> = z.int().check(z.nonnegative());
const positive: z.ZodMiniType<number> = z.int().check(z.positive());
/** JSON of any shape: what frames carry came out of `JSON.parse`, and the schema of the room checks it further in. */
const anyJson = z.custom<Json>(() => true);

/** A mutator's name or `transact`; the payload of `transact` is a set of changes. */
const wireCallSchema = z.tuple([counter, z.string().check(z.maxLength(64)), anyJson]);
/** `[baseRev, type, payload]` */
export type WireCall = z.infer<typeof wireCallSchema>;

/** Calls in order; the first has the id `first`, each next one more. */
const pushSchema = z.object({
  kind: z.literal("push"),
  first: positive,
  calls: z.array(wireCallSchema).check(z.minLength(1)),
  /** Newest `clientReqId` whose outcome the client has: the room may forget outcomes up to here. */
  confirmed: counter,
  /** Spares a frame of its own: as `bytes` of an ack. */
  received: z.optional(counter),
});

/** The client's whole presence from now on. */
const presenceSchema = z.object({ kind: z.literal("presence"), presence: anyJson });

/** A message for everybody else. */
const eventSchema = z.object({
  kind: z.literal("event"),
  event: z.string().check(z.maxLength(64)),
  payload: anyJson,
});

/** Bytes of frames received since the last such message, heartbeats left out. */
const ackSchema = z.object({ kind: z.literal("ack"), bytes: counter });

/** A delta did not fit: asks for a catch-up from `rev`, which will carry `tag`. */
const resyncSchema = z.object({
  kind: z.literal("resync"),
  tag: positive,
  epoch: z.nullable(z.string().check(z.maxLength(64))),
  rev: counter,
  confirmed: counter,
  /** The collections of which the client found that its copy was not the room's. */
  diverged: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(256))),
});

const schemas = [pushSchema, presenceSchema, eventSchema, ackSchema, resyncSchema] as const;
export type UpFrame = z.infer<(typeof schemas)[number]>;
export const upFrameSchema: z.ZodMiniType<UpFrame> = z.discriminatedUnion("kind", schemas);
