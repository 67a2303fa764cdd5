/**
 * What both sides of an app import: `defineRoom`, the types of what it describes, and the keys of ordered lists.
 *
 * `D` stands for a definition, as in `Room<typeof board>`; types in `Of` say what is in it: `RecordOf<typeof board, "shapes">`.
 * Types that begin with `Any` are of a room that is not known, for code that serves every room. `$ZodType`, `$ZodObject`, `input`
 * and `output` are zod's own (`zod/v4/core`).
 */
export { orderBetween, ordersBetween } from "./model/order-between.ts";
export { defineRoom, type CheckedSchema, type RoomOptions } from "./schema/define-room.ts";
export type * from "./schema/definition.ts";
export type { Access } from "./schema/access.ts";
export type { Code } from "./protocol/codes.ts";
export type { EachJsonOnly, JsonOnly } from "./schema/json-only.ts";
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
  RecordInputOfSchema,
  RecordOfSchema,
  StateOfCollections,
  TxOfCollections,
} from "./schema/collections.ts";
export type { AnyUndoRules, UndoCall, UndoCaller, UndoRules } from "./schema/undo.ts";
