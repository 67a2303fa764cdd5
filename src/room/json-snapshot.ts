import type { Memory } from "../core/memory.ts";

/** Characters gathered before they are handed on: a state is never one string. */
const chunkChars = 65_536;

/** `{ "epoch": …, "rev": …, "collections": { <name>: { <id>: <record> } } }`, in pieces, all of one revision. */
export function* jsonSnapshot(memory: Memory, collections: readonly string[]): Generator<string> {
  let chunk = `{"epoch":${JSON.stringify(memory.epoch)},"rev":${memory.rev},"collections":{`;
  for (const [index, collection] of collections.entries()) {
    chunk += `${index > 0 ? "," : ""}${JSON.stringify(collection)}:{`;
    let separator = "";
    for (const id of memory.state.ids(collection)) {
      chunk += `${separator}${JSON.stringify(id)}:${JSON.stringify(memory.state.get(collection, id))}`;
      separator = ",";
      if (chunk.length < chunkChars) continue;
      yield chunk;
      chunk = "";
    }
    chunk += "}";
  }
  yield `${chunk}}}\n`;
}
