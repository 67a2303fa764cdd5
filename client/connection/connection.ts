import { TokenBucket } from "../../src/model/token-bucket.ts";
import { isOfToken, isRefusal, willPass } from "../../src/protocol/closing.ts";
import { pingText, pongText, subprotocol } from "../../src/protocol/version.ts";
import { Backoff } from "./backoff.ts";
import { isOffline, type Runtime } from "../platform.ts";
import type { ConnectionEvents, Status } from "./connection-events.ts";
import type { Transport, TransportEvent, TransportSocket } from "./transport.ts";

/** A token that has not come by then is waited for no longer. */
const tokenTimeoutMs = 10_000;
/** A socket that has not opened by then is given up. */
const openTimeoutMs = 10_000;
/** How often the connection looks at itself. */
const checkMs = 5_000;
/** How often it says that it is there, whatever else it hears and sends: the room looks for who has gone without a word. */
const pingMs = 10_000;
/** Looks without an answer after which it believes that nobody is there. Looks and not time, of which a sleeping page loses any. */
const maxUnanswered = 2;

/** How long no attempt has come to anything before the app is told: longer than a change of networks or a deploy takes. */
const outageMs = 5_000;
/**
 * Connections after which the next one may come at once or nearly so, and how many of them a second. A room that takes the client in
 * and puts it out again would have it back without a pause otherwise.
 */
