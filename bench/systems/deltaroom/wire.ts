import { randomBytes } from "node:crypto";
import { decodeDown, encodeUp } from "../../../src/protocol/codec.ts";
import type { UpFrame, Welcome, WireCall } from "../../../src/protocol/down/down-frames.ts";
import { encodeHello } from "../../../src/protocol/handshake/hello-text.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { decodeUpdate } from "../../../src/protocol/down/update.ts";
import { frameKinds, subprotocol } from "../../../src/protocol/version.ts";
import { ByteReader } from "../../../src/protocol/encoding/byte-reader.ts";
import { newNote, recordId } from "../../load/records.ts";
import { board } from "./board.ts";

// Everything that the load knows of deltaroom's wire is in this file, and it is built on the product's own codec.

const names = nameTable(board);
/** In the first byte of an update: its tag and its last executed call follow. */
const ownTag = 1;
const ownLastCallId = 2;
const kindBits = 0xf0;

export type Moves = readonly (readonly [record: number, x: number])[];

/** What a thin session has to know of a frame. */
export interface FrameHead {
  readonly welcome?: Welcome;
  /** It is caught up. */
  readonly isReply?: boolean;
  /** Its newest executed call. */
  readonly lastCallId?: number;
  readonly refusal?: string;
}

/** Where a client is that has nothing yet. */
const nowhere: Place = { epoch: null, rev: 0 };

export interface Place {
  readonly epoch: string | null;
  readonly rev: number;
}

/** Where a room is, from the `ETag` of its state as JSON. */
export function readPlace(etag: string): Place {
  const [, epoch = "", rev] = /^"(.+)\.(\d+)"$/.exec(etag) ?? [];
  return { epoch, rev: Number(rev) };
}

/** The subprotocols to offer, as the product's own client has them. */
export function greet({ epoch, rev }: Place = nowhere): string[] {
  const secret = randomBytes(24).toString("base64url");
  const abilities = { names: names.hash, acceptsDeflate: true };
  return [
    subprotocol,
    encodeHello({ secret, schema: 1, epoch, rev, confirmed: 0, knownSince: null, ...abilities }),
  ];
}

/** Reads the head of a frame. The rest of an update is the same bytes for all sessions. */
export function readHead(data: Buffer, isText: boolean): FrameHead {
  if (!isText) return ((data[0] ?? 0) & kindBits) === frameKinds.update ? readOwnParts(data) : {};
  const frame = decodeDown(data.toString());
  switch (frame.kind) {
    case "welcome":
      return { welcome: frame };
    case "error":
      return { refusal: `${frame.code}: ${frame.message}` };
    case "gap":
      return { refusal: `gap: expected ${frame.expected}` };
    default:
      return {};
  }
}

function readOwnParts(data: Buffer): FrameHead {
  const reader = new ByteReader(data);
  const flags = reader.byte();
  const isReply = (flags & ownTag) !== 0 && reader.count() === 0;
  return { isReply, ...((flags & ownLastCallId) !== 0 && { lastCallId: reader.count() }) };
}

/** Where the room is, as far as this process was told: what the calls that it makes are based upon. */
let newestRev = 0;

/**
 * The moves of an update's delta. One writer has made the records in order, in a room of their own, so a handle is the
 * number of its record.
 */
export function readMoves(data: Buffer): Moves {
  if (((data[0] ?? 0) & kindBits) !== frameKinds.update) return [];
  const { delta } = decodeUpdate(data);
  const moves: (readonly [number, number])[] = [];
  for (const [handle, { change }] of delta?.entries.get("notes") ?? []) {
    if (change.kind === "delete") continue;
    const { x } = change.kind === "put" ? change.record : change.set;
    if (typeof x === "number") moves.push([handle, x]);
  }
  if (delta !== undefined) newestRev = delta.to;
  return moves;
}

export function encodeAck(bytes: number): string | Uint8Array {
  return encodeUp({ kind: "ack", bytes }, names);
}

/** A record's new position. */
export type Move = readonly [record: number, x: number, y: number];

/** Calls that leave together; they may bring an acknowledgement along, as the product's client has it. */
export function encodeMoves(
  first: number,
  confirmed: number,
  moves: readonly Move[],
  receivedBytes: number | undefined,
): string | Uint8Array {
  const calls = moves.map(([record, x, y]): WireCall => {
    return [newestRev, "transact", { notes: [["patch", recordId(record), { x, y }]] }];
  });
  return push(first, confirmed, calls, receivedBytes);
}

export function encodePuts(
  clientReqId: number,
  confirmed: number,
  first: number,
  count: number,
): string | Uint8Array {
  const puts = Array.from({ length: count }, (_, index) => {
    return ["put", recordId(first + index), { ...newNote(first + index) }] as const;
  });
  return push(clientReqId, confirmed, [[newestRev, "transact", { notes: puts.map((put) => [...put]) }]]);
}

function push(first: number, confirmed: number, calls: WireCall[], received?: number): string | Uint8Array {
  const acknowledged = received !== undefined && { received };
  const frame: UpFrame = { kind: "push", first, calls, confirmed, ...acknowledged };
  return encodeUp(frame, names);
}
