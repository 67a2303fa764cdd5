import type { $ZodObject, $ZodType } from "zod/v4/core";
import { requireUnchanging } from "./value-checks.ts";
import { DEFINITION_NAME, FIELD_NAME, isDefinitionName, isFieldName } from "./name-rules.ts";

// What the compiler cannot say, or was not asked because the caller writes JavaScript. Each check throws an
// Error whose message begins with the culprit.

/** Mutators that would hide a member of the room's own. */
const RESERVED_MUTATORS: ReadonlySet<string> = new Set(["transact"]);

export function requireVersion(version: number): void {
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new Error(`version: must be a positive integer, is ${String(version)}`);
  }
}

/** Zod 4, or anything built on its core such as zod/mini, that returns each value as it was given. */
export function requireSchema(value: unknown, label: string): void {
  requireZod(value, label);
  requireUnchanging(value as $ZodType, label);
}

function requireZod(value: unknown, label: string): void {
  if (!isObject(value) || !isObject(value["_zod"])) throw new Error(`${label}: must be a zod 4 schema`);
}

export function requireCollections(collections: object): void {
  for (const [name, schema] of Object.entries(collections)) {
    requireName(name, "collection");
    requireRecordSchema(schema, `collection ${JSON.stringify(name)}`);
  }
}

function requireRecordSchema(schema: unknown, label: string): void {
  requireZod(schema, label);
  const { def } = (schema as $ZodObject)._zod;
  if (def.type !== "object") throw new Error(`${label}: must be an object schema, is ${String(def.type)}`);
  if (def.catchall !== undefined && def.catchall._zod.def.type !== "never") {
    throw new Error(`${label}: must declare every field (no looseObject, no catchall)`);
  }
  for (const field of Object.keys(def.shape)) {
    if (!isFieldName(field))
      throw new Error(
        `${label}: field ${JSON.stringify(field)} must match ${String(FIELD_NAME)} and be no key of a prototype`,
      );
  }
  requireUnchanging(schema as $ZodType, label);
}

export function requireDirect(direct: readonly string[], collections: object): void {
  requireList(direct, "direct");
  for (const name of direct) {
    if (!Object.hasOwn(collections, name))
      throw new Error(`direct: ${JSON.stringify(name)} is no collection of this room`);
  }
}

function requireList(names: unknown, label: string): void {
  if (!Array.isArray(names)) throw new Error(`${label}: must be a list of collections`);
}

export function requirePrivate(privates: readonly string[], collections: object, user: unknown): void {
  requireList(privates, "private");
  for (const name of privates) {
    if (!Object.hasOwn(collections, name))
      throw new Error(`private: ${JSON.stringify(name)} is no collection of this room`);
  }
  if (privates.length > 0 && user === undefined)
    throw new Error("private: the room needs a `user`, whose id the ids of private records begin with");
  if (privates.length === 0) return;
  const { type, shape } = (user as $ZodType)._zod.def as { type: string; shape?: object };
  if (type === "object" && !Object.hasOwn(shape ?? {}, "id"))
    throw new Error("private: `user` has no `id`, which the ids of private records begin with");
}

export function requireEvents(events: object): void {
  for (const [name, payload] of Object.entries(events)) {
    requireName(name, "event");
    requireSchema(payload, `event ${JSON.stringify(name)}`);
  }
}

export function requireMutators(mutators: object): void {
  for (const [name, mutator] of Object.entries(mutators)) {
    const label = `mutator ${JSON.stringify(name)}`;
    requireName(name, "mutator");
    if (RESERVED_MUTATORS.has(name)) throw new Error(`${label}: this name is the room's own`);
    if (!isObject(mutator) || !("payload" in mutator))
      throw new Error(`${label}: must be made by mutator(payloadSchema, run?)`);
    requireSchema(mutator["payload"], `${label}: its payload`);
    const run = mutator["run"];
    if (run !== undefined && typeof run !== "function") throw new Error(`${label}: run must be a function`);
  }
}

export function requireUndo(undo: object, mutators: object): void {
  for (const [name, rule] of Object.entries(undo)) {
    const label = `undo ${JSON.stringify(name)}`;
    if (!Object.hasOwn(mutators, name)) throw new Error(`${label}: there is no such mutator`);
    if (typeof rule !== "function") throw new Error(`${label}: must be a function`);
  }
}

function requireName(name: string, kind: "collection" | "event" | "mutator"): void {
  if (!isDefinitionName(name)) {
    throw new Error(
      `${kind} ${JSON.stringify(name)}: the name must match ${String(DEFINITION_NAME)} and be no key of a prototype`,
    );
  }
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null;
}

export function requireRoles(roles: unknown): void {
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === "string" && role !== ""))
    throw new Error("roles must be a list of names, none of them empty");
}
