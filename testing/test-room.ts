import { RejectedError, RoomError } from "../client/errors.ts";
import { limitsWith, type Limits } from "../src/room/limits.ts";
import { RecordsReader } from "../src/model/reader.ts";
import type { Tx } from "../src/model/transaction.ts";
import { codes } from "../src/protocol/codes.ts";
import { userAs } from "../src/room/sessions/admission.ts";
import type { Operation } from "../src/room/engine/batch.ts";
import type { Client, RoomObjectOptions } from "../src/durable-object/room-options.ts";
import { answerRemote, remote, type RemoteRoom } from "../src/durable-object/remote.ts";
import type {
  AnyRoomDefinition,
  CollectionNamesOf,
  EventInputOf,
  EventNamesOf,
  RecordInputOf,
  ServerMutatorsOf,
  StateOf,
  TxOf,
} from "../src/schema/definition.ts";
import type { Json } from "../src/schema/json.ts";
import { Rejection } from "../src/schema/rejection.ts";
import { AppCode } from "./app-code.ts";
import { CallLog, type TestCall } from "./call-log.ts";
import { SimulatedClock, type TestClock } from "./clock.ts";
import { Guest, type TestClient } from "./test-client.ts";
import { Host } from "./host.ts";
import { Network } from "./network.ts";
import type { TestConnectOptions, TestRecords } from "./test-room-options.ts";

/** A room's options as `RoomObject` takes them, and what a test says beside them. */
export type TestRoomOptions<D extends AnyRoomDefinition> = RoomObjectOptions<D> & {
  /** What is there when the test begins, as one operation of the room's own, by collection and id. */
  readonly records?: {
    readonly [C in CollectionNamesOf<D>]?: { readonly [id: string]: RecordInputOf<D, C> };
  };
  /** As the hook of the app's class: somebody has connected. `room` stands for its `this`. */
  readonly onJoin?: (client: Client<D>, room: TestRoom<D>) => void;
  /** As the hook of the app's class: somebody's only session is gone. */
  readonly onLeave?: (client: Client<D>, room: TestRoom<D>) => void;
  /** As the hook of the app's class: an operation is on disk. */
  readonly onCommit?: (operation: Operation, room: TestRoom<D>) => void;
  /** Milliseconds that every client's messages take, each way; 0 when left out. */
  readonly latencyMs?: number;
  /**
   * Whether each mutator is tried before it runs in the room, to see whether state, payload and context alone decide what it
   * does; one for which that is not so fails the next `settle`. True when left out.
   */
  readonly checksMutators?: boolean;
  /** Told what the app's code in the room has thrown, in place of the console. */
  readonly onError?: (error: unknown, what: string) => void;
};

/** Time that `settle` lets pass, in the room's own time, and what may happen in it, before it gives up. */
const maxSettleMs = 30_000;
const maxSteps = 10_000;

/** A room in memory, with its clients: the code of the real ones, over storage, network and time that are the test's. */
export class TestRoom<D extends AnyRoomDefinition> {
  /** The time of the room and of its clients. */
  readonly clock: TestClock;
  /** Calls as a backend makes them, by `remote`: each answers when it is on disk, and rejects with `RejectedError`. */
  readonly mutate: RemoteRoom<D>["mutate"];
  readonly #definition: D;
  readonly #options: TestRoomOptions<D>;
  readonly #limits: Limits;
  readonly #clock: SimulatedClock;
  readonly #host: Host;
  readonly #log: CallLog;
  readonly #app: AppCode<D, TestRoom<D>>;
  readonly #readers: { readonly [collection: string]: RecordsReader };
  readonly #guests: Guest[] = [];
  #remoteCalls = 0;

