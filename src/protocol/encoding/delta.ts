import type { Json } from "../../schema/json.ts";
import { FormatError } from "./byte-form.ts";
import { ByteReader, setMember } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { deletion, partitionOf, squashChange, type Change } from "../../model/changes.ts";
import { utf8Bytes, type Fields } from "../../model/json.ts";

/** Something that takes a history from one revision to a later one. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What a delta does to one record. A put says its id; after that the handle stands for it. */
export interface Entry {
  readonly change: Change;
  /** Of a put; undefined otherwise. */
  readonly id: string | undefined;
}

/** Collection → record handle → entry, in the order in which the records were first touched. */
export type Entries = Map<string, Map<number, Entry>>;

/** What takes a state from revision `from` to `to`, as the bytes that frames and rows share. */
export interface EncodedDelta extends Span {
  readonly body: Uint8Array;
}

/** A delta that can be read. */
export interface Delta extends Span {
  readonly entries: Entries;
}

/** The low bits of an entry's first number; the others are the handle. */
const putKind = 0;
const patchKind = 1;
const patchAlikeKind = 2;
const otherKind = 3;
const kindRange = 4;

const writer = new ByteWriter();

/** The bytes of a delta, see docs/PROTOCOL.md. A list of field names is written where it is first used, and then has a number. */
export function encodeDelta(from: number, to: number, entries: Entries): EncodedDelta {
  writer.reset();
  writer.count(from);
  writer.count(to - from);
  writeEntries(entries);
  return { from, to, body: writer.take() };
}

/** Bytes at most that a count takes, and with it any handle. */
const maxCountBytes = 8;
/** Below it a count is one byte. */
const shortCount = 0x80;
/** Of a length or a number of things: nothing that is sent has 2³⁵ of them. */
const lengthBytes = 5;
/** Below it an integer is three bytes at most. */
const shortInteger = 0x4000;

/** Bytes that no entry for `change` exceeds, whatever handle its record has and whatever stands before it. */
export function mostEntryBytes(id: string, change: Change): number {
  const bytes = maxCountBytes + 1;
  switch (change.kind) {
    case "put":
      return bytes + mostTextBytes(id) + mostFieldsBytes(change.record);
    case "patch": {
      let unsetBytes = 0;
      for (const field of change.unset) unsetBytes += mostTextBytes(field);
      return bytes + unsetBytes + mostFieldsBytes(change.set);
    }
    case "delete":
      return bytes;
    default:
      return change satisfies never;
  }
}

function mostFieldsBytes(fields: Fields): number {
  let bytes = 2 * lengthBytes;
  for (const name in fields) bytes += mostTextBytes(name) + mostValueBytes(fields[name] as Json);
  return bytes;
}

/** Bytes that no value exceeds as a {@link ByteWriter} writes it. */
function mostValueBytes(value: Json): number {
  if (typeof value === "string") return 1 + mostTextBytes(value);
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < shortInteger) return 3;
  if (typeof value !== "object" || value === null) return 1 + maxCountBytes;
  if (!Array.isArray(value)) return 1 + mostFieldsBytes(value as Fields);
  let bytes = 1 + lengthBytes;
  for (const item of value as readonly Json[]) bytes += mostValueBytes(item);
  return bytes;
}

function mostTextBytes(text: string): number {
  const bytes = utf8Bytes(text);
  return (bytes < shortCount ? 1 : lengthBytes) + bytes;
}

/** Reads a delta back. Throws `FormatError` for bytes that are none. */
export function decodeDelta(body: Uint8Array): Delta {
  const reader = new ByteReader(body);
  const from = reader.count();
  const to = from + reader.count();
  const entries: Entries = new Map();
  const shapes = new ReadShapes(reader);
  for (let partitions = reader.size(); partitions > 0; partitions--) {
    const partition = partitionOf(entries, reader.text());
    for (let left = reader.size(); left > 0; left--) {
      const head = reader.count();
      const kind = head % kindRange;
      const id = kind === putKind ? reader.text() : undefined;
      partition.set(Math.floor(head / kindRange), { change: readChange(shapes, kind), id });
    }
  }
  reader.assertEnd();
  return { from, to, entries };
}

