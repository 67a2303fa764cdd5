import type { $ZodType, input, output } from "zod/v4/core";
import type { DeepReadonly } from "./json.ts";
import type { OrderFieldsOf } from "./order-key.ts";
import type { EventSchemas, MutatorContext, MutatorResult, MutatorSchemas } from "./mutator.ts";
import type { AnyUndoRules } from "./undo.ts";
import type {
  CollectionReader,
  CollectionSchemas,
  CollectionWriter,
  RecordInputOfSchema,
  RecordOfSchema,
  TxOfCollections,
} from "./collections.ts";

/**
 * What `defineRoom` returns. Frozen; `collections`, `events` and `mutators` have no prototype, so a name
 * from outside finds what was declared or nothing.
 */
export interface RoomDefinition<
  User extends $ZodType | undefined,
  Collections extends CollectionSchemas,
  Direct extends string,
  Presence extends $ZodType | undefined,
  Events extends EventSchemas,
  Mutators extends MutatorSchemas,
  Role extends string = string,
> {
  /** The app's schema version, a positive integer. */
  readonly version: number;
  /** A person, as `authenticate` says it; undefined when the room asks for none. */
  readonly user: User;
  /** The roles that a client may have; undefined when the room takes any word. */
  readonly roles: readonly Role[] | undefined;
  /** The schema of a record, by the name of its collection. */
  readonly collections: Collections;
  /** The collections that `room.transact` and undo may write. */
  readonly direct: readonly Direct[];
  /** The collections of which each user is shown only their own records. */
  readonly private: readonly string[];
  /** The schema of what each client tells of itself; undefined when the room has no presence. */
  readonly presence: Presence;
  /** The schema of an event's payload, by its name. */
  readonly events: Events;
  /** Each mutator's payload and function, by its name. */
  readonly mutators: Mutators;
  /** How calls are taken back, by the mutator's name; empty when none can be. */
  readonly undo: AnyUndoRules;
}

/** Any room's definition: the shape that the core reads at runtime. Every definition is assignable to it. */
export type AnyRoomDefinition = RoomDefinition<
  $ZodType | undefined,
  CollectionSchemas,
  string,
  $ZodType | undefined,
  EventSchemas,
  MutatorSchemas
>;

/** The names of the collections, as a union. */
export type CollectionNamesOf<D extends AnyRoomDefinition> = keyof D["collections"] & string;

/** A record as it is read, frozen all the way down. */
export type RecordOf<D extends AnyRoomDefinition, C extends keyof D["collections"]> = RecordOfSchema<
  D["collections"][C]
>;

/** A record as `put` accepts it: fields with a default may be left out. */
export type RecordInputOf<
  D extends AnyRoomDefinition,
  C extends keyof D["collections"],
> = RecordInputOfSchema<D["collections"][C]>;

/** The whole state, read. */
export type StateOf<D extends AnyRoomDefinition> = {
  readonly [C in keyof D["collections"]]: CollectionReader<
    RecordOf<D, C>,
    OrderFieldsOf<D["collections"][C]>
  >;
};

/** What a mutator is given as `tx`: every collection, read and written. */
export type TxOf<D extends AnyRoomDefinition> = TxOfCollections<D["collections"]>;

/** What `room.transact` is given on the client: collections in `direct` are written, all others only read. */
export type DirectTxOf<D extends AnyRoomDefinition> = {
  readonly [C in keyof D["collections"]]: C extends D["direct"][number]
    ? CollectionWriter<RecordInputOf<D, C>, RecordOf<D, C>, OrderFieldsOf<D["collections"][C]>>
    : CollectionReader<RecordOf<D, C>, OrderFieldsOf<D["collections"][C]>>;
};

/** A person, as everybody in the room sees it; `never` when the room declares no user, so `UserOf<D> | null` is null. */
export type UserOf<D extends AnyRoomDefinition> = UserOfSchema<D["user"]>;

/** What a user's schema describes, read; `never` for undefined, when the room declares no user. */
export type UserOfSchema<User extends $ZodType | undefined> = User extends $ZodType
  ? DeepReadonly<output<User>>
  : never;

/** A role of the room: one of `roles`, or any word when the definition lists none. */
export type RoleOf<D extends AnyRoomDefinition> = NonNullable<D["roles"]>[number];

/** A client's presence; the empty object when the room declares none. */
export type PresenceOf<D extends AnyRoomDefinition> = D["presence"] extends $ZodType
  ? DeepReadonly<output<D["presence"]>>
  : { readonly [field: string]: never };

/** The names of the events, as a union. */
export type EventNamesOf<D extends AnyRoomDefinition> = keyof D["events"] & string;

/** An event's payload as a listener is given it. */
export type EventPayloadOf<D extends AnyRoomDefinition, E extends keyof D["events"]> = DeepReadonly<
  output<D["events"][E]>
>;

/** An event's payload as `broadcast` accepts it. */
export type EventInputOf<D extends AnyRoomDefinition, E extends keyof D["events"]> = DeepReadonly<
  input<D["events"][E]>
>;

/** The names of the mutators, as a union. */
export type MutatorNamesOf<D extends AnyRoomDefinition> = keyof D["mutators"] & string;

/** A mutator's payload as a caller passes it: fields with a default may be left out. */
export type PayloadOf<D extends AnyRoomDefinition, M extends keyof D["mutators"]> = DeepReadonly<
  input<D["mutators"][M]["payload"]>
>;

/** A mutator's context in the room `D`. */
export type MutatorContextOf<D extends AnyRoomDefinition> = MutatorContext<UserOf<D>, D["events"], RoleOf<D>>;

/** The functions that only the server has: one for each mutator that was declared without a function. */
export type ServerMutatorsOf<D extends AnyRoomDefinition> = {
  readonly [M in keyof D["mutators"] as D["mutators"][M]["run"] extends undefined ? M : never]: (
    tx: TxOf<D>,
    payload: DeepReadonly<output<D["mutators"][M]["payload"]>>,
    ctx: MutatorContextOf<D>,
  ) => MutatorResult;
};
