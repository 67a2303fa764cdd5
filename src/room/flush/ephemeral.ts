import { equalJson } from "../../model/json.ts";
import type { Json, JsonObject } from "../../schema/json.ts";
import type { PeerChange, WireEvent } from "../../protocol/down/down-frames.ts";
import type { SharedParts } from "../../protocol/down/update.ts";

/** What the next flush tells of presence and events: the newest of each peer, and every event in order. */
export class EphemeralUpdates {
  readonly #peers = new Map<string, PeerChange>();
  #events: WireEvent[] = [];

  get isEmpty(): boolean {
    return this.#peers.size === 0 && this.#events.length === 0;
  }

  join(clientId: string, user: Json, presence: Json): void {
    this.#peers.set(clientId, ["join", clientId, user, presence]);
  }

  /** Tells of the fields that are others than `before`; of all as at first where one was taken away, or the first is untold. */
  set(clientId: string, user: Json, before: Json, presence: Json): void {
    const untold = this.#peers.get(clientId);
    const fields = changedFields(before, presence);
    if (untold?.[0] === "join" || fields === undefined) return this.join(clientId, user, presence);
    if (Object.keys(fields).length === 0) return;
    const told = untold?.[0] === "set" ? (untold[2] as JsonObject) : {};
    this.#peers.set(clientId, ["set", clientId, { ...told, ...fields }]);
  }

  leave(clientId: string): void {
    this.#peers.set(clientId, ["leave", clientId]);
  }

  event(event: WireEvent): void {
    this.#events.push(event);
  }

  /** What has gathered, undefined for nothing; and starts over. */
  take(): Pick<SharedParts, "presence" | "events"> {
    const presence = this.#peers.size === 0 ? undefined : [...this.#peers.values()];
    const events = this.#events.length === 0 ? undefined : this.#events;
    this.#peers.clear();
    this.#events = [];
    return { presence, events };
  }
}

/** Undefined when that is not to be told by fields: one was taken away, or there are none, as a schema may have it. */
function changedFields(before: Json, after: Json): JsonObject | undefined {
  if (!isObject(before) || !isObject(after)) return undefined;
  if (Object.keys(before).some((name) => !Object.hasOwn(after, name))) return undefined;
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => !equalJson(before[name], value)));
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
