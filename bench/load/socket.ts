import { once } from "node:events";
import { WebSocket, type ClientOptions, type RawData } from "ws";

/** A frame of the room may be of any size. */
const maxPayload = 2 ** 30;

/**
 * The one WebSocket that every session of every system uses, the peers' own client libraries included, so that bytes
 * are counted alike: those of the messages, up and down, without the frame's header. No compression, and the text that
 * a server on the same machine sends is not checked for UTF-8.
 */
export class MeteredSocket extends WebSocket {
  upBytes = 0;
  downBytes = 0;
  upMessages = 0;
  downMessages = 0;

  constructor(url: string | URL, protocols?: string | string[] | object) {
    const offered = typeof protocols === "string" || Array.isArray(protocols) ? protocols : [];
    const options: ClientOptions = { perMessageDeflate: false, maxPayload, skipUTF8Validation: true };
    super(url, offered, options);
    this.on("message", (data: RawData) => {
      this.downMessages += 1;
      this.downBytes += lengthOf(data);
    });
    everySocket.add(this);
    // A socket that fails closes next; whoever opened it looks at that.
    this.on("error", () => {});
  }

  override send(data: string | Uint8Array | ArrayBuffer, ...rest: never[]): void {
    this.upMessages += 1;
    this.upBytes += typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
    super.send(data, ...rest);
  }
}

/** A socket whose client library cannot but close it politely: it is cut, as a network does, and at once. */
export class CuttableSocket extends MeteredSocket {
  override close(): void {
    this.terminate();
  }
}

/** Every socket ever opened by this process. */
const everySocket = new Set<MeteredSocket>();

/** What went by in all sockets of this process so far. */
export interface Traffic {
  readonly upBytes: number;
  readonly downBytes: number;
  readonly upMessages: number;
  readonly downMessages: number;
}

export function readTraffic(sockets: Iterable<MeteredSocket> = everySocket): Traffic {
  const total = { upBytes: 0, downBytes: 0, upMessages: 0, downMessages: 0 };
  for (const socket of sockets) {
    total.upBytes += socket.upBytes;
    total.downBytes += socket.downBytes;
    total.upMessages += socket.upMessages;
    total.downMessages += socket.downMessages;
  }
  return total;
}

/** A message's bytes as one buffer; `ws` hands them over in pieces only when it is asked to. */
export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function lengthOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, { length }) => sum + length, 0) : data.byteLength;
}

/** Resolves once a socket is open; rejects when it closes first. */
export async function opened(socket: MeteredSocket): Promise<void> {
  await Promise.race([
    once(socket, "open"),
    once(socket, "close").then(([code]) => {
      throw new Error(`a session was closed at once: ${String(code)}`);
    }),
  ]);
}
