import { decodeChanges, type WireChanges } from "../../../src/model/changes.ts";
import type { Handles } from "../../../src/room/storage/handles.ts";
import type { RecordSource, State } from "../../../src/model/state.ts";
import { readDelta } from "./decoded-frames.ts";
import { RecordNames } from "./record-names.ts";

/** What somebody knows who has been told all of `state`. */
export function namesOf(
  state: RecordSource,
  handles: Pick<Handles, "get">,
  collections: Iterable<string>,
): RecordNames {
  const names = new RecordNames();
  for (const collection of collections) {
    for (const id of state.ids(collection)) {
      const handle = handles.get(collection, id);
      // Undefined for a record that no flush has told of.
      if (handle !== undefined) names.name(collection, id, handle);
    }
  }
  return names;
}

/** Has a client take a delta in that has `state` and knows `names`. Throws when that is not possible. */
export function applyDelta(state: State, names: RecordNames, body: Uint8Array): void {
  state.apply(decodeChanges(names.take(readDelta(body)) as unknown as WireChanges));
}
