import type { $ZodObject, $ZodType, input, output } from "zod/v4/core";
import type { AnyJson, DeepReadonly, Json, JsonPrimitive } from "./json.ts";

/**
 * `unknown` when the schema `S` may describe what a room keeps or sends, else a type that names the fault and
 * that no schema has, so that `schema: S & JsonOnly<S>` does not compile.
 *
 * Three rules: both sides of the schema are JSON, what comes out may go in again, and it comes out as it went in, because the
 * client and the room read a value more than once (so no transforms; defaults are fine). `defineRoom` checks the third rule at
 * run time to any depth; the compiler sees it at the first levels only, since recursive schemas have no last one.
 */
export type JsonOnly<S extends $ZodType> =
  FaultBetween<input<S>, output<S>> extends never
    ? Changes<S, [0, 0, 0, 0]> extends true
      ? Refused<"it changes the value: a pipe, codec, preprocess, transform or catch", "the schema">
      : unknown
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

/** Whether a schema, or a part of it at one of the first `Levels`, is of a kind that changes values. */
type Changes<S, Levels extends readonly unknown[]> = Levels extends readonly [unknown, ...infer Below]
  ? S extends { readonly _zod: { readonly def: infer Def } }
    ? Def extends { readonly type: "pipe" | "transform" | "catch" | "success" }
      ? true
      : Def extends { readonly type: "object"; readonly shape: infer Shape }
        ? true extends { [F in keyof Shape]: Changes<Shape[F], Below> }[keyof Shape]
          ? true
          : false
        : Def extends { readonly innerType: infer Part } | { readonly element: infer Part }
          ? Changes<Part, Below>
          : Def extends { readonly options: readonly (infer Part)[] }
            ? true extends Changes<Part, Below>
              ? true
              : false
            : false
    : false
  : false;

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