/** One delta that does what all of `spans` do, one after the other. */
export function squashDeltas(spans: readonly EncodedDelta[]): EncodedDelta {
  const entries: Entries = new Map();
  for (const { body } of spans) {
    for (const [collection, records] of decodeDelta(body).entries) {
      const target = partitionOf(entries, collection);
      for (const [handle, later] of records) target.set(handle, squashEntry(target.get(handle), later));
    }
  }
  return encodeDelta((spans[0] as Span).from, (spans.at(-1) as Span).to, entries);
}

function squashEntry(earlier: Entry | undefined, later: Entry): Entry {
  if (earlier === undefined) return later;
  const change = squashChange(earlier.change, later.change);
  return { change, id: change.kind === "put" ? (later.id ?? earlier.id) : undefined };
}

function writeEntries(entries: Entries): void {
  const shapes = new WrittenShapes();
  writer.count(entries.size);
  for (const [collection, records] of entries) {
    writer.text(collection);
    writer.count(records.size);
    for (const [handle, { change, id }] of records) writeEntry(shapes, handle, change, id);
  }
}

function writeEntry(shapes: WrittenShapes, handle: number, change: Change, id: string | undefined): void {
  const head = handle * kindRange;
  switch (change.kind) {
    case "put":
      if (id === undefined) throw new Error(`a put of record ${handle} has no id`);
      writer.count(head + putKind);
      writer.text(id);
      return shapes.write(change.record);
    case "delete":
      writer.count(head + otherKind);
      return writer.count(0);
    case "patch":
      if (change.unset.length > 0) {
        writer.count(head + otherKind);
        writer.count(change.unset.length);
        for (const field of change.unset) writer.text(field);
        return shapes.write(change.set);
      }
      if (shapes.isLast(change.set)) {
        writer.count(head + patchAlikeKind);
        return shapes.writeValues(change.set);
      }
      writer.count(head + patchKind);
      return shapes.write(change.set);
    default:
      return change satisfies never;
  }
}

function readChange(shapes: ReadShapes, kind: number): Change {
  if (kind === putKind) return { kind: "put", record: shapes.read() };
  const unset = kind === otherKind ? shapes.readNames() : [];
  if (kind === otherKind && unset.length === 0) return deletion;
  return { kind: "patch", set: kind === patchAlikeKind ? shapes.readAlike() : shapes.read(), unset };
}

/** Lists of field names as one body has them so far: 0 stands before a new one, and their number + 1 for one known. */
class WrittenShapes {
  /** By their names in one text, which two lists may have in common when a name is an odd one. */
  readonly #known = new Map<string, { readonly number: number; readonly names: readonly string[] }>();
  #size = 0;
  #last: readonly string[] | undefined;

  /** Whether `fields` has the names, in order, of those written last. */
  isLast(fields: Fields): boolean {
    const last = this.#last;
    if (last === undefined) return false;
    let index = 0;
    for (const name in fields) if (last[index++] !== name) return false;
    return index === last.length;
  }

  write(fields: Fields): void {
    const names = Object.keys(fields);
    const key = names.join("\0");
    const known = this.#known.get(key);
    this.#last = names;
    if (known !== undefined && areSame(known.names, names)) {
      writer.count(known.number + 1);
    } else {
      this.#known.set(key, { number: this.#size++, names });
      writer.count(0);
      writer.count(names.length);
      for (const name of names) writer.text(name);
    }
    this.writeValues(fields);
  }

  writeValues(fields: Fields): void {
    for (const name in fields) writer.value(fields[name] as Json);
  }
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

class ReadShapes {
  readonly #reader: ByteReader;
  readonly #shapes: (readonly string[])[] = [];
  #last: readonly string[] | undefined;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  read(): Fields {
    const number = this.#reader.count();
    if (number === 0) this.#shapes.push((this.#last = this.readNames()));
    else this.#last = this.#shapes[number - 1];
    return this.readAlike();
  }

  /** Fields of the same names as those read last. */
  readAlike(): Fields {
    if (this.#last === undefined) throw new FormatError("fields have no names");
    const fields: Record<string, Json> = {};
    for (const name of this.#last) setMember(fields, name, this.#reader.value());
    return Object.freeze(fields);
  }

  readNames(): readonly string[] {
    const names: string[] = [];
    for (let left = this.#reader.size(); left > 0; left--) names.push(this.#reader.text());
    return names;
  }
}
