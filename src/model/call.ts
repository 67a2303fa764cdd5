import type { Access } from "../schema/access.ts";
import type { AnyRoomDefinition } from "../schema/definition.ts";
import type { Json } from "../schema/json.ts";
import { isPromise } from "../schema/promise.ts";
import { Rejection, rejectionIn } from "../schema/rejection.ts";
import type { WireChange, WireChanges } from "./changes.ts";
import { hashJson, hashText } from "./checksum.ts";
import type { CallLimits } from "./call-limits.ts";
import type { Fields } from "./json.ts";
import type { RecordSource } from "./state.ts";
import { Transaction, type TransactionOptions, type Tx, type Writes } from "./transaction.ts";
import { assertSize, parseWith } from "./parse.ts";

/** The `type` of a direct edit; its payload is the changes themselves. No mutator may have this name. */
export const transactType = "transact";

/** What a call came to: the revision at which its operation was committed, or why it was not. */
export type Outcome =
  | {
      /** Whether it was committed. */
      readonly kind: "accepted";
      /** The revision that it made. */
      readonly rev: number;
    }
  | {
      readonly kind: "rejected";
      /** One of the room's codes or the app's own. */
      readonly code: string;
      /** One sentence for people. */
      readonly message: string;
      /** Whatever the mutator said beside it. */
      readonly data?: Json;
    };

/** What an id came to, with the hash of the call that was made under it, by which another one is told apart. */
export type Answer = readonly [clientReqId: number, outcome: Outcome, callHash: number];

const transactHash = hashText(transactType);

/**
 * 32 bits that are the same whenever a call is sent again. They are few, as an id is compared with calls of its own client alone: who
 * makes two calls with the same hash is told the outcome of the first, and nobody else is.
 */
export function hashCall(type: string, payload: Json): number {
  return ((type === transactType ? transactHash : hashText(type)) + hashJson(payload)) >>> 0;
}

/** Who makes a call. */
export interface Caller {
  /** The public id of the client; `rpc:…` for a backend. */
  readonly clientId: string;
  /** The person, as `authenticate` gave it; null when nobody was named. */
  readonly user: Json;
  /** What the client may do, as `authenticate` returned it. */
  readonly access: Access;
  /** The role that `authenticate` returned; undefined if it returned none. It grants nothing by itself. */
  readonly role?: string | undefined;
}

/** A message for everybody, made by a mutator. */
export interface Broadcast {
  readonly event: string;
  readonly payload: Json;
}

/** A mutator as it is at run time; the schema package types it. */
export type Run = (tx: Tx, payload: Json, ctx: object) => unknown;

export interface CallOptions {
  readonly definition: AnyRoomDefinition;
  readonly limits: CallLimits;
  readonly location: "client" | "server";
  /** Throws {@link Rejection} for a payload that no call may carry, and that the rest could not be given. */
  readonly checkPayload: (type: string, payload: Json, limits: CallLimits) => void;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly caller: Caller;
  /** Mutators that only the server has. */
  readonly serverMutators?: { readonly [name: string]: Run };
  readonly changedByOthers?: (collection: string, id: string) => boolean;
  readonly checked?: (record: Fields) => void;
  readonly measure?: (record: Fields, maxBytes: number, before?: Fields) => number | undefined;
  readonly withoutHidden?: NonNullable<TransactionOptions["withoutHidden"]>;
}

export type CallResult =
  | { readonly kind: "done"; readonly writes: Writes; readonly broadcasts: readonly Broadcast[] }
  | { readonly kind: "rejected"; readonly rejection: Rejection }
  /** Not a refusal but a bug: what a mutator threw that is no `Rejection`. */
  | { readonly kind: "failed"; readonly error: unknown };

/**
 * Runs one call over `source`, the same way as a prediction and as the truth. It changes nothing: what the call
 * would do is in the result.
 */
export function runCall(source: RecordSource, type: string, payload: Json, options: CallOptions): CallResult {
  const direct = type === transactType;
  const transaction = new Transaction(source, options, direct ? options.definition.direct : undefined);
  const broadcasts: Broadcast[] = [];
  try {
    options.checkPayload(type, payload, options.limits);
    if (direct) applyDirectEdit(transaction, payload as WireChanges);
    else runMutator(transaction.tx, type, payload, options, broadcasts);
    return { kind: "done", writes: transaction.writes, broadcasts };
  } catch (error) {
    const rejection = rejectionIn(error);
    return rejection === undefined ? { kind: "failed", error } : { kind: "rejected", rejection };
  } finally {
    transaction.close();
  }
}

/** Throws {@link Rejection} for a payload that is too large: all that can be wrong with one that a client has made itself. */
export function checkPayload(type: string, payload: Json, { maxPayloadBytes }: CallLimits): void {
  assertSize(`the payload of ${type}`, payload, maxPayloadBytes);
}

function applyDirectEdit(transaction: Transaction, edit: WireChanges): void {
  for (const collection in edit) {
    const records = transaction.collection(collection);
    if (records === undefined) throw new Rejection("invalid", `there is no collection ${collection}`);
    for (const change of edit[collection] as readonly WireChange[]) records.apply(change);
  }
}

function runMutator(
  tx: Tx,
  type: string,
  payload: Json,
  options: CallOptions,
  broadcasts: Broadcast[],
): void {
  const { definition, serverMutators, location } = options;
  const mutator = definition.mutators[type];
  if (mutator === undefined) throw new Rejection("invalid", `there is no mutator ${type}`);
  const checked = parseWith(mutator.payload, payload, `the payload of ${type}`);
  const run = (mutator.run ?? serverMutators?.[type]) as Run | undefined;
  // Where only the server knows the rule, the client predicts nothing and waits.
  if (run === undefined && location === "client") return;
  if (run === undefined) throw new Error(`mutator ${type} has no function on the server`);
  const rejections: Rejection[] = [];
  const result = run(tx, checked, mutatorContext(options, broadcasts, rejections));
  assertSync(`mutator ${type}`, result);
  // A mutator that catches its own rejection must not commit.
  if (rejections[0] !== undefined) throw rejections[0];
}

/** Throws if `returned`, which a function of the app has returned, is a promise: all that it wrote later would be lost. */
export function assertSync(what: string, returned: unknown): void {
  // The error below stands for the rejection as well.
  if (isPromise(returned, () => {}))
    throw new Error(`${what} is asynchronous: it must finish before it returns`);
}

function mutatorContext(options: CallOptions, broadcasts: Broadcast[], rejections: Rejection[]): object {
  const { caller, now, location, definition } = options;
  return {
    clientId: caller.clientId,
    user: caller.user,
    access: caller.access,
    role: caller.role,
    now,
    location,
    reject(code: string, message?: string, data?: Json) {
      const rejection = new Rejection(code, message, data);
      rejections.push(rejection);
      throw rejection;
    },
    broadcast(event: string, payload: unknown) {
      if (location === "client") return;
      broadcasts.push({ event, payload: parseEvent(definition, event, payload) });
    },
  };
}

/** An event's payload as its schema reads it. Throws {@link Rejection} `invalid`. */
export function parseEvent(definition: AnyRoomDefinition, event: string, payload: unknown): Json {
  const schema = definition.events[event];
  if (schema === undefined) throw new Rejection("invalid", `there is no event ${event}`);
  return parseWith(schema, payload, `the payload of event ${event}`);
}
