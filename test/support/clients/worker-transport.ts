import { exports } from "cloudflare:workers";
import type { Transport, TransportEvent, TransportSocket } from "../../../client/index.ts";
import { decodeDown, decodeUp } from "../../../src/protocol/codec.ts";
import type { DownFrame, UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { decodeHello, type Hello } from "../../../src/protocol/handshake/hello.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { pingText, pongText } from "../../../src/protocol/version.ts";
import { testBoard } from "../boards/test-board.ts";

const names = nameTable(testBoard);

type EventType = "open" | "message" | "close" | "error";
export type Direction = "up" | "down";

/** The way between one client and the test Worker, for a test to break. Every socket of the client goes over it. */
export class Link {
  /** One hello for each attempt to connect. */
  readonly hellos: (Hello | undefined)[] = [];
  /** Frames that the client has sent, arrived or not; heartbeats are no frames. */
  readonly up: UpFrame[] = [];
  /** Frames that the room has sent, arrived or not. */
  readonly down: DownFrame[] = [];
  /** Frames down for which this is true never arrive. */
  loses: (frame: DownFrame) => boolean = () => false;
  /** Every frame takes so long, either way. */
  delayMs = 0;
  #isCut = false;
  readonly #held: Record<Direction, (() => void)[] | undefined> = { up: undefined, down: undefined };
  readonly #sockets = new Set<LinkSocket>();

  readonly transport: Transport = (url, protocols) => {
    this.hellos.push(decodeHello(protocols));
    const socket = new LinkSocket(this, url.replace(/^ws/, "http"), protocols, this.#isCut);
    this.#sockets.add(socket);
    return socket;
  };

  /** Every call that went up, each time that it did. */
  get calls(): { readonly clientReqId: number; readonly type: string; readonly payload: unknown }[] {
    return this.up.flatMap((frame) => {
      if (frame.kind !== "push") return [];
      return frame.calls.map(([, type, payload], index) => ({
        clientReqId: frame.first + index,
        type,
        payload,
      }));
    });
  }

  /** Breaks the connection; both ends notice. Until `mend`, nothing connects. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.break(true);
  }

  /** As `cut`, but the room is not told: its session lives on. */
  cutUnnoticed(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.break(false);
  }

  mend(): void {
    this.#isCut = false;
  }

  /** From now on what goes in this direction waits, in order. */
  hold(direction: Direction): void {
    this.#held[direction] ??= [];
  }

  release(direction: Direction): void {
    const held = this.#held[direction] ?? [];
    this.#held[direction] = undefined;
    for (const run of held) run();
  }

  /** Carries one thing over the link, in its own time. */
  carry(direction: Direction, arrive: () => void): void {
    const held = this.#held[direction];
    if (held !== undefined) held.push(arrive);
    else if (this.delayMs > 0) setTimeout(arrive, this.delayMs);
    else arrive();
  }

  /** Has a frame arrive once more, as a network may that repeats what it has carried. */
  repeat(frame: UpFrame): void {
    [...this.#sockets].at(-1)?.repeat(JSON.stringify(frame));
  }

  /** Leaves nothing open. */
  dispose(): void {
    this.cut();
    for (const socket of this.#sockets) socket.dispose();
  }
}

/** A client's end of a socket to the Worker, which workerd opens asynchronously and already open. */
class LinkSocket implements TransportSocket {
  readonly #link: Link;
  readonly #listeners: Record<EventType, ((event: TransportEvent) => void)[]> = {
    open: [],
    message: [],
    close: [],
    error: [],
  };
  #socket: WebSocket | undefined;
  #isOver = false;
  #isDisposed = false;

  constructor(link: Link, url: string, protocols: readonly string[], isCut: boolean) {
    this.#link = link;
    void (isCut ? Promise.resolve().then(() => this.break(true)) : this.#open(url, protocols));
  }

  addEventListener(type: EventType, listener: (event: TransportEvent) => void): void {
    this.#listeners[type].push(listener);
  }

  send(data: string | Uint8Array): void {
    if (this.#socket === undefined || this.#isOver) throw new Error("the socket is not open");
    const socket = this.#socket;
    if (data !== pingText) {
      const decoded = decodeUp(data, Infinity, names);
      if (decoded.kind !== "frame") throw new Error(`the client sends what is none: ${decoded.message}`);
      this.#link.up.push(decoded.frame);
    }
    this.#link.carry("up", () => {
      if (!this.#isOver) socket.send(data);
    });
  }

  repeat(text: string): void {
    this.#socket?.send(text);
  }

  close(code?: number, reason?: string): void {
    if (this.#isOver) return; // of a way that is cut the room is not told
    this.#isOver = true;
    this.#socket?.close(code, reason);
  }

  /** The client is told of a lost connection, and the room too if `bothEnds`. */
  break(bothEnds: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (bothEnds) this.#socket?.close(1000, "cut");
    this.#tell("error", {});
    this.#tell("close", { code: 1006 });
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#socket?.close(1000, "the test is over");
  }

  async #open(url: string, protocols: readonly string[]): Promise<void> {
    const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": protocols.join(", ") };
    const { webSocket } = await exports.default.fetch(new Request(url, { headers }));
    if (webSocket === null) return this.break(false);
    if (this.#isOver) return webSocket.accept();
    this.#socket = webSocket;
    webSocket.binaryType = "arraybuffer";
    webSocket.addEventListener("message", ({ data }) => this.#hear(data));
    webSocket.addEventListener("close", ({ code, reason }) => {
      this.#link.carry("down", () => {
        if (this.#isOver) return;
        this.#isOver = true;
        this.#tell("close", { code, reason });
      });
    });
    this.#tell("open", {});
    webSocket.accept();
    if (this.#isDisposed) webSocket.close(1000, "the test is over");
  }

  #hear(data: unknown): void {
    const frame = data === pongText || data === pingText ? undefined : decodeDown(data);
    if (frame !== undefined) this.#link.down.push(frame);
    if (frame !== undefined && this.#link.loses(frame)) return;
    this.#link.carry("down", () => {
      if (!this.#isOver) this.#tell("message", { data });
    });
  }

  #tell(type: EventType, event: TransportEvent): void {
    for (const listener of this.#listeners[type]) listener(event);
  }
}