  /** As `createTestRoom` makes it, which also sees that no mutator of the server is missing. */
  constructor(definition: D, options: TestRoomOptions<D>) {
    this.#definition = definition;
    this.#options = options;
    this.#limits = limitsWith(options.limits);
    this.#clock = new SimulatedClock(
      () => this.#isBusy,
      (error) => this.#report(error, "something in the room or a client of it has thrown"),
    );
    this.clock = this.#clock;
    this.#log = new CallLog(definition);
    this.#app = new AppCode(definition, this.#limits, options, this, {
      log: this.#log,
      report: (error, what) => this.#report(error, what),
      flushed: () => this.#forgetReads(),
    });
    this.#host = new Host({
      definition: this.#app.definition,
      limits: this.#limits,
      rules: this.#app.rules,
      clock: this.#clock,
      arrived: (client, raw) => this.#log.received(client, raw),
      flushed: ({ clientLog }) => this.#log.flushed(clientLog),
      logged: (event, facts) => this.#app.logged(event, facts),
      failed: (error) => this.#report(error, "the room has thrown"),
      woken: () => this.#forgetReads(),
    });
    const readers = Object.keys(definition.collections).map((name) => {
      return [name, new RecordsReader(() => this.#host.room.read().records, name)] as const;
    });
    this.#readers = Object.freeze(Object.fromEntries(readers));
    this.mutate = this.#backend();
    this.#seed();
    this.#app.hasHooks = true;
  }

  // ── clients ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A client that is up to date, and known to those who were here before. Rejects with `RoomError` when the room does not let it
   * in, and with `RejectedError` for a user or presence that does not fit.
   */
  async connect(options: TestConnectOptions<D> = {}): Promise<TestClient<D>> {
    const guest = this.#invite(options);
    const isDecided = () => guest.entry !== undefined || guest.network.refusedWith !== undefined;
    await this.#clock.advanceUntil(isDecided, maxSettleMs, maxSteps);
    const { refusedWith } = guest.network;
    if (guest.entry !== "ready" || refusedWith !== undefined) {
      guest.client.close();
      const code = refusedWith ?? "not-ready";
      throw new RoomError(code, `${guest.name} did not get in: ${codes[code].sentence}`, false);
    }
    await this.settle();
    return guest.as<D>();
  }

  /** As `connect`, but at once: to see what an app shows while it loads, or when it is refused. Throws what that rejects with. */
  open(options: TestConnectOptions<D> = {}): TestClient<D> {
    return this.#invite(options).as<D>();
  }

  /**
   * Until nothing is under way: every client that can be reached is up to date, and every call answered. Time is put ahead as
   * far as that takes. Rejects when it does not come to that, and for a mutator that does not do the same each time.
   */
  async settle(): Promise<void> {
    const isSettled = await this.#clock.advanceUntil(() => !this.#isBusy, maxSettleMs, maxSteps);
    this.#app.throwFault();
    if (isSettled) return;
    const errands = this.#guests.flatMap(({ name, errand }) =>
      errand === undefined ? [] : `${name} is ${errand}`,
    );
    const trouble = errands.join("; ") || "messages come without end";
    throw new Error(
      `not settled after ${maxSettleMs / 1_000} s of the room's time, or ${maxSteps} events: ${trouble}`,
    );
  }

  /** Closes every client, and nothing happens any more. Not needed: what nobody waits for keeps no process from ending. */
  close(): void {
    for (const { client } of this.#guests) {
      client.on("reject", () => {}); // whatever still waits
      client.close();
    }
    this.#clock.close();
  }

  // ── what the room has ──────────────────────────────────────────────────────────────────────────────────────

  /** The state as it is on disk, as `this.state` of the app's class. */
  get state(): StateOf<D> {
    return this.#readers as unknown as StateOf<D>; // the one seam, as above
  }

  /** The room's revision: how many operations it has committed. */
  get rev(): number {
    return this.#host.room.read().rev;
  }

  /** The records of a collection by id, or of all of them by collection: to be compared with what is expected. */
  records(): TestRecords<D>;
  records<C extends CollectionNamesOf<D>>(collection: C): TestRecords<D>[C];
  records(collection?: string): unknown {
    const of = (name: string) => Object.fromEntries(this.#readers[name]?.entries() ?? []);
    if (collection !== undefined) return of(collection);
    return Object.fromEntries(Object.keys(this.#readers).map((name) => [name, of(name)]));
  }

  /** Every call that has reached the room, in the order of its first arrival, and what it came to. */
  get calls(): readonly TestCall<D>[] {
    return this.#log.calls;
  }

  // ── what happens to it ─────────────────────────────────────────────────────────────────────────────────────

  /** As `this.transact` of the app's class: any collection may be written, and the answer is on disk. */
  transact(edit: (tx: TxOf<D>) => void | undefined): { rev: number } {
    return { rev: this.#host.room.transact(edit as unknown as (tx: Tx) => void) };
  }

  /** As `this.broadcast` of the app's class. */
  broadcast<E extends EventNamesOf<D>>(event: E, payload: EventInputOf<D, E>): void {
    this.#host.room.broadcast(event, payload);
  }

  /** Has the room sleep, as the platform does with an idle one: its memory is gone, its sockets stay, and what comes next wakes it. */
  evict(): void {
    this.#host.evict();
  }

  /** The room's process dies: what it has not written is lost, and so are the sockets. Clients come back by themselves. */
  crash(): void {
    this.#host.crash();
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

  get #isBusy(): boolean {
    return this.#clock.hasTasks || this.#guests.some(({ errand }) => errand !== undefined);
  }

  #invite({ user = null, access = "write", role, presence, latencyMs }: TestConnectOptions<D>): Guest {
    const identity = { user: this.#personAs(user as Json), access, role };
    const network = new Network(this.#clock, this.#host, identity, latencyMs ?? this.#options.latencyMs ?? 0);
    const name = `client-${this.#guests.length + 1}`;
    const guest = new Guest(this.#definition, this.#clock, network, name, presence);
    this.#guests.push(guest);
    return guest;
  }

  #personAs(user: Json): Json {
    try {
      return userAs(this.#definition, user, this.#limits.maxUserBytes);
    } catch (error) {
      throw asRejected(error, "connect");
    }
  }

  #seed(): void {
    const given: unknown = this.#options.records ?? {};
    const records = Object.entries(given as { readonly [name: string]: { readonly [id: string]: object } });
    if (records.length === 0) return;
    try {
      this.#host.room.transact((tx) => {
        for (const [collection, ofCollection] of records) {
          const partition = tx[collection];
          if (partition === undefined) throw new Rejection("invalid", `there is no collection ${collection}`);
          for (const [id, record] of Object.entries(ofCollection)) partition.put(id, record);
        }
      });
    } catch (error) {
      throw asRejected(error, "records");
    }
  }

  #forgetReads(): void {
    for (const reader of Object.values(this.#readers ?? {})) reader.forget(new Map());
  }

  #report(error: unknown, what: string): void {
    if (this.#options.onError !== undefined) this.#options.onError(error, what);
    else console.error(`deltaroom/testing: ${what}`, error);
  }

  /** As `remote` has it, but that a call without a key has one that reads well and is the same each time. */
  #backend(): RemoteRoom<D>["mutate"] {
    type Options = { readonly idempotencyKey?: string };
    type Make = (payload: unknown, options: Options) => Promise<{ readonly rev: number }>;
    const stub = { remoteCall: async (request: string) => this.#remoteCall(request) };
    const calls: { readonly [type: string]: unknown } = remote(stub, this.#definition).mutate;
    const named = Object.entries(calls).map(([type, make]) => {
      const call = (payload: unknown, options: Options = {}) => {
        const { idempotencyKey = `call-${++this.#remoteCalls}` } = options;
        return (make as Make)(payload, { ...options, idempotencyKey });
      };
      return [type, call] as const;
    });
    // The one seam, as in `remote`.
    return Object.freeze(Object.fromEntries(named)) as unknown as RemoteRoom<D>["mutate"];
  }

  #remoteCall(request: string): string {
    return answerRemote(request, (client, type, payload) => {
      this.#log.arrived(client, 1, [[0, type, payload]]);
      return this.#host.room.call(client, type, payload);
    });
  }
}

function asRejected(error: unknown, type: string): unknown {
  if (!(error instanceof Rejection)) return error;
  return new RejectedError(error.code, `${type}: ${error.message}`, error.data, { type, payload: null });
}

/**
 * A room of `definition` in memory, for tests: `const server = createTestRoom(board, { mutators })`, then
 * `await server.connect({ user })` for each client. Throws `RejectedError` for `records` that do not fit.
 */
export function createTestRoom<const D extends AnyRoomDefinition>(
  definition: D,
  ...[options]: keyof ServerMutatorsOf<D> extends never ? [TestRoomOptions<D>?] : [TestRoomOptions<D>]
): TestRoom<D> {
  return new TestRoom(definition, options ?? {});
}
