import { callLimits } from "../src/model/call-limits.ts";
import { assertSync, checkPayload, parseEvent, transactType } from "../src/model/call.ts";
import { encodeChanges } from "../src/model/changes.ts";
import { copyJson, equalJson } from "../src/model/json.ts";
import { RecordsReader } from "../src/model/reader.ts";
import type { PendingCall } from "./replica/rebase.ts";
import { changesOf, parseWith, type Tx, type Writes } from "../src/model/transaction.ts";
import { clientIdOf } from "../src/protocol/handshake/client-secret.ts";
import type { Welcome, WireEvent } from "../src/protocol/down/down-frames.ts";
import { nameTable } from "../src/protocol/names.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import type { Json } from "../src/schema/json.ts";
import { MutationQueues } from "./mutations/mutation-queues.ts";
import type { Status } from "./connection/connection.ts";
import { RejectedError, RoomError } from "./errors.ts";
import { UndoHistory, type UndoableOperation } from "./undo/undo-history.ts";
import { clientLimits, type ClientLimits } from "./limits.ts";
import { Listeners } from "./replica/listeners.ts";
import { Peers, keepEqual, type AnyPeer } from "./replica/peers.ts";
import { asRejected, ignorable, newCall } from "./mutations/mutation-handle.ts";
import { PendingQueue } from "./mutations/pending-queue.ts";
import type { Settle } from "./mutations/call-outcomes.ts";
import type { CallKeeper, KeptQueue } from "./mutations/kept-calls.ts";
import { PendingRecords } from "./mutations/pending-records.ts";
import type { KeptRoom, Persist, Persistence } from "./offline/persistence.ts";
import { reportThrown, warn, type Runtime } from "./platform.ts";
import { Replica, type ViewChange, type ViewChanges } from "./replica/replica.ts";
import type { Call, RoomEvents, Unsubscribe } from "./room.ts";
import { Subscriptions, type SelectorState } from "./replica/subscriptions.ts";
import { Sync, type Progress, type SyncOptions } from "./connection/sync.ts";
import { withResolvers } from "./with-resolvers.ts";

/** What is kept has to be read by then, or the room is opened without it. */
const restoreTimeoutMs = 5_000;

export interface ClientRoomOptions extends Omit<
  SyncOptions,
  "restored" | "schemaVersion" | "names" | "limits"
> {
  /** The client secret, from which its public id follows. */
  readonly secret: string;
  /** Keeps the room beyond the page; left out, nothing is kept. */
  readonly persist?: Persist | undefined;
  readonly definition: AnyRoomDefinition;
  /** The first presence; undefined to be seen by nobody until `presence.update`. */
  readonly presence: unknown;
  /** Where they differ from the defaults. */
  readonly limits?: Partial<ClientLimits> | undefined;
}

/** Of a call that an earlier page has made: its promise is gone, but its rejection still reaches the listeners. */
const nobody: Settle = { resolve() {}, reject() {} };

type ObserverChange = ViewChange & { readonly id: string };
type Sender = Pick<AnyPeer, "clientId" | "user"> | null;

