import { isRefusal, willPass } from "../src/protocol/closing.ts";
import { pingText, pongText, subprotocol } from "../src/protocol/version.ts";
import { Backoff } from "./backoff.ts";
import type { Runtime } from "./platform.ts";
import type { Transport, TransportEvent, TransportSocket } from "./transport.ts";

/** `connecting`: on the way. `online`: up to date. `offline`: will try again. `closed`: will not, unless told to. */
export type Status = "connecting" | "online" | "offline" | "closed";

export interface ConnectionEvents {
  /** The hello for the next attempt, as a subprotocol. */
  readonly hello: () => Promise<string>;
  readonly message: (data: unknown) => void;
  readonly status: (status: Status) => void;
  /** The room, or the way to it, refused this client. */
  readonly refused: (code: string, willRetry: boolean) => void;
  /** Whether something that was sent has waited too long for its answer. */
  readonly isStuck: (now: number) => boolean;
}

/** An attempt that has not opened by then is given up. */
const openTimeoutMs = 10_000;
/** How often the connection looks at itself. */
const checkMs = 5_000;
/** Silence after which it asks, and silence after which it believes that nobody is there. */
const quietMs = 15_000;
const deadMs = 25_000;

/**
 * Keeps one socket open to a room. Frames are somebody else's: this knows opening, closing, waiting and silence.
 * A reconnecting-socket library would queue messages and hide the attempt, while here each attempt needs a new
 * hello and what is unanswered is sent again by its id.
 */
export class Connection {
  readonly #url: string;
  readonly #transport: Transport;
  readonly #runtime: Runtime;
  readonly #events: ConnectionEvents;
  readonly #backoff: Backoff;
  readonly #stopWaking: () => void;
  #status: Status = "connecting";
  #socket: TransportSocket | undefined;
  /** Told apart so that what an abandoned attempt still says is not heard. */
  #attempt = 0;
  #cancelTimer: () => void = () => {};
  #heardAt = 0;
  /** A ping was sent, and nothing has been heard since. */
  #isAsking = false;
  #isWanted = true;

  constructor(url: string, transport: Transport, runtime: Runtime, events: ConnectionEvents) {
    this.#url = url;
    this.#transport = transport;
    this.#runtime = runtime;
    this.#events = events;
    this.#backoff = new Backoff(runtime.random);
    this.#stopWaking = runtime.onWake(() => this.#wake());
    void this.#open();
  }

  get status(): Status {
    return this.#status;
  }

  get hasSocket(): boolean {
    return this.#socket !== undefined;
  }

  /** False when there is no open socket. */
  send(frame: string | Uint8Array): boolean {
    if (this.#socket === undefined) return false;
    try {
      this.#socket.send(frame);
      return true;
    } catch {
      return false; // it is closing: its close event is on the way
    }
  }

  /** The client has caught up: from now on it is online. */
  markOnline(): void {
    this.#backoff.reset();
    this.#become("online");
  }

  /** Gives up the socket and tries again, at once or as the backoff has it. */
  restart(atOnce: boolean): void {
    this.#abandon();
    if (!this.#isWanted) return;
    if (atOnce) return void this.#open();
    this.#cancelTimer = this.#runtime.startTimer(() => void this.#open(), this.#backoff.nextMs());
    this.#become("offline");
  }

  /** Stays away until `connect`. `closed` is for good, as far as the app is told. */
  disconnect(status: "offline" | "closed"): void {
    this.#isWanted = false;
    this.#abandon();
    this.#become(status);
  }

  /** Connects, and waits no longer when it was going to. */
  connect(): void {
    if (this.#isWanted && this.#status !== "offline") return;
    this.#isWanted = true;
    this.#backoff.reset();
    this.restart(true);
  }

  dispose(): void {
    this.disconnect("closed");
    this.#stopWaking();
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const isCurrent = () => attempt === this.#attempt;
    this.#cancelTimer = this.#runtime.startTimer(() => this.restart(false), openTimeoutMs);
    this.#become("connecting");
    if (!isCurrent()) return;
    let socket: TransportSocket;
    try {
      const hello = await this.#events.hello();
      if (!isCurrent()) return;
      socket = this.#transport(this.#url, [subprotocol, hello]);
    } catch {
      if (isCurrent()) this.restart(false);
      return;
    }
    this.#socket = socket;
    socket.addEventListener("open", () => isCurrent() && this.#opened());
    socket.addEventListener("message", ({ data }) => isCurrent() && this.#heard(data));
    socket.addEventListener("error", () => isCurrent() && this.restart(false));
    socket.addEventListener("close", (event) => isCurrent() && this.#closed(event));
  }

  #opened(): void {
    this.#cancelTimer();
    this.#heardAt = this.#runtime.now();
    this.#isAsking = false;
    this.#cancelTimer = this.#runtime.startTimer(() => this.#check(), checkMs);
  }

  #heard(data: unknown): void {
    this.#heardAt = this.#runtime.now();
    this.#isAsking = false;
    if (data !== pongText) this.#events.message(data);
  }

  #check(): void {
    const now = this.#runtime.now();
    // Of a clock that was set back: silence is counted from now on.
    if (now < this.#heardAt) this.#heardAt = now;
    const silentMs = now - this.#heardAt;
    // A timer that comes late, as in a hidden tab, says nothing of the other end: silence counts once it was asked.
    const isDead = this.#isAsking && silentMs > deadMs;
    if (isDead || this.#events.isStuck(now)) return this.restart(true);
    if (silentMs > quietMs) this.#ask();
    this.#cancelTimer = this.#runtime.startTimer(() => this.#check(), checkMs);
  }

  #closed({ code = 1006, reason = "" }: TransportEvent): void {
    this.#socket = undefined;
    if (!isRefusal(code)) return this.restart(false);
    const willRetry = willPass(code);
    if (willRetry) this.restart(false);
    else this.disconnect("closed");
    this.#events.refused(reason || String(code), willRetry);
  }

  /** There is a network again, or somebody who looks: no reason to wait any longer. */
  #wake(): void {
    if (!this.#isWanted) return;
    if (this.#status === "offline") this.restart(true);
    else if (this.#socket !== undefined && this.#runtime.now() - this.#heardAt > quietMs) this.#ask();
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.send(pingText);
  }

  #abandon(): void {
    this.#attempt += 1;
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = undefined;
    try {
      socket?.close(1000, "");
    } catch {
      // not open yet in some runtimes; it will not be listened to
    }
  }

  /** Comes last in whatever calls it: who is told of a status may connect, disconnect or close at once. */
  #become(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#events.status(status);
  }
}
