/** What both sides of an app import: `defineRoom`, the types of what it describes, and the keys of ordered lists. */
export { orderBetween, ordersBetween } from "./core/order-between.ts";
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
export { maxOrderKeyLength, orderKey, type OrderFieldsOf, type OrderKeySchema } from "./schema/order-key.ts";
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
export type { AnyUndoRules, UndoCall, UndoCaller, UndoRules } from "./schema/undo.ts";