/** `Room` with its types taken off: what an app calls, over the replica, the queue and the connection. */
export class ClientRoom {
  readonly ready: Promise<void>;
  readonly state: { readonly [collection: string]: RecordsReader };
  readonly mutate: { readonly [name: string]: (payload: unknown) => Call };
  readonly history: UndoHistory;
  readonly presence = { update: (fields: object) => this.#updatePresence(fields) };
  /** For bindings to UI libraries, whose selectors are other functions in every render. */
  readonly subscriptions: Subscriptions;
  readonly #definition: AnyRoomDefinition;
  readonly #runtime: Runtime;
  readonly #clientId: string;
  readonly #replica: Replica;
  readonly #pendingRecords: PendingRecords;
  readonly #queues: MutationQueues;
  #persistence: Persistence | undefined;
  #isUnkept = false;
  readonly #peers: Peers;
  readonly #observers = new Map<string, Listeners<[readonly ObserverChange[]]>>();
  readonly #othersListeners = new Listeners<[readonly AnyPeer[]]>();
  readonly #eventListeners = new Map<string, Listeners<[Json, Sender]>>();
  readonly #listeners = {
    history: new Listeners<[Pick<UndoHistory, "canUndo" | "canRedo">]>(),
    status: new Listeners<[Status]>(),
    self: new Listeners<[]>(),
    pending: new Listeners<[number]>(),
    reject: new Listeners<[RejectedError]>(),
    error: new Listeners<[RoomError]>(),
    progress: new Listeners<[Progress]>(),
    kept: new Listeners<[]>(),
  };
  readonly #settleReady: { resolve: () => void; reject: (error: RoomError) => void };
  readonly #sync: Sync;
  readonly #onKept = () => this.#sync.outbox.schedule();
  #self: AnyPeer;
  /** Changes of which not everybody has been told, the oldest first. */
  readonly #untold: ViewChanges[] = [];
  #pendingTold = 0;
  #historyTold = { canUndo: false, canRedo: false };
  #isClosed = false;

