import { readFrame } from "../../support/frames/decoded-frames.ts";
import type { StoredClient } from "../disk/stored-room.ts";
import type { Outcome } from "../support/client-observations.ts";

const patienceMs = 10_000;

/** Connects as a client that has confirmed nothing and lost its memory, and hears what the room remembers of its calls. */
export async function hearAgain(roomUrl: string, secret: string): Promise<StoredClient> {
  const hello = { secret, schema: 1, epoch: null, rev: 0, confirmed: 0, knownSince: null };
  const encoded = Buffer.from(JSON.stringify(hello)).toString("base64url");
  const socket = new WebSocket(roomUrl.replace(/^http/, "ws"), ["deltaroom.v1", `hello.${encoded}`]);
  socket.binaryType = "arraybuffer";
  const { promise, resolve, reject } = Promise.withResolvers<StoredClient>();
  socket.addEventListener("close", ({ code }) => reject(new Error(`${roomUrl} closed with ${code}`)));
  socket.addEventListener("message", ({ data }) => {
    const raw = data instanceof ArrayBuffer ? new Uint8Array(data) : String(data);
    const frame = readFrame(raw);
    socket.send(JSON.stringify({ kind: "ack", bytes: Buffer.byteLength(raw) }));
    if (frame.kind !== "update" || frame.tag !== 0) return;
    const outcomes = new Map<number, Outcome>((frame.outcomes ?? []).map(([id, outcome]) => [id, outcome]));
    // What it had confirmed is not told any more; ids have no gaps.
    const confirmed = Math.min(...outcomes.keys(), (frame.lastCallId ?? 0) + 1) - 1;
    resolve({ lastCallId: frame.lastCallId ?? 0, confirmed, outcomes });
  });
  const timer = setTimeout(() => reject(new Error(`${roomUrl} does not greet`)), patienceMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
