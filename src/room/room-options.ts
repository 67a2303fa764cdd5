import type { Authorize } from "../core/engine.ts";
import type { Limits } from "../core/limits.ts";
import type { Caller } from "../core/call.ts";
import type { AnyRoomDefinition, CollectionNamesOf, ServerMutatorsOf, UserOf } from "../schema/definition.ts";

/** Somebody who is here, or was, as the room's hooks are told. */
export interface Client<D extends AnyRoomDefinition = AnyRoomDefinition> {
  /** The public half of the client id: one page load. */
  readonly actor: string;
  /** As `authenticate` said it, read by the definition's schema; null for nobody in particular. */
  readonly user: UserOf<D> | null;
  /** As `authenticate` said it; `writer` when it did not. */
  readonly role: string;
}

/** The client without what proves it: that is between the room and it. */
export function clientOf<D extends AnyRoomDefinition>({ actor, user, role }: Caller): Client<D> {
  return { actor, user: user as UserOf<D> | null, role }; // the definition's schema has read it
}

/** What only the server knows of a room. */
export type RoomObjectOptions<D extends AnyRoomDefinition> = {
  /** May this operation be committed? Called before every commit that a client asks for. */
  readonly authorize?: Authorize;
  /**
   * Which roles are shown a collection: `{ secrets: ["host"] }`. Everybody is shown a collection that is not named here;
   * who is not shown one cannot write it directly either.
   */
  readonly visibleTo?: { readonly [C in CollectionNamesOf<D>]?: readonly string[] };
  /** Overrides of the defaults, see `Limits`. */
  readonly limits?: Partial<Limits>;
} & (keyof ServerMutatorsOf<D> extends never
  ? {
      /** The functions of the mutators that were declared without one; all of them, or it does not compile. */
      readonly mutators?: ServerMutatorsOf<D>;
    }
  : { readonly mutators: ServerMutatorsOf<D> });
