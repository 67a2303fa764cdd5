import type { $ZodType } from "zod/v4/core";
import {
  requireCollections,
  requireDirect,
  requireEvents,
  requireMutators,
  requirePrivate,
  requireRoles,
  requireSchema,
  requireUndo,
  requireVersion,
} from "./definition-checks.ts";
import type { RoomDefinition, UserOfSchema } from "./definition.ts";
import type { EachJsonOnly, JsonOnly } from "./json-only.ts";
import type { AnyMutator, AnyMutatorRun, EventSchemas, MutatorBuilder, MutatorSchemas } from "./mutator.ts";
import { requireKnownOptions } from "./option-names.ts";
import type { CollectionSchemas } from "./collections.ts";
import type { AnyUndoRules, UndoRules } from "./undo.ts";

/** What a room holds and what may happen in it, written once for both sides. */
export interface RoomOptions<
  User extends $ZodType | undefined,
  Collections extends CollectionSchemas,
  Direct extends string,
  Presence extends $ZodType | undefined,
  Events extends EventSchemas,
  Mutators extends MutatorSchemas,
  Role extends string = string,
> {
  /** The app's schema version, a positive integer. Raise it when older clients could not read or call this room. */
  readonly version: number;
  /** A person as `authenticate` says it; everybody in the room sees it. */
  readonly user?: User & CheckedSchema<User>;
  /** Every role that `authenticate` may return. The room refuses a client with another; left out, a role may be any word. */
  readonly roles?: readonly Role[];
  /** The records of each collection: a flat object of JSON fields, without transforms. */
  readonly collections: Collections & EachJsonOnly<Collections>;
  /** What `room.transact` and undo may write, by default nothing; all else changes only through mutators. */
  readonly direct?: readonly Direct[];
  /**
   * Collections of which each user is shown only their own records: those whose ids begin with their own id and a slash,
   * `<userId>/…`. Needs `user` with a text `id`. Mutators on the server see and write them all.
   */
  readonly private?: readonly (keyof NoInfer<Collections> & string)[];
  /** What each client tells the others of itself, gone when it leaves. */
  readonly presence?: Presence & CheckedSchema<Presence>;
  /** Messages that nobody needs later: the payload, by name. */
  readonly events?: Events & EachJsonOnly<Events>;
  /** The calls that the room knows. */
  readonly mutators?: (mutator: MutatorBuilder<Collections, UserOfSchema<User>, Events, Role>) => Mutators;
  /**
   * How `room.history` takes calls back: for a mutator, the call that is its opposite. A mutator that is not named
   * here is not in the history.
   */
  readonly undo?: UndoRules<Collections, UserOfSchema<User>, NoInfer<Mutators>>;
}

const optionNames = [
  "version",
  "user",
  "roles",
  "collections",
  "direct",
  "private",
  "presence",
  "events",
  "mutators",
  "undo",
] as const satisfies readonly (keyof RoomOptions<undefined, {}, never, undefined, {}, {}>)[];

/** `JsonOnly` for a schema that may be left out. */
export type CheckedSchema<S> = S extends $ZodType ? JsonOnly<S> : unknown;

/**
 * Describes a room for both sides; everything else is inferred from what it returns.
 *
 * Throws an Error that names the culprit for what types cannot say: a name that is not allowed, a `direct`
 * entry that is no collection, a collection that is not a plain object schema, a version that is not a positive integer,
 * a schema that changes values (`transform`, `trim`, `coerce`, `catch`, …).
 */
export function defineRoom<
  Collections extends CollectionSchemas,
  User extends $ZodType | undefined = undefined,
  Direct extends keyof Collections & string = never,
  Presence extends $ZodType | undefined = undefined,
  Events extends EventSchemas = {},
  Mutators extends MutatorSchemas = {},
  const Role extends string = string,
>(
  room: RoomOptions<User, Collections, Direct, Presence, Events, Mutators, Role>,
): RoomDefinition<User, Collections, Direct, Presence, Events, Mutators, Role> {
  const { version, user, collections, direct = [], presence, events = {}, mutators, undo = {} } = room;
  requireKnownOptions(room, optionNames, "defineRoom");
  const privates = room.private ?? [];
  requireVersion(version);
  if (room.roles !== undefined) requireRoles(room.roles);
  if (user !== undefined) requireSchema(user, "user");
  if (presence !== undefined) requireSchema(presence, "presence");
  requireCollections(collections);
  requireDirect(direct, collections);
  requirePrivate(privates, collections, user);
  requireEvents(events);
  const built = mutators?.(mutator as MutatorBuilder<Collections, UserOfSchema<User>, Events, Role>) ?? {};
  requireMutators(built);
  requireUndo(undo, built);
  return Object.freeze({
    version,
    user: user as User,
    roles: room.roles && Object.freeze([...room.roles]),
    collections: withoutPrototype<Collections>(collections),
    direct: Object.freeze([...direct]),
    private: Object.freeze([...privates]),
    presence: presence as Presence,
    events: withoutPrototype(events as Events),
    mutators: withoutPrototype(built as Mutators),
    // Each rule is called with the payload and the state that its type names.
    undo: withoutPrototype(undo as AnyUndoRules),
  });
}

/**
 * The one function behind every room's `MutatorBuilder`. What that says of `run` is kept by the core, which
 * gives each function its own room's `tx` and a payload that has passed its own schema.
 */
function mutator(payload: $ZodType, run?: AnyMutatorRun): AnyMutator {
  return Object.freeze({ payload, run });
}

/** A frozen copy in which a name from outside, such as `toString`, finds nothing that was not declared. */
function withoutPrototype<Declared extends object>(declared: Declared): Declared {
  return Object.freeze(Object.assign(Object.create(null), declared));
}
