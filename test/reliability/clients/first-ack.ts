import { randomBytes } from "node:crypto";
import { decodeDown } from "../../../src/protocol/codec.ts";
import type { UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { encodeHello } from "../../../src/protocol/handshake/hello-text.ts";
import { subprotocol } from "../../../src/protocol/version.ts";
import type { Json } from "../../../src/schema/json.ts";

/** What a client has that comes back and has missed nothing. */
export interface UpToDate {
  readonly epoch: string;
  readonly rev: number;
}

/** When things happened, in milliseconds since the socket was opened. */
export interface FirstAck {
  readonly caughtUpMs: number;
  readonly ackMs: number;
  /** Revision at which the call was committed. */
  readonly rev: number;
}

/**
 * Comes back to the room at `url` and makes one call as soon as it is caught up. It does nothing else, so that the time is the
 * room's: a client with a view would count its own work.
 */
export async function firstAck(
  url: string,
  { epoch, rev }: UpToDate,
  type: string,
  payload: Json,
): Promise<FirstAck> {
  const secret = randomBytes(18).toString("base64url");
  const hello = encodeHello({ secret, schema: 1, epoch, rev, confirmed: 0, knownSince: null });
  const { promise, resolve, reject } = Promise.withResolvers<FirstAck>();
  const startedAt = performance.now();
  let caughtUpMs = 0;
  const socket = new WebSocket(url.replace(/^http/, "ws"), [subprotocol, hello]);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("close", ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`)));
  socket.addEventListener("message", ({ data }) => {
    const frame = decodeDown(data);
    if (frame.kind === "error") reject(new Error(`${frame.code}: ${frame.message}`));
    if (frame.kind === "snapshot") reject(new Error("it was sent a snapshot, though it has everything"));
    if (frame.kind !== "update") return;
    if (frame.tag === 0) {
      caughtUpMs = performance.now() - startedAt;
      const push: UpFrame = { kind: "push", first: 1, calls: [[rev, type, payload]], confirmed: 0 };
      socket.send(JSON.stringify(push));
    }
    const [, outcome] = frame.outcomes?.[0] ?? [];
    if (outcome?.kind === "accepted")
      resolve({ caughtUpMs, ackMs: performance.now() - startedAt, rev: outcome.rev });
    else if (outcome !== undefined) reject(new Error(`the call came to ${JSON.stringify(outcome)}`));
  });
  try {
    return await promise;
  } finally {
    socket.close();
  }
}
