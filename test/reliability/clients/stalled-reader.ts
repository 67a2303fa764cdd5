import { randomBytes } from "node:crypto";
import { frameBytes } from "../../../src/protocol/codec.ts";
import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import { encodeHello } from "../../../src/protocol/handshake/hello-text.ts";
import { pingText, pongText, subprotocol } from "../../../src/protocol/version.ts";
import { readFrame, type ReadFrame } from "../../support/frames/decoded-frames.ts";
import { ClientCopy } from "../../support/clients/client-copy.ts";
import type { Exchange, Line } from "./tcp-proxy.ts";
import { comesTrue } from "../support/wait-until.ts";

const openTimeoutMs = 5_000;
const pingMs = 10_000;

/** A client that is there, pings, and reads nothing from when it is told to until it is told to go on. */
export class StalledReader {
  /** Kinds of the frames that have come since it was told to read again. */
  kinds: ReadFrame["kind"][] = [];
  readonly copy = new ClientCopy();
  readonly #socket: WebSocket;
  readonly #line: () => Line | undefined;
  readonly #pinging: NodeJS.Timeout;
  #owedBytes = 0;

  private constructor(socket: WebSocket, line: () => Line | undefined) {
    this.#socket = socket;
    this.#line = line;
    this.#pinging = setInterval(() => this.#send(pingText), pingMs);
    socket.addEventListener("message", ({ data }) => this.#hear(data));
  }

  /** Comes to the room at `path`, reads what there is, and then nothing more. */
  static async open(exchange: Exchange, path: string): Promise<StalledReader> {
    const secret = randomBytes(18).toString("base64url");
    const clientId = clientIdOf(secret);
    const hello = encodeHello({ secret, schema: 1, epoch: null, rev: 0, confirmed: 0, knownSince: null });
    const socket = new WebSocket(`${exchange.url.replace("http", "ws")}${path}`, [subprotocol, hello]);
    socket.binaryType = "arraybuffer";
    const reader = new StalledReader(socket, () => exchange.lines.find((line) => line.clientId === clientId));
    if (!(await comesTrue(() => reader.kinds.includes("peers"), openTimeoutMs)))
      throw new Error("a reader was not caught up");
    reader.#acknowledge();
    reader.#line()?.stall();
    reader.kinds = [];
    return reader;
  }

  /** Reads again, and acknowledges once when it has read all that was on its way. */
  async read(): Promise<void> {
    this.#line()?.unstall();
    let read: number;
    do {
      read = this.#owedBytes;
      await comesTrue(() => this.#owedBytes > read, 500);
    } while (this.#owedBytes > read);
    this.kinds = [];
    this.#acknowledge();
  }

  /** Whether the room's close has come; the code is told when TCP has ended too, which may take long. */
  get isClosed(): boolean {
    return this.#socket.readyState >= WebSocket.CLOSING;
  }

  close(): void {
    clearInterval(this.#pinging);
    this.#line()?.cut();
  }

  #acknowledge(): void {
    this.#send(JSON.stringify({ kind: "ack", bytes: this.#owedBytes }));
    this.#owedBytes = 0;
  }

  #hear(data: unknown): void {
    if (data === pongText || data === pingText) return;
    const raw = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
    const frame = readFrame(raw);
    this.#owedBytes += frameBytes(raw);
    this.kinds.push(frame.kind);
    this.copy.take(frame);
  }

  #send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }
}
