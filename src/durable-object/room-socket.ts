import { codes } from "../protocol/codes.ts";
import type { Socket } from "../room/sessions/session.ts";
import { packAttachment } from "./attachment.ts";

/** The WebSocket as the room needs it. Nothing that the platform throws for a closed socket reaches the room. */
export function socketOf(webSocket: WebSocket, pingedAt: () => number): Socket {
  return {
    pingedAt,
    send: (frame) => {
      try {
        webSocket.send(frame);
      } catch {
        // Its close event is on the way, and nothing is lost: the client will come back for it.
      }
    },
    close: (closeCode, reason) => {
      // A peer that is gone never answers, and its socket outlives hibernation: it must not come back as a session.
      webSocket.serializeAttachment(null);
      closeQuietly(webSocket, closeCode, reason);
    },
    save: (attachment) => {
      try {
        webSocket.serializeAttachment(packAttachment(attachment));
      } catch {
        // More than the platform keeps, as limits set higher can make it: the session could not survive hibernation.
        closeQuietly(webSocket, codes["too-large"].closeCode, "too-large");
      }
    },
  };
}

/** Closes a WebSocket that may be closed already. */
export function closeQuietly(webSocket: WebSocket, closeCode: number, reason: string): void {
  try {
    webSocket.close(closeCode, reason.slice(0, 40)); // at most 123 bytes
  } catch {
    // It was closed already.
  }
}
