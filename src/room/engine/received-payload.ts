import type { Json } from "../../schema/json.ts";
import { Rejection } from "../../schema/rejection.ts";
import { transactType } from "../../model/call.ts";
import type { CallLimits } from "../../model/call-limits.ts";
import { areWireChanges, type WireChange } from "../../model/changes.ts";
import {
  checkParsedJson,
  HalfCharacterError,
  jsonBytes,
  maxJsonDepth,
  NotJsonError,
  repairTexts,
} from "../../model/json.ts";

/** What a direct edit nests around a record: its changes, a partition, a change. */
const editDepth = 3;

/**
 * Throws {@link Rejection} for a payload that no call may carry. It may come straight from `JSON.parse`: its depth is
 * checked before anything recurses into it.
 */
export function checkReceivedPayload(type: string, payload: Json, limits: CallLimits): void {
  const { maxPayloadBytes: maxBytes, maxDepth = maxJsonDepth } = limits;
  let mostBytes: number;
  try {
    mostBytes = checkRepaired(type, payload, maxDepth + editDepth, limits);
  } catch (error) {
    if (error instanceof NotJsonError)
      throw new Rejection("invalid", `the payload of ${type}: ${error.message}`);
    throw error;
  }
  if (mostBytes > maxBytes) {
    const bytes = jsonBytes(payload);
    if (bytes > maxBytes)
      throw new Rejection("too-large", `${type} carries ${bytes} bytes, allowed are ${maxBytes}`);
  }
  if (type === transactType) checkDirectEdit(payload);
}

/**
 * Checks a payload. Halves of characters in its texts become U+FFFD, in place: in what a mutator is given, and in the fields of a
 * direct edit's records. Elsewhere, as in the id of a record, they are refused.
 */
function checkRepaired(type: string, payload: Json, depth: number, limits: CallLimits): number {
  // The schema's reader repairs a payload that is a text itself.
  const checked = typeof payload === "string" ? payload.toWellFormed() : payload;
  try {
    return checkParsedJson(checked, depth, "", limits);
  } catch (error) {
    if (!(error instanceof HalfCharacterError)) throw error;
  }
  if (type !== transactType) repairTexts(checked, depth);
  else if (areWireChanges(checked)) {
    for (const changes of Object.values(checked)) for (const change of changes) repairTexts(change[2], depth);
  }
  return checkParsedJson(checked, depth, "", limits);
}

function checkDirectEdit(payload: Json): void {
  if (!areWireChanges(payload))
    throw new Rejection("invalid", "a direct edit is a set of changes by collection");
  for (const collection in payload) {
    const changes = payload[collection] as readonly WireChange[];
    // Of two, only the later would be left.
    if (changes.length > 1 && new Set(changes.map(([, id]) => id)).size < changes.length) {
      throw new Rejection("invalid", `a direct edit names a record of ${collection} twice`);
    }
  }
}
