import { encodeUp, frameBytes } from "../../src/protocol/codec.ts";
import type { DownFrame, UpFrame, Welcome } from "../../src/protocol/down/down-frames.ts";
import { callListener } from "../platform.ts";
import type { SyncOptions, Traffic } from "./sync-options.ts";

/** Of what the room lets be unacknowledged: an acknowledgement is due. */
const ackShare = 0.25;

/** Frames on their way: encodes those that go up, acknowledges those that have come down, and tells `onTraffic` of both. */
export class FrameTraffic {
  /** Of this connection, or of the one before. */
  welcome: Welcome | undefined;
  readonly #options: SyncOptions;
  readonly #send: (encoded: string | Uint8Array) => boolean;
  #unacknowledgedBytes = 0;
  #unacknowledgedFrames = 0;

  /** `send` returns whether there was a socket to send on. */
  constructor(options: SyncOptions, send: (encoded: string | Uint8Array) => boolean) {
    this.#options = options;
    this.#send = send;
  }

  /** Notes a frame that has come, and acknowledges when that is due. */
  noteReceived(frame: DownFrame, bytes: number): void {
    const { delta, parts } = frame.kind === "update" ? frame : {};
    this.#notify({
      direction: "down",
      kind: parts === undefined ? frame.kind : "snapshot",
      bytes,
      ...(delta && { from: delta.from, to: delta.to }),
    });
    this.#unacknowledgedBytes += bytes;
    this.#unacknowledgedFrames += 1;
    const { maxUnacknowledgedBytes = Infinity, maxUnacknowledgedFrames = Infinity } =
      this.welcome?.limits ?? {};
    const isDue =
      this.#unacknowledgedBytes >= maxUnacknowledgedBytes * ackShare ||
      this.#unacknowledgedFrames >= maxUnacknowledgedFrames * ackShare;
    if (isDue) this.send({ kind: "ack", bytes: this.takeUnacknowledged() });
  }

  /** Bytes that have come since the last time, for the room to know how far behind this client is. */
  takeUnacknowledged(): number {
    const bytes = this.#unacknowledgedBytes;
    this.#unacknowledgedBytes = 0;
    this.#unacknowledgedFrames = 0;
    return bytes;
  }

  send(frame: UpFrame): boolean {
    const encoded = this.#encode(frame);
    if (!this.#send(encoded)) return false;
    this.#notify({ direction: "up", kind: frame.kind, bytes: frameBytes(encoded) });
    return true;
  }

  #encode(frame: UpFrame): string | Uint8Array {
    const { acceptsBinary = false, limits } = this.welcome ?? {};
    const encoded = encodeUp(frame, acceptsBinary ? this.#options.names : undefined);
    // The outbox has measured the text, and a few numbers are longer as bytes.
    const isTooLong = limits !== undefined && frameBytes(encoded) > limits.maxFrameBytes;
    return isTooLong ? encodeUp(frame, undefined) : encoded;
  }

  #notify(traffic: Omit<Traffic, "at">): void {
    const { onTraffic, runtime } = this.#options;
    if (onTraffic !== undefined) callListener(() => onTraffic({ ...traffic, at: runtime.now() }));
  }
}
