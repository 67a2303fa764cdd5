import { parseEvent } from "../src/model/call.ts";
import { equalJson } from "../src/model/json.ts";
import { RecordsReader } from "../src/model/reader.ts";
import { type Tx } from "../src/model/transaction.ts";
import { parseWith } from "../src/model/parse.ts";
import type { Welcome, WireEvent } from "../src/protocol/down/down-frames.ts";
import { nameTable } from "../src/protocol/names.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import type { Access } from "../src/schema/access.ts";
import type { Json } from "../src/schema/json.ts";
import type { Status } from "./connection/connection-events.ts";
import { Sync } from "./connection/sync.ts";
import type { SyncOptions } from "./connection/sync-options.ts";
import { RoomError } from "./errors.ts";
import { clientLimitsWith, type ClientLimits } from "./client-limits.ts";
import { asRejected, ignorable } from "./mutations/mutation-handle.ts";
import { MutationQueues } from "./mutations/mutation-queues.ts";
import { PendingQueue } from "./mutations/pending-queue.ts";
import type { Persist, Persistence, RoomParts } from "./offline/persistence.ts";
import type { Runtime } from "./platform.ts";
import { Peers, keepEqual, type AnyPeer } from "./replica/peers.ts";
import type { PendingCall } from "./replica/rebase.ts";
import { Replica, type ViewChanges } from "./replica/replica.ts";
import type { SelectorState, Subscriptions } from "./replica/subscriptions.ts";
import { RoomCalls } from "./room-calls.ts";
import { startKeeping } from "./start-keeping.ts";
import { RoomListeners, type ObserverChange, type Sender } from "./room-listeners.ts";
import type { Call, RoomEvents, Unsubscribe } from "./room.ts";
import type { Undo, UndoHistory } from "./undo/undo-history.ts";

export interface ClientRoomOptions extends Omit<
  SyncOptions,
  "restored" | "schemaVersion" | "names" | "limits"
> {
  /** The client secret, from which its public id follows. */
  readonly secret: string;
  /** Keeps the room beyond the page; left out, nothing is kept. */
  readonly persist?: Persist | undefined;
  /** Makes the history of the room; left out, the room has none. */
  readonly undo?: Undo | undefined;
  readonly definition: AnyRoomDefinition;
  /** The first presence; undefined to be seen by nobody until `presence.update`. */
  readonly presence: unknown;
  /** Where they differ from the defaults. */
  readonly limits?: Partial<ClientLimits> | undefined;
}

/** This client as the others see it, and what it may do; `access` is undefined before the first welcome. */
interface Self extends AnyPeer {
  readonly access: Access | undefined;
}

/**
 * `Room` with its types taken off: what an app calls. It connects the parts of the client: `RoomCalls` makes calls, `Sync` sends
 * them and takes frames in, the `Replica` has the state, `RoomListeners` has the listeners of the app, and a `Persistence`, for a
 * room with `persist`, keeps all that. Itself it keeps who this client is and who the others are.
 */
