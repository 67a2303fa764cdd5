import { decodeUp, encodeUp } from "../../../src/protocol/codec.ts";
import type { UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { pingText } from "../../../src/protocol/version.ts";
import { board } from "../board.ts";

/** A message as sockets carry it. */
export type Raw = string | Uint8Array;

const names = nameTable(board);

/** What a client has sent; undefined for a heartbeat. Throws for what is no frame. */
export function frameUp(raw: Raw): UpFrame | undefined {
  if (raw === pingText) return undefined;
  const decoded = decodeUp(raw, Infinity, names);
  if (decoded.kind !== "frame") throw new Error(`a client sends what is no frame: ${decoded.message}`);
  return decoded.frame;
}

/** Bytes that a frame says have been received. */
export function acknowledgedBy(frame: UpFrame | undefined): number {
  if (frame?.kind === "ack") return frame.bytes;
  return frame?.kind === "push" ? (frame.received ?? 0) : 0;
}

/** A push that acknowledges nothing, in the form in which it was. */
export function withoutReceived(raw: Raw): Raw {
  const frame = frameUp(raw);
  if (frame?.kind !== "push") return raw;
  const { received: _, ...push } = frame;
  return encodeUp(push, typeof raw === "string" ? undefined : names);
}
