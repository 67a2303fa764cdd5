import * as fc from "fast-check";
import { deletion, partitionOf, type Change, type Changes } from "../../src/model/changes.ts";
import { equalJson, type Fields } from "../../src/model/json.ts";
import { State, type RecordSource } from "../../src/model/state.ts";

/** A change that somebody may want to make. Whether it is possible depends on what is there. */
export interface Edit {
  readonly collection: string;
  readonly id: string;
  readonly change: Change;
}

/** Few, so that edits meet; not all ASCII, so that bytes are not characters. */
export const editedIds = ["a", "b", "c", "é", "𝄞"];
export const editedCollections = ["notes", "cards"];

const text = fc.constantFrom("", "x", "ü", "long enough to weigh something");
const rank = fc.integer({ min: 0, max: 3 });
const tag = fc.constantFrom("t", "u");
const body = fc.constantFrom(null, [1, { deep: [] }], { k: "v" });

const put: fc.Arbitrary<Change> = fc
  .record({ text, rank, tag, body }, { requiredKeys: ["text", "rank"] })
  .map((record) => ({ kind: "put", record }));

const patch: fc.Arbitrary<Change> = fc
  .tuple(fc.record({ text, rank, tag, body }, { requiredKeys: [] }), fc.subarray(["tag", "body"]))
  .map(([set, removed]) => ({
    kind: "patch",
    set,
    unset: removed.filter((field) => !Object.hasOwn(set, field)),
  }));

export const anyChange: fc.Arbitrary<Change> = fc.oneof(put, patch, patch, fc.constant(deletion));

export const anyEdit: fc.Arbitrary<Edit> = fc.record({
  collection: fc.constantFrom(...editedCollections),
  id: fc.constantFrom(...editedIds),
  change: anyChange,
});

/**
 * The edits as one operation's changes, at most one a record: those that come later and patches without a record
 * are left out. `state` is what they meet, and takes them.
 */
export function operationOf(state: State, edits: readonly Edit[]): Changes {
  const changes: Changes = new Map();
  for (const { collection, id, change } of edits) {
    if (change.kind === "patch" && state.get(collection, id) === undefined) continue;
    const partition = partitionOf(changes, collection);
    if (!partition.has(id)) partition.set(id, change);
  }
  state.apply(changes);
  return changes;
}

/** All that a source holds, for comparing. Collections without records are left out. */
export function contentOf(source: RecordSource): { [collection: string]: { [id: string]: Fields } } {
  const content: { [collection: string]: { [id: string]: Fields } } = {};
  for (const collection of [...editedCollections, "counters", "doors"]) {
    const ids = source.ids(collection);
    if (ids.length === 0) continue;
    content[collection] = Object.fromEntries(ids.map((id) => [id, source.get(collection, id) as Fields]));
  }
  return content;
}

/** Whether two sources hold the same, whatever the order of fields. */
export function haveSameContent(a: RecordSource, b: RecordSource): boolean {
  return equalJson(contentOf(a), contentOf(b));
}

/** A state with the same records, which may be changed on its own. */
export function copyOfState(source: RecordSource): State {
  const copy = new State();
  for (const [collection, records] of Object.entries(contentOf(source))) {
    for (const [id, record] of Object.entries(records)) copy.set(collection, id, record);
  }
  return copy;
}
