import { readFrame, type ReadFrame } from "../../support/frames/decoded-frames.ts";

const headEnd = Buffer.from("\r\n\r\n");
const textOpcode = 1;
const bytesOpcode = 2;

/** A frame of the room on its way to a client. */
export interface SentFrame {
  /** Where in the trace its first byte left. */
  readonly at: number;
  readonly frame: ReadFrame;
}

/** What leaves by one socket, read as HTTP and, after a 101, as WebSocket frames of RFC 6455. */
export class SentFrames {
  #bytes = Buffer.alloc(0);
  #firstAt = 0;
  #isUpgraded = false;

  /** Takes in what was sent at a place of the trace, and answers the frames that are complete now. */
  take(at: number, data: Buffer): SentFrame[] {
    if (this.#bytes.byteLength === 0) this.#firstAt = at;
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (!this.#isUpgraded && !this.#upgrade(at)) return [];
    const frames: SentFrame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      if (frame.data !== undefined) frames.push({ at: this.#firstAt, frame: readFrame(frame.data) });
      this.#firstAt = at; // what is left began after the end of that one
    }
    return frames;
  }

  #upgrade(at: number): boolean {
    const end = this.#bytes.indexOf(headEnd);
    if (end < 0) return false;
    this.#isUpgraded = this.#bytes.subarray(0, end).toString("latin1").startsWith("HTTP/1.1 101");
    this.#bytes = this.#isUpgraded ? this.#bytes.subarray(end + headEnd.byteLength) : Buffer.alloc(0);
    this.#firstAt = at;
    return this.#isUpgraded;
  }

  /** Takes the next frame off; without data for one that is not the room's. Undefined when it is not all here. */
  #next(): { readonly data: string | Uint8Array | undefined } | undefined {
    const bytes = this.#bytes;
    if (bytes.byteLength < 2) return undefined;
    const first = bytes.readUInt8(0);
    const short = bytes.readUInt8(1);
    let from = 2;
    let length = short;
    if (short === 126) {
      if (bytes.byteLength < 4) return undefined;
      [from, length] = [4, bytes.readUInt16BE(2)];
    } else if (short === 127) {
      if (bytes.byteLength < 10) return undefined;
      [from, length] = [10, Number(bytes.readBigUInt64BE(2))];
    }
    if (bytes.byteLength < from + length) return undefined;
    const opcode = first & 0x0f;
    const isMessage = opcode === textOpcode || opcode === bytesOpcode;
    // The continuation of a message would have the opcode 0.
    if (opcode === 0 || (isMessage && first !== 0x80 + opcode))
      throw new Error("a message came in pieces or compressed, which is not read here");
    const payload = bytes.subarray(from, from + length);
    this.#bytes = bytes.subarray(from + length);
    if (opcode === bytesOpcode) return { data: new Uint8Array(payload) };
    return { data: opcode === textOpcode ? payload.toString() : undefined };
  }
}
