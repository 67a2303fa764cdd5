import type { Json } from "../../../schema/json.ts";
import type { Fields } from "../../../model/json.ts";
import type { RecordSource } from "../../../model/state.ts";

// A byte of a long text is one unit. A unit took 10 to 50 ns in Node on a shared core.

/** To tell a call from another, to run it, and to keep its outcome. */
const callUnits = 1_000;
/** To tell presence or an event from another, and to make it a part of the next frame. */
export const ephemeralUnits = 500;
/** To take a message in, beside reading its bytes. */
export const frameUnits = 200;
/** For each byte of a message: to parse it. */
export const frameByteUnits = 0.25;
/** To read a value, to check it, to copy it, and to write it as JSON and as bytes. */
const valueUnits = 32;
/**
 * For each key of an object from {@link fewKeys} to {@link mostKeys}: objects of many keys are hash tables, which take several times
 * as long. A payload with more keys is refused before that.
 */
const manyKeyUnits = 128;
const fewKeys = 64;
const mostKeys = 10_000;
/** To look a record up. */
const readUnits = 8;
/** For each unit of a record: to give it to the app's code, which may look through all of it. */
const shownUnits = 0.125;
/** To hand an id out in a list: what is listed is copied when it next changes. */
const listedUnits = 0.25;

/** Deeper than any value that is not refused; it is asked before a payload is checked, and recursion has to end. */
const maxDepth = 64;

/** How much work a value is, to check and to write it. */
export function workOf(value: Json, depth: number = maxDepth): number {
  if (typeof value === "string") return valueUnits + value.length;
  if (typeof value !== "object" || value === null || depth === 0) return valueUnits;
  let units = valueUnits;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) units += workOf(item, depth - 1);
    return units;
  }
  let keys = 0;
  for (const key in value as Fields) {
    keys += 1;
    units += key.length + workOf((value as Fields)[key] as Json, depth - 1);
  }
  return units + manyKeyUnits * Math.max(0, Math.min(keys, mostKeys) - fewKeys);
}

/** Of values of records, which are never changed: a record that is patched keeps those of its other fields. */
const knownWork = new WeakMap<object, number>();

function knownWorkOf(value: Json & object): number {
  let units = knownWork.get(value);
  if (units === undefined) knownWork.set(value, (units = workOf(value)));
  return units;
}

/**
 * Counts how much work calls are, since a call of a few bytes can have the room check a record of 256 KB or list a whole
 * collection. It stands between a mutator and the state.
 */
export class CallWork implements RecordSource {
  readonly #source: RecordSource;
  #units = 0;

  constructor(source: RecordSource) {
    this.#source = source;
  }

  /** The work since this was last asked for. */
  take(): number {
    const units = this.#units;
    this.#units = 0;
    return units;
  }

  /** A call has come with `payload`. */
  noteCall(payload: Json): void {
    this.#units += callUnits + workOf(payload);
  }

  /** A record was checked whole, or deleted. */
  noteRecord(record: Fields): void {
    this.#units += workOf(record);
  }

  /** A record was given to the app's code: to a mutator that reads it, or to `authorize`. */
  noteShown(record: Fields | undefined): void {
    if (record === undefined) return;
    for (const name in record) {
      const value = record[name] as Json;
      if (typeof value === "string") this.#units += shownUnits * value.length;
      else if (typeof value === "object" && value !== null) this.#units += shownUnits * knownWorkOf(value);
    }
  }

  /** An operation has changed so many bytes. */
  noteBytes(bytes: number): void {
    this.#units += bytes;
  }

  get(collection: string, id: string): Fields | undefined {
    this.#units += readUnits;
    return this.#source.get(collection, id);
  }

  ids(collection: string, by?: string): readonly string[] {
    const ids = this.#source.ids(collection, by);
    this.#units += ids.length * listedUnits;
    return ids;
  }
}
