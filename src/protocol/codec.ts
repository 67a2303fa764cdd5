import type { Outcome } from "../core/call.ts";
import type { Checksums } from "../core/checksum.ts";
import { checkParsedJson, maxJsonDepth, NotJsonError, utf8Bytes } from "../core/json.ts";
import { DownFrame, UpFrame, type Refusal, type WireOutcome } from "./frames.ts";

/** What a frame nests around a payload. */
const frameDepth = 1;
/** Of what a refusal tells: the caller knows its own words. */
const maxMessageLength = 200;

/** What came up, or why it could not be read. */
export type Decoded =
  | { readonly kind: "frame"; readonly frame: UpFrame }
  | { readonly kind: "refused"; readonly code: "invalid" | "too-large"; readonly message: string };

/**
 * Reads a client's message. It trusts nothing: size, encoding, JSON, form, and then depth, keys and values.
 * The payloads of calls are left to `runCall`, since a call that can be read has to be answered by its id.
 */
export function decodeUp(data: unknown, maxFrameBytes: number): Decoded {
  if (typeof data !== "string") return refuse("invalid", "frames are text");
  if (data.length > maxFrameBytes || utf8Bytes(data) > maxFrameBytes) {
    return refuse("too-large", `a frame has at most ${maxFrameBytes} bytes`);
  }
  try {
    const parsed = UpFrame.safeParse(JSON.parse(data));
    if (!parsed.success) {
      const path = parsed.error.issues[0]?.path.join(".") || "its kind";
      return refuse("invalid", `the frame does not fit the protocol at ${path}`);
    }
    const frame = parsed.data;
    if (frame.kind !== "push") checkParsedJson(frame, maxJsonDepth + frameDepth);
    return { kind: "frame", frame };
  } catch (error) {
    if (error instanceof NotJsonError) {
      return refuse("invalid", error.message.slice(0, maxMessageLength).toWellFormed());
    }
    return refuse("invalid", "a frame is one JSON object");
  }
}

export function encodeUp(frame: UpFrame): string {
  return JSON.stringify(frame);
}

/** Reads a frame of the room. Throws when it does not fit the protocol. */
export function decodeDown(data: unknown): DownFrame {
  if (typeof data !== "string") throw new Error("the room sent a binary frame");
  return DownFrame.parse(JSON.parse(data));
}

export function encodeDown(frame: Exclude<DownFrame, { kind: "update" | "snapshot" }>): string {
  return JSON.stringify(frame);
}

/** The members of an update, as JSON text where the text is shared between sessions. */
export interface UpdateParts {
  readonly tag?: number | undefined;
  readonly mark?: number | undefined;
  /** With the hash of the call where it goes along. */
  readonly outcomes?:
    | readonly (readonly [clientReqId: number, outcome: Outcome, callHash?: number])[]
    | undefined;
  readonly parts?: number | undefined;
  /** A delta's body. */
  readonly delta?: string | undefined;
  readonly checksums?: Checksums | undefined;
  /** JSON of `PeerChange[]`. */
  readonly presence?: string | undefined;
  /** JSON of `WireEvent[]`. */
  readonly events?: string | undefined;
}

/** An update: a short head of one session's own around text that all of them share. */
export function encodeUpdate(parts: UpdateParts): string {
  let text = '{"kind":"update"';
  if (parts.tag !== undefined) text += `,"tag":${parts.tag}`;
  if (parts.mark !== undefined) text += `,"mark":${parts.mark}`;
  if (parts.outcomes !== undefined)
    text += `,"outcomes":${JSON.stringify(parts.outcomes.map(encodeOutcome))}`;
  if (parts.parts !== undefined) text += `,"parts":${parts.parts}`;
  if (parts.delta !== undefined) text += `,"delta":${parts.delta}`;
  if (parts.checksums !== undefined) text += `,"checksums":${JSON.stringify(parts.checksums)}`;
  if (parts.presence !== undefined) text += `,"presence":${parts.presence}`;
  if (parts.events !== undefined) text += `,"events":${parts.events}`;
  return `${text}}`;
}

/** A snapshot part around the text of a stored page. */
export function encodeSnapshotPart(
  part: number,
  range: { collection: string; firstId: string; untilId: string | null },
  records: string,
): string {
  const { collection, firstId, untilId } = range;
  const head = JSON.stringify({ kind: "snapshot", part, collection, from: firstId, until: untilId });
  return `${head.slice(0, -1)},"records":${records}}`;
}

function encodeOutcome([clientReqId, outcome, callHash]: readonly [number, Outcome, number?]): WireOutcome {
  const result = outcome.kind === "accepted" ? outcome.rev : refusalOf(outcome);
  return callHash === undefined ? [clientReqId, result] : [clientReqId, result, callHash];
}

function refusalOf(outcome: Extract<Outcome, { kind: "rejected" }>): Refusal {
  const { kind: _, ...refusal } = outcome;
  return refusal;
}

function refuse(code: "invalid" | "too-large", message: string): Decoded {
  return { kind: "refused", code, message };
}
