import { codes } from "../protocol/codes.ts";
import type { StateRead } from "./state-reads.ts";

/** The response to a reader that has read too much. */
export function tooManyReads(retryAfterMs: number): Response {
  const { status, sentence: message } = codes["rate-limited"];
  const headers = { "Retry-After": String(Math.ceil(retryAfterMs / 1_000)), "Cache-Control": "no-store" };
  return Response.json({ error: { code: "rate-limited", message, retryAfterMs } }, { status, headers });
}

/** Whether the request names this very state. A proxy that compresses has made its ETag weak. */
export function isKnown(etag: string, request: Request): boolean {
  const known = request.headers.get("If-None-Match")?.split(",") ?? [];
  return known.some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

/** The state as a stream, written as fast as its reader takes it. `spend` is called with the bytes of each piece. */
export function streamOf(read: StateRead, spend: (bytes: number) => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    start(controller) {
      read.onCut = (reason) => controller.error(new Error(reason));
    },
    pull(controller) {
      const piece = read.next();
      if (piece === undefined) return controller.close();
      const bytes = encoder.encode(piece);
      spend(bytes.length);
      controller.enqueue(bytes);
    },
    cancel() {
      read.end();
    },
  });
}
