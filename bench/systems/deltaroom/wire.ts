import { randomBytes } from "node:crypto";
import { decodeDown, encodeUp } from "../../../src/protocol/codec.ts";
import type { Welcome, WireCall } from "../../../src/protocol/frames.ts";
import { encodeHello } from "../../../src/protocol/hello.ts";
import { subprotocol } from "../../../src/protocol/version.ts";
import { newNote, recordId, recordOf } from "../../load/records.ts";

// Everything that the load knows of deltaroom's wire is in this file, and it is built on the product's own codec.

/** Characters at the beginning of an update in which its head is. */
const headLength = 120;
/** Bodies that were read lately and that other sessions of this process are about to receive. */
const maxBodies = 64;

export type Moves = readonly (readonly [record: number, x: number])[];

/** What a thin session has to know of a frame. */
export interface Arrived {
  readonly welcome?: Welcome;
  /** It is caught up. */
  readonly isReply?: boolean;
  /** Its newest executed call. */
  readonly mark?: number;
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

/** The subprotocols to offer. */
export function greet({ epoch, rev }: Place = nowhere): string[] {
  const client = `${randomBytes(9).toString("base64url")}.${randomBytes(18).toString("base64url")}`;
  return [subprotocol, encodeHello({ client, schema: 1, epoch, rev, confirmed: 0, birth: null })];
}

/** Reads the head of a frame. The rest of an update is the same bytes for all sessions. */
export function readHead(data: Buffer): Arrived {
  const head = data.toString("latin1", 0, headLength);
  if (head.startsWith('{"kind":"update"')) {
    const [, mark] = /^[^{]*\{[^{]*"mark":(\d+)/.exec(head) ?? [];
    return {
      isReply: head.startsWith('{"kind":"update","tag":0'),
      ...(mark !== undefined && { mark: Number(mark) }),
    };
  }
  if (head.startsWith('{"kind":"snapshot"')) return {};
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

const bodies = new Map<string, Moves>();

/** The moves of an update's delta, decoded once for all sessions of this process: flushes are told apart by their `to`. */
export function readMoves(data: Buffer): Moves {
  const text = data.toString("latin1");
  const [range] = /"delta":\{"from":\d+,"to":\d+/.exec(text) ?? [];
  if (range === undefined) return [];
  const known = bodies.get(range);
  if (known !== undefined) return known;
  const frame = decodeDown(text);
  if (frame.kind !== "update") return [];
  const moves = (frame.delta?.changes["notes"] ?? []).flatMap((change) => {
    if (change[0] === "delete") return [];
    const { x } = change[2];
    return typeof x === "number" ? [[recordOf(change[1]), x] as const] : [];
  });
  bodies.set(range, moves);
  if (bodies.size > maxBodies) bodies.delete(bodies.keys().next().value ?? "");
  return moves;
}

export function encodeAck(bytes: number): string {
  return encodeUp({ kind: "ack", bytes });
}

/** One call, a frame of its own. */
export function encodeMove(
  clientReqId: number,
  confirmed: number,
  record: number,
  x: number,
  y: number,
): string {
  return push(clientReqId, confirmed, [0, "transact", { notes: [["patch", recordId(record), { x, y }]] }]);
}

export function encodePuts(clientReqId: number, confirmed: number, first: number, count: number): string {
  const puts = Array.from({ length: count }, (_, index) => {
    return ["put", recordId(first + index), { ...newNote(first + index) }] as const;
  });
  return push(clientReqId, confirmed, [0, "transact", { notes: puts.map((put) => [...put]) }]);
}

function push(first: number, confirmed: number, call: WireCall): string {
  return encodeUp({ kind: "push", first, calls: [call], confirmed });
}
