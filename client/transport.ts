import { openWebSocket } from "./platform.ts";

/** The part of a WebSocket that a connection uses; a browser's, Node's and workerd's all fit. */
export interface TransportSocket {
  send(frame: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: TransportEvent) => void,
  ): void;
}

/** What a socket's event may carry. */
export interface TransportEvent {
  /** Of a message: a string, or an ArrayBuffer or view of one. */
  readonly data?: unknown;
  /** Of a close. */
  readonly code?: number;
  readonly reason?: string;
}

/** Opens a socket; replace it in tests, or where sockets come from elsewhere. */
export type Transport = (url: string, protocols: string[]) => TransportSocket;

export const webSocketTransport: Transport = (url, protocols) =>
  openWebSocket(url, protocols) as TransportSocket;
