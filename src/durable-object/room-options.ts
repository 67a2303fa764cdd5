import type { Authorize } from "../room/engine/authorization.ts";
import { limitsWith, type Limits } from "../room/limits.ts";
import type { Caller } from "../model/call.ts";
import type { Access } from "../schema/access.ts";
import { requireKnownOptions } from "../schema/option-names.ts";
import type {
  AnyRoomDefinition,
  CollectionNamesOf,
  RoleOf,
  ServerMutatorsOf,
  UserOf,
} from "../schema/definition.ts";

/** Somebody who is here, or was, as the room's hooks are told. */
export interface Client<D extends AnyRoomDefinition = AnyRoomDefinition> {
  /** The public half of the client id: one page load. */
  readonly clientId: string;
  /** As `authenticate` said it, read by the definition's schema; null for nobody in particular. */
  readonly user: UserOf<D> | null;
  /** What the client may do, as `authenticate` returned it. */
  readonly access: Access;
  /** The role that `authenticate` returned; undefined if it returned none. */
  readonly role: RoleOf<D> | undefined;
}

/** The client without what proves it: that is between the room and it. */
export function clientOf<D extends AnyRoomDefinition>({ clientId, user, access, role }: Caller): Client<D> {
  // The room admits a user that the definition's schema has read, and a role that the definition lists.
  return { clientId, user: user as UserOf<D> | null, access, role };
}

/** What only the server knows of a room. */
export type RoomObjectOptions<D extends AnyRoomDefinition> = {
  /** May this operation be committed? Called before every commit that a client asks for. */
  readonly authorize?: Authorize;
  /**
   * Which roles are shown a collection: `{ secrets: ["host"] }`. Everybody is shown a collection that is not named here;
   * who is not shown one cannot write it directly either.
   */
  readonly visibleTo?: { readonly [C in CollectionNamesOf<D>]?: readonly RoleOf<D>[] };
  /** Overrides of the defaults, see `Limits`. */
  readonly limits?: Partial<Limits>;
} & (keyof ServerMutatorsOf<D> extends never
  ? {
      /** The functions of the mutators that were declared without one; all of them, or it does not compile. */
      readonly mutators?: ServerMutatorsOf<D>;
    }
  : { readonly mutators: ServerMutatorsOf<D> });

const optionNames = ["authorize", "visibleTo", "limits", "mutators"];

/**
 * Throws `TypeError` for options that would be left out in silence, or fail at the first call: a name that there is not, a mutator
 * of the server's that has no function; and what `limitsWith` throws.
 */
export function requireRoomOptions<D extends AnyRoomDefinition>(
  definition: D,
  options: RoomObjectOptions<D>,
): void {
  requireKnownOptions(options, optionNames, "RoomObject");
  limitsWith(options.limits);
  if (options.authorize !== undefined && typeof options.authorize !== "function")
    throw new TypeError("RoomObject: authorize must be a function");
  for (const [name, roles] of Object.entries<unknown>(options.visibleTo ?? {})) {
    if (!Object.hasOwn(definition.collections, name))
      throw new TypeError(
        `RoomObject: visibleTo names ${JSON.stringify(name)}, which is no collection of this room`,
      );
    if (roles !== undefined && !isTexts(roles))
      throw new TypeError(`RoomObject: visibleTo.${name} must be a list of roles`);
    const unknown = roles?.find((role) => definition.roles?.includes(role) === false);
    if (unknown !== undefined)
      throw new TypeError(
        `RoomObject: visibleTo.${name} has ${JSON.stringify(unknown)}, which is no role of this room`,
      );
  }
  requireServerMutators(definition, options.mutators ?? {});
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function requireServerMutators(
  { mutators }: AnyRoomDefinition,
  given: { readonly [name: string]: unknown },
): void {
  for (const name of Object.keys(given)) {
    if (mutators[name] === undefined)
      throw new TypeError(
        `RoomObject: mutators has ${JSON.stringify(name)}, which is no mutator of this room`,
      );
    if (mutators[name].run !== undefined)
      throw new TypeError(
        `RoomObject: the mutator ${JSON.stringify(name)} has its function in the definition`,
      );
  }
  for (const [name, { run }] of Object.entries(mutators)) {
    if (run === undefined && typeof given[name] !== "function")
      throw new TypeError(`RoomObject: mutators lacks the function of ${JSON.stringify(name)}`);
  }
}
