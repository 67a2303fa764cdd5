import { transactType } from "../../model/call.ts";
import { FormatError } from "../encoding/byte-form.ts";
import { ByteReader, setMember } from "../encoding/byte-reader.ts";
import { ByteWriter } from "../encoding/byte-writer.ts";
import type { WireChange, WireChanges } from "../../model/changes.ts";
import type { Fields } from "../../model/json.ts";
import type { Json } from "../../schema/json.ts";
import type { UpFrame, WireCall } from "../down/down-frames.ts";
import type { NameTable } from "../names.ts";
import { frameKinds } from "../version.ts";

export type Push = Extract<UpFrame, { kind: "push" }>;

/** In the first byte: what follows. */
const has = { received: 1, confirmed: 2, calls: 4 } as const;
const allFlags = 7;
/** What a call is: an edit of one record, of several, or the mutator of that number + 2. */
const types = { edit: 0, edits: 1, mutator: 2 } as const;
/** In the low bits behind the number of a collection. */
const kinds = { put: 0, patch: 1, unset: 2, delete: 3 } as const;
const kindRange = 4;

const writer = new ByteWriter();

/** A push as bytes; undefined when it has a name that the table lacks, and has to go as text. */
export function encodePush(
  { first, calls, confirmed, received }: Push,
  names: NameTable,
): Uint8Array | undefined {
  const isConfirmed = confirmed === first - 1;
  writer.reset();
  writer.byte(
    frameKinds.push |
      (received === undefined ? 0 : has.received) |
      (isConfirmed ? 0 : has.confirmed) |
      (calls.length === 1 ? 0 : has.calls),
  );
  writer.count(first);
  if (!isConfirmed) writer.signed(first - 1 - confirmed);
  if (received !== undefined) writer.count(received);
  if (calls.length > 1) writer.count(calls.length);
  let before = 0;
  for (const [baseRev, type, payload] of calls) {
    writer.signed(baseRev - before);
    before = baseRev;
    if (!writeCall(type, payload, names)) return undefined;
  }
  return writer.take();
}

/** Reads a push. Throws `FormatError` for bytes that are none. */
export function decodePush(bytes: Uint8Array, names: NameTable): Push {
  const reader = new ByteReader(bytes);
  const flags = reader.byte() - frameKinds.push;
  if (flags < 0 || flags > allFlags) throw new FormatError("bytes are a push");
  const first = reader.count();
  if (first < 1) throw new FormatError("the first call is 1");
  const confirmed = first - 1 - (flags & has.confirmed ? reader.signed() : 0);
  if (confirmed < 0 || !Number.isSafeInteger(confirmed)) throw new FormatError("nobody confirms that");
  const received = flags & has.received ? reader.count() : undefined;
  const size = flags & has.calls ? reader.size() : 1;
  if (size < 1) throw new FormatError("there is no call");
  const calls: WireCall[] = [];
  let baseRev = 0;
  for (let left = size; left > 0; left--) {
    baseRev += reader.signed();
    if (baseRev < 0 || !Number.isSafeInteger(baseRev)) throw new FormatError("there is no such revision");
    calls.push(readCall(reader, baseRev, names));
  }
  reader.assertEnd();
  const push: Push = { kind: "push", first, calls, confirmed };
  if (received !== undefined) push.received = received;
  return push;
}

function writeCall(type: string, payload: Json, names: NameTable): boolean {
  if (type === transactType) return writeEdits(payload as WireChanges, names);
  const mutator = names.mutators.indexOf(type);
  if (mutator === -1) return false;
  writer.count(types.mutator + mutator);
  writer.value(payload);
  return true;
}

function readCall(reader: ByteReader, baseRev: number, names: NameTable): WireCall {
  const type = reader.count();
  if (type === types.edit) return [baseRev, transactType, readEdits(reader, 1, names)];
  if (type === types.edits) return [baseRev, transactType, readEdits(reader, reader.size(), names)];
  const mutator = names.mutators[type - types.mutator];
  if (mutator === undefined) throw new FormatError(`there is no mutator ${type - types.mutator}`);
  return [baseRev, mutator, reader.value()];
}

