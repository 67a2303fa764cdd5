import { safeParse, type $ZodType } from "zod/v4/core";

/*
 * Which schemas a room accepts. The client and the room read one value more than once: a payload on both sides and at each
 * rebase, a record again at each patch. So a schema must return each value that it accepts unchanged; only a default may add
 * what is missing. The check reads the tree of `_zod.def`, which zod and zod/mini share. It cannot see into functions: what a
 * `refine` or `check` of the app assigns to the value is not found.
 */

/** What the tree of a schema is made of; zod types it only for each kind of schema by itself. */
interface Definition {
  readonly type: string;
  readonly coerce?: boolean;
  readonly normalize?: boolean;
  readonly checks?: readonly { readonly _zod: { readonly def: { readonly check: string } } }[];
  readonly getter?: () => $ZodType;
  readonly defaultValue?: unknown;
  readonly shape?: { readonly [field: string]: $ZodType };
  readonly items?: readonly $ZodType[];
  readonly options?: readonly $ZodType[];
  readonly [part: string]: unknown;
}

/** Kinds of schemas that return what they accept, as long as their parts do. */
const unchanging: ReadonlySet<string> = new Set(
  (
    "string number boolean null undefined void never any unknown literal enum template_literal custom " +
    "object array tuple record union intersection optional nullable nonoptional readonly lazy default prefault"
  ).split(" "),
);

/** Kinds that return another value than they accept. All others are of values that JSON cannot hold. */
const changing: ReadonlySet<string> = new Set(["pipe", "transform", "catch", "success"]);

/** Members of a definition that are schemas. */
const parts = ["innerType", "element", "rest", "keyType", "valueType", "left", "right", "catchall"] as const;

/** Schemas of one tree that are looked at, the outermost first: functions may make new ones for ever. */
const maxSchemas = 10_000;

/** Throws an Error that begins with `label` and the path for a schema that may return another value than it was given. */
export function requireUnchanging(root: $ZodType, label: string): void {
  const paths = new Map([[root, ""]]);
  for (const [schema, path] of paths) {
    const def = schema._zod.def as unknown as Definition;
    const fault = faultOf(def);
    if (fault !== undefined) throw new Error(`${label}${path && `, at ${path}`}: ${fault}`);
    for (const [part, name] of partsOf(def)) {
      if (paths.size >= maxSchemas) return;
      if (!paths.has(part)) paths.set(part, path && name ? `${path}.${name}` : path || name);
    }
  }
}

/** The schemas that a schema is made of, with the names that lead from its values to theirs. */
function* partsOf(def: Definition): Generator<[part: $ZodType, name: string]> {
  for (const name of parts) {
    const part = def[name] as $ZodType | undefined;
    if (part) yield [part, name === "element" || name === "valueType" ? "*" : ""];
  }
  for (const [field, part] of Object.entries(def.shape ?? {})) yield [part, field];
  for (const [index, part] of (def.items ?? []).entries()) yield [part, String(index)];
  for (const part of def.options ?? []) yield [part, ""];
  if (def.getter !== undefined) yield [def.getter(), ""];
}

function changes(what: string): string {
  return `${what} changes the value, and the client and the room read a value more than once; change it before the call`;
}

function faultOf(def: Definition): string | undefined {
  const { type, checks = [] } = def;
  if (changing.has(type)) return changes(type === "pipe" ? "a pipe, codec or preprocess" : `a ${type}`);
  if (!unchanging.has(type)) return `${type} is not JSON: keep numbers, texts, booleans, lists and objects`;
  if (def.coerce === true) return changes("a coercion");
  if (def.normalize === true) return changes("a URL's normalize");
  if (checks.some(({ _zod }) => _zod.def.check === "overwrite"))
    return changes("an overwrite (such as trim or toLowerCase)");
  if ((type === "default" || type === "prefault") && !isSteady(def))
    return "its default must be the same each time, and one that its own schema accepts and returns unchanged";
  return undefined;
}

/** Whether a default is the same for the client and the room, and whether it may be written again. */
function isSteady(def: Definition): boolean {
  const value = textOf(def.defaultValue); // a getter, which calls the app's function when there is one
  try {
    const read = safeParse(def["innerType"] as $ZodType, def.defaultValue);
    return (
      read.success &&
      textOf(def.defaultValue) === value &&
      (def.type === "prefault" || textOf(read.data) === value)
    );
  } catch {
    return false;
  }
}

/** The same for values that differ in the order of their keys only. */
function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
