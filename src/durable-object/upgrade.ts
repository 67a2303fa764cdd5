import { encodeText } from "../protocol/codec.ts";
import { codes, type Code } from "../protocol/codes.ts";
import { subprotocol } from "../protocol/version.ts";

/** The answer to a client whose socket is `webSocket`. */
export function switched(webSocket: WebSocket): Response {
  return new Response(null, { status: 101, webSocket, headers: { "Sec-WebSocket-Protocol": subprotocol } });
}

/**
 * Turns a client away, for so long if that is known. A browser cannot read the status of a refused upgrade, so it is let in and told by the close code; over
 * a socket that cannot hibernate, since workerd keeps the connection of one that can until it has brought a message.
 */
export function closeAtOnce(code: Code, retryAfterMs?: number): Response {
  const { 0: clientEnd, 1: serverEnd } = new WebSocketPair();
  serverEnd.accept();
  // Where there is something to say that does not fit a close.
  if (retryAfterMs !== undefined)
    serverEnd.send(encodeText({ kind: "error", code, message: codes[code].sentence, retryAfterMs }));
  serverEnd.close(codes[code].closeCode, code);
  return switched(clientEnd);
}
