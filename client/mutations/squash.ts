import { transactType } from "../../src/model/call.ts";
import { callLimits } from "../../src/model/call-limits.ts";
import {
  absorb,
  decodeChanges,
  encodeChanges,
  type Changes,
  type WireChanges,
} from "../../src/model/changes.ts";
import { jsonBytes } from "../../src/model/json.ts";
import type { Json } from "../../src/schema/json.ts";
import type { PendingCall } from "../replica/rebase.ts";

/** The payload of one direct edit that does what both do; undefined unless both are direct edits of the same records. */
export function squashEdits(
  before: PendingCall,
  call: PendingCall,
): { readonly payload: Json; readonly bytes: number } | undefined {
  if (before.type !== transactType || call.type !== transactType) return undefined;
  const earlier = decodeChanges(before.payload as WireChanges);
  const later = decodeChanges(call.payload as WireChanges);
  if (!continues(earlier, later)) return undefined;
  absorb(earlier, later);
  const payload = encodeChanges(earlier) as Json;
  const bytes = jsonBytes(payload);
  // Each was small enough; of many records both together may be refused.
  return bytes > callLimits.maxPayloadBytes ? undefined : { payload, bytes };
}

/** Whether `later` changes the same records as `earlier`, and none of them after its end. */
function continues(earlier: Changes, later: Changes): boolean {
  if (earlier.size !== later.size) return false;
  for (const [collection, records] of later) {
    const before = earlier.get(collection);
    if (before?.size !== records.size) return false;
    for (const [id, { kind }] of records) {
      const change = before.get(id);
      // A patch can follow a delete whose prediction was left out of the view.
      if (change === undefined || (change.kind === "delete" && kind === "patch")) return false;
    }
  }
  return true;
}
