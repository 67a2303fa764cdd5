import { safeParse, type $ZodType } from "zod/v4/core";
import type { Json } from "../schema/json.ts";
import { copyJson, equalJson, NotJsonError, type Fields } from "./json.ts";

/** A schema that says of a record no more than what each of its fields says by itself. */
interface PlainSchema {
  readonly fields: ReadonlyMap<string, PlainField>;
  readonly required: readonly string[];
}

interface PlainField {
  readonly schema: $ZodType;
  /** Set when every value of this type fits, so that there is nothing to ask the schema. */
  readonly type: "number" | "string" | "boolean" | undefined;
}

const known = new WeakMap<$ZodType, PlainSchema | null>();

/**
 * The fields of a patch that are not in `before`, as a plain schema reads them, so that a patch costs what it changes
 * and not what the record is. The other fields were checked when they were written. Undefined when the record has to be
 * checked whole: the schema is not plain, a field is none of its own or does not fit, one of `unset` must be there, or
 * `before` was written under another schema. A field that is `removed` is not set.
 */
export function changedFields(
  schema: $ZodType,
  fields: object,
  before: Fields,
  removed: readonly string[] = [],
  unset: readonly string[] = [],
): Record<string, Json> | undefined {
  const plain = plainSchemaOf(schema);
  if (plain === null || !hasAll(before, plain.required)) return undefined;
  for (const name of unset) if (!mayBeMissing(plain.fields.get(name))) return undefined;
  const changed: Record<string, Json> = {};
  for (const name of Object.keys(fields)) {
    const value: unknown = (fields as Fields)[name];
    if (value === undefined || removed.includes(name)) continue;
    const read = parseField(plain.fields.get(name), value);
    if (read === undefined) return undefined;
    if (!equalJson(before[name], read)) changed[name] = read;
  }
  return changed;
}

function hasAll(record: Fields, names: readonly string[]): boolean {
  for (const name of names) if (!Object.hasOwn(record, name)) return false;
  return true;
}

/** Whether a record fits without the field, and a schema puts nothing in its place. */
function mayBeMissing(field: PlainField | undefined): boolean {
  if (field === undefined) return false;
  const result = safeParse(field.schema, undefined);
  return result.success && result.data === undefined;
}

function parseField(field: PlainField | undefined, value: unknown): Json | undefined {
  if (field === undefined) return undefined;
  try {
    if (typeof value === field.type) return copyJson(value);
    const result = safeParse(field.schema, value);
    return result.success && result.data !== undefined ? copyJson(result.data) : undefined;
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
  const fields = new Map<string, PlainField>();
  const required: string[] = [];
  for (const [name, field] of Object.entries(shape)) {
    fields.set(name, { schema: field, type: plainTypeOf(field) });
    if (field._zod.optout !== "optional") required.push(name);
  }
  return { fields, required };
}

/** Of `z.number()`, `z.string()` and `z.boolean()` as they are, with nothing more to say. */
function plainTypeOf(schema: $ZodType): PlainField["type"] {
  const { type, checks, format, coerce } = schema._zod.def as {
    type: string;
    checks?: readonly unknown[];
    format?: string;
    coerce?: boolean;
  };
  const isMore = (checks !== undefined && checks.length > 0) || format !== undefined || coerce === true;
  return !isMore && (type === "number" || type === "string" || type === "boolean") ? type : undefined;
}
