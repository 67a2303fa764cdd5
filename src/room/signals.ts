import type { Json } from "../schema/json.ts";
import type { PeerChange, WireEvent } from "../protocol/frames.ts";
import type { SharedParts } from "../protocol/update.ts";

/** What the next flush tells of presence and events: the newest of each peer, and every event in order. */
export class Signals {
  readonly #peers = new Map<string, PeerChange>();
  #events: WireEvent[] = [];

  get isEmpty(): boolean {
    return this.#peers.size === 0 && this.#events.length === 0;
  }

  join(actor: string, user: Json, presence: Json): void {
    this.#peers.set(actor, ["join", actor, user, presence]);
  }

  set(actor: string, presence: Json): void {
    const before = this.#peers.get(actor);
    // Whoever has not yet been told of the join must be told of the person as well.
    this.#peers.set(
      actor,
      before?.[0] === "join" ? ["join", actor, before[2], presence] : ["set", actor, presence],
    );
  }

  leave(actor: string): void {
    this.#peers.set(actor, ["leave", actor]);
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
