import type { FormLimits } from "../model/call-limits.ts";
import { FormatError } from "./encoding/byte-form.ts";
import {
  checkParsedJson,
  HalfCharacterError,
  maxJsonDepth,
  NotJsonError,
  repairTexts,
  utf8Bytes,
} from "../model/json.ts";
import type { DownFrame, TextFrame } from "./down/down-frames.ts";
import { upFrameSchema, type UpFrame } from "./up/up-frames.ts";
import type { NameTable } from "./names.ts";
import { decodePush, encodePush } from "./up/push.ts";
import { decodeSnapshotPart } from "./down/snapshot-part.ts";
import { decodeText } from "./down/text-frame.ts";
import { decodeUpdate } from "./down/update.ts";
import { frameKinds } from "./version.ts";

/** Of a frame's first byte. */
const kindBits = 0xf0;
/** What a frame nests around a payload. */
const frameDepth = 1;
/** Of what a refusal tells: the caller knows its own words. */
const maxMessageLength = 200;

/** What came up, or why it could not be read. */
export type Decoded =
  | { readonly kind: "frame"; readonly frame: UpFrame }
  | { readonly kind: "refused"; readonly code: "invalid" | "too-large"; readonly message: string };

/**
 * Reads a client's message. It trusts nothing: size, encoding, form, and then depth, keys and values.
 * The payloads of calls are left to `runCall`, since a call that can be read has to be answered by its id.
 * `names` are what bytes may mean; undefined for a client that has others. Without `limits` only the depth is limited.
 */
export function decodeUp(
  data: unknown,
  maxFrameBytes: number,
  names: NameTable | undefined,
  limits?: FormLimits,
): Decoded {
  try {
    if (typeof data === "string") return readText(data, maxFrameBytes, limits);
    const bytes = bytesOf(data);
    if (bytes === undefined) return refuse("invalid", "a frame is text or bytes");
    return readBytes(bytes, maxFrameBytes, names);
  } catch (error) {
    if (error instanceof NotJsonError || error instanceof FormatError) {
      return refuse("invalid", error.message.slice(0, maxMessageLength).toWellFormed());
    }
    return refuse("invalid", "a frame is one JSON object");
  }
}

function readBytes(data: Uint8Array, maxFrameBytes: number, names: NameTable | undefined): Decoded {
  if (names === undefined) return refuse("invalid", "frames of this client are text");
  if (data.byteLength > maxFrameBytes) return tooLarge(maxFrameBytes);
  return { kind: "frame", frame: decodePush(data, names) };
}

function readText(data: string, maxFrameBytes: number, limits?: FormLimits): Decoded {
  if (data.length > maxFrameBytes || utf8Bytes(data) > maxFrameBytes) return tooLarge(maxFrameBytes);
  const parsed = upFrameSchema.safeParse(JSON.parse(data));
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join(".") || "its kind";
    return refuse("invalid", `the frame does not fit the protocol at ${path}`);
  }
  const frame = parsed.data;
  const { maxDepth = maxJsonDepth } = limits ?? {};
  if (frame.kind !== "push") checkRepaired(frame, maxDepth + frameDepth, limits);
  return { kind: "frame", frame };
}

/** Halves of characters become U+FFFD in presence and in the payload of an event. Elsewhere they are refused. */
function checkRepaired(frame: UpFrame, depth: number, limits?: FormLimits): void {
  try {
    checkParsedJson(frame, depth, "", limits);
  } catch (error) {
    if (!(error instanceof HalfCharacterError)) throw error;
    if (frame.kind === "presence") repairTexts(frame, depth);
    if (frame.kind === "event") {
      const { event } = frame;
      repairTexts(frame, depth);
      Object.assign(frame, { event });
    }
    checkParsedJson(frame, depth, "", limits);
  }
}

function tooLarge(maxFrameBytes: number): Decoded {
  return refuse("too-large", `a frame has at most ${maxFrameBytes} bytes`);
}

/** A frame for the room: a push as bytes where both sides know the same `names`, text otherwise. */
export function encodeUp(frame: UpFrame, names: NameTable | undefined): string | Uint8Array {
  const bytes = frame.kind === "push" && names !== undefined ? encodePush(frame, names) : undefined;
  return bytes ?? JSON.stringify(frame);
}

/** Reads a frame of the room. Throws when it does not fit the protocol. */
export function decodeDown(data: unknown): DownFrame {
  if (typeof data === "string") return decodeText(data);
  const bytes = bytesOf(data);
  if (bytes === undefined) throw new FormatError("a frame is text or bytes");
  return ((bytes[0] ?? 0) & kindBits) === frameKinds.update ? decodeUpdate(bytes) : decodeSnapshotPart(bytes);
}

export function encodeText(frame: TextFrame): string {
  return JSON.stringify(frame);
}

/** Bytes of a frame as sockets count them. */
export function frameBytes(frame: string | Uint8Array): number {
  return typeof frame === "string" ? utf8Bytes(frame) : frame.byteLength;
}

/** What sockets bring that is not text; undefined for what is neither. */
function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (!ArrayBuffer.isView(data)) return undefined;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function refuse(code: "invalid" | "too-large", message: string): Decoded {
  return { kind: "refused", code, message };
}
