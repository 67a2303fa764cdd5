import type { WireChange } from "../../src/model/changes.ts";
import { equalJson, jsonBytes, type Fields } from "../../src/model/json.ts";
import type { Json } from "../../src/schema/json.ts";
import type { ViewChange } from "../replica/replica.ts";

/** What a change of one record takes beside its fields. */
const changeBytes = 200;

/** A change that the history can take back. */
export interface OwnChange extends ViewChange {
  /** What another client has written since: only `force` takes these fields, or the whole record, back. */
  readonly lost?: "record" | ReadonlySet<string>;
}

/**
 * The record without what `change` did to it, as far as it still is what that left, or whatever it is with `force`.
 * `lose` is told of each field that is not, or of the record as a whole.
 */
export function revert(
  current: Fields | undefined,
  { before, after, lost }: OwnChange,
  force: boolean,
  lose?: (field?: string) => void,
): Fields | undefined {
  const isWhole = before === undefined || after === undefined;
  const isOwn = (field: string) => lost === undefined || (lost !== "record" && !lost.has(field));
  if (isWhole && (force || (lost === undefined && equalJson(current, after)))) return before;
  if (isWhole || current === undefined) {
    lose?.();
    return current;
  }
  const record: Record<string, Json> = { ...current };
  for (const field in { ...before, ...after }) {
    if (force || (isOwn(field) && equalJson(current[field], after[field])))
      putField(record, field, before[field]);
    else lose?.(field);
  }
  return record;
}

/** The record with `change` done to it once more. */
export function redone(current: Fields | undefined, change: ViewChange): Fields | undefined {
  const { before, after } = change;
  if (current === undefined || before === undefined || after === undefined) return after;
  const record: Record<string, Json> = { ...current };
  const changed = trim(before, after);
  for (const field in { ...changed.before, ...changed.after }) putField(record, field, after[field]);
  return record;
}

/** The change without a say in what another client has written: some fields, or the record as a whole. */
export function withLost(change: OwnChange, foreign: "record" | readonly string[]): OwnChange {
  const isWhole = change.before === undefined || change.after === undefined;
  if (isWhole || foreign === "record" || change.lost === "record") return { ...change, lost: "record" };
  return { ...change, lost: new Set([...(change.lost ?? []), ...foreign]) };
}

function putField(record: Record<string, Json>, field: string, value: Json | undefined): void {
  if (value === undefined) delete record[field];
  else record[field] = value;
}

/** Of a record that was there before and after, only the fields that differ: the others are not this edit's. */
export function trim(before: Fields | undefined, after: Fields | undefined): ViewChange {
  if (before === undefined || after === undefined) return { before, after };
  const [was, is]: [Record<string, Json>, Record<string, Json>] = [{}, {}];
  for (const field in { ...before, ...after }) {
    const [old, now] = [before[field], after[field]];
    if (equalJson(old, now)) continue;
    putField(was, field, old);
    putField(is, field, now);
  }
  return { before: was, after: is };
}

/** What makes `wanted` of `current`, field by field where there is a record before and after. */
export function wireChange(id: string, current: Fields | undefined, wanted: Fields | undefined): WireChange {
  if (wanted === undefined) return ["delete", id];
  if (current === undefined) return ["put", id, wanted];
  const { before = {}, after = {} } = trim(current, wanted);
  return ["patch", id, after, Object.keys(before).filter((field) => after[field] === undefined)];
}

/** The fields that are to be kept. */
export function only(record: Fields, keeps: (field: string) => boolean): Fields {
  return Object.fromEntries(Object.entries(record).filter(([field]) => keeps(field)));
}

/** Bytes of a change, both ways. */
export function changeBytesOf({ before, after }: ViewChange): number {
  return changeBytes + jsonBytes([before ?? null, after ?? null]);
}
