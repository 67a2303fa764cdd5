import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import type { RoomStorage } from "../../../src/room/storage/room-storage.ts";
import { frameBytes } from "../../../src/protocol/codec.ts";
import type { UpFrame, WireCall } from "../../../src/protocol/down/down-frames.ts";
import type { Hello } from "../../../src/protocol/handshake/hello.ts";
import { pingText } from "../../../src/protocol/version.ts";
import type { Clock } from "../../../src/room/flush/flush-timer.ts";
import { journalSlots } from "../../../src/room/storage/journal.ts";
import { RoomServer } from "../../../src/room/room-server.ts";
import type { Identity } from "../../../src/room/sessions/admission.ts";
import type { RoomRules } from "../../../src/room/room-ports.ts";
import type { Attachment, Session } from "../../../src/room/sessions/session.ts";
import { SqliteStorage } from "../../../src/durable-object/sqlite-storage.ts";
import type { AnyRoomDefinition } from "../../../src/schema/definition.ts";
import { ClientCopy, type Collections, type SeenFrame } from "../clients/client-copy.ts";
import { readFrame } from "../frames/decoded-frames.ts";
import { fakeCompressed } from "../../simulation/platform/fake-compression.ts";
import { secretOf } from "../clients/named-client.ts";
import { testBoard } from "../boards/test-board.ts";
import { serverMutators } from "./test-worker.ts";
import type { Call } from "../clients/wire-client.ts";

/** Runs `story` with a room of its own, over storage of its own; whatever any of its sessions was sent is judged at the end. */
export async function withLoneRoom(
  options: LoneRoomOptions,
  story: (room: LoneRoom) => void | Promise<void>,
): Promise<void> {
  const stub = env.SCRATCH.getByName(`scratch-${crypto.randomUUID()}`);
  await runInDurableObject(stub, (_, { storage }) => story(new LoneRoom(storage, options)));
}

export interface LoneRoomOptions {
  /** The test board when left out. */
  readonly definition?: AnyRoomDefinition;
  readonly limits?: Partial<Limits>;
  readonly rules?: Partial<RoomRules>;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/**
 * A room without a platform: the storage is SQLite, but clock, timers and sockets are the test's. Everything happens
 * within the call that causes it.
 */
export class LoneRoom {
  room: RoomServer;
  readonly clock: Clock = {
    now: () => this.now,
    setTimer: (run, delayMs) => {
      const timer = { at: this.now + delayMs, run };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
    },
  };
  now = 1_800_000_000_000;
  /** When the alarm is to come, as the platform keeps it over hibernation. */
  alarmAt: number | undefined;
  /** What `ports.abort` was told; undefined while the instance lives. */
  aborted: string | undefined;
  readonly logged: string[] = [];
  /** Errors of the app's own code, as `onError` is given them. */
  readonly thrown: unknown[] = [];
  /** Pages compressed so far; none more is until `holdsDeflate` has resolved. */
  deflated = 0;
  holdsDeflate: Promise<void> | undefined;
  /** Set to a message to have writes of that kind fail. */
  readonly failing: {
    append?: string | undefined;
    checkpoint?: string | undefined;
    room?: string | undefined;
    page?: string | undefined;
    pageRecords?: string | undefined;
    saveDeflated?: string | undefined;
    /** Set to have `append` write its row, and throw after that. */
    appended?: string | undefined;
  } = {};
  readonly sql: SqlStorage;
  /** Another instance over the same storage, with a clock of its own. */
  readonly rival: () => LoneRoom;
  readonly #storage: RoomStorage;
  #definition: AnyRoomDefinition;
  readonly #limits: Limits;
  /** As the room has them: a hook may be put in at any time. */
  readonly rules: { -readonly [R in keyof RoomRules]: RoomRules[R] };
  readonly #clients: LoneClient[] = [];
  #timers: Timer[] = [];
  #isTogether = false;
  #epochs = 0;

