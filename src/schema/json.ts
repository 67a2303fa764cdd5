import type { util } from "zod/v4/core";

/** A value that is the same after `JSON.parse(JSON.stringify(value))`: the only kind that records, payloads, presence and events hold. */
export type Json = JsonPrimitive | readonly Json[] | JsonObject;

/** A value of JSON that has no parts; numbers are finite. */
export type JsonPrimitive = null | boolean | number | string;

/** A member that is `undefined` counts as absent, as `JSON.stringify` has it. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** `T` as every reader sees it: the room freezes what it hands out, all the way down. `z.json()` reads as `Json`. */
export type DeepReadonly<T> = unknown extends T
  ? T
  : AnyJson extends T
    ? Json | Extract<T, undefined>
    : T extends JsonPrimitive | undefined
      ? T
      : { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** What `z.json()` is inferred as. It is recursive: a type that maps it never ends (TS2589), so ask for it first. */
export type AnyJson = util.JSONType;
