/** What both sides of an app import: `defineRoom`, and the types of what it describes. */
export { defineRoom, type RoomOptions } from "./schema/define-room.ts";
export type * from "./schema/definition.ts";
export type { DeepReadonly, Json, JsonObject, JsonPrimitive } from "./schema/json.ts";
export type {
  AnyMutator,
  AnyMutatorContext,
  AnyMutatorRun,
  EventSchemas,
  Mutator,
  MutatorBuilder,
  MutatorContext,
  MutatorResult,
  MutatorSchemas,
  ServerMutator,
} from "./schema/mutator.ts";
export { Rejection } from "./schema/rejection.ts";
export type {
  AnyRecord,
  AnyTx,
  CollectionReader,
  CollectionSchemas,
  CollectionTx,
  CollectionWriter,
  OptionalFieldOf,
  PatchOf,
} from "./schema/state.ts";
