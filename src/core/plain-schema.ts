import { safeParse, type $ZodType } from "zod/v4/core";
import type { Json } from "../schema/json.ts";
import { copyJson, NotJsonError, type Fields } from "./json.ts";

/** A schema that says of a record no more than what each of its fields says by itself. */
interface PlainSchema {
  readonly fields: ReadonlyMap<string, $ZodType>;
  readonly required: readonly string[];
}

const known = new WeakMap<$ZodType, PlainSchema | null>();

/**
 * The fields of a patch as a plain schema reads them, so that a patch costs what it changes and not what the record
 * is. The other fields were checked when they were written. Undefined when the record has to be checked whole: the
 * schema is not plain, a field is none of its own or does not fit, or `before` was written under another schema.
 */
export function parseFields(
  schema: $ZodType,
  fields: object,
  before: Fields,
): Record<string, Json> | undefined {
  const plain = plainSchemaOf(schema);
  if (plain === null || !plain.required.every((name) => Object.hasOwn(before, name))) return undefined;
  const parsed: Record<string, Json> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const read = parseField(plain.fields.get(name), value);
    if (read === undefined) return undefined;
    parsed[name] = read;
  }
  return parsed;
}

function parseField(schema: $ZodType | undefined, value: unknown): Json | undefined {
  const result = schema && safeParse(schema, value);
  if (!result?.success || result.data === undefined) return undefined;
  try {
    return copyJson(result.data);
  } catch (error) {
    if (error instanceof NotJsonError) return undefined;
    throw error;
  }
}

function plainSchemaOf(schema: $ZodType): PlainSchema | null {
  let plain = known.get(schema);
  if (plain === undefined) known.set(schema, (plain = readSchema(schema)));
  return plain;
}

function readSchema(schema: $ZodType): PlainSchema | null {
  // What a schema is made of is there at run time, and typed only for each kind of its own.
  const { type, checks, shape } = schema._zod.def as {
    type: string;
    checks?: readonly unknown[];
    shape?: { readonly [name: string]: $ZodType };
  };
  if (type !== "object" || shape === undefined || (checks !== undefined && checks.length > 0)) return null;
  const fields = new Map(Object.entries(shape));
  const required = [...fields].filter(([, field]) => field._zod.optout !== "optional").map(([name]) => name);
  return { fields, required };
}
