import { exports } from "cloudflare:workers";
import type { UpFrame, WireCall } from "../../../src/protocol/down/down-frames.ts";
import { frameBytes } from "../../../src/protocol/codec.ts";
import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import { type Hello } from "../../../src/protocol/handshake/hello.ts";
import { encodeHello } from "../../../src/protocol/handshake/hello-text.ts";
import { pingText, pongText, subprotocol } from "../../../src/protocol/version.ts";
import { ClientCopy, type SeenFrame } from "./client-copy.ts";
import { readFrame, type Result } from "../frames/decoded-frames.ts";
import { secretOf } from "./named-client.ts";

/** `[type, payload]`, with the client's own revision as `baseRev` unless another is said. */
export type Call = readonly [type: string, payload: unknown, baseRev?: number];

export interface WireOptions {
  /** The client secret is `secretOf(name)`. */
  readonly name?: string;
  /** The client secret, of another client perhaps; random when neither is given. */
  readonly secret?: string;
  readonly token?: string;
  /** Sent along with the upgrade. */
  readonly headers?: Record<string, string>;
  /** Acknowledges what it receives, as often as the room wants; true when not said otherwise. */
  readonly acks?: boolean;
  /** Answers when it is asked whether it is there; true when not said otherwise. */
  readonly answers?: boolean;
  /** Answers a close only when told to, as a peer does that is no longer there. */
  readonly allowHalfOpen?: boolean;
}

type FrameOf<K extends SeenFrame["kind"]> = Extract<SeenFrame, { kind: K }>;
type Closing = { readonly closeCode: number; readonly reason: string };

const patienceMs = 4_000;

/**
 * A client that speaks the protocol and nothing else: it decides nothing, repeats nothing and waits for nothing by
 * itself. Every frame is judged by its `copy`; what breaks a rule makes all that is awaited fail.
 */
export class WireClient {
  readonly clientId: string;
  readonly secret: string;
  readonly copy = new ClientCopy();
  /** Every frame since the last `open` or `forget` as it came, heartbeats left out. */
  raws: (string | Uint8Array)[] = [];
  /** How the socket was closed; undefined while it is open. */
  closing: Closing | undefined;
  violation: Error | undefined;
  nextId = 1;
  /** How often the room has asked whether it is there. */
  asked = 0;
  /** Bytes of frames received and not acknowledged. */
  owedBytes = 0;
  readonly #url: string;
  readonly #options: WireOptions;
  readonly #listeners = new Set<() => void>();
  /** From the first welcome. */
  #knownSince: number | null = null;
  #socket: WebSocket | undefined;
  #frames: SeenFrame[] = [];
  /** How many of those a test has taken. */
  #taken = 0;
  #owedFrames = 0;
  #pongs = 0;

  constructor(url: string, options: WireOptions = {}) {
    this.#url = url;
    this.#options = options;
    const { name, secret = name === undefined ? crypto.randomUUID() : secretOf(name) } = options;
    this.secret = secret;
    this.clientId = clientIdOf(secret);
  }

