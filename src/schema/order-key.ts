import { $ZodCustomStringFormat, type $ZodObject, type $ZodType } from "zod/v4/core";

/** How an order field's schema is told from any other. */
const orderKeyFormat = "order_key";

/**
 * Characters of an order key at most. A room makes keys new long before that (`longOrderKeyLength` of its limits); this is
 * what remains for a client that goes on inserting at one place while it is offline, about a thousand times.
 */
export const maxOrderKeyLength = 256;

/** The schema of a record's place in a list. */
export type OrderKeySchema = $ZodCustomStringFormat<typeof orderKeyFormat>;

/**
 * A field that says where in its list a record is: a text made by `orderBetween`, by which the collection is read in order
 * (`tasks.entries("order")`). The room keeps the keys of a collection unique and short. For payloads too. It has no methods
 * of its own: where it may be missing write `z.optional(orderKey())`.
 */
export function orderKey(): OrderKeySchema {
  // What the constructor makes is typed as of any format.
  return new $ZodCustomStringFormat({
    type: "string",
    check: "string_format",
    format: orderKeyFormat,
    fn: isOrderKey,
    abort: true,
  }) as OrderKeySchema;
}

/**
 * Whether `text` is a key that something fits before, behind and between: a letter that says how many digits the whole part
 * has (`a` one, `b` two, …; `Z` one, `Y` two, … below them), those, and a fraction that does not end with the smallest digit.
 */
export function isOrderKey(text: string): boolean {
  if (text.length > maxOrderKeyLength || !/^[A-Za-z][0-9A-Za-z]+$/.test(text)) return false;
  const head = text.charCodeAt(0);
  const wholeLength = head < 97 ? 92 - head : head - 95;
  if (text.length < wholeLength || /^A0{26}$/.test(text)) return false;
  return text.length === wholeLength || !text.endsWith("0");
}

/** The order fields of records of the schema `S`. */
export type OrderFieldsOf<S extends $ZodObject> = keyof {
  [
    F in keyof S["_zod"]["def"]["shape"] & string as IsOrderKey<S["_zod"]["def"]["shape"][F]> extends true
      ? F
      : never
  ]: 0;
} &
  string;

/** Also of one that may be missing or null. */
type IsOrderKey<S> = S extends { _zod: { def: { format: typeof orderKeyFormat } } }
  ? true
  : S extends { _zod: { def: { innerType: infer Inner } } }
    ? IsOrderKey<Inner>
    : false;

/** The order fields of records of `schema`, at run time. */
export function orderFieldsOf({ _zod: { def } }: $ZodObject): readonly string[] {
  return Object.keys(def.shape).filter((field) => isOrderKeySchema(def.shape[field] as $ZodType));
}

function isOrderKeySchema(schema: $ZodType): boolean {
  // What a schema is made of is there at run time, and typed only for each kind of its own.
  const { format, innerType } = schema._zod.def as { format?: string; innerType?: $ZodType };
  return format === orderKeyFormat || (innerType !== undefined && isOrderKeySchema(innerType));
}
