import type { Entries } from "./encoding/delta.ts";
import type { Outcome } from "../model/call.ts";
import type { Json } from "../schema/json.ts";
import { decodeDown } from "./codec.ts";
import type { DownFrame, SnapshotPart, UpFrame, Update } from "./down/down-frames.ts";
import { decodeRecords } from "./down/snapshot-part.ts";
import type { NameTable } from "./names.ts";
import { decodePush } from "./up/push.ts";
import { frameKinds } from "./version.ts";

/** More than any push can name. */
const unknownFields = Array.from({ length: 53 }, (_, number) => `field ${number}`);
const maxUnknown = 1_024;

/** Numbers in place of names. */
const unknownNames: NameTable = {
  collections: Array.from({ length: maxUnknown }, (_, number) => `collection ${number}`),
  fields: Array.from({ length: maxUnknown }, () => unknownFields),
  mutators: Array.from({ length: maxUnknown }, (_, number) => `mutator ${number}`),
  hash: 0,
};

/**
 * Any frame, up or down, as one line of JSON for people; a heartbeat as it is. Handles are shown as `#7`, and the
 * names in a push that is bytes as their numbers unless its client's `names` are given. Throws for what is no frame.
 */
export function explainFrame(data: string | Uint8Array, names: NameTable = unknownNames): string {
  if (typeof data === "string") return data.startsWith("{") ? JSON.stringify(JSON.parse(data)) : data;
  const isPush = ((data[0] ?? 0) & 0xf0) === frameKinds.push;
  return JSON.stringify(isPush ? decodePush(data, names) : plain(decodeDown(data)));
}

function plain(frame: DownFrame | UpFrame): object {
  switch (frame.kind) {
    case "update":
      return plainUpdate(frame);
    case "snapshot":
      return plainPart(frame);
    default:
      return frame;
  }
}

function plainUpdate({ kind, tag, lastCallId, outcomes, parts, delta, ...rest }: Update): object {
  return {
    kind,
    tag,
    lastCallId,
    outcomes: outcomes?.map(([id, outcome, ...hash]) => [id, plainOutcome(outcome), ...hash]),
    parts,
    delta: delta && { from: delta.from, to: delta.to, changes: plainChanges(delta.entries) },
    ...rest,
  };
}

function plainPart({ isDeflated, content, ...part }: SnapshotPart): object {
  if (isDeflated) return { ...part, deflatedBytes: content.length };
  const { ids, handles, records } = decodeRecords(content);
  return { ...part, records: ids.map((id, index) => [id, records[index], `#${handles[index]}`]) };
}

function plainOutcome(outcome: Outcome): Json {
  if (outcome.kind === "accepted") return outcome.rev;
  const { code, message, data } = outcome;
  return { code, message, ...(data !== undefined && { data }) };
}

function plainChanges(entries: Entries): { readonly [collection: string]: Json } {
  const partitions = Array.from(entries, ([collection, records]) => {
    const changes = Array.from(records, ([handle, { change, id = "" }]): Json => {
      switch (change.kind) {
        case "put":
          return ["put", `#${handle}`, id, change.record];
        case "patch":
          return ["patch", `#${handle}`, change.set, ...(change.unset.length > 0 ? [change.unset] : [])];
        case "delete":
          return ["delete", `#${handle}`];
        default:
          return change satisfies never;
      }
    });
    return [collection, changes];
  });
  return Object.fromEntries(partitions) as { [collection: string]: Json };
}
