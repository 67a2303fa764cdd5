import { Encoder } from "cbor-x";
import { Packr } from "msgpackr";
import { decodeDelta, encodeDelta, type Entries, type Entry } from "../src/protocol/encoding/delta.ts";
import type { Fields } from "../src/model/json.ts";
import type { Json } from "../src/schema/json.ts";

/**
 * Forms that the delta of a flush could have: bytes, and what it costs to make one of a batch's changes and to read
 * it back into changes that can be applied. Prints tables as Markdown: `node bench/wire-forms.ts`.
 */

interface Form {
  readonly name: string;
  readonly encode: (entries: Entries) => string | Uint8Array;
  readonly decode: (encoded: string | Uint8Array) => unknown;
}

type Change = Entry["change"];
type Numbered = readonly [kind: number, handle: number, ...values: readonly Json[]];
type NumberedDelta = readonly [
  from: number,
  size: number,
  sections: readonly [number, readonly Numbered[]][],
];
type Words = readonly [kind: "put" | "patch", id: string, fields: Fields];

const from = 123_456;
const records = 16;
const rounds = 5;
const minRoundMs = 150;

/** What numbers stand for, where both sides know the schema. */
const collections = ["shapes"];
const shapeFields = ["color", "h", "label", "note", "w", "x", "y"];
const packr = new Packr({ useRecords: false });
const cbor = new Encoder({ useRecords: false });

const forms: readonly Form[] = [
  {
    name: "JSON, objects with words and ids",
    encode: (entries) => JSON.stringify({ from, to: from + records, changes: inWords(entries) }),
    decode: (text) => fromWords(JSON.parse(text as string) as { changes: Record<string, Words[]> }),
  },
  {
    name: "JSON, arrays with numbers for records and fields",
    encode: (entries) => JSON.stringify(inNumbers(entries)),
    decode: (text) => fromNumbers(JSON.parse(text as string) as NumberedDelta),
  },
  {
    name: "the same arrays by msgpackr",
    encode: (entries) => packr.pack(inNumbers(entries)),
    decode: (bytes) => fromNumbers(packr.unpack(bytes as Uint8Array) as NumberedDelta),
  },
  {
    name: "the same arrays by cbor-x",
    encode: (entries) => cbor.encode(inNumbers(entries)),
    decode: (bytes) => fromNumbers(cbor.decode(bytes as Uint8Array) as NumberedDelta),
  },
  {
    name: "deltaroom",
    encode: (entries) => encodeDelta(from, from + records, entries).body,
    decode: (bytes) => decodeDelta(bytes as Uint8Array),
  },
];

const works: readonly (readonly [name: string, entries: Entries])[] = [
  ["16 moves, whole numbers", moves((index) => (index * 97) % 1_920)],
  ["16 moves, two decimals", moves((index) => Math.round(((index * 97.31) % 1_920) * 100) / 100)],
  ["16 moves, full floats", moves((index) => (index * 97.317_311_7) % 1_920)],
  [
    "16 edits of a text",
    entriesOf((index) => {
      const set = { note: `some forty characters that are typed, ${index}` };
      return { kind: "patch", set, unset: [] };
    }),
  ],
  [
    "16 new records",
    entriesOf((index) => {
      const texts = { label: `label of ${index}`, note: "some words that take up room in here" };
      const place = { w: 100, x: (index * 97) % 1_920, y: (index * 31) % 1_080 };
      return { kind: "put", record: { color: "#a1b2c3", h: 50, ...texts, ...place } };
    }),
  ],
];

for (const [name, entries] of works) {
  console.log(`\n**${name}**\n\n| form | bytes a record | write, µs | read, µs |\n| --- | --- | --- | --- |`);
  for (const form of forms) {
    const encoded = form.encode(entries);
    const bytes = typeof encoded === "string" ? Buffer.byteLength(encoded) : encoded.length;
    const write = microseconds(() => form.encode(entries));
    const read = microseconds(() => form.decode(encoded));
    const figures = [bytes / records, write, read].map((figure) => figure.toFixed(1));
    console.log(`| ${[form.name, ...figures].join(" | ")} |`);
  }
}

function moves(place: (index: number) => number): Entries {
  return entriesOf((index) => ({ kind: "patch", set: { x: place(index), y: place(index + 7) }, unset: [] }));
}

/** Every record has an id as `newId` makes them; the forms without handles say it each time. */
function entriesOf(change: (index: number) => Change): Entries {
  const entries = Array.from({ length: records }, (_, index): [number, Entry] => {
    const handle = (index * 31) % 500;
    return [handle, { change: change(index), id: idOf(handle) }];
  });
  return new Map([["shapes", new Map(entries)]]);
}

function idOf(handle: number): string {
  return `shape-${String(handle).padStart(14, "0")}`;
}

function inWords(entries: Entries): Record<string, Words[]> {
  const words: Record<string, Words[]> = {};
  for (const [collection, section] of entries) {
    words[collection] = Array.from(section.values(), ({ change, id = "" }): Words => {
      return [change.kind as "put" | "patch", id, fieldsOf(change)];
    });
  }
  return words;
}

function fromWords({ changes }: { changes: Record<string, Words[]> }): Map<string, Map<string, Change>> {
  return new Map(
    Object.entries(changes).map(([collection, section]) => [
      collection,
      new Map(section.map(([kind, id, fields]) => [id, changeOf(kind, Object.freeze(fields))])),
    ]),
  );
}

function inNumbers(entries: Entries): NumberedDelta {
  const sections = Array.from(entries, ([collection, section]): [number, Numbered[]] => [
    collections.indexOf(collection),
    Array.from(section, ([handle, { change, id = "" }]): Numbered => {
      const values: Json[] = [];
      for (const [field, value] of Object.entries(fieldsOf(change)))
        values.push(shapeFields.indexOf(field), value);
      return change.kind === "put" ? [0, handle, id, ...values] : [1, handle, ...values];
    }),
  ]);
  return [from, records, sections];
}

function fromNumbers([, , sections]: NumberedDelta): Entries {
  return new Map(
    sections.map(([collection, section]) => [
      collections[collection] as string,
      new Map(section.map(entryOfNumbers)),
    ]),
  );
}

function entryOfNumbers(numbered: Numbered): [number, Entry] {
  const isPut = numbered[0] === 0;
  const fields: Record<string, Json> = {};
  for (let index = isPut ? 3 : 2; index < numbered.length; index += 2) {
    fields[shapeFields[numbered[index] as number] as string] = numbered[index + 1] as Json;
  }
  const change = changeOf(isPut ? "put" : "patch", Object.freeze(fields));
  return [numbered[1], { change, id: isPut ? (numbered[2] as string) : undefined }];
}

function fieldsOf(change: Change): Fields {
  return change.kind === "put" ? change.record : change.kind === "patch" ? change.set : {};
}

function changeOf(kind: "put" | "patch", fields: Fields): Change {
  return kind === "put" ? { kind, record: fields } : { kind, set: fields, unset: [] };
}

/** The fastest of some rounds: whatever else the machine does only adds to it. */
function microseconds(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    let runs = 0;
    let elapsedMs = 0;
    for (; elapsedMs < minRoundMs; elapsedMs = performance.now() - start) {
      for (let index = 0; index < 100; index++) work();
      runs += 100;
    }
    best = Math.min(best, elapsedMs / runs);
  }
  return best * 1_000;
}