  /** The hello that this client would say now. */
  hello(changes: Partial<Hello> = {}): Hello {
    const { epoch, rev, confirmed, welcome } = this.copy;
    const { token } = this.#options;
    const knownSince = (this.#knownSince ??= welcome?.knownSince ?? null);
    return {
      secret: this.secret,
      schema: 3,
      epoch,
      rev,
      confirmed,
      knownSince,
      ...(token !== undefined && { token }),
      ...changes,
    };
  }

  /** Connects, and answers the 101 once it is there. Frames come afterwards, or a close. */
  async open(hello: Partial<Hello> = {}): Promise<Response> {
    const response = await exports.default.fetch(this.request(hello));
    await this.take(response);
    return response;
  }

  /** What `open` asks. */
  request(hello: Partial<Hello> = {}): Request {
    const protocols = `${subprotocol}, ${encodeHello(this.hello(hello))}`;
    const headers = { ...this.#options.headers, Upgrade: "websocket", "Sec-WebSocket-Protocol": protocols };
    return new Request(this.#url, { headers });
  }

  /** Listens to the socket of an answer from now on. */
  async take(response: Response): Promise<void> {
    const socket = response.webSocket;
    if (socket === null) throw new Error(`no socket but ${response.status}: ${await response.text()}`);
    this.copy.reconnect();
    this.raws = [];
    this.#frames = [];
    this.#taken = 0;
    this.owedBytes = 0;
    this.#owedFrames = 0;
    this.closing = undefined;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#socket === socket && this.#hear(data));
    socket.addEventListener(
      "close",
      ({ code, reason }) => this.#socket === socket && this.#closed(code, reason),
    );
    socket.accept({ allowHalfOpen: this.#options.allowHalfOpen ?? false });
  }

  // ── up ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends new calls in one frame, and answers the id of the first. */
  push(...calls: readonly Call[]): number {
    const first = this.nextId;
    this.nextId += calls.length;
    this.#push(first, calls, this.copy.confirmed);
    return first;
  }

  /** Sends calls again, as a client does that has heard nothing of the one with the id `first`. */
  pushAt(first: number, ...calls: readonly Call[]): void {
    this.#push(first, calls, Math.min(first - 1, this.copy.confirmed));
  }

  #push(first: number, calls: readonly Call[], confirmed: number): void {
    const wire = calls.map(
      ([type, payload, baseRev = this.copy.rev]) => [baseRev, type, payload] as WireCall,
    );
    this.send({ kind: "push", first, calls: wire, confirmed });
  }

  setPresence(presence: unknown): void {
    this.send({ kind: "presence", presence } as UpFrame);
  }

  sendEvent(event: string, payload: unknown): void {
    this.send({ kind: "event", event, payload } as UpFrame);
  }

  /** By default, acknowledges all that has come and was not acknowledged. */
  ack(bytes: number = this.owedBytes): void {
    this.owedBytes -= bytes;
    this.#owedFrames = 0;
    this.send({ kind: "ack", bytes });
  }

  resync(tag: number, position: { epoch?: string; rev?: number } = {}): void {
    const { epoch, rev, confirmed } = this.copy;
    this.send({ kind: "resync", tag, epoch, rev, confirmed, ...position });
  }

  send(frame: UpFrame): void {
    this.sendRaw(JSON.stringify(frame));
  }

  sendRaw(data: string | ArrayBuffer | Uint8Array): void {
    if (this.#socket === undefined) throw new Error("no socket");
    this.#socket.send(data);
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** Goes away without waiting for anything. */
  cut(): void {
    this.leave(1000, "cut");
  }

  /** The same, with a code and a reason of one's own. */
  leave(closeCode: number, reason: string): void {
    this.#socket?.close(closeCode, reason);
    this.#socket = undefined;
  }

  // ── down ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next frame that was not taken yet; it has to be of this kind. */
  async next<K extends SeenFrame["kind"]>(kind: K): Promise<FrameOf<K>> {
    await this.#wait(() => this.#taken < this.#frames.length, `a frame ${kind}`);
    const frame = this.#frames[this.#taken++] as SeenFrame;
    if (frame.kind !== kind)
      throw new Error(`${this.clientId} awaited ${kind} and got ${JSON.stringify(frame)}`);
    return frame as FrameOf<K>;
  }

  /** The frames that came since the last one taken, all taken now. */
  rest(): SeenFrame[] {
    const rest = this.#frames.slice(this.#taken);
    this.#taken = this.#frames.length;
    return rest;
  }

  /** Waits until the copy is as claimed, and takes all frames up to then. */
  async until(claim: (copy: ClientCopy) => boolean, what: string = claim.toString()): Promise<void> {
    await this.#wait(() => claim(this.copy), what);
    this.rest();
  }

  /** Waits for the welcome and the catch-up; answers the update that ends it. */
  async caughtUp(): Promise<FrameOf<"update">> {
    await this.#wait(() => this.#frames.some(({ kind }) => kind === "peers"), "a peers");
    const updates = this.rest().filter((frame) => frame.kind === "update");
    return updates.findLast(({ tag }) => tag !== undefined) as FrameOf<"update">;
  }

  /** Every frame since the last `open` or `forget`. */
  get frames(): readonly SeenFrame[] {
    return this.#frames;
  }

  /** Every frame since the last `open` or `forget`, as text in which nothing that was said is left out. */
  get heard(): string {
    return this.#frames.map((frame) => JSON.stringify(frame)).join("\n");
  }

  /** Forgets what has come up to now. */
  forget(): void {
    this.raws = [];
    this.#frames = [];
    this.#taken = 0;
  }

  /** Kinds of the frames since the last `open` or `forget`. */
  get kinds(): string[] {
    return this.#frames.map(({ kind }) => kind);
  }

  /** Pushes and waits until each call is answered; answers the outcomes. */
  async commit(...calls: readonly Call[]): Promise<Result[]> {
    const first = this.push(...calls);
    return await this.outcomesOf(first, calls.length);
  }

  /** Waits for the outcomes of `count` calls from `first` on. */
  async outcomesOf(first: number, count = 1): Promise<Result[]> {
    const ids = Array.from({ length: count }, (_, index) => first + index);
    await this.until(({ outcomes }) => ids.every((id) => outcomes.has(id)), `outcomes of ${ids.join()}`);
    return ids.map((id) => this.copy.outcomes.get(id) as Result);
  }

  /** What the room has to say until it answers a frame that cannot be read; that answer is left out. */
  async quiet(): Promise<SeenFrame[]> {
    const before = this.#frames.length;
    this.sendRaw("nonsense");
    const isAnswer = (frame: SeenFrame) =>
      frame.kind === "error" && frame.message === "a frame is one JSON object";
    await this.#wait(() => this.#frames.slice(before).some(isAnswer), "an answer to nonsense");
    return this.rest().filter((frame) => !isAnswer(frame));
  }

  async ping(): Promise<void> {
    const before = this.#pongs;
    this.sendRaw(pingText);
    await this.#wait(() => this.#pongs > before, "a pong");
  }

  async closed(): Promise<Closing> {
    await this.#wait(() => this.closing !== undefined, "a close");
    return this.closing as Closing;
  }

  #hear(data: unknown): void {
    if (data === pongText) this.#pongs += 1;
    else if (data === pingText) this.#asked();
    else this.#hearFrame(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    for (const listener of this.#listeners) listener();
  }

  #asked(): void {
    this.asked += 1;
    if (this.#options.answers ?? true) this.sendRaw(pingText);
  }

  #hearFrame(raw: string | Uint8Array): void {
    this.raws.push(raw);
    this.owedBytes += frameBytes(raw);
    this.#owedFrames += 1;
    try {
      this.#frames.push(this.copy.take(readFrame(raw)));
    } catch (error) {
      this.violation ??= new Error(`${this.clientId} got ${String(raw).slice(0, 300)}`, { cause: error });
    }
    if (this.#options.acks ?? true) this.#ackInTime();
  }

  /** A quarter of what may be unacknowledged is early enough for the room never to hold back. */
  #ackInTime(): void {
    const { maxUnacknowledgedBytes = 0, maxUnacknowledgedFrames = 0 } = this.copy.welcome?.limits ?? {};
    const isTime =
      this.owedBytes > maxUnacknowledgedBytes / 4 || this.#owedFrames > maxUnacknowledgedFrames / 4;
    if (isTime) this.ack();
  }

  #closed(closeCode: number, reason: string): void {
    this.closing = { closeCode, reason };
    this.#socket = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** Looks again at everything that comes. */
  async #wait(isDone: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const newest = () => String(this.raws.at(-1) ?? "nothing").slice(0, 300);
    const look = () => {
      if (this.violation !== undefined) reject(this.violation);
      else if (isDone()) resolve();
      else if (this.closing !== undefined)
        reject(new Error(`${this.clientId} was closed: ${JSON.stringify(this.closing)}`));
    };
    const timer = setTimeout(
      () => reject(new Error(`${this.clientId} waited for ${what}; newest was ${newest()}`)),
      patienceMs,
    );
    this.#listeners.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
    }
  }
}
