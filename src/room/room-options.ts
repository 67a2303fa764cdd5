import type { Authorize } from "../core/engine.ts";
import type { Limits } from "../core/limits.ts";
import type { AnyRoomDefinition, CollectionNamesOf, ServerMutatorsOf } from "../schema/definition.ts";

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
