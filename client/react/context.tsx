import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
  type ReactElement,
} from "react";
import type {
  AnyRoomDefinition,
  EventNamesOf,
  EventPayloadOf,
  PresenceOf,
  StateOf,
} from "../../src/schema/definition.ts";
import type { Status } from "../connection/connection-events.ts";
import type { RoomError } from "../errors.ts";
import type { EventSender, Peer, Room, RoomHistory, Self } from "../room.ts";
import { createProvider, type Found, type RoomProviderProps } from "./provider.tsx";
import { useSelection } from "./selection.ts";
import { sourcesOf } from "./sources.ts";

/**
 * A provider and the hooks of one kind of room. Each hook throws outside of the provider, answers the same object as
 * long as nothing has changed, and renders its component again only when what it answers has.
 */
export interface RoomContext<D extends AnyRoomDefinition> {
  /** Opens the room at `url`, and leaves it when it goes. Its children see only a room that has a state to show. */
  readonly RoomProvider: (props: RoomProviderProps<D>) => ReactElement;
  /** The room itself: `transact`, `broadcast`, `observe`, `reconnect`, … It is the same in every render. */
  readonly useRoom: () => Room<D>;
  /**
   * What `selector` answers of the state. Selections compare shallowly; a selector runs in a render, and otherwise only
   * when something that it read has changed. It may close over props.
   */
  readonly useRoomState: <S>(selector: (state: StateOf<D>) => S) => S;
  /** `room.mutate`: the calls of the definition, by name. */
  readonly useMutate: () => Room<D>["mutate"];
  /** This client's presence, and how to change the fields of it that are named. */
  readonly useMyPresence: () => readonly [
    presence: PresenceOf<D>,
    update: (fields: Partial<PresenceOf<D>>) => void,
  ];
  /** Everybody else, or what `selector` answers of them. */
  readonly useOthers: {
    (): readonly Peer<D>[];
    <S>(selector: (others: readonly Peer<D>[]) => S): S;
  };
  /** This client as the others see it with its access, or what `selector` answers of that. */
  readonly useSelf: {
    (): Self<D>;
    <S>(selector: (self: Self<D>) => S): S;
  };
  /** `room.status`: how the connection is. */
  readonly useStatus: () => Status;
  /** How many calls wait for their answer; or, of one record, whether such a call has changed it. */
  readonly usePending: {
    (): number;
    (collection: keyof D["collections"] & string, id: string): boolean;
  };
  /**
   * What this user has done: whether it can be taken back or done again, and how. Another object whenever that changes. Throws
   * unless the provider, or `connect`, was given `undo` of `deltaroom/client/undo`.
   */
  readonly useHistory: () => RoomHistory;
  /** `room.broadcast`: sends an event to all other clients. It is the same function in every render. */
  readonly useBroadcast: () => Room<D>["broadcast"];
  /** Calls the `listener` of the last render with each error of the room, see `room.on("error")`. */
  readonly useErrorListener: (listener: (error: RoomError) => void) => void;
  /** Calls the `listener` of the last render when such an event comes. */
  readonly useEventListener: <E extends EventNamesOf<D>>(
    event: E,
    listener: (payload: EventPayloadOf<D, E>, from: EventSender<D>) => void,
  ) => void;
}

/** Makes the provider and the hooks of `definition`, with its types. Call it once, outside of components. */
export function createRoomContext<D extends AnyRoomDefinition>(definition: D): RoomContext<D> {
  const FoundContext = createContext<Found<D> | undefined>(undefined);

  function useFoundRoom(hook: string): Room<D> {
    const found = useContext(FoundContext);
    if (found === undefined)
      throw new Error(`${hook} was called outside of its <RoomProvider>, or in its fallback`);
    // A thrown promise is how React has always been told to wait; `use` came later.
    if (found.room === undefined) throw found.settled;
    return found.room;
  }

  function usePending(): number;
  function usePending(collection: keyof D["collections"] & string, id: string): boolean;
  function usePending(collection?: keyof D["collections"] & string, id = ""): number | boolean {
    const room = useFoundRoom("usePending");
    const subscribe = useCallback(
      (told: () => void) => {
        return collection === undefined ? room.on("pending", told) : room.onPending(collection, id, told);
      },
      [room, collection, id],
    );
    const read = () => (collection === undefined ? room.pending : room.isPending(collection, id));
    return useSyncExternalStore(subscribe, read, read);
  }

  return {
    RoomProvider: createProvider(definition, FoundContext),
    useRoom: () => useFoundRoom("useRoom"),
    useRoomState(selector) {
      return useSelection(sourcesOf(useFoundRoom("useRoomState")).state, selector);
    },
    useMutate: () => useFoundRoom("useMutate").mutate,
    useMyPresence() {
      const room = useFoundRoom("useMyPresence");
      const presence = useSelection(sourcesOf(room).self, presenceIn);
      const update = useCallback((fields: Partial<PresenceOf<D>>) => room.presence.update(fields), [room]);
      return useMemo(() => [presence, update], [presence, update]);
    },
    useOthers(selector: typeof itself<readonly Peer<D>[]> = itself) {
      return useSelection(sourcesOf(useFoundRoom("useOthers")).others, selector);
    },
    useSelf(selector: typeof itself<Self<D>> = itself) {
      return useSelection(sourcesOf(useFoundRoom("useSelf")).self, selector);
    },
    useStatus() {
      const room = useFoundRoom("useStatus");
      const subscribe = useCallback((told: () => void) => room.on("status", told), [room]);
      const read = () => room.status;
      return useSyncExternalStore(subscribe, read, read);
    },
    usePending,
    useHistory() {
      const room = useFoundRoom("useHistory");
      const subscribe = useCallback((told: () => void) => room.on("history", told), [room]);
      const { history } = room;
      const readUndo = () => history.canUndo;
      const readRedo = () => history.canRedo;
      const canUndo = useSyncExternalStore(subscribe, readUndo, readUndo);
      const canRedo = useSyncExternalStore(subscribe, readRedo, readRedo);
      return useMemo(
        () => ({
          canUndo,
          canRedo,
          undo: (options) => history.undo(options),
          redo: (options) => history.redo(options),
          pause: () => history.pause(),
          resume: () => history.resume(),
          clear: () => history.clear(),
        }),
        [history, canUndo, canRedo],
      );
    },
    useBroadcast() {
      const room = useFoundRoom("useBroadcast");
      return useCallback<Room<D>["broadcast"]>((...event) => room.broadcast(...event), [room]);
    },
    useErrorListener(listener) {
      const room = useFoundRoom("useErrorListener");
      const newest = useNewest(listener);
      useEffect(() => room.on("error", (error) => newest.current(error)), [room, newest]);
    },
    useEventListener(event, listener) {
      const room = useFoundRoom("useEventListener");
      const newest = useNewest(listener);
      useEffect(
        () => room.onEvent(event, (payload, from) => newest.current(payload, from)),
        [room, event, newest],
      );
    },
  };
}

/** A reference to what the last render was given. */
function useNewest<T>(value: T): { readonly current: T } {
  const newest = useRef(value);
  useEffect(() => {
    newest.current = value;
  });
  return newest;
}

function itself<T>(value: T): T {
  return value;
}

function presenceIn<D extends AnyRoomDefinition>({ presence }: Peer<D>): PresenceOf<D> {
  return presence;
}