  constructor({ definition, presence, secret, persist, limits, ...options }: ClientRoomOptions) {
    const clientId = clientIdOf(secret);
    const first = presence === undefined ? undefined : presenceAs(definition, presence);
    this.#definition = definition;
    this.#runtime = options.runtime;
    this.#clientId = clientId;
    this.#self = Object.freeze({ clientId, user: null, presence: first ?? {} });
    this.#replica = new Replica(definition, { clientId, user: null, role: "writer" }, () => {
      return this.#observers.size > 0 || !this.subscriptions.isEmpty;
    });
    const ownLimits = { ...clientLimits, ...limits };
    const own = new PendingQueue(secret, ownLimits);
    this.#queues = new MutationQueues(own);
    this.history = new UndoHistory(ownLimits, {
      transact: (edit) => this.transact(edit),
      call: ({ type, payload }, inverse) => this.#call(type, payload, inverse),
      inverseOf: ({ type, payload }) => this.#inverseOf(type, payload),
      admits: (bytes) => !this.#isClosed && this.#replica.isReady && own.admits(bytes),
      changed: () => this.#notifyHistory(),
    });
    this.#pendingRecords = new PendingRecords(this.#replica);
    this.#peers = new Peers(clientId, ownLimits.maxPeers);
    const readers = Object.keys(definition.collections).map((name) => {
      return [name, new RecordsReader(() => this.#replica.view, name)] as const;
    });
    this.state = Object.freeze(Object.fromEntries(readers));
    this.subscriptions = new Subscriptions(this.state);
    const calls = Object.keys(definition.mutators).map((type) => {
      return [type, (payload: unknown) => this.#call(type, payload)] as const;
    });
    this.mutate = Object.freeze(Object.fromEntries(calls));
    const { promise, resolve, reject } = ignorable<void>();
    this.ready = promise;
    this.#settleReady = { resolve, reject };
    const schema = { schemaVersion: definition.version, names: nameTable(definition) };
    const restored = persist && this.#restore(persist);
    this.#sync = new Sync(
      { ...options, ...schema, restored, limits: ownLimits },
      this.#replica,
      this.#queues,
      {
        status: (status) => this.#listeners.status.notify(status),
        welcomed: (welcome) => this.#welcomed(welcome),
        advanced: (changes, told) => this.#advanced(changes, told),
        based: (change) => this.#persistence?.noteBase(change),
        allPeers: (peers) => {
          this.#notifyOthers(this.#peers.replace(peers));
          // It follows the state, so that who awaits it sees both.
          if (this.#replica.isReady) this.#settleReady.resolve();
        },
        peers: (changes) => this.#notifyOthers(this.#peers.change(changes)),
        events: (events) => this.#notifyEvents(events),
        progress: (progress) => this.#listeners.progress.notify(progress),
        failed: (error) => this.#failed(error),
      },
    );
    if (first !== undefined) this.#sync.outbox.setPresence(first);
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
    const { call, settle } = newCall();
    if (this.#refuseUnready(settle, transactType, null)) return call;
    let writes: Writes;
    try {
      writes = this.#replica.edit(edit);
    } catch (error) {
      throw asRejected(error, transactType);
    }
    const payload = encodeChanges(changesOf(writes));
    try {
      checkPayload(transactType, payload, callLimits); // sent all the same, it would only come back
    } catch (error) {
      this.#reject(settle, asRejected(error, transactType, payload) as RejectedError);
      return call;
    }
    if (writes.size === 0) settle.resolve({ rev: this.rev });
    else
      this.#enqueue(transactType, payload, settle, writes, (changes) => this.history.noteEdit(changes, call));
    return call;
  }

  isPending(collection: string, id: string): boolean {
    return this.#replica.isPending(collection, id);
  }

  onPending(collection: string, id: string, listener: (isPending: boolean) => void): Unsubscribe {
    return this.#pendingRecords.add(collection, id, listener);
  }

  subscribe(
    selector: (state: SelectorState) => unknown,
    listener: (now: unknown, before: unknown) => void,
  ): Unsubscribe {
    return this.subscriptions.add(selector, listener);
  }

  observe(collection: string, listener: (changes: readonly ObserverChange[]) => void): Unsubscribe {
    return listenersOf(this.#observers, collection).add(listener);
  }

  onOthers(listener: (others: readonly AnyPeer[]) => void): Unsubscribe {
    return this.#othersListeners.add(listener);
  }

  broadcast(event: string, payload: unknown): void {
    try {
      this.#sync.outbox.addEvent(event, parseEvent(this.#definition, event, payload));
    } catch (error) {
      throw asRejected(error, event, payload);
    }
  }

  onEvent(event: string, listener: (payload: Json, from: Sender) => void): Unsubscribe {
    return listenersOf(this.#eventListeners, event).add(listener);
  }

  on<K extends keyof RoomEvents>(kind: K, listener: RoomEvents[K]): Unsubscribe {
    // Each kind's listeners take what its `RoomEvents` member takes; the index hides that from the compiler.
    return (this.#listeners[kind] as unknown as Listeners<unknown[]>).add(
      listener as (...args: unknown[]) => void,
    );
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
    this.#sync.close();
    this.#settleReady.reject(new RoomError("closed", "the room was closed before it was ready", false));
    this.#persistence?.close();
    for (const notify of this.#queues.own.reject("closed", "the room was closed")) notify();
    this.#notifyPending();
  }

  // ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** `known` takes it back; left out, the mutator's rule says what does. */
  #call(type: string, given: unknown, known?: UndoableOperation): Call {
    const { call, settle } = newCall();
    let payload: Json;
    try {
      payload = copyJson(given);
    } catch (error) {
      // Not JSON, or a getter of the app's has thrown: either way there is nothing to send.
      const problem = error instanceof Error ? error.message : String(error);
      this.#refuse(settle, "invalid", `the payload of ${type}: ${problem}`, type, null);
      return call;
    }
    if (this.#refuseUnready(settle, type, payload)) return call;
    const prediction = this.#replica.run({ type, payload, madeAt: this.#runtime.now() });
    switch (prediction.kind) {
      case "done": {
        const inverse = known ?? this.#inverseOf(type, payload);
        this.#enqueue(type, payload, settle, prediction.writes, () => {
          if (inverse !== undefined) this.history.noteCall({ type, payload }, inverse, call);
        });
        break;
      }
      case "rejected": {
        const { code, message, data } = prediction.rejection;
        this.#refuse(settle, code, message, type, payload, data);
        break;
      }
      case "failed":
        reportThrown(prediction.error);
        this.#refuse(settle, "internal", `${type} threw`, type, payload);
        break;
      default:
        prediction satisfies never;
    }
    return call;
  }

  #inverseOf(type: string, payload: Json): UndoableOperation | undefined {
    try {
      const inverse = this.#definition.undo[type]?.(payload, this.state, this.#self);
      assertSync(`undo of ${type}`, inverse);
      return inverse && { type: inverse[0], payload: copyJson(inverse[1]) };
    } catch (error) {
      reportThrown(error); // the call is made all the same, but cannot be taken back
      return undefined;
    }
  }

  #enqueue(
    type: string,
    payload: Json,
    settle: Settle,
    writes: Writes,
    note: (changes: ViewChanges) => void,
  ): void {
    const reject = (error: RejectedError) => this.#reject(settle, error);
    const told = { resolve: settle.resolve, reject };
    if (!this.#queues.own.add(type, payload, this.rev, this.#runtime.now(), told)) {
      return this.#refuse(settle, "queue-full", "too many calls wait for their answer", type, payload);
    }
    const changes = this.#replica.put(writes);
    note(changes); // before a listener makes the next
    this.#sync.send();
    this.#notifyChanges(changes);
    this.#notifyPending();
    this.#notifyHistory();
  }

  #refuseUnready(settle: Settle, type: string, payload: Json): boolean {
    const code = this.#isClosed ? "closed" : "not-ready";
    if (!this.#isClosed && this.#replica.isReady) return false;
    const message = `${type} was called on a room that is ${code.replace("-", " ")}`;
    this.#refuse(settle, code, message, type, payload);
    return true;
  }

  #refuse(settle: Settle, code: string, message: string, type: string, payload: Json, data?: Json): void {
    this.#reject(settle, new RejectedError(code, message, data, { type, payload }));
  }

  #reject(settle: Settle, error: RejectedError): void {
    settle.reject(error);
    const { reject } = this.#listeners;
    if (!reject.isEmpty) return reject.notify(error);
    warn(`${error.operation.type} was rejected and is undone: ${error.code}, ${error.message}`, error.data);
  }

  // ── kept beyond the page ───────────────────────────────────────────────────────────────────────────────────

  /** Resolves when what is kept is there, or the room is to be opened without it. */
  async #restore(persist: Persist): Promise<void> {
    const late = withResolvers<void>();
    const stopWaiting = this.#runtime.startTimer(() => {
      this.#notKept("the storage does not answer");
      late.resolve();
    }, restoreTimeoutMs);
    await Promise.race([this.#keep(persist), late.promise]);
    stopWaiting();
  }

  async #keep(persist: Persist): Promise<void> {
    try {
      await Promise.resolve(); // what is kept changes a room that is whole
      this.#persistence = await persist(this.#keptRoom());
      if (this.#isClosed) this.#persistence.close();
    } catch (error) {
      this.#notKept(error instanceof Error ? error.message : String(error));
    }
  }

  #keptRoom(): KeptRoom {
    const { own } = this.#queues;
    return {
      base: this.#replica,
      secret: own.secret,
      restore: (base) => {
        if (this.#replica.isReady) return false;
        this.#advanced(this.#replica.restore(base, this.calls), []);
        this.#settleReady.resolve();
        this.#sync.greetAnew();
        return true;
      },
      keepOwn: (keeper) => {
        own.keepWith(keeper, this.#onKept);
        return own;
      },
      adopt: (left, keeper) => this.#adopt(left, keeper),
      fail: (problem) => this.#notKept(problem),
      works: () => this.#keptAgain(),
    };
  }

  #adopt(left: KeptQueue, keeper: CallKeeper): PendingQueue {
    const settle = { ...nobody, reject: (error: RejectedError) => this.#reject(nobody, error) };
    const queue = PendingQueue.of(left, settle, keeper, this.#onKept);
    this.#queues.adopt(queue);
    if (this.#replica.isReady) this.#advanced(this.#replica.advance(undefined, this.#queues.calls), []);
    // The page may be about to connect under its own id, even before there is a state.
    if (this.#queues.current === queue) this.#sync.greetAnew();
    return queue;
  }

  #keptAgain(): void {
    if (!this.#isUnkept) return;
    this.#isUnkept = false;
    this.#listeners.kept.notify();
  }

  /** Told once until everything is kept again. */
  #notKept(problem: string): void {
    if (this.#isUnkept) return;
    this.#isUnkept = true;
    const message = `what is done here is not kept beyond this page: ${problem}`;
    this.#failed(new RoomError("not-kept", message, true));
  }

  // ── from the room ──────────────────────────────────────────────────────────────────────────────────────────

  #welcomed({ user, role }: Welcome): void {
    this.#replica.identify({ clientId: this.#clientId, user, role });
    this.#notifySelf({ ...this.#self, user });
  }

  #advanced(changes: ViewChanges, told: readonly (() => void)[]): void {
    this.#notifyChanges(changes);
    for (const notify of told) notify();
    this.#notifyPending();
  }

  #notifyChanges(changes: ViewChanges): void {
    if (changes.size > 0) this.subscriptions.version += 1;
    for (const [collection, records] of changes) this.state[collection]?.forget(records);
    this.#untold.push(changes);
    if (this.#untold.length > 1) return; // a listener has made them: their turn comes when all know of the first
    for (const next of this.#untold) {
      for (const [collection, records] of next) {
        const observers = this.#observers.get(collection);
        if (observers !== undefined)
          observers.notify(Array.from(records, ([id, change]) => ({ id, ...change })));
      }
      this.subscriptions.notify(next);
    }
    this.#untold.length = 0;
  }

  #notifySelf(self: AnyPeer): void {
    const { user, presence } = this.#self;
    if (equalJson(user, self.user) && equalJson(presence, self.presence)) return;
    this.#self = Object.freeze(self);
    this.#listeners.self.notify();
  }

  #notifyPending(): void {
    this.#pendingRecords.notify();
    if (this.pending === this.#pendingTold) return;
    this.#pendingTold = this.pending;
    this.#listeners.pending.notify(this.pending);
  }

  #notifyHistory(): void {
    const { canUndo, canRedo } = this.history;
    const told = this.#historyTold;
    if (told.canUndo === canUndo && told.canRedo === canRedo) return;
    this.#historyTold = { canUndo, canRedo };
    this.#listeners.history.notify(this.#historyTold);
  }

  #notifyOthers(changed: boolean): void {
    if (changed) this.#othersListeners.notify(this.others);
  }

  #notifyEvents(events: readonly WireEvent[]): void {
    for (const [clientId, event, payload] of events) {
      if (clientId === this.#clientId) continue;
      const from = clientId === null ? null : { clientId, user: this.#peers.get(clientId)?.user ?? null };
      this.#eventListeners.get(event)?.notify(payload, from);
    }
  }

  #failed(error: RoomError): void {
    if (!error.willRetry) this.#settleReady.reject(error);
    if (error.code === "too-old" || error.code === "gone") {
      // After these two refusals no connection will ever bring an answer.
      const told = this.#queues.own.discardAll(error.code, error.message);
      this.#advanced(this.#replica.advance(undefined, []), told);
    }
    const { error: listeners } = this.#listeners;
    if (!listeners.isEmpty) return listeners.notify(error);
    warn(`${error.code}, ${error.message}`);
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

function listenersOf<Args extends readonly unknown[]>(
  map: Map<string, Listeners<Args>>,
  key: string,
): Listeners<Args> {
  let listeners = map.get(key);
  if (listeners === undefined) map.set(key, (listeners = new Listeners()));
  return listeners;
}