export class ClientRoom {
  readonly ready: Promise<void>;
  readonly state: { readonly [collection: string]: RecordsReader };
  readonly mutate: { readonly [name: string]: (payload: unknown) => Call };
  readonly presence = { update: (fields: object) => this.#updatePresence(fields) };
  readonly #definition: AnyRoomDefinition;
  readonly #replica: Replica;
  readonly #queues: MutationQueues;
  readonly #calls: RoomCalls;
  readonly #peers: Peers;
  readonly #listeners: RoomListeners;
  readonly #settleReady: { resolve: () => void; reject: (error: RoomError) => void };
  readonly #sync: Sync;
  #persistence: Persistence | undefined;
  /** Its client id is empty until the room or `persist` tells it. */
  #self: Self;
  #isClosed = false;

  constructor({ definition, presence, secret, persist, undo, limits, ...options }: ClientRoomOptions) {
    const { runtime } = options;
    const first = presence === undefined ? undefined : presenceAs(definition, presence);
    this.#definition = definition;
    const clientId = "";
    this.#self = Object.freeze({ clientId, user: null, access: undefined, presence: first ?? {} });
    const replica = new Replica(definition, { clientId, user: null, access: "write" }, () => {
      return listeners.watchesRecords;
    });
    this.#replica = replica;
    const ownLimits = clientLimitsWith(limits);
    const queue = new PendingQueue(secret, undefined, undefined, ownLimits);
    const queues = (this.#queues = new MutationQueues(queue));
    this.#peers = new Peers(() => this.#self.clientId, ownLimits.maxPeers);
    const readers = Object.keys(definition.collections).map((name) => {
      return [name, new RecordsReader(() => replica.view, name)] as const;
    });
    const state = (this.state = Object.freeze(Object.fromEntries(readers)));
    const listeners = (this.#listeners = new RoomListeners(state, replica));
    const historyChanged = () => {
      const { history } = this.#calls;
      if (history) listeners.notifyHistory(history);
    };
    this.#calls = new RoomCalls(
      { definition, runtime, limits: ownLimits, replica, queue, state, self: () => this.#self, undo },
      {
        queued: (changes) => {
          this.#sync.send();
          this.#advanced(changes, []);
          historyChanged();
        },
        rejected: (error) => listeners.notifyRejected(error),
        historyChanged,
      },
    );
    const calls = Object.keys(definition.mutators).map((type) => {
      return [type, (payload: unknown) => this.#calls.call(type, payload)] as const;
    });
    this.mutate = Object.freeze(Object.fromEntries(calls));
    const { promise, resolve, reject } = ignorable<void>();
    this.ready = promise;
    this.#settleReady = { resolve, reject };
    const schema = { schemaVersion: definition.version, names: nameTable(definition) };
    this.#sync = new Sync(
      { ...options, ...schema, restored: persist && this.#keep(persist, runtime), limits: ownLimits },
      replica,
      queues,
      {
        status: (status) => listeners.notify("status", status),
        welcomed: (welcome) => this.#welcomed(welcome),
        advanced: (changes, told) => {
          this.#calls.history?.noteAdvance(changes);
          this.#advanced(changes, told);
        },
        based: (change) => this.#persistence?.noteBase(change),
        allPeers: (peers) => {
          this.#notifyOthers(this.#peers.replace(peers));
          // It follows the state, so that who awaits it sees both.
          if (replica.isReady) resolve();
        },
        peers: (changes) => this.#notifyOthers(this.#peers.change(changes)),
        events: (events) => this.#notifyEvents(events),
        progress: (progress) => listeners.notify("progress", progress),
        failed: (error) => this.#failed(error),
      },
    );
    if (first !== undefined) this.#sync.outbox.setPresence(first);
  }

  get history(): UndoHistory {
    const { history } = this.#calls;
    if (history) return history;
    throw new Error("room.history needs undo: import it from deltaroom/client/undo and pass it to connect");
  }

  /** For bindings to UI libraries, whose selectors are other functions in every render. */
  get subscriptions(): Subscriptions {
    return this.#listeners.subscriptions;
  }

  get status(): Status {
    return this.#sync.status;
  }

  get isReady(): boolean {
    return this.#replica.isReady;
  }

  get closeReason(): string | undefined {
    return this.#sync.closeReason;
  }

  get rev(): number {
    return this.#replica.rev;
  }

  get pending(): number {
    return this.calls.length;
  }

  /** What waits for its answer, the oldest first. */
  get calls(): readonly PendingCall[] {
    return this.#queues.calls;
  }

  get self(): AnyPeer {
    return this.#self;
  }

  get others(): readonly AnyPeer[] {
    return this.#peers.list;
  }

  transact(edit: (tx: Tx) => unknown): Call {
    return this.#calls.transact(edit);
  }

  isPending(collection: string, id: string): boolean {
    return this.#replica.isPending(collection, id);
  }

  onPending(collection: string, id: string, listener: (isPending: boolean) => void): Unsubscribe {
    return this.#listeners.pendingRecords.add(collection, id, listener);
  }

  subscribe(
    selector: (state: SelectorState) => unknown,
    listener: (now: unknown, before: unknown) => void,
  ): Unsubscribe {
    return this.#listeners.subscriptions.add(selector, listener);
  }

  observe(collection: string, listener: (changes: readonly ObserverChange[]) => void): Unsubscribe {
    return this.#listeners.observe(collection, listener);
  }

  onOthers(listener: (others: readonly AnyPeer[]) => void): Unsubscribe {
    return this.#listeners.others.add(listener);
  }

  broadcast(event: string, payload: unknown): void {
    try {
      this.#sync.outbox.addEvent(event, parseEvent(this.#definition, event, payload));
    } catch (error) {
      throw asRejected(error, event, payload);
    }
  }

  onEvent(event: string, listener: (payload: Json, from: Sender) => void): Unsubscribe {
    return this.#listeners.onEvent(event, listener);
  }

  on<K extends keyof RoomEvents>(kind: K, listener: RoomEvents[K]): Unsubscribe {
    return this.#listeners.on(kind, listener);
  }

  disconnect(): void {
    if (!this.#isClosed) this.#sync.disconnect();
  }

  reconnect(): void {
    if (!this.#isClosed) this.#sync.connect();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#calls.close();
    this.#sync.close();
    this.#settleReady.reject(new RoomError("closed", "the room was closed before it was ready", false));
    this.#persistence?.close();
    for (const notify of this.#queues.own.reject("closed", "the room was closed")) notify();
    this.#listeners.notifyPending(this.pending);
  }

  /** Begins to keep the room; resolves when what is kept is there, or the room is to be opened without it. */
  #keep(persist: Persist, runtime: Runtime): Promise<void> {
    const replica = this.#replica;
    const parts: RoomParts = {
      runtime,
      replica,
      queues: this.#queues,
      newQueue: (...left) => new PendingQueue(...left),
      identify: (clientId) => {
        if (this.#self.clientId) return; // the room was first
        replica.identify({ clientId, user: null, access: "write" });
        this.#notifySelf({ ...this.#self, clientId });
      },
      advanced: (changes) => this.#advanced(changes, []),
      shown: this.#settleReady.resolve,
      greetAnew: () => this.#sync.greetAnew(),
      written: () => this.#sync.outbox.schedule(),
      rejected: (error) => this.#listeners.notifyRejected(error),
      fail: (problem) => {
        const message = `what is done here is not kept beyond this page: ${problem}`;
        this.#failed(new RoomError("not-kept", message, true));
      },
      works: () => this.#listeners.notify("kept"),
    };
    return startKeeping(persist, parts, (persistence) => {
      this.#persistence = persistence;
      if (this.#isClosed) persistence.close();
    });
  }

  // ── from the room ──────────────────────────────────────────────────────────────────────────────────────────

  #welcomed({ clientId, user, access, role }: Welcome): void {
    // The room tells the id of the page that has left calls, while these are sent.
    const ownId = this.#self.clientId || clientId;
    this.#replica.identify({ clientId: ownId, user, access, role });
    this.#notifySelf({ ...this.#self, clientId: ownId, user, access });
  }

  #advanced(changes: ViewChanges, told: readonly (() => void)[]): void {
    this.#listeners.notifyChanges(changes);
    for (const notify of told) notify();
    this.#listeners.notifyPending(this.pending);
  }

  #failed(error: RoomError): void {
    if (!error.willRetry) this.#settleReady.reject(error);
    if (error.code === "too-old" || error.code === "gone") {
      // After these two refusals no connection will ever bring an answer.
      const told = this.#queues.own.discardAll(error.code, error.message);
      this.#advanced(this.#replica.advance(undefined, []), told);
    }
    this.#listeners.notifyError(error);
  }

  #notifySelf(self: Self): void {
    const { clientId, user, access, presence } = this.#self;
    const isSame = clientId === self.clientId && access === self.access;
    if (isSame && equalJson(user, self.user) && equalJson(presence, self.presence)) return;
    this.#self = Object.freeze(self);
    this.#listeners.notify("self");
  }

  #notifyOthers(changed: boolean): void {
    if (changed) this.#listeners.others.notify(this.others);
  }

  #notifyEvents(events: readonly WireEvent[]): void {
    for (const event of events) {
      const [clientId] = event;
      if (clientId === this.#self.clientId) continue;
      const user = clientId === null ? null : (this.#peers.get(clientId)?.user ?? null);
      this.#listeners.notifyEvent(event, user);
    }
  }

  #updatePresence(fields: object): void {
    const before = this.#self.presence;
    const presence = keepEqual(before, presenceAs(this.#definition, { ...(before as object), ...fields }));
    this.#sync.outbox.setPresence(presence);
    this.#notifySelf({ ...this.#self, presence });
  }
}

/** Presence as its schema reads it. Throws {@link RejectedError} `invalid`. */
function presenceAs(definition: AnyRoomDefinition, presence: unknown): Json {
  if (definition.presence === undefined) return {};
  try {
    return parseWith(definition.presence, presence, "presence");
  } catch (error) {
    throw asRejected(error, "presence", presence);
  }
}
