import { equalJson } from "../src/core/json.ts";
import type { PeerChange, Roster } from "../src/protocol/frames.ts";
import type { Json } from "../src/schema/json.ts";

/** Somebody in the room, as the others see them. */
export interface AnyPeer {
  readonly actor: string;
  readonly user: Json;
  readonly presence: Json;
}

/** The others in the room. Whoever did not change stays the same object, and so does the list when nobody did. */
export class Peers {
  readonly #self: string;
  readonly #peers = new Map<string, AnyPeer>();
  #list: readonly AnyPeer[] = Object.freeze([]);

  /** `self`: this client's actor, which is not among the others. */
  constructor(self: string) {
    this.#self = self;
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

  #changeOne(change: PeerChange): boolean {
    const [kind, actor] = change;
    const before = this.#peers.get(actor);
    switch (kind) {
      case "leave":
        return this.#peers.delete(actor);
      case "set":
        if (before === undefined || equalJson(before.presence, change[2])) return false;
        this.#peers.set(actor, Object.freeze({ ...before, presence: change[2] }));
        return true;
      case "join": {
        const [, , user, presence] = change;
        if (before !== undefined && equalJson(before.user, user) && equalJson(before.presence, presence))
          return false;
        this.#peers.set(actor, Object.freeze({ actor, user, presence }));
        return true;
      }
      default:
        return kind satisfies never;
    }
  }
}
