import type { Outcome } from "../../model/call.ts";
import type { Checksums } from "../../model/checksum.ts";
import { FormatError } from "../encoding/byte-form.ts";
import { ByteReader } from "../encoding/byte-reader.ts";
import { ByteWriter } from "../encoding/byte-writer.ts";
import { decodeDelta } from "../encoding/delta.ts";
import type { Json } from "../../schema/json.ts";
import { frameKinds } from "../version.ts";
import type { PeerChange, Update, WireEvent, WireOutcome } from "./down-frames.ts";

/** What of an update is one session's own. */
export interface OwnParts {
  readonly tag?: number | undefined;
  readonly lastCallId?: number | undefined;
  /** With the hash of the call where it goes along. */
  readonly outcomes?: readonly WireOutcome[] | undefined;
  /** An outcome is sent without the hash of its call: nothing about it can be in doubt. */
  readonly omitsHashes?: boolean;
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

const ownFlag = { tag: 1, lastCallId: 2, outcomes: 4, parts: 8 } as const;
const sharedFlag = { delta: 1, checksums: 2, presence: 4, events: 8 } as const;
const allFlags = 15;

const writer = new ByteWriter();

/** The shared part of an update, to be made once for all of its frames. */
export function encodeShared({ delta, checksums, presence, events }: SharedParts): Uint8Array {
  writer.reset();
  writer.byte(
    (delta ? sharedFlag.delta : 0) |
      (checksums ? sharedFlag.checksums : 0) |
      (presence ? sharedFlag.presence : 0) |
      (events ? sharedFlag.events : 0),
  );
  if (checksums) writer.value({ ...checksums });
  if (presence) writer.value(presence);
  if (events) writer.value(events);
  // Last, so that it is all that is left.
  if (delta) writer.bytes(delta);
  return writer.take();
}

/** An update: a short head of one session's own before the bytes that all of them share. */
export function encodeUpdate(own: OwnParts, sharedPart: Uint8Array): Uint8Array {
  const { tag, lastCallId, outcomes, omitsHashes = false, parts } = own;
  writer.reset();
  writer.byte(
    frameKinds.update |
      (tag === undefined ? 0 : ownFlag.tag) |
      (lastCallId === undefined ? 0 : ownFlag.lastCallId) |
      (outcomes ? ownFlag.outcomes : 0) |
      (parts === undefined ? 0 : ownFlag.parts),
  );
  if (tag !== undefined) writer.count(tag);
  if (lastCallId !== undefined) writer.count(lastCallId);
  if (outcomes) writeOutcomes(outcomes, omitsHashes);
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
    ...(ownFlags & ownFlag.tag && { tag: reader.count() }),
    ...(ownFlags & ownFlag.lastCallId && { lastCallId: reader.count() }),
    ...(ownFlags & ownFlag.outcomes && { outcomes: readOutcomes(reader) }),
    ...(ownFlags & ownFlag.parts && { parts: reader.count() }),
  };
  const sharedFlags = reader.byte();
  if (sharedFlags > allFlags) throw new FormatError("it is no update");
  // What the room says of its own is taken at its word, as its changes are.
  const update: Update = {
    kind: "update",
    ...head,
    ...(sharedFlags & sharedFlag.checksums && { checksums: reader.value() as Checksums }),
    ...(sharedFlags & sharedFlag.presence && {
      presence: reader.value() as unknown as readonly PeerChange[],
    }),
    ...(sharedFlags & sharedFlag.events && { events: reader.value() as unknown as readonly WireEvent[] }),
    ...(sharedFlags & sharedFlag.delta && { delta: decodeDelta(reader.bytes(reader.left)) }),
  };
  reader.assertEnd();
  return update;
}

/** Of each its id behind the one before, and then mostly a revision behind the one before. */
function writeOutcomes(outcomes: readonly WireOutcome[], omitsHashes: boolean): void {
  writer.count(outcomes.length);
  let idBefore = 0;
  let revBefore = 0;
  for (const [id, outcome, callHash] of outcomes) {
    const isRejected = outcome.kind === "rejected";
    const saysHash = !omitsHashes && callHash !== undefined;
    const flags = (isRejected ? 1 : 0) + (saysHash ? 2 : 0);
    writer.count((id - idBefore) * 4 + flags);
    idBefore = id;
    if (isRejected) writeRejection(outcome);
    else {
      writer.signed(outcome.rev - revBefore);
      revBefore = outcome.rev;
    }
    if (saysHash) writer.count(callHash);
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
