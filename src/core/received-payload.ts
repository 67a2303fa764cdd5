import type { Json } from "../schema/json.ts";
import { Rejection } from "../schema/rejection.ts";
import { transactType, type CallLimits } from "./call.ts";
import { areWireChanges, type WireChange } from "./changes.ts";
import { checkParsedJson, jsonBytes, maxJsonDepth, NotJsonError } from "./json.ts";

/** What a direct edit nests around a record: its changes, a section, a change. */
const editDepth = 3;

/**
 * Throws {@link Rejection} for a payload that no call may carry. It may come straight from `JSON.parse`: its depth is
 * checked before anything recurses into it.
 */
export function checkReceivedPayload(type: string, payload: Json, limits: CallLimits): void {
  const { maxPayloadBytes: maxBytes, maxDepth = maxJsonDepth } = limits;
  let mostBytes: number;
  try {
    mostBytes = checkParsedJson(payload, maxDepth + editDepth, "", limits);
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
