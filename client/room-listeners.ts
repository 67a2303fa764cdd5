import type { Json } from "../src/schema/json.ts";
import type { WireEvent } from "../src/protocol/down/down-frames.ts";
import type { RecordsReader } from "../src/model/reader.ts";
import type { Status } from "./connection/connection-events.ts";
import type { Progress } from "./connection/sync-options.ts";
import type { RejectedError, RoomError } from "./errors.ts";
import { PendingRecords } from "./mutations/pending-records.ts";
import { warn } from "./platform.ts";
import { Listeners } from "./replica/listeners.ts";
import type { AnyPeer } from "./replica/peers.ts";
import type { Replica, ViewChange, ViewChanges } from "./replica/replica.ts";
import { Subscriptions } from "./replica/subscriptions.ts";
import type { RoomEvents, RoomHistory, Unsubscribe } from "./room.ts";

export type ObserverChange = ViewChange & { readonly id: string };
export type Sender = Pick<AnyPeer, "clientId" | "user"> | null;
type UndoState = Pick<RoomHistory, "canUndo" | "canRedo">;

/**
 * The listeners of one room, and the last value that they were called with. A listener is called only when that value has
 * changed. Changes reach all listeners in the order in which they were made: changes that a listener makes wait until every
 * listener has been called for the changes before them.
 */
export class RoomListeners {
  /** For bindings to UI libraries, whose selectors are other functions in every render. */
  readonly subscriptions: Subscriptions;
  readonly pendingRecords: PendingRecords;
  readonly others = new Listeners<[readonly AnyPeer[]]>();
  readonly #state: { readonly [collection: string]: RecordsReader };
  readonly #observers = new Map<string, Listeners<[readonly ObserverChange[]]>>();
  readonly #events = new Map<string, Listeners<[Json, Sender]>>();
  readonly #byKind = {
    history: new Listeners<[UndoState]>(),
    status: new Listeners<[Status]>(),
    self: new Listeners<[]>(),
    pending: new Listeners<[number]>(),
    reject: new Listeners<[RejectedError]>(),
    error: new Listeners<[RoomError]>(),
    progress: new Listeners<[Progress]>(),
    kept: new Listeners<[]>(),
  };
  /** Changes that not all listeners were called for, the oldest first. */
  readonly #unnotified: ViewChanges[] = [];
  #pendingCount = 0;
  #undoState: UndoState = { canUndo: false, canRedo: false };

  constructor(
    state: { readonly [collection: string]: RecordsReader },
    replica: Pick<Replica, "pendingRecords">,
  ) {
    this.#state = state;
    this.subscriptions = new Subscriptions(state);
    this.pendingRecords = new PendingRecords(replica);
  }

  /** Whether a listener needs to know which records have changed. */
  get watchesRecords(): boolean {
    return this.#observers.size > 0 || !this.subscriptions.isEmpty;
  }

  observe(collection: string, listener: (changes: readonly ObserverChange[]) => void): Unsubscribe {
    return listenersOf(this.#observers, collection).add(listener);
  }

  onEvent(event: string, listener: (payload: Json, from: Sender) => void): Unsubscribe {
    return listenersOf(this.#events, event).add(listener);
  }

  on<K extends keyof RoomEvents>(kind: K, listener: RoomEvents[K]): Unsubscribe {
    // Each kind's listeners take what its `RoomEvents` member takes; the index hides that from the compiler.
    return (this.#byKind[kind] as unknown as Listeners<unknown[]>).add(
      listener as (...args: unknown[]) => void,
    );
  }

  notify<K extends "status" | "self" | "progress" | "kept">(
    kind: K,
    ...args: Parameters<RoomEvents[K]>
  ): void {
    (this.#byKind[kind] as unknown as Listeners<unknown[]>).notify(...args);
  }

  notifyChanges(changes: ViewChanges): void {
    if (changes.size > 0) this.subscriptions.version += 1;
    for (const [collection, records] of changes) this.#state[collection]?.forget(records);
    this.#unnotified.push(changes);
    if (this.#unnotified.length > 1) return; // a listener has made them: their turn comes when all know of the first
    for (const next of this.#unnotified) {
      for (const [collection, records] of next) {
        const observers = this.#observers.get(collection);
        if (observers !== undefined)
          observers.notify(Array.from(records, ([id, change]) => ({ id, ...change })));
      }
      this.subscriptions.notify(next);
    }
    this.#unnotified.length = 0;
  }

  notifyPending(count: number): void {
    this.pendingRecords.notify();
    if (count === this.#pendingCount) return;
    this.#pendingCount = count;
    this.#byKind.pending.notify(count);
  }

  notifyHistory({ canUndo, canRedo }: UndoState): void {
    const last = this.#undoState;
    if (last.canUndo === canUndo && last.canRedo === canRedo) return;
    this.#undoState = { canUndo, canRedo };
    this.#byKind.history.notify(this.#undoState);
  }

  notifyEvent([clientId, event, payload]: WireEvent, user: Json): void {
    this.#events.get(event)?.notify(payload, clientId === null ? null : { clientId, user });
  }

  /** Writes the rejection to the console if the app has no listener for it. */
  notifyRejected(error: RejectedError): void {
    const { reject } = this.#byKind;
    if (!reject.isEmpty) return reject.notify(error);
    warn(`${error.operation.type} was rejected and is undone: ${error.code}, ${error.message}`, error.data);
  }

  /** Writes the error to the console if the app has no listener for it. */
  notifyError(error: RoomError): void {
    const { error: listeners } = this.#byKind;
    if (!listeners.isEmpty) return listeners.notify(error);
    warn(`${error.code}, ${error.message}`);
  }
}

function listenersOf<Args extends readonly unknown[]>(
  map: Map<string, Listeners<Args>>,
  key: string,
): Listeners<Args> {
  let listeners = map.get(key);
  if (listeners === undefined) map.set(key, (listeners = new Listeners()));
  return listeners;
}
