import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A frame of the WebSocket protocol, in good order or not. */
export interface RawFrame {
  /** 1 text, 2 bytes, 0 continuation, 8 close, 9 ping, 10 pong. */
  readonly opcode: number;
  readonly payload: Uint8Array;
  /** Whether it is the last of its message; true when not said otherwise. */
  readonly fin?: boolean;
  /** The three reserved bits, 0 when not said otherwise. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  /** What it says of its length, where that is not so. */
  readonly claimedLength?: bigint;
}

/** A message of the server: text, bytes, or the close code. */
export type Heard =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  | { readonly kind: "pong" };

const pollMs = 5;

/** The bytes of a frame. */
export function encodeFrame(frame: RawFrame): Buffer {
  const { opcode, payload, fin = true, reserved = 0, isMasked = true, claimedLength } = frame;
  const length = claimedLength ?? BigInt(payload.length);
  const long = length > 0xffffn ? 127 : length > 125n ? 126 : Number(length);
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode, (isMasked ? 0x80 : 0) | long];
  const extended = Buffer.alloc(long === 127 ? 8 : long === 126 ? 2 : 0);
  if (long === 127) extended.writeBigUInt64BE(length);
  if (long === 126) extended.writeUInt16BE(Number(length));
  if (!isMasked) return Buffer.concat([Buffer.from(head), extended, payload]);
  const mask = randomBytes(4);
  const masked = payload.map((byte, index) => byte ^ mask.readUInt8(index % 4));
  return Buffer.concat([Buffer.from(head), extended, mask, masked]);
}

/** A TCP connection to a server of this machine, over which anything at all can be said. */
export class RawSocket {
  readonly socket: Socket;
  /** Everything that has come. */
  received: Buffer = Buffer.alloc(0);
  isEnded = false;
  #read = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (data: Buffer) => (this.received = Buffer.concat([this.received, data])));
    socket.on("error", () => (this.isEnded = true)); // reset, as it may be
    socket.on("close", () => (this.isEnded = true));
    socket.on("end", () => (this.isEnded = true));
  }

  static async connect(url: string): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new RawSocket(socket);
  }

  /** Connects, and becomes a WebSocket with the hello. Throws when that is refused. */
  static async upgrade(url: string, hello: object): Promise<RawSocket> {
    const raw = await RawSocket.connect(url);
    raw.write(upgradeRequest(url, hello));
    const head = await raw.untilHead();
    if (!head.startsWith("HTTP/1.1 101")) throw new Error(`the upgrade was answered ${head}`);
    raw.#read = head.length;
    return raw;
  }

  write(data: string | Uint8Array): void {
    if (!this.isEnded) this.socket.write(data);
  }

  send(frame: RawFrame): void {
    this.write(encodeFrame(frame));
  }

  end(): void {
    this.socket.destroy();
  }

  /** The head of the answer, up to the empty line; what there is when the server has hung up, or `ms` are over. */
  async untilHead(ms = 5_000): Promise<string> {
    const deadline = Date.now() + ms;
    while (!this.received.includes("\r\n\r\n") && !this.isEnded && Date.now() < deadline) await sleep(pollMs);
    const end = this.received.indexOf("\r\n\r\n");
    return this.received.subarray(0, end === -1 ? this.received.length : end + 4).toString("latin1");
  }

  /** The messages that have come whole since the last time. */
  take(): Heard[] {
    const heard: Heard[] = [];
    for (;;) {
      const message = this.#next();
      if (message === undefined) return heard;
      heard.push(message);
    }
  }

  /** The messages up to one that `isLast`, or until the server has hung up. Throws when neither comes. */
  async until(isLast: (message: Heard) => boolean, ms = 5_000): Promise<Heard[]> {
    const heard: Heard[] = [];
    const deadline = Date.now() + ms;
    for (;;) {
      const isEnded = this.isEnded; // what came before it is here by now
      const more = this.take();
      heard.push(...more);
      if (isEnded || more.some((message) => isLast(message) || message.kind === "close")) return heard;
      if (Date.now() > deadline) throw new Error(`nothing more came behind ${heard.length} messages`);
      await sleep(pollMs);
    }
  }

  /** The next message, when it is here whole. A server sends no fragments and no masks. */
  #next(): Heard | undefined {
    const data = this.received.subarray(this.#read);
    if (data.length < 2) return undefined;
    const opcode = data.readUInt8(0) & 15;
    let length = data.readUInt8(1) & 127;
    let at = 2;
    if (length === 126) {
      if (data.length < 4) return undefined;
      length = data.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (data.length < 10) return undefined;
      length = Number(data.readBigUInt64BE(2));
      at = 10;
    }
    if (data.length < at + length) return undefined;
    const payload = data.subarray(at, at + length);
    this.#read += at + length;
    if (this.#read > 1_000_000) {
      this.received = this.received.subarray(this.#read);
      this.#read = 0;
    }
    if (opcode === 1) return { kind: "text", text: payload.toString("utf8") };
    if (opcode === 8) {
      const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      return { kind: "close", code, reason: payload.subarray(2).toString("utf8") };
    }
    return opcode === 2 ? { kind: "bytes", bytes: new Uint8Array(payload) } : { kind: "pong" };
  }
}

/** The request by which a client becomes a WebSocket, with other headers in place of some. */
export function upgradeRequest(url: string, hello: object, headers: Record<string, string> = {}): string {
  const { host, pathname } = new URL(url);
  const encoded = Buffer.from(JSON.stringify(hello)).toString("base64url");
  const all = {
    Host: host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Protocol": `deltaroom.v1, hello.${encoded}`,
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== "");
  return `GET ${pathname} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}
