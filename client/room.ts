import type {
  AnyRoomDefinition,
  DirectTxOf,
  EventInputOf,
  EventNamesOf,
  EventPayloadOf,
  MutatorNamesOf,
  PayloadOf,
  PresenceOf,
  RecordOf,
  StateOf,
  UserOf,
} from "../src/schema/definition.ts";
import type { Access } from "../src/schema/access.ts";
import type { Progress } from "./connection/sync-options.ts";
import type { Status } from "./connection/connection-events.ts";
import type { RejectedError, RoomError } from "./errors.ts";

/** `pending` until the room's outcome is here; then `committed`, on the server's disk, or `rejected`, having changed nothing. */
export type CallStatus = "pending" | "committed" | "rejected";

/** A call that was made. Its effect is in the view already, unless it was rejected at once. */
export interface Call {
  /** `pending` until the call is answered. */
  readonly status: CallStatus;
  /**
   * Resolves when the operation is on the server's disk, with its revision; rejects with {@link RejectedError}.
   * It waits for as long as that takes, and may be ignored: a rejection also reaches `room.on("reject")`.
   */
  readonly committed: Promise<{ readonly rev: number }>;
}

/** Somebody in the room. */
export interface Peer<D extends AnyRoomDefinition> {
  /** Public id of the client. */
  readonly clientId: string;
  /** As `authenticate` said; null when nobody was named. */
  readonly user: UserOf<D> | null;
  /** What this client tells of itself, whole. */
  readonly presence: PresenceOf<D>;
}

/** This client itself. */
export interface Self<D extends AnyRoomDefinition> extends Peer<D> {
  /** What this client may do; undefined before the first welcome. It follows each reconnection: a page disables its buttons by it. */
  readonly access: Access | undefined;
}

/** Who sent an event; null for the room itself. */
export type EventSender<D extends AnyRoomDefinition> = Pick<Peer<D>, "clientId" | "user"> | null;

/** One record of the view that has changed; undefined where there was or is none. */
export interface RecordChange<R> {
  /** The record's id. */
  readonly id: string;
  /** As it was; undefined when there was none. */
  readonly before: R | undefined;
  /** As it is; undefined when it was deleted. */
  readonly after: R | undefined;
}

/** How a step is undone or redone. */
export interface UndoOptions {
  /** Also where somebody has changed the record since. */
  readonly force?: boolean;
}

/** What this client has done and can take back: direct edits, and calls whose mutators have an `undo` in the definition. */
export interface RoomHistory {
  /** Whether there is a step to take back. */
  readonly canUndo: boolean;
  /** Whether there is a step that was undone and can be made again. */
  readonly canRedo: boolean;
  /**
   * Takes the newest step back, by calls like any other. What somebody has changed since stays as it is; a step of
   * which nothing is left is skipped. Answers whether something was taken back; not before `ready` or with a full queue,
   * which leave the step where it is, nor when the call was refused at once.
   */
  undo(options?: UndoOptions): boolean;
  /** Makes the step that was undone last again, in the same way. A new edit forgets what could be redone. */
  redo(options?: UndoOptions): boolean;
  /** From now on all that is done is one step, until `resume` or an undo: as for a drag. */
  pause(): void;
  /** Ends what `pause` began: what was done in between is one step, and what follows is another. */
  resume(): void;
  /** Forgets every step, undone ones too. The document stays as it is. */
  clear(): void;
}

/** What `room.on` can be told of. */
export interface RoomEvents {
  /** Whether there is something to undo or to redo has changed. */
  history: (history: Pick<RoomHistory, "canUndo" | "canRedo">) => void;
  /** `room.status` is another. */
  status: (status: Status) => void;
  /** `room.self` is another: the room has said who this is, or the presence was updated. */
  self: () => void;
  /** The number of calls that wait for their answer has changed. */
  pending: (count: number) => void;
  /** A call was refused and what it did is undone. Logged when nobody listens. */
  reject: (error: RejectedError) => void;
  /** Part of a state that is being loaded has come. */
  progress: (progress: Progress) => void;
  /** After an `error` with the code `not-kept`: everything is kept beyond the page again. */
  kept: () => void;
  /** The connection was refused, or something came that does not fit. Logged when nobody listens. */
  error: (error: RoomError) => void;
}

