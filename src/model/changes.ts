import type { Json } from "../schema/json.ts";
import type { Fields } from "./json.ts";

/** The net effect of one or more operations on one record. Values are absolute, so applying one twice does no harm. */
export type Change =
  | { readonly kind: "put"; readonly record: Fields }
  | { readonly kind: "patch"; readonly set: Fields; readonly unset: readonly string[] }
  | { readonly kind: "delete" };

/** Collection → record id → change. */
export type Changes = Map<string, Map<string, Change>>;

/** A change as a call's payload holds it. */
export type WireChange =
  | readonly ["put", id: string, record: Fields]
  | readonly ["patch", id: string, set: Fields]
  | readonly ["patch", id: string, set: Fields, unset: readonly string[]]
  | readonly ["delete", id: string];

/** Collection → its changes, in the order in which the records were first touched. */
export type WireChanges = { readonly [collection: string]: readonly WireChange[] };

export const deletion: Change = Object.freeze({ kind: "delete" });

/** The record that `change` leaves behind. Throws when a patch meets no record: a delta was applied out of place. */
export function applyChange(record: Fields | undefined, change: Change): Fields | undefined {
  switch (change.kind) {
    case "put":
      return change.record;
    case "delete":
      return undefined;
    case "patch": {
      if (record === undefined) throw new Error("a patch met no record");
      return Object.freeze(without({ ...record, ...change.set }, change.unset));
    }
    default:
      return change satisfies never;
  }
}

/** The one change that does what `earlier` and then `later` do. */
export function squashChange(earlier: Change | undefined, later: Change): Change {
  if (earlier === undefined || later.kind !== "patch") return later;
  switch (earlier.kind) {
    case "put":
      return { kind: "put", record: applyChange(earlier.record, later) as Fields };
    case "delete":
      throw new Error("a patch followed a delete");
    case "patch": {
      const kept = earlier.unset.filter((field) => !Object.hasOwn(later.set, field));
      return {
        kind: "patch",
        set: Object.freeze(without({ ...earlier.set, ...later.set }, later.unset)),
        unset: [...new Set([...kept, ...later.unset])],
      };
    }
    default:
      return earlier satisfies never;
  }
}

/** Folds `later` into `into`, record by record. */
export function absorb(into: Changes, later: Changes): void {
  for (const [collection, records] of later) {
    const target = partitionOf(into, collection);
    for (const [id, change] of records) target.set(id, squashChange(target.get(id), change));
  }
}

/** The changes of `collection` in `changes`, made when there were none. */
export function partitionOf<K, T>(changes: Map<string, Map<K, T>>, collection: string): Map<K, T> {
  let partition = changes.get(collection);
  if (partition === undefined) changes.set(collection, (partition = new Map()));
  return partition;
}

export function encodeChanges(changes: Changes): WireChanges {
  const wire: Record<string, WireChange[]> = {};
  for (const [collection, records] of changes) {
    if (records.size > 0) wire[collection] = Array.from(records, ([id, change]) => encodeChange(id, change));
  }
  return wire;
}

/** Whether a payload is a set of changes, as a direct edit carries it. */
export function areWireChanges(payload: Json): payload is WireChanges {
  if (!isObject(payload)) return false;
  for (const collection of Object.keys(payload)) {
    const partition = payload[collection];
    if (!Array.isArray(partition)) return false;
    for (const item of partition as readonly Json[]) if (!isWireChange(item)) return false;
  }
  return true;
}

/** The changes of a payload that this program has made. */
export function decodeChanges(wire: WireChanges): Changes {
  const changes: Changes = new Map();
  for (const [collection, partition] of Object.entries(wire)) {
    const records = partitionOf(changes, collection);
    for (const item of partition) records.set(item[1], decodeChange(item));
  }
  return changes;
}

function isWireChange(item: Json): item is Json & WireChange {
  if (!Array.isArray(item) || typeof item[1] !== "string") return false;
  const list = item as readonly Json[];
  const kind = list[0];
  const fields = list[2];
  if (kind === "delete") return item.length === 2;
  if (!isObject(fields)) return false;
  if (item.length === 3) return kind === "put" || kind === "patch";
  return kind === "patch" && item.length === 4 && isListOfText(list[3]);
}

export function isObject(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOfText(value: Json | undefined): boolean {
  return Array.isArray(value) && (value as readonly Json[]).every((item) => typeof item === "string");
}

function encodeChange(id: string, change: Change): WireChange {
  switch (change.kind) {
    case "put":
      return ["put", id, change.record];
    case "patch":
      return change.unset.length === 0
        ? ["patch", id, change.set]
        : ["patch", id, change.set, [...change.unset]];
    case "delete":
      return ["delete", id];
    default:
      return change satisfies never;
  }
}

function decodeChange(wire: WireChange): Change {
  switch (wire[0]) {
    case "put":
      return { kind: "put", record: freeze(wire[2]) };
    case "patch":
      return { kind: "patch", set: freeze(wire[2]), unset: wire[3] ?? [] };
    case "delete":
      return deletion;
    default:
      return wire satisfies never;
  }
}

/** Freezes what JSON.parse made, all the way down: whoever reads the state must not be able to change it. */
export function freeze<T extends Json>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value as Fields)) freeze(member);
  return Object.freeze(value);
}

function without(record: Record<string, Json>, fields: readonly string[]): Fields {
  for (const field of fields) delete record[field];
  return record;
}
