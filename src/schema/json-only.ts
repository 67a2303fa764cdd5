import type { $ZodObject, $ZodType, input, output } from "zod/v4/core";
import type { AnyJson, DeepReadonly, Json, JsonPrimitive } from "./json.ts";

/**
 * `unknown` when the schema `S` may describe what a room keeps or sends, else a type that names the fault and
 * that no schema has, so that `schema: S & JsonOnly<S>` does not compile.
 *
 * Two rules: both sides of the schema are JSON, and what comes out may go in again, because the room checks
 * its own records and queued payloads once more (so no transforms; defaults are fine).
 */
export type JsonOnly<S extends $ZodType> =
  FaultBetween<input<S>, output<S>> extends never
    ? unknown
    : Refused<
        FaultBetween<input<S>, output<S>>,
        S extends $ZodObject ? `field ${FaultyFieldOf<input<S>, output<S>> & string}` : "the whole"
      >;

/** `JsonOnly` for each schema of a map. */
export type EachJsonOnly<Schemas extends { readonly [name: string]: $ZodType }> = {
  readonly [N in keyof Schemas]: JsonOnly<Schemas[N]>;
};

/** What the compiler prints beside a schema that it refused. */
interface Refused<Fault, Where> {
  readonly "deltaroom refuses this schema": { readonly fault: Fault; readonly where: Where };
}

type FaultBetween<In, Out> =
  IsJson<In | Out> extends true
    ? [DeepReadonly<Out>] extends [DeepReadonly<In>]
      ? never
      : "it transforms: what comes out may not go in again"
    : "it is not JSON, such as a Date, a Map, a bigint, a function, any or unknown (any JSON at all is z.json())";

type FaultyFieldOf<In, Out> = {
  [F in keyof In & keyof Out]-?: FaultBetween<Pick<In, F>, Pick<Out, F>> extends never ? never : F;
}[keyof In & keyof Out];

type IsJson<T> = [T] extends [JsonPartOf<T>] ? true : false;

/**
 * `T` with `never` in the place of whatever JSON cannot hold. (`T extends Json` would refuse interfaces, which
 * have no index signature, and accept `any`.)
 */
type JsonPartOf<T> = unknown extends T
  ? never
  : AnyJson extends T
    ? Json
    : T extends JsonPrimitive
      ? T
      : T extends object
        ? T extends (...args: never) => unknown
          ? never
          : T extends readonly unknown[]
            ? { [K in keyof T]: JsonPartOf<T[K]> }
            : { [K in keyof T]: JsonMemberOf<T[K]> }
        : never;

/** An optional member may also be `undefined`, which counts as absent. */
type JsonMemberOf<T> = unknown extends T ? never : JsonPartOf<Exclude<T, undefined>> | Extract<T, undefined>;