function writeEdits(changes: WireChanges, names: NameTable): boolean {
  const partitions = Object.entries(changes);
  const size = partitions.reduce((sum, [, partition]) => sum + partition.length, 0);
  writer.count(size === 1 ? types.edit : types.edits);
  if (size !== 1) writer.count(size);
  for (const [collection, partition] of partitions) {
    const number = names.collections.indexOf(collection);
    // Bytes do not say that nothing of a collection was edited, and a call has to be read as it was made.
    if (number === -1 || partition.length === 0) return false;
    for (const change of partition) {
      if (!writeEdit(number, change, names.fields[number] as readonly string[])) return false;
    }
  }
  return true;
}

function writeEdit(collection: number, change: WireChange, names: readonly string[]): boolean {
  const kind = change[0] === "patch" && change.length === 4 ? "unset" : change[0];
  writer.count(collection * kindRange + kinds[kind]);
  writer.text(change[1]);
  if (change[0] === "delete") return true;
  if (change.length === 4 && !writeNames(change[3], names)) return false;
  return writeFields(change[2], names);
}

function readEdits(reader: ByteReader, size: number, names: NameTable): WireChanges {
  const changes: Record<string, WireChange[]> = {};
  for (let left = size; left > 0; left--) {
    const head = reader.count();
    const number = Math.floor(head / kindRange);
    const collection = names.collections[number];
    const fields = names.fields[number];
    if (collection === undefined || fields === undefined)
      throw new FormatError(`there is no collection ${number}`);
    (changes[collection] ??= []).push(readEdit(reader, head % kindRange, fields));
  }
  return changes;
}

function readEdit(reader: ByteReader, kind: number, names: readonly string[]): WireChange {
  const id = reader.text();
  switch (kind) {
    case kinds.put:
      return ["put", id, readFields(reader, names)];
    case kinds.patch:
      return ["patch", id, readFields(reader, names)];
    case kinds.unset: {
      const unset = readNames(reader, names);
      return ["patch", id, readFields(reader, names), unset];
    }
    default:
      return ["delete", id];
  }
}

/** The values of the fields that are there, in the order of the table. */
function writeFields(fields: Fields, names: readonly string[]): boolean {
  if (!writeNames(Object.keys(fields), names)) return false;
  for (const name of names) {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value !== undefined) writer.value(value);
  }
  return true;
}

function readFields(reader: ByteReader, names: readonly string[]): Fields {
  const fields: Record<string, Json> = {};
  let place = 0;
  for (let bits = reader.count(); bits > 0; bits = Math.floor(bits / 2), place++) {
    if (bits % 2 === 1) setMember(fields, nameAt(names, place), reader.value());
  }
  return Object.freeze(fields);
}

/** Which of the table's fields: a bit for each. */
function writeNames(chosen: readonly string[], names: readonly string[]): boolean {
  let bits = 0;
  for (const name of chosen) {
    const place = names.indexOf(name);
    // A bit cannot say that a field is named twice.
    if (place === -1 || Math.floor(bits / 2 ** place) % 2 === 1) return false;
    bits += 2 ** place;
  }
  writer.count(bits);
  return true;
}

function readNames(reader: ByteReader, names: readonly string[]): string[] {
  const chosen: string[] = [];
  let place = 0;
  for (let bits = reader.count(); bits > 0; bits = Math.floor(bits / 2), place++) {
    if (bits % 2 === 1) chosen.push(nameAt(names, place));
  }
  return chosen;
}

function nameAt(names: readonly string[], place: number): string {
  const name = names[place];
  if (name === undefined) throw new FormatError(`there is no field ${place}`);
  return name;
}
