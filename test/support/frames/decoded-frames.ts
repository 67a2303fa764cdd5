import type { PeerChange, TextFrame, WireEvent } from "../../../src/protocol/down/down-frames.ts";

export type Fields = { readonly [field: string]: unknown };

/** What a call came to: its revision, or the refusal. */
export type Result = number | { readonly code: string; readonly message: string; readonly data?: unknown };

/** One record's part of a delta. */
type ReadEntry =
  | readonly [kind: "put", handle: number, id: string, fields: Fields]
  | readonly [kind: "patch", handle: number, fields: Fields, unset: readonly string[]]
  | readonly [kind: "delete", handle: number];

export interface ReadDelta {
  readonly from: number;
  readonly to: number;
  readonly partitions: readonly (readonly [collection: string, entries: readonly ReadEntry[]])[];
}

export interface ReadUpdate {
  readonly kind: "update";
  readonly tag?: number;
  readonly lastCallId?: number;
  readonly outcomes?: readonly (readonly [clientReqId: number, result: Result, callHash?: number])[];
  readonly parts?: number;
  readonly delta?: ReadDelta;
  readonly checksums?: { readonly [collection: string]: number };
  readonly presence?: readonly PeerChange[];
  readonly events?: readonly WireEvent[];
}

export interface ReadPart {
  readonly kind: "snapshot";
  readonly part: number;
  readonly left: number;
  readonly rev: number;
  /** Whether it came compressed. */
  readonly isDeflated: boolean;
  readonly collection: string;
  readonly from: string;
  readonly until: string | null;
  readonly records: readonly (readonly [id: string, record: Fields, handle: number])[];
}

type Inflate = (bytes: Uint8Array) => Uint8Array;

export type ReadFrame = TextFrame | ReadUpdate | ReadPart;

/**
 * Reads a frame of the room after docs/PROTOCOL.md alone, with nothing of the product's own code. Throws for what
 * that page does not describe. `inflate` undoes the compression of snapshot parts, where they are asked for.
 */
export function readFrame(data: string | Uint8Array, inflate?: Inflate): ReadFrame {
  if (typeof data === "string") return JSON.parse(data) as TextFrame;
  const bytes = new Bytes(data);
  const first = bytes.byte();
  if (first >> 4 === 2) return readUpdate(bytes, first & 15);
  if (first >> 4 === 3) return readPart(bytes, first & 15, inflate);
  throw new Error(`no frame begins with ${first}`);
}

/** Reads a delta as frames and journal rows hold it. */
export function readDelta(body: Uint8Array): ReadDelta {
  const bytes = new Bytes(body);
  const from = bytes.count();
  const to = from + bytes.count();
  const shapes = new Shapes();
  const partitions = bytes.list(() => {
    return [bytes.text(), bytes.list(() => readEntry(bytes, shapes))] as const;
  });
  if (bytes.left > 0) throw new Error(`${bytes.left} bytes follow a delta`);
  return { from, to, partitions };
}

function readUpdate(bytes: Bytes, own: number): ReadUpdate {
  const update: { -readonly [member in keyof ReadUpdate]: ReadUpdate[member] } = { kind: "update" };
  if (own & 1) update.tag = bytes.count();
  if (own & 2) update.lastCallId = bytes.count();
  if (own & 4) update.outcomes = readOutcomes(bytes);
  if (own & 8) update.parts = bytes.count();
  const shared = bytes.byte();
  if (shared > 15) throw new Error(`no update has the flags ${shared}`);
  if (shared & 2) update.checksums = bytes.value() as { [collection: string]: number };
  if (shared & 4) update.presence = bytes.value() as PeerChange[];
  if (shared & 8) update.events = bytes.value() as WireEvent[];
  if (shared & 1) update.delta = readDelta(bytes.take(bytes.left));
  if (bytes.left > 0) throw new Error(`${bytes.left} bytes follow an update`);
  return update;
}

/** `[ids, handles, records]`, of which each has as many. */
function readRecords(text: string): ReadPart["records"] {
  const [ids, handles, records] = JSON.parse(text) as [string[], number[], Fields[]];
  return ids.map((id, index) => [id, records[index] as Fields, handles[index] as number]);
}