  constructor(storage: DurableObjectStorage, options: LoneRoomOptions) {
    const { definition, limits, rules } = options;
    this.rival = () => new LoneRoom(storage, options);
    this.#definition = definition ?? testBoard;
    this.#limits = { ...defaultLimits, ...limits };
    const run = serverMutators as unknown as RoomRules["serverMutators"];
    this.rules = { serverMutators: run, onJoin() {}, onLeave() {}, onFlush() {}, onCommit() {}, ...rules };
    this.sql = storage.sql;
    this.#storage = this.#failingAtWill(new SqliteStorage(storage, journalSlots(this.#limits)));
    this.room = this.#wake();
  }

  /** Joins, and leaves nothing of the catch-up to be taken. Throws when the room does not let the client in. */
  join(
    name: string,
    hello: Partial<Hello> = {},
    identity: Identity = { user: null, access: "write" },
  ): LoneClient {
    const client = new LoneClient(this, name);
    const joined = this.room.join(() => client.socket, client.hello(hello), identity);
    if ("code" in joined) throw new Error(joined.code);
    client.session = joined;
    this.#clients.push(client);
    this.runDue();
    client.take();
    return client;
  }

  /** Joins once more as a client that has lost its connection, and has kept what came of a snapshot. */
  rejoin(
    before: LoneClient,
    hello: Partial<Hello>,
    identity: Identity = { user: null, access: "write" },
  ): LoneClient {
    before.copy.reconnect(true);
    const client = new LoneClient(this, before.name, before.copy);
    const joined = this.room.join(() => client.socket, client.hello(hello), identity);
    if ("code" in joined) throw new Error(joined.code);
    client.session = joined;
    this.#clients.push(client);
    return client;
  }

  /** The state once all is flushed, with collections without a record left out. */
  get collections(): Collections {
    this.room.flush();
    const { records } = this.room.read();
    const names = Object.keys(this.#definition.collections).filter((name) => records.ids(name).length > 0);
    return Object.fromEntries(
      names.map((name) => [
        name,
        Object.fromEntries(records.ids(name).map((id) => [id, records.get(name, id)])),
      ]),
    ) as Collections;
  }

  /** Lets time pass, and every timer run that is due by then. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (this.alarmAt !== undefined && this.alarmAt <= Math.min(until, next?.at ?? until)) {
        this.now = Math.max(this.now, this.alarmAt);
        this.alarmAt = undefined;
        this.room.alarm();
        continue;
      }
      if (next === undefined || next.at > until) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = until;
  }

  /** Has what `story` does come all at once: no timer gets its turn before the end. */
  together(story: () => void): void {
    this.#isTogether = true;
    story();
    this.#isTogether = false;
    this.runDue();
  }

  /** Runs the timers that were set for this very moment. */
  runDue(): void {
    while (!this.#isTogether) {
      const due = this.#timers.find(({ at }) => at <= this.now);
      if (due === undefined) return;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      due.run();
    }
  }

  get hasTimer(): boolean {
    return this.#timers.length > 0;
  }

  /** Forgets all memory, and wakes from storage and attachments. */
  evict(): void {
    this.#timers = [];
    this.room = this.#wake();
    for (const client of this.#clients.filter(({ closed, attachment }) => !closed && attachment)) {
      client.session = this.room.restore(client.socket, structuredClone(client.attachment) as Attachment);
    }
  }

  /** As `deleteAll` of the platform's storage, of which this room has a share only. */
  dropTables(): void {
    const named = "SELECT name FROM sqlite_master WHERE name LIKE 'deltaroom_%' AND type = 'table'";
    for (const { name } of this.sql.exec<{ name: string }>(named).toArray())
      this.sql.exec(`DROP TABLE ${name}`);
  }

  /** Another version of the app takes over, as a deploy that keeps sockets would have it. */
  redeploy(definition: AnyRoomDefinition): void {
    this.#definition = definition;
    this.evict();
  }

  /** `[flushSeq, from, to]` of each journal row. */
  get rows(): number[][] {
    const rows = this.sql.exec<{ flushSeq: number; from: number; to: number }>(
      'SELECT flushSeq, "from", "to" FROM deltaroom_journal ORDER BY flushSeq',
    );
    return Array.from(rows, ({ flushSeq, from, to }) => [flushSeq, from, to]);
  }

  /** Number of the last flush that the pages hold. */
  get checkpointN(): number {
    return this.sql.exec<{ flushSeq: number }>("SELECT flushSeq FROM deltaroom_room").one().flushSeq;
  }

  #wake(): RoomServer {
    return new RoomServer(this.#definition, this.#limits, this.rules, {
      storage: this.#storage,
      ...this.clock,
      setAlarm: (at) => void (this.alarmAt = at),
      newEpoch: () => `epoch-${++this.#epochs}`,
      deflate: async (bytes) => {
        this.deflated += 1;
        await this.holdsDeflate;
        return fakeCompressed(bytes);
      },
      abort: (reason) => void (this.aborted = reason),
      log: (event, _facts, thrown) => {
        this.logged.push(event);
        if (thrown !== undefined) this.thrown.push(thrown);
      },
    });
  }

