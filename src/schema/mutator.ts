import type { $ZodType, input, output } from "zod/v4/core";
import type { Access } from "./access.ts";
import type { DeepReadonly, Json } from "./json.ts";
import type { JsonOnly } from "./json-only.ts";
import type { AnyTx, CollectionSchemas, TxOfCollections } from "./collections.ts";

/** The events of a room: the schema of the payload, by the name of the event. */
export interface EventSchemas {
  readonly [name: string]: $ZodType;
}

/** Who calls, when and where; and the two things a mutator may do besides changing records. */
export interface MutatorContext<
  User,
  Events extends EventSchemas = EventSchemas,
  Role extends string = string,
> {
  /** The public id of the client that made the call. */
  readonly clientId: string;
  /** The person, as `authenticate` said; null when nobody was named. */
  readonly user: User | null;
  /** What the caller may do, as `authenticate` returned it. The room runs no call of a client with `read`. */
  readonly access: Access;
  /** The role that `authenticate` returned; undefined if it returned none, and on the client before the first welcome. */
  readonly role: Role | undefined;
  /** Milliseconds since the epoch, the same for the whole call. A prediction reads the client's clock, the truth the room's. */
  readonly now: number;
  /** Where it runs: as a prediction on the client, or as the truth on the server. */
  readonly location: "client" | "server";
  /**
   * Throws the rejection: the call changes nothing, even if the mutator catches it. `throw ctx.reject("conflict")` does the same, and the
   * compiler then knows that the function ends there. `code` is the app's own, `message` one sentence for people.
   */
  reject(code: string, message?: string, data?: Json): never;
  /** Sends an event to everybody in the room once the call has committed. In a prediction it does nothing. */
  broadcast<E extends keyof Events & string>(event: E, payload: DeepReadonly<input<Events[E]>>): void;
}

/** The context of an unknown room, as the core hands it to a mutator. */
export type AnyMutatorContext = MutatorContext<unknown>;

/**
 * What a mutator's function may return: nothing. `void` alone would accept an async function, whose writes
 * after the first `await` would miss the transaction.
 */
export type MutatorResult = void | undefined;

/** A mutator's function with its types taken off, as the core runs it. */
export type AnyMutatorRun = (tx: AnyTx, payload: unknown, ctx: AnyMutatorContext) => MutatorResult;

/**
 * A mutator whose function both sides run. The function's own types stay out of this one: with them, the
 * declarations of a room with 20 collections and 60 mutators grow twentyfold.
 */
export interface Mutator<P extends $ZodType> {
  /** The schema of what it is called with. */
  readonly payload: P;
  /** The function that both sides run. */
  readonly run: AnyMutatorRun;
}

/** A mutator that only the server can run: a call waits for the server, and there is no prediction. */
export interface ServerMutator<P extends $ZodType> {
  /** The schema of what it is called with. */
  readonly payload: P;
  /** None here: `RoomObject` is given the function. */
  readonly run: undefined;
}

/** A mutator of an unknown room. */
export interface AnyMutator {
  /** The schema of what it is called with. */
  readonly payload: $ZodType;
  /** Undefined where only the server has the function. */
  readonly run: AnyMutatorRun | undefined;
}

/** The mutators of a room, by name. */
export interface MutatorSchemas {
  readonly [name: string]: AnyMutator;
}

/** The builder that `mutators: (mutator) => ({ … })` is given; it knows the room's collections, user and events. */
export interface MutatorBuilder<
  C extends CollectionSchemas,
  User,
  Events extends EventSchemas,
  Role extends string = string,
> {
  /** The server alone decides; `RoomObject` is given the function. */
  <P extends $ZodType>(payload: P & JsonOnly<P>): ServerMutator<P>;
  /** `run` is a prediction on the client and the truth on the server. It is synchronous and runs more than once. */
  <P extends $ZodType>(
    payload: P & JsonOnly<P>,
    run: (
      tx: TxOfCollections<C>,
      payload: DeepReadonly<output<P>>,
      ctx: MutatorContext<User, Events, Role>,
    ) => MutatorResult,
  ): Mutator<P>;
}