const freshStartsBurst = 20;
const freshStartsPerSecond = 1 / 60;
/** Names of errors that the same page will meet each time: no such scheme, mixed content, no `WebSocket`. */
const lasting: ReadonlySet<unknown> = new Set(["SyntaxError", "SecurityError", "NotSupportedError"]);

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
  readonly #hiddenMs: number | false | undefined;
  readonly #backoff: Backoff;
  readonly #freshStarts = new TokenBucket(freshStartsPerSecond, freshStartsBurst);
  readonly #stopWatching: () => void;
  #status: Status = "connecting";
  #socket: TransportSocket | undefined;
  /** Told apart so that what an abandoned attempt still says is not heard. */
  #attempt = 0;
  #cancelTimer: () => void = () => {};
  #cancelRest: () => void = () => {};
  #pingedAt = 0;
  /** How often it has looked since a ping to which nothing has been heard; 0 when there is none. */
  #unanswered = 0;
  #isWanted = true;
  /** It has been hidden for so long that it went away, until it is looked at. */
  #isResting = false;
  /** The page has stopped. Until it runs again, no socket is opened, so that the room sees the client leave. */
  #isSuspended = false;
  /** The token was good once, so that a refusal may mean no more than that it has expired. */
  #wasOnline = false;
  /** The token that was used last is no good any more: another one is asked for, until one has been good. */
  #isTokenSpent = false;
  #refusal: string | undefined;
  /** When the first attempt has failed since the client was online; Infinity once the app has been told. */
  #outageAt: number | undefined;

  /** `hiddenMs`: how long a page is hidden before it disconnects. */
  constructor(
    url: string,
    transport: Transport,
    runtime: Runtime,
    hiddenMs: number | false | undefined,
    events: ConnectionEvents,
  ) {
    this.#url = url;
    this.#transport = transport;
    this.#runtime = runtime;
    this.#hiddenMs = hiddenMs;
    this.#events = events;
    this.#backoff = new Backoff(runtime.random);
    this.#stopWatching = runtime.onPage({
      wake: (isVisible = true) => this.#wake(isVisible),
      hide: () => this.#hide(),
      suspend: () => this.#suspend(),
      resume: (isVisible) => this.#resume(isVisible),
    });
    this.restart(true);
  }

  get status(): Status {
    return this.#status;
  }

  /** Why it is `closed`. */
  get closeReason(): string | undefined {
    return this.#status === "closed" ? this.#refusal : undefined;
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
    if (this.#mayStartFresh) this.#backoff.reset();
    this.#outageAt = undefined;
    this.#wasOnline = true;
    this.#isTokenSpent = false;
    this.#become("online");
  }

  /** Gives up the socket and tries again, at once or as the backoff has it. */
  restart(atOnce: boolean): void {
    this.#abandon();
    if (!this.#isWanted) return;
    if (this.#isSuspended) return this.#become("offline");
    if (atOnce) return void this.#open();
    this.#cancelTimer = this.#runtime.startTimer(() => void this.#open(), this.#backoff.nextMs());
    this.#become("offline");
  }

  /** Stays away until `connect`. `closed` is for good, as far as the app is told. */
  disconnect(status: "offline" | "closed", reason?: string, isResting = false): void {
    this.#isWanted = false;
    this.#isResting = isResting;
    this.#refusal = reason;
    this.#abandon();
    this.#become(status);
  }

  /** Stays away for good, for what the room has said or is taken to have said. */
  refuse(refusal: string): void {
    this.disconnect("closed", refusal);
    this.#events.refused(refusal, false);
  }

  /** Connects, and waits no longer when it was going to. */
  connect(): void {
    if (this.#isWanted && this.#status !== "offline") return;
    this.#isWanted = true;
    this.#isResting = false;
    this.#backoff.reset();
    this.restart(true);
  }

  /** Something wants to be sent: a hidden page comes back for it. */
  stir(): void {
    if (!this.#isResting) return;
    this.connect();
    this.#hide();
  }

  dispose(): void {
    this.#cancelRest();
    this.disconnect("closed", "closed");
    this.#stopWatching();
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const isCurrent = () => attempt === this.#attempt;
    const fail = (cause: unknown) => {
      if (!isCurrent()) return;
      this.restart(false);
      this.#events.refused("unauthorized", true, cause);
    };
    const late = () => fail(new Error(`token() has not answered for ${tokenTimeoutMs} ms`));
    this.#cancelTimer = this.#runtime.startTimer(late, tokenTimeoutMs);
    this.#become("connecting");
    if (!isCurrent()) return;
    let hello: string;
    try {
      hello = await this.#events.hello(this.#isTokenSpent);
    } catch (error) {
      return fail(error);
    }
    if (!isCurrent()) return;
    this.#cancelTimer();
    let socket: TransportSocket;
    try {
      socket = this.#transport(this.#url, [subprotocol, hello]);
    } catch (error) {
      return this.#failed(error);
    }
    this.#cancelTimer = this.#runtime.startTimer(() => this.#failed(), openTimeoutMs);
    this.#socket = socket;
    socket.addEventListener("open", () => isCurrent() && this.#opened());
    socket.addEventListener("message", ({ data }) => isCurrent() && this.#heard(data));
    socket.addEventListener("error", () => isCurrent() && this.#failed());
    socket.addEventListener("close", (event) => isCurrent() && this.#closed(event));
  }

  /** An attempt, or the connection, has ended without a word from the room. `cause`: what the transport has thrown. */
  #failed(cause?: unknown, atOnce = false): void {
    if (lasting.has((cause as Error | undefined)?.name)) {
      this.disconnect("closed", "unsupported");
      return this.#events.unreachable(true, cause);
    }
    this.restart(atOnce);
    // While the browser itself knows of no network, the status says it all.
    if (isOffline()) return void (this.#outageAt = undefined);
    const now = this.#runtime.now();
    this.#outageAt ??= now;
    if (now - this.#outageAt < outageMs) return;
    this.#outageAt = Infinity;
    this.#events.unreachable(false, cause);
  }

  get #mayStartFresh(): boolean {
    return this.#freshStarts.take(this.#runtime.now()) === 0;
  }

  #opened(): void {
    this.#cancelTimer();
    this.#pingedAt = this.#runtime.now();
    this.#unanswered = 0;
    this.#cancelTimer = this.#runtime.startTimer(() => this.#check(), checkMs);
  }

  #heard(data: unknown): void {
    this.#unanswered = 0;
    if (data === pingText) this.#ask();
    else if (data !== pongText) this.#events.message(data);
  }

  #check(): void {
    const now = this.#runtime.now();
    if (this.#unanswered > 0) this.#unanswered += 1;
    // A socket may open and bring no state, again and again. Each is an attempt that has failed.
    if (this.#unanswered > maxUnanswered || this.#events.isStuck(now)) return this.#failed(undefined, true);
    if (Math.abs(now - this.#pingedAt) >= pingMs) this.#ask();
    this.#cancelTimer = this.#runtime.startTimer(() => this.#check(), checkMs);
  }

  #closed({ code = 1006, reason = "" }: TransportEvent): void {
    this.#socket = undefined;
    if (!isRefusal(code)) return this.#failed();
    const refusal = reason || String(code);
    const isSpent = isOfToken(code);
    this.#isTokenSpent ||= isSpent;
    if (isSpent && this.#wasOnline) {
      // It has expired: another one is asked for at once, but not again and again.
      this.#wasOnline = false;
      return this.restart(this.#mayStartFresh);
    }
    if (!willPass(code)) return this.refuse(refusal);
    this.restart(false);
    this.#events.refused(refusal, true);
  }

  /** There is a network again, or somebody who looks: no reason to wait any longer. */
  #wake(isVisible: boolean): void {
    if (isVisible) {
      this.#cancelRest();
      if (this.#isResting) return this.connect();
    }
    if (!this.#isWanted) return;
    if (this.#status === "offline") this.restart(true);
    else if (this.#socket !== undefined) this.#ask();
  }

  #suspend(): void {
    if (this.#isSuspended) return;
    this.#events.leaving();
    this.#isSuspended = true;
    this.#cancelRest();
    this.restart(false);
  }

  #resume(isVisible: boolean): void {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    if (!isVisible) this.#hide();
    this.#wake(isVisible);
  }

  /** Nobody looks. */
  #hide(): void {
    this.#cancelRest();
    if (typeof this.#hiddenMs === "number")
      this.#cancelRest = this.#runtime.startTimer(() => this.#rest(), this.#hiddenMs);
  }

  #rest(): void {
    if (!this.#isWanted) return;
    if (this.#events.isBusy()) return this.#hide();
    this.disconnect("offline", undefined, true);
  }

  #ask(): void {
    this.#pingedAt = this.#runtime.now();
    this.#unanswered ||= 1;
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
