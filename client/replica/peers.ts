import { equalJson } from "../../src/model/json.ts";
import type { PeerChange, PeersFrame } from "../../src/protocol/down/down-frames.ts";
import type { Json, JsonObject } from "../../src/schema/json.ts";

/** Somebody in the room, as the others see them. */
export interface AnyPeer {
  readonly clientId: string;
  readonly user: Json;
  readonly presence: Json;
}

/** `after`, in which every value that is as it was `before` is the same object as before. */
export function keepEqual(before: Json | undefined, after: Json): Json {
  if (before !== undefined && equalJson(before, after)) return before;
  if (!isObject(before) || !isObject(after)) return after;
  const parts = Object.entries(after).map(
    ([key, value]) => [key, keepEqual(before[key], value as Json)] as const,
  );
  return Object.freeze(Array.isArray(after) ? parts.map(([, part]) => part) : Object.fromEntries(parts));
}

/** An array is one as well: its indexes are keys. */
function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null;
}

/** The others in the room. Whoever did not change stays the same object, and so does the list when nobody did. */
export class Peers {
  readonly #self: () => string;
  readonly #maxPeers: number;
  readonly #peers = new Map<string, AnyPeer>();
  #list: readonly AnyPeer[] = Object.freeze([]);

  /** `self`: returns this client's client id, which is not among the others. */
  constructor(self: () => string, maxPeers: number) {
    this.#self = self;
    this.#maxPeers = maxPeers;
  }

  get list(): readonly AnyPeer[] {
    return this.#list;
  }

  get(clientId: string): AnyPeer | undefined {
    return this.#peers.get(clientId);
  }

  /** Takes everybody in anew. True when that changed anything. */
  replace(peers: PeersFrame["peers"]): boolean {
    const present = new Set(peers.map(([clientId]) => clientId));
    const gone = [...this.#peers.keys()].filter((clientId) => !present.has(clientId));
    return this.change([
      ...gone.map((clientId): PeerChange => ["leave", clientId]),
      ...peers.map(([clientId, user, presence]): PeerChange => ["join", clientId, user, presence]),
    ]);
  }

  /** True when that changed anything. */
  change(changes: readonly PeerChange[]): boolean {
    let changed = false;
    for (const change of changes) {
      if (change[1] !== this.#self()) changed = this.#changeOne(change) || changed;
    }
    if (changed) this.#list = Object.freeze([...this.#peers.values()]);
    return changed;
  }

  #keep(before: AnyPeer, newUser: Json, newPresence: Json): boolean {
    const { clientId } = before;
    const user = keepEqual(before.user, newUser);
    const presence = keepEqual(before.presence, newPresence);
    if (user === before.user && presence === before.presence && this.#peers.has(clientId)) return false;
    if (this.#peers.size >= this.#maxPeers && !this.#peers.has(clientId))
      throw new RangeError(`there are more than ${this.#maxPeers} others`);
    this.#peers.set(clientId, Object.freeze({ clientId, user, presence }));
    return true;
  }

  #changeOne(change: PeerChange): boolean {
    const [kind, clientId] = change;
    const before = this.#peers.get(clientId);
    switch (kind) {
      case "leave":
        return this.#peers.delete(clientId);
      case "set":
        if (before === undefined) return false;
        return this.#keep(before, before.user, {
          ...(before.presence as JsonObject),
          ...(change[2] as JsonObject),
        });
      case "join":
        return this.#keep(before ?? { clientId, user: null, presence: null }, change[2], change[3]);
      default:
        return kind satisfies never;
    }
  }
}