function readPart(bytes: Bytes, flags: number, inflate: Inflate | undefined): ReadPart {
  if (flags > (inflate === undefined ? 1 : 3)) throw new Error(`no part has the flags ${flags}`);
  const [part, left, rev] = [bytes.count(), bytes.count(), bytes.count()];
  const [collection, from] = [bytes.text(), bytes.text()];
  const until = flags & 1 ? null : bytes.text();
  const content = bytes.take(bytes.left);
  const records = readRecords(utf8(flags & 2 && inflate ? inflate(content) : content));
  const isDeflated = (flags & 2) !== 0;
  return { kind: "snapshot", part, left, rev, isDeflated, collection, from, until, records };
}

function readOutcomes(bytes: Bytes): [number, Result, number?][] {
  let [id, rev] = [0, 0];
  return bytes.list(() => {
    const head = bytes.count();
    id += Math.floor(head / 4);
    let result: Result;
    if (head % 2 === 0) result = rev += bytes.signed();
    else {
      const [code, message] = [bytes.text(), bytes.text()];
      result = bytes.byte() === 1 ? { code, message, data: bytes.value() } : { code, message };
    }
    return head % 4 >= 2 ? [id, result, bytes.count()] : [id, result];
  });
}

function readEntry(bytes: Bytes, shapes: Shapes): ReadEntry {
  const head = bytes.count();
  const handle = Math.floor(head / 4);
  if (head % 4 === 0) return ["put", handle, bytes.text(), shapes.read(bytes)];
  if (head % 4 === 1) return ["patch", handle, shapes.read(bytes), []];
  if (head % 4 === 2) return ["patch", handle, shapes.readLast(bytes), []];
  const unset = bytes.list(() => bytes.text());
  return unset.length === 0 ? ["delete", handle] : ["patch", handle, shapes.read(bytes), unset];
}

/** The lists of field names that a delta has used so far. */
class Shapes {
  readonly #known: string[][] = [];
  #last: string[] | undefined;

  read(bytes: Bytes): Fields {
    const number = bytes.count();
    if (number === 0) this.#known.push(bytes.list(() => bytes.text()));
    this.#last = number === 0 ? this.#known.at(-1) : this.#known[number - 1];
    return this.readLast(bytes);
  }

  readLast(bytes: Bytes): Fields {
    if (this.#last === undefined) throw new Error("fields have no names");
    return Object.fromEntries(this.#last.map((name) => [name, bytes.value()]));
  }
}

/** The elements that everything is made of. */
class Bytes {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get left(): number {
    return this.#data.length - this.#at;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new Error(`${length} bytes are wanted, ${this.left} are left`);
    this.#at += length;
    return this.#data.slice(this.#at - length, this.#at);
  }

  count(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte % 128) << shift;
      if (byte >= 128) continue;
      if (byte === 0 && shift > 0n) throw new Error("a count is longer than it need be");
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error("a count is too large");
      return Number(value);
    }
  }

  signed(): number {
    const count = this.count();
    return count % 2 === 0 ? count / 2 : -(count + 1) / 2;
  }

  list<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.count(); left > 0; left--) items.push(read());
    return items;
  }

  text(): string {
    return utf8(this.take(this.count()));
  }

  value(): unknown {
    const first = this.byte();
    if (first < 0x80) return first;
    if (first < 0xc0) return 128 + (first - 0x80) * 256 + this.byte();
    if (first < 0xe0) return utf8(this.take(first - 0xc0));
    switch (first) {
      case 0xe0:
        return null;
      case 0xe1:
        return false;
      case 0xe2:
        return true;
      case 0xe3:
        return this.count();
      case 0xe4:
        return -1 - this.count();
      case 0xe5:
        return new DataView(this.take(8).buffer).getFloat64(0);
      case 0xe6:
        return this.text();
      case 0xe7:
        return this.list(() => this.value());
      case 0xe8:
        return Object.fromEntries(this.list(() => [this.text(), this.value()]));
      case 0xe9:
      case 0xea:
      case 0xeb:
      case 0xec:
        return this.signed() / 10 ** (first - 0xe8);
      default:
        throw new Error(`no value begins with ${first}`);
    }
  }
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
