import { openWebSocket } from "../platform.ts";

/** The part of a WebSocket that a connection uses; a browser's, Node's and workerd's all fit. */
export interface TransportSocket {
  /** Sends one message. */
  send(frame: string | Uint8Array): void;
  /** Closes the connection; the `close` event follows. */
  close(code?: number, reason?: string): void;
  /** Calls `listener` at each event of that type; a message's `data` is a string, an ArrayBuffer or a view of one. */
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: TransportEvent) => void,
  ): void;
}

/** What a socket's event may carry. */
export interface TransportEvent {
  /** Of a message: a string, or an ArrayBuffer or view of one. */
  readonly data?: unknown;
  /** Of a close: its code. */
  readonly code?: number;
  /** Of a close: why, which of the room's own is the name of its code. */
  readonly reason?: string;
}

/** Opens a socket; replace it in tests, or where sockets come from elsewhere. */
export type Transport = (url: string, protocols: string[]) => TransportSocket;

export const webSocketTransport: Transport = (url, protocols) =>
  openWebSocket(url, protocols) as TransportSocket;
