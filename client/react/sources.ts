import type { AnyRoomDefinition, StateOf } from "../../src/schema/definition.ts";
import type { ClientRoom } from "../client-room.ts";
import type { Peer, Room, Self, Unsubscribe } from "../room.ts";
import type { Selectable } from "./selection.ts";

/** What a component can select from. */
export interface Sources<D extends AnyRoomDefinition> {
  readonly state: Selectable<StateOf<D>>;
  readonly others: Selectable<readonly Peer<D>[]>;
  readonly self: Selectable<Self<D>>;
}

const ofRooms = new WeakMap<object, unknown>();

/** The same objects for the same room, so that nobody subscribes anew. */
export function sourcesOf<D extends AnyRoomDefinition>(room: Room<D>): Sources<D> {
  // What is kept under a room was made below, of that very room.
  let sources = ofRooms.get(room) as Sources<D> | undefined;
  if (sources === undefined) {
    // Every `Room` is a `ClientRoom` that was given the types of its definition: see `connect`.
    const { subscriptions } = room as unknown as ClientRoom;
    sources = {
      state: subscriptions as unknown as Sources<D>["state"],
      others: sourceOf(
        () => room.others,
        (told) => room.onOthers(told),
      ),
      self: sourceOf(
        () => room.self,
        (told) => room.on("self", told),
      ),
    };
    ofRooms.set(room, sources);
  }
  return sources;
}

/** A source of which a selector always reads all. */
function sourceOf<T>(read: () => T, subscribe: (told: () => void) => Unsubscribe): Selectable<T> {
  return {
    get version() {
      return read();
    },
    run: (selector) => selector(read()),
    watch: (told) => ({ follow() {}, end: subscribe(told) }),
  };
}
