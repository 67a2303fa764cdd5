import type { Outcome } from "../core/call.ts";
import type { Checksums } from "../core/checksum.ts";
import { ByteReader, ByteWriter, FormatError } from "../core/bytes.ts";
import { decodeDelta } from "../core/delta.ts";
import type { Json } from "../schema/json.ts";
import { frameKinds } from "./version.ts";
import type { PeerChange, Update, WireEvent, WireOutcome } from "./frames.ts";

/** What of an update is one session's own. */
export interface OwnParts {
  readonly tag?: number | undefined;
  readonly mark?: number | undefined;
  /** With the hash of the call where it goes along. */
  readonly outcomes?: readonly WireOutcome[] | undefined;
  readonly parts?: number | undefined;
}

/** What of an update is the same for every session that it is sent to. */
export interface SharedParts {
  /** A delta's body. */
  readonly delta?: Uint8Array | undefined;
  readonly checksums?: Checksums | undefined;
  readonly presence?: readonly PeerChange[] | undefined;
  readonly events?: readonly WireEvent[] | undefined;
}

const own = { tag: 1, mark: 2, outcomes: 4, parts: 8 } as const;
const shared = { delta: 1, checksums: 2, presence: 4, events: 8 } as const;
const allFlags = 15;

const writer = new ByteWriter();

/** The shared part of an update, to be made once for all of its frames. */
export function encodeShared({ delta, checksums, presence, events }: SharedParts): Uint8Array {
  writer.reset();
  writer.byte(
    (delta ? shared.delta : 0) |
      (checksums ? shared.checksums : 0) |
      (presence ? shared.presence : 0) |
      (events ? shared.events : 0),
  );
  if (checksums) writer.value({ ...checksums });
  if (presence) writer.value(presence);
  if (events) writer.value(events);
  // Last, so that it is all that is left.
  if (delta) writer.bytes(delta);
  return writer.take();
}

/** An update: a short head of one session's own before the bytes that all of them share. */
export function encodeUpdate({ tag, mark, outcomes, parts }: OwnParts, sharedPart: Uint8Array): Uint8Array {
  writer.reset();
  writer.byte(
    frameKinds.update |
      (tag === undefined ? 0 : own.tag) |
      (mark === undefined ? 0 : own.mark) |
      (outcomes ? own.outcomes : 0) |
      (parts === undefined ? 0 : own.parts),
  );
  if (tag !== undefined) writer.count(tag);
  if (mark !== undefined) writer.count(mark);
  if (outcomes) writeOutcomes(outcomes);
  if (parts !== undefined) writer.count(parts);
  writer.bytes(sharedPart);
  return writer.take();
}

/** Reads an update. Throws `FormatError` for bytes that are none. */
export function decodeUpdate(bytes: Uint8Array): Update {
  const reader = new ByteReader(bytes);
  const ownFlags = reader.byte() - frameKinds.update;
  if (ownFlags < 0 || ownFlags > allFlags) throw new FormatError("it is no update");
  const head = {
    ...(ownFlags & own.tag && { tag: reader.count() }),
    ...(ownFlags & own.mark && { mark: reader.count() }),
    ...(ownFlags & own.outcomes && { outcomes: readOutcomes(reader) }),
    ...(ownFlags & own.parts && { parts: reader.count() }),
  };
  const sharedFlags = reader.byte();
  if (sharedFlags > allFlags) throw new FormatError("it is no update");
  // What the room says of its own is taken at its word, as its changes are.
  const update: Update = {
    kind: "update",
    ...head,
    ...(sharedFlags & shared.checksums && { checksums: reader.value() as Checksums }),
    ...(sharedFlags & shared.presence && { presence: reader.value() as unknown as readonly PeerChange[] }),
    ...(sharedFlags & shared.events && { events: reader.value() as unknown as readonly WireEvent[] }),
    ...(sharedFlags & shared.delta && { delta: decodeDelta(reader.bytes(reader.left)) }),
  };
  reader.assertEnd();
  return update;
}

/** Of each its id behind the one before, and then mostly a revision behind the one before. */
function writeOutcomes(outcomes: readonly WireOutcome[]): void {
  writer.count(outcomes.length);
  let idBefore = 0;
  let revBefore = 0;
  for (const [id, outcome, callHash] of outcomes) {
    const isRejected = outcome.kind === "rejected";
    const flags = (isRejected ? 1 : 0) + (callHash === undefined ? 0 : 2);
    writer.count((id - idBefore) * 4 + flags);
    idBefore = id;
    if (isRejected) writeRejection(outcome);
    else {
      writer.signed(outcome.rev - revBefore);
      revBefore = outcome.rev;
    }
    if (callHash !== undefined) writer.count(callHash);
  }
}

function readOutcomes(reader: ByteReader): WireOutcome[] {
  const outcomes: WireOutcome[] = [];
  let id = 0;
  let rev = 0;
  for (let left = reader.size(); left > 0; left--) {
    const head = reader.count();
    id += Math.floor(head / 4);
    let outcome: Outcome;
    if (head % 2 === 1) outcome = readRejection(reader);
    else outcome = { kind: "accepted", rev: (rev += reader.signed()) };
    outcomes.push(head % 4 > 1 ? [id, outcome, reader.count()] : [id, outcome]);
  }
  return outcomes;
}

function writeRejection({ code, message, data }: Extract<Outcome, { kind: "rejected" }>): void {
  writer.text(code);
  writer.text(message);
  writer.byte(data === undefined ? 0 : 1);
  if (data !== undefined) writer.value(data);
}

function readRejection(reader: ByteReader): Outcome {
  const code = reader.text();
  const message = reader.text();
  const data: Json | undefined = reader.byte() === 0 ? undefined : reader.value();
  return { kind: "rejected", code, message, ...(data !== undefined && { data }) };
}
