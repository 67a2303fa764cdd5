import type { Fields } from "./json.ts";

/** What a list is sorted by, the id deciding between equals: an order field, or nothing else than the id. */
export type OrderBy = string | undefined;

type RecordOfId = (id: string) => Fields | undefined;

/** Sorts behind every order key: records without one are last. */
export const noOrderKey = "~";

export function orderOf(record: Fields | undefined, by: OrderBy): string {
  if (by === undefined) return "";
  const key = record?.[by];
  return typeof key === "string" ? key : noOrderKey;
}

/** Whether a list is another when `before` becomes `after`. */
export function changesPlace(before: Fields | undefined, after: Fields | undefined, by: OrderBy): boolean {
  return (before === undefined) !== (after === undefined) || orderOf(before, by) !== orderOf(after, by);
}

/** Where a record is in a list, or belongs. `recordOf` tells of the others. */
export function placeOf(
  ids: readonly string[],
  by: OrderBy,
  key: string,
  id: string,
  recordOf: RecordOfId,
): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = ids[middle] as string;
    const otherKey = orderOf(recordOf(other), by);
    if (otherKey < key || (otherKey === key && other < id)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function sortIds(ids: readonly string[], by: OrderBy, recordOf: RecordOfId): string[] {
  if (by === undefined) return ids.toSorted(); // which needs a third of the time
  const keyed = ids.map((id) => [orderOf(recordOf(id), by), id] as const);
  keyed.sort(([keyA, a], [keyB, b]) => (keyA < keyB || (keyA === keyB && a < b) ? -1 : 1));
  return keyed.map(([, id]) => id);
}

/** Each move shifts part of a list of `length`: beyond some it is cheaper to sort it anew. */
export function areMany(moves: number, length: number): boolean {
  return moves > fewMoves && moves > length / fewMoves;
}

const fewMoves = 32;

/**
 * Brings a sorted list up to date, at a cost in proportion to what has `moved`: the records that did, as they were when the
 * list was made. It answers the list, or another in its stead where that one is frozen.
 */
export function moveIds(
  ids: readonly string[],
  by: OrderBy,
  moved: ReadonlyMap<string, Fields | undefined>,
  recordOf: RecordOfId,
): string[] {
  if (areMany(moved.size, ids.length)) {
    const kept = ids.filter((id) => !moved.has(id));
    for (const id of moved.keys()) if (recordOf(id)) kept.push(id);
    return sortIds(kept, by, recordOf);
  }
  const list = Object.isFrozen(ids) ? [...ids] : (ids as string[]);
  const recordThen = (id: string) => (moved.has(id) ? moved.get(id) : recordOf(id));
  for (const [id, then] of moved) {
    if (then) list.splice(placeOf(list, by, orderOf(then, by), id, recordThen), 1);
  }
  for (const id of moved.keys()) {
    const now = recordOf(id);
    if (now) list.splice(placeOf(list, by, orderOf(now, by), id, recordOf), 0, id);
  }
  return list;
}
