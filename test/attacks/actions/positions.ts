import { safeParse, type $ZodType } from "zod/v4/core";

/** Where a value stands in another: keys and indices from the outside. */
type Path = readonly (string | number)[];

/** What a schema is made of, as zod and zod/mini keep it; the type of any schema does not say so. */
interface Definition {
  readonly shape?: { readonly [name: string]: $ZodType };
  readonly element?: $ZodType;
  readonly items?: readonly $ZodType[];
  readonly innerType?: $ZodType;
  /** Of a union. */
  readonly options?: readonly $ZodType[];
}

/** Values of every type, of which each position takes some and refuses the others. `undefined`: left out. */
const candidates: readonly unknown[] = [
  undefined,
  null,
  true,
  "",
  "text",
  "x".repeat(9_000),
  -1,
  0.5,
  7,
  2 ** 53,
  1e300,
  [],
  [[]],
  {},
  { length: 1 },
];

/** Every position of a schema, the whole first. Lists and tuples are entered where `example` has something. */
function* positionsOf(
  schema: $ZodType,
  example: unknown,
  path: Path = [],
): Generator<readonly [path: Path, schema: $ZodType]> {
  yield [path, schema];
  const { shape, element, items, options } = unwrapped(schema);
  const option = options?.find((one) => safeParse(one, example).success);
  if (option !== undefined) yield* positionsOf(option, example, path);
  const inside = (key: string | number) =>
    (example as { [key: string | number]: unknown } | undefined)?.[key];
  for (const [name, member] of Object.entries(shape ?? {}))
    yield* positionsOf(member, inside(name), [...path, name]);
  if (element !== undefined && inside(0) !== undefined) yield* positionsOf(element, inside(0), [...path, 0]);
  for (const [index, item] of (items ?? []).entries())
    yield* positionsOf(item, inside(index), [...path, index]);
}

/**
 * `example` with a wrong value in one place, for each place and each type that is wrong there. `example` fits the schema.
 */
export function* withWrongTypes(schema: $ZodType, example: unknown): Generator {
  if (!safeParse(schema, example).success) throw new Error("the example does not fit its schema");
  for (const [path, part] of positionsOf(schema, example)) {
    if (path.length === 0) continue; // what is no object at all is no JSON object
    for (const candidate of candidates) {
      if (safeParse(part, candidate).success) continue;
      const wrong = withAt(example, path, candidate);
      // A list is still one without its last item.
      if (safeParse(schema, JSON.parse(JSON.stringify(wrong))).success) continue;
      yield wrong;
    }
  }
}

/** A copy of `value` with another value in one place; `undefined` takes away what is there. */
function withAt(value: unknown, path: Path, put: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return put;
  const inner = withAt((value as { [key: string | number]: unknown })[key], rest, put);
  if (Array.isArray(value)) {
    const items = [...(value as unknown[])];
    if (inner === undefined) items.splice(Number(key), 1);
    else items[Number(key)] = inner;
    return items;
  }
  const { [key]: _, ...others } = value as { [key: string]: unknown };
  return inner === undefined ? others : { ...others, [key]: inner };
}

function unwrapped(schema: $ZodType): Definition {
  const definition = schema._zod.def as unknown as Definition;
  return definition.innerType === undefined ? definition : unwrapped(definition.innerType);
}
