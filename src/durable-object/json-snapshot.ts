import type { Fields } from "../model/json.ts";
import type { Flushed } from "../room/engine/engine.ts";
import type { View } from "../room/visibility/view.ts";

/** Characters gathered before they are handed on: a state is never one string. */
const chunkChars = 65_536;

/** The records of one collection that a view shows. */
interface Partition {
  readonly name: string;
  readonly ids: readonly string[];
  readonly records: readonly (Fields | undefined)[];
}

/**
 * What a view shows of the room at one revision. It holds the records, which are never changed, and not their text, so that all
 * who read the same revision share it.
 */
export interface ShownState {
  /** As the view names it. */
  readonly epoch: string;
  readonly rev: number;
  readonly partitions: readonly Partition[];
}

/** What `view` shows of `collections`. */
export function shownState(
  { epoch, rev, records }: Flushed,
  collections: readonly string[],
  view: View,
): ShownState {
  const partitions = collections.map((name): Partition => {
    const ids = view.ids(name, records.ids(name));
    return { name, ids, records: ids.map((id) => records.get(name, id)) };
  });
  return { epoch: view.epochOf(epoch), rev, partitions };
}

/** The state as `{ "epoch": …, "rev": …, "collections": { <name>: { <id>: <record> } } }`, in pieces. */
export function* jsonSnapshot({ epoch, rev, partitions }: ShownState): Generator<string, void> {
  let chunk = `{"epoch":${JSON.stringify(epoch)},"rev":${rev},"collections":{`;
  for (const [index, { name, ids, records }] of partitions.entries()) {
    chunk += `${index > 0 ? "," : ""}${JSON.stringify(name)}:{`;
    for (const [position, id] of ids.entries()) {
      chunk += `${position > 0 ? "," : ""}${JSON.stringify(id)}:${JSON.stringify(records[position])}`;
      if (chunk.length < chunkChars) continue;
      yield chunk;
      chunk = "";
    }
    chunk += "}";
  }
  yield `${chunk}}}\n`;
}