  #failingAtWill(storage: SqliteStorage): RoomStorage {
    const { failing } = this;
    return new Proxy(storage, {
      get(target, name) {
        const problem = failing[name as keyof typeof failing];
        if (problem !== undefined) throw new Error(problem);
        if (name === "append" && failing.appended !== undefined)
          return (...row: Parameters<RoomStorage["append"]>) => {
            target.append(...row);
            throw new Error(failing.appended);
          };
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }
}

/** A client whose socket is a pair of lists. */
export class LoneClient {
  readonly name: string;
  readonly copy: ClientCopy;
  /** Every frame so far. */
  readonly seen: SeenFrame[] = [];
  /** The epoch of the welcome. */
  greetedEpoch = "";
  session: Session | undefined;
  attachment: Attachment | undefined;
  closed: { readonly closeCode: number; readonly reason: string } | undefined;
  sentBytes = 0;
  /** When the platform last answered a ping of this client. */
  pingedAt = 0;
  /** How often the room has asked whether it is there. */
  asked = 0;
  /** Whether it answers that. */
  isThere = true;
  readonly socket = {
    pingedAt: () => this.pingedAt,
    send: (raw: string | Uint8Array) => {
      if (raw === pingText) return this.#answer();
      this.sentBytes += frameBytes(raw);
      const frame = this.copy.take(readFrame(raw, fakeCompressed));
      this.#frames.push(frame);
      this.seen.push(frame);
      if (frame.kind === "welcome") this.greetedEpoch = frame.epoch;
    },
    close: (closeCode: number, reason: string) => {
      this.attachment = undefined;
      this.closed = { closeCode, reason };
    },
    save: (attachment: Attachment) => void (this.attachment = structuredClone(attachment)),
  };
  readonly #lone: LoneRoom;
  #frames: SeenFrame[] = [];
  #nextId = 1;

  constructor(lone: LoneRoom, name: string, copy = new ClientCopy()) {
    this.copy = copy;
    this.#lone = lone;
    this.name = name;
  }

  hello(changes: Partial<Hello> = {}): Hello {
    const secret = secretOf(this.name);
    return { secret, schema: 3, epoch: null, rev: 0, confirmed: 0, knownSince: null, ...changes };
  }

  ping(): void {
    this.pingedAt = this.#lone.now;
  }

  #answer(): void {
    this.asked += 1;
    if (this.isThere) this.ping();
  }

  /** Frames since the last time. */
  take(): SeenFrame[] {
    return this.#frames.splice(0);
  }

  send(frame: UpFrame): void {
    this.sendRaw(JSON.stringify(frame));
  }

  sendRaw(data: unknown): void {
    if (this.session === undefined) throw new Error("not joined");
    this.#lone.room.receive(this.session, data);
    this.#lone.runDue();
  }

  push(...calls: readonly Call[]): number {
    const first = this.#nextId;
    this.#nextId += calls.length;
    this.pushAt(first, ...calls);
    return first;
  }

  /** Sends calls again, as a client does that has heard nothing of the one with the id `first`. */
  pushAt(first: number, ...calls: readonly Call[]): void {
    const wire = calls.map(
      ([type, payload, baseRev = this.copy.rev]) => [baseRev, type, payload] as WireCall,
    );
    this.send({ kind: "push", first, calls: wire, confirmed: Math.min(first - 1, this.copy.confirmed) });
  }

  leave(): void {
    this.closed ??= { closeCode: 1000, reason: "" };
    if (this.session !== undefined) this.#lone.room.leave(this.session);
    this.#lone.runDue();
  }
}
