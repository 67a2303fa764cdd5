import { equalJson } from "../../src/model/json.ts";
import type { PeerChange, Roster } from "../../src/protocol/down/down-frames.ts";
import type { Json, JsonObject } from "../../src/schema/json.ts";

/** Somebody in the room, as the others see them. */
export interface AnyPeer {
  readonly actor: string;
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
  readonly #self: string;
  readonly #maxPeers: number;
  readonly #peers = new Map<string, AnyPeer>();
  #list: readonly AnyPeer[] = Object.freeze([]);

  /** `self`: this client's actor, which is not among the others. */
  constructor(self: string, maxPeers: number) {
    this.#self = self;
    this.#maxPeers = maxPeers;
  }

  get list(): readonly AnyPeer[] {
    return this.#list;
  }

  get(actor: string): AnyPeer | undefined {
    return this.#peers.get(actor);
  }

  /** Takes everybody in anew. True when that changed anything. */
  replace(roster: Roster["peers"]): boolean {
    const present = new Set(roster.map(([actor]) => actor));
    const gone = [...this.#peers.keys()].filter((actor) => !present.has(actor));
    return this.change([
      ...gone.map((actor): PeerChange => ["leave", actor]),
      ...roster.map(([actor, user, presence]): PeerChange => ["join", actor, user, presence]),
    ]);
  }

  /** True when that changed anything. */
  change(changes: readonly PeerChange[]): boolean {
    let changed = false;
    for (const change of changes) {
      if (change[1] !== this.#self) changed = this.#changeOne(change) || changed;
    }
    if (changed) this.#list = Object.freeze([...this.#peers.values()]);
    return changed;
  }

  #keep(before: AnyPeer, newUser: Json, newPresence: Json): boolean {
    const { actor } = before;
    const user = keepEqual(before.user, newUser);
    const presence = keepEqual(before.presence, newPresence);
    if (user === before.user && presence === before.presence && this.#peers.has(actor)) return false;
    if (this.#peers.size >= this.#maxPeers && !this.#peers.has(actor))
      throw new RangeError(`there are more than ${this.#maxPeers} others`);
    this.#peers.set(actor, Object.freeze({ actor, user, presence }));
    return true;
  }

  #changeOne(change: PeerChange): boolean {
    const [kind, actor] = change;
    const before = this.#peers.get(actor);
    switch (kind) {
      case "leave":
        return this.#peers.delete(actor);
      case "set":
        if (before === undefined) return false;
        return this.#keep(before, before.user, {
          ...(before.presence as JsonObject),
          ...(change[2] as JsonObject),
        });
      case "join":
        return this.#keep(before ?? { actor, user: null, presence: null }, change[2], change[3]);
      default:
        return kind satisfies never;
    }
  }
}
