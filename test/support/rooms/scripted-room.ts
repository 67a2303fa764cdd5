import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import { abortAllDurableObjects } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, onTestFinished, vi } from "vitest";
import {
  connect,
  type ConnectOptions,
  type Room,
  type Transport,
  type TransportEvent,
  type TransportSocket,
} from "../../../client/index.ts";
import { undo } from "../../../client/undo/index.ts";
import type { WireChanges } from "../../../src/model/changes.ts";
import { decodeUp } from "../../../src/protocol/codec.ts";
import { codes } from "../../../src/protocol/codes.ts";
import type { PeersFrame, UpFrame, Welcome } from "../../../src/protocol/down/down-frames.ts";
import { decodeHello, type Hello } from "../../../src/protocol/handshake/hello.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { pingText } from "../../../src/protocol/version.ts";
import { finishTurn } from "../../../testing/timeline.ts";
import { clientBoard, type ClientBoard } from "../boards/client-board.ts";
import { leave } from "../clients/close-room.ts";
import {
  Speaker,
  type ScriptedFrame,
  type ScriptedOutcome,
  type ScriptedPart,
  type ScriptedUpdate,
} from "../frames/frame-builders.ts";

type EventType = "open" | "message" | "close" | "error";
type FrameOf<K extends UpFrame["kind"]> = Extract<UpFrame, { kind: K }>;

/** A call as it went up. */
export interface SentCall {
  readonly clientReqId: number;
  readonly baseRev: number;
  readonly type: string;
  readonly payload: unknown;
}

export const epoch = "epoch-1";

const names = nameTable(clientBoard);

const plentiful: Welcome["limits"] = {
  callsPerSecond: 100_000,
  callsBurst: 100_000,
  maxCallsPerFrame: 256,
  maxFrameBytes: 1_048_576,
  maxUnacknowledgedBytes: 1_048_576,
  maxUnacknowledgedFrames: 1_000_000,
  ephemeralPerSecond: 100_000,
  ephemeralBurst: 100_000,
};

/** What a room has that a client joins. */
export interface Greeting {
  readonly epoch?: string;
  readonly rev?: number;
  readonly records?: { readonly [collection: string]: { readonly [id: string]: object } };
  readonly lastCallId?: number;
  readonly outcomes?: readonly ScriptedOutcome[];
  readonly knownSince?: number;
  /** Whether pushes may be bytes; true when not said otherwise. */
  readonly acceptsBinary?: boolean;
  readonly user?: { readonly id: string; readonly name: string } | null;
  readonly access?: Welcome["access"];
  readonly limits?: Partial<Welcome["limits"]>;
  readonly peers?: PeersFrame["peers"];
}

/** A socket whose other end is the test: it sees what is sent and says what it likes. */
export class ScriptedSocket implements TransportSocket {
  readonly url: string;
  readonly protocols: readonly string[];
  readonly hello: Hello;
  /** Everything that was sent, heartbeats too. */
  readonly sent: (string | Uint8Array)[] = [];
  /** How the client closed it. */
  closedWith: number | undefined;
  /** As a socket is that has begun to close. */
  refusesToSend = false;
  readonly #speaker: Speaker;
  readonly #listeners: Record<EventType, ((event: TransportEvent) => void)[]> = {
    open: [],
    message: [],
    close: [],
    error: [],
  };

  constructor(url: string, protocols: readonly string[], speaker: Speaker) {
    this.#speaker = speaker;
    const hello = decodeHello(protocols);
    if (hello === undefined) throw new Error(`no hello in ${protocols.join()}`);
    this.url = url;
    this.protocols = protocols;
    this.hello = hello;
  }

  addEventListener(type: EventType, listener: (event: TransportEvent) => void): void {
    this.#listeners[type].push(listener);
  }

  send(frame: string | Uint8Array): void {
    if (this.refusesToSend) throw new Error("the socket is closing");
    this.sent.push(typeof frame === "string" ? frame : frame.slice());
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  // ── what the client sent ───────────────────────────────────────────────────────────────────────────────────

  frames<K extends UpFrame["kind"]>(kind: K): FrameOf<K>[] {
    const frames = this.sent.filter((data) => data !== pingText).map(readUp);
    return frames.filter((frame) => frame.kind === kind) as FrameOf<K>[];
  }

  /** The kinds of all frames, in order. */
  get kinds(): string[] {
    return this.sent.map((data) => (data === pingText ? pingText : readUp(data).kind));
  }

  get calls(): SentCall[] {
    return this.frames("push").flatMap(({ first, calls }) =>
      calls.map(([baseRev, type, payload], index) => ({
        clientReqId: first + index,
        baseRev,
        type,
        payload,
      })),
    );
  }

  /** Ids of all calls, in the order in which they were sent. */
  get ids(): number[] {
    return this.calls.map(({ clientReqId }) => clientReqId);
  }

  // ── what the room says ─────────────────────────────────────────────────────────────────────────────────────

  open(): void {
    this.#tell("open", {});
  }

  /** Says a frame, or any text or bytes at all. */
  say(frame: ScriptedFrame | string | Uint8Array): void {
    const isRaw = typeof frame === "string" || frame instanceof Uint8Array;
    const data = isRaw ? frame : this.#speaker.encode(frame);
    // As browsers have it.
    this.#tell("message", { data: typeof data === "string" ? data : data.slice().buffer });
  }

  welcome(greeting: Greeting = {}): void {
    this.say({
      kind: "welcome",
      epoch: greeting.epoch ?? epoch,
      clientId: clientIdOf(this.hello.secret),
      user: greeting.user ?? null,
      access: greeting.access ?? "write",
      knownSince: greeting.knownSince ?? 3,
      acceptsBinary: greeting.acceptsBinary ?? true,
      limits: { ...plentiful, ...greeting.limits },
    });
  }

  /** Opens, and brings the client up to date with a snapshot. */
  greet(greeting: Greeting = {}): void {
    this.open();
    this.welcome(greeting);
    const rev = greeting.rev ?? 0;
    const parts = snapshotOf(greeting.records ?? {});
    for (const part of parts) this.say(part);
    const { lastCallId = 0, outcomes } = greeting;
    const delta = { from: rev, to: rev, changes: {} };
    this.say({
      kind: "update",
      tag: 0,
      lastCallId,
      ...(outcomes && { outcomes }),
      parts: parts.length,
      delta,
    });
    this.say({ kind: "peers", peers: greeting.peers ?? [] });
  }

  /** Opens, and tells a client that comes back what it has missed; nothing by default. */
  greetAgain(update: Omit<ScriptedUpdate, "kind" | "tag"> = {}, greeting: Greeting = {}): void {
    this.open();
    this.welcome(greeting);
    this.say({ kind: "update", tag: 0, lastCallId: 0, ...update });
    this.say({ kind: "peers", peers: greeting.peers ?? [] });
  }

  update(update: Omit<ScriptedUpdate, "kind">): void {
    this.say({ kind: "update", ...update });
  }

  /** A delta from `from` to `to`, by default one revision. */
  delta(
    from: number,
    changes: WireChanges,
    more: Omit<ScriptedUpdate, "kind" | "delta"> = {},
    to = from + 1,
  ): void {
    this.update({ ...more, delta: { from, to, changes } });
  }

  /** The connection ends. A room that closes it says why. */
  drop(closeCode = 1006): void {
    const named = Object.entries(codes).find(([, row]) => row.closeCode === closeCode);
    this.#tell("close", { code: closeCode, reason: named?.[0] ?? "" });
  }

  /** As a browser tells of an attempt that came to nothing. */
  fail(): void {
    this.#tell("error", {});
    this.drop();
  }

  #tell(type: EventType, event: TransportEvent): void {
    for (const listener of this.#listeners[type]) listener(event);
  }
}

