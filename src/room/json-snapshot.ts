import type { Fields } from "../core/json.ts";
import type { Memory } from "../core/memory.ts";
import type { View } from "../core/view.ts";

/** Characters gathered before they are handed on: a state is never one string. */
const chunkChars = 65_536;

interface Section {
  readonly name: string;
  readonly ids: readonly string[];
  readonly records: readonly (Fields | undefined)[];
}

/**
 * What `view` shows, as `{ "epoch": …, "rev": …, "collections": { <name>: { <id>: <record> } } }`, in pieces, all of this very revision
 * however late they are asked for: the records are held, which are never changed, and not their text.
 */
export function jsonSnapshot(
  { epoch, rev, state }: Memory,
  collections: readonly string[],
  view: View,
): Generator<string> {
  const sections = collections.map((name): Section => {
    const ids = view.ids(name, state.ids(name));
    return { name, ids, records: ids.map((id) => state.get(name, id)) };
  });
  return pieces(`{"epoch":${JSON.stringify(view.epochOf(epoch))},"rev":${rev},"collections":{`, sections);
}

function* pieces(head: string, sections: readonly Section[]): Generator<string> {
  let chunk = head;
  for (const [index, { name, ids, records }] of sections.entries()) {
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