/** Ends a subscription. Further calls do nothing. */
export type Unsubscribe = () => void;

/** A room as one client has it. */
export interface Room<D extends AnyRoomDefinition> {
  /** Resolves when there is a state to show, and the others are known; rejects when the room refuses this client for good. */
  readonly ready: Promise<void>;
  /** Whether there is a state to show. */
  readonly isReady: boolean;
  /** The view: the server's state and this client's own calls on top. */
  readonly state: StateOf<D>;
  /** How the connection is: for a light in a corner. */
  readonly status: Status;
  /** The code for which `status` is `closed`: of the refusal, or `closed` by `close()`; else undefined. */
  readonly closeReason: string | undefined;
  /** Revision of the server's state that the view stands on. */
  readonly rev: number;
  /** Calls that wait for their answer. */
  readonly pending: number;
  /** The calls of the definition, by name. They never throw. */
  readonly mutate: { readonly [M in MutatorNamesOf<D>]: (payload: PayloadOf<D, M>) => Call };
  /** What this client tells the others of itself; what they tell is in `others`. */
  readonly presence: {
    /** Changes the named fields of what the others see of this client. Throws `RejectedError` when that does not fit. */
    update(fields: Partial<PresenceOf<D>>): void;
  };
  /** Undo and redo of what was done here. Throws unless `connect` was given `undo` of `deltaroom/client/undo`. */
  readonly history: RoomHistory;
  /**
   * This client as the others see it, and its access. `clientId` is empty before `ready`, and `user` is null until the first
   * welcome.
   */
  readonly self: Self<D>;
  /** Everybody else. Whoever did not change is the same object as before, and so is every value in a presence that did not. */
  readonly others: readonly Peer<D>[];

  /**
   * A direct edit of one or more records, atomic. Throws what `edit` throws, and then nothing has happened; refused for
   * any other reason (`not-ready`, `closed`, `too-large`, `queue-full`) it is a rejected call.
   */
  transact(edit: (tx: DirectTxOf<D>) => void | undefined): Call;
  /** Whether a call that waits for its answer has changed this record. */
  isPending<C extends keyof D["collections"] & string>(collection: C, id: string): boolean;
  /** Tells when that has changed, which may be without a change of the record: an answer came. Not called at once. */
  onPending<C extends keyof D["collections"] & string>(
    collection: C,
    id: string,
    listener: (isPending: boolean) => void,
  ): Unsubscribe;
  /** Tells `listener` when what `selector` answers has changed; compared shallowly. Not called at once. */
  subscribe<S>(
    selector: (state: StateOf<D>) => S,
    listener: (selection: S, previous: S) => void,
  ): Unsubscribe;
  /** Tells of every record of a collection that has changed in the view. */
  observe<C extends keyof D["collections"] & string>(
    collection: C,
    listener: (changes: readonly RecordChange<RecordOf<D, C>>[]) => void,
  ): Unsubscribe;
  /** Tells when `others` is another list: somebody has come or gone, or has told something of themselves. Not called at once. */
  onOthers(listener: (others: readonly Peer<D>[]) => void): Unsubscribe;
  /**
   * Sends an event to everybody else who is here now. Dropped when offline. Throws `RejectedError` when it does not fit, and
   * `rate-limited` when there are more than the room takes, with `retryAfterMs` in its `data`.
   */
  broadcast<E extends EventNamesOf<D>>(event: E, payload: EventInputOf<D, E>): void;
  /** Tells of every event of that name that somebody else, or the room, sends while this client is here. */
  onEvent<E extends EventNamesOf<D>>(
    event: E,
    listener: (payload: EventPayloadOf<D, E>, from: EventSender<D>) => void,
  ): Unsubscribe;
  /** Tells of one of the things that {@link RoomEvents} lists. Not called at once. */
  on<K extends keyof RoomEvents>(kind: K, listener: RoomEvents[K]): Unsubscribe;
  /** Goes offline until `reconnect`; calls wait. */
  disconnect(): void;
  /** Connects again, also after a refusal. */
  reconnect(): void;
  /** Leaves for good: calls that wait are rejected `closed`. */
  close(): void;
}