/** Takes what a client's transport opens. */
export class ScriptedRoom {
  readonly sockets: ScriptedSocket[] = [];
  /** Thrown by the transport, when set. */
  failure: Error | undefined;
  readonly #speaker = new Speaker();
  readonly #waiting = new Map<number, (socket: ScriptedSocket) => void>();

  readonly transport: Transport = (url, protocols) => {
    if (this.failure !== undefined) throw this.failure;
    const socket = new ScriptedSocket(url, protocols, this.#speaker);
    this.sockets.push(socket);
    this.#waiting.get(this.sockets.length)?.(socket);
    return socket;
  };

  /** The socket of the attempt with this number, from 1 on; waits until it is made. */
  async attempt(number: number): Promise<ScriptedSocket> {
    const made = this.sockets[number - 1];
    if (made !== undefined) return made;
    return await new Promise((resolve) => this.#waiting.set(number, resolve));
  }

  get newest(): ScriptedSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("nothing has connected");
    return socket;
  }
}

export interface Scripted {
  readonly room: Room<ClientBoard>;
  readonly server: ScriptedRoom;
}

/** A client whose room is the test. */
export function scripted(options: ConnectOptions<ClientBoard> = {}): Scripted {
  const server = new ScriptedRoom();
  const room = connect("http://room.test/rooms/lobby", clientBoard, {
    undo,
    ...options,
    transport: server.transport,
  });
  onTestFinished(() => leave(room));
  return { room, server };
}

/** A scripted client that has caught up, and its socket. */
export async function joined(
  greeting: Greeting = {},
  options: ConnectOptions<ClientBoard> = {},
): Promise<Scripted & { readonly socket: ScriptedSocket }> {
  const { room, server } = scripted(options);
  const socket = await server.attempt(1);
  socket.greet(greeting);
  await room.ready;
  return { room, server, socket };
}

/** Lets everything run that waits for the current turn to end, and nothing that waits for time. */
export const turn = finishTurn;

/**
 * Fakes the timers of every test in the file. Rooms have the same globals as tests: one that is still awake from
 * another file would set its timers here, where it may not run. So none is left awake, and these tests use none.
 */
export function fakeTimers(): void {
  beforeAll(async () => await abortAllDurableObjects());
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
}

/** Lets time pass; timers have to be faked. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** What the app is told of a room's connection from now on. */
export function toldOf({ room }: Pick<Scripted, "room">): string[] {
  const told: string[] = [];
  room.on("status", (status) => told.push(status));
  room.on("error", ({ code, willRetry }) => told.push(`${code}, ${willRetry ? "will retry" : "final"}`));
  return told;
}

/** One part a collection. */
function snapshotOf(records: NonNullable<Greeting["records"]>): ScriptedPart[] {
  return Object.entries(records).map(([collection, partition], part) => ({
    kind: "snapshot",
    part,
    collection,
    from: "",
    until: null,
    records: Object.entries(partition),
  }));
}

function readUp(data: string | Uint8Array): UpFrame {
  const decoded = decodeUp(data, Infinity, names);
  if (decoded.kind !== "frame") throw new Error(`the client sends what is none: ${decoded.message}`);
  return decoded.frame;
}
