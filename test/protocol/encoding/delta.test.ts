import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { absorb, type Change, type Changes } from "../../../src/model/changes.ts";
import {
  mostEntryBytes,
  decodeDelta,
  encodeDelta,
  squashDeltas,
  type EncodedDelta,
  type Entries,
  type Entry,
} from "../../../src/protocol/encoding/delta.ts";
import { FormatError } from "../../../src/protocol/encoding/byte-form.ts";
import { Handles } from "../../../src/room/storage/handles.ts";
import { State } from "../../../src/model/state.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { bytesOfHex } from "../../support/frames/hex.ts";
import { RecordNames } from "../../support/frames/record-names.ts";
import { applyDelta, namesOf } from "../../support/frames/applied-delta.ts";
import {
  anyChange,
  anyEdit,
  copyOfState,
  contentOf,
  editedCollections,
  operationOf,
  type Edit,
} from "../../support/random-edits.ts";

const put = (id: string, record: object): Entry => ({ change: { kind: "put", record } as Change, id });
const patch = (set: object, unset: string[] = []): Entry => ({
  change: { kind: "patch", set, unset } as Change,
  id: undefined,
});
const remove: Entry = { change: { kind: "delete" }, id: undefined };
const entriesOf = (...shapes: [number, Entry][]): Entries => new Map([["shapes", new Map(shapes)]]);

/** A room's flushes, and what it was at the end of each. */
class Flushes {
  readonly handles = new Handles(0);
  readonly deltas: EncodedDelta[] = [];
  readonly states = [new State()];
  readonly names = [new RecordNames()];

  flush(edits: readonly Edit[]): void {
    const from = this.deltas.length;
    const state = copyOfState(this.states[from] as State);
    const changes: Changes = new Map();
    for (const edit of edits) absorb(changes, operationOf(state, [edit]));
    this.deltas.push(encodeDelta(from, from + 1, this.handles.take(changes)));
    this.states.push(state);
    this.names.push(namesOf(state, this.handles, editedCollections));
  }
}

describe("a delta", () => {
  test("comes back as it went, in its order", () => {
    const entry = fc.tuple(anyChange, fc.string({ unit: "binary", minLength: 1, maxLength: 40 }));
    const partitions = fc.dictionary(
      fc.string({ maxLength: 10 }),
      fc.uniqueArray(
        fc.tuple(
          fc.maxSafeNat().map((n) => Math.floor(n / 4)),
          entry,
        ),
        {
          selector: ([handle]) => handle,
          minLength: 1,
          maxLength: 8,
        },
      ),
      { maxKeys: 3 },
    );
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e6), partitions, (from, revs, given) => {
        const entries: Entries = new Map(
          Object.entries(given).map(([collection, records]) => [
            collection,
            new Map(
              records.map(([handle, [change, id]]) => {
                return [handle, { change, id: change.kind === "put" ? id : undefined }];
              }),
            ),
          ]),
        );
        const { body } = encodeDelta(from, from + revs, entries);
        const decoded = decodeDelta(body);
        expect(decoded).toEqual({ from, to: from + revs, entries });
        const order = (delta: Entries) => Array.from(delta.values(), (records) => [...records.keys()]);
        expect(order(decoded.entries)).toEqual(order(entries));
      }),
      { numRuns: 200 },
    );
  });

  test("names fields once, and then says only that they are those", () => {
    const many = entriesOf(
      ...Array.from({ length: 100 }, (_, n): [number, Entry] => [n, patch({ x: n, y: 1, color: "red" })]),
    );
    const { body } = encodeDelta(0, 1, many);
    expect(new TextDecoder().decode(body).split("color")).toHaveLength(2);
    expect(body.length).toBeLessThan(100 * 9);
    expect(decodeDelta(body).entries).toEqual(many);
  });

  test("of fields in another order, or of fewer, is not taken for the same", () => {
    const entries = entriesOf(
      [0, patch({ x: 1, y: 2 })],
      [1, patch({ y: 3, x: 4 })],
      [2, patch({ x: 5 })],
      [3, patch({})],
      [4, patch({ x: 6, y: 7 })],
    );
    const read = decodeDelta(encodeDelta(0, 1, entries).body).entries.get("shapes");
    expect(JSON.stringify(Array.from(read?.values() ?? [], ({ change }) => change))).toBe(
      JSON.stringify(Array.from(entries.get("shapes")?.values() ?? [], ({ change }) => change)),
    );
  });

  test.each([
    ["a name with an odd character", { a: 1, b: 2 }, { "a\0b": 3 }],
    ["a name without a character", {}, { "": 3 }],
    ["names that look like one another's", { "a\0b": 1, c: 2 }, { a: 3, "b\0c": 4 }],
    ["a name that every object has", { __proto__: null, toString: 1 }, { constructor: 2 }],
  ])("keeps fields apart that have %s", (_, one, other) => {
    const entries = entriesOf(
      [0, put("p", one)],
      [1, put("q", other)],
      [2, put("r", one)],
      [3, patch(other)],
    );
    const body = encodeDelta(0, 1, entries).body;
    expect(JSON.stringify([...(decodeDelta(body).entries.get("shapes") ?? [])])).toBe(
      JSON.stringify([...(entries.get("shapes") ?? [])]),
    );
  });

  test("may remove fields, and set others at the same time", () => {
    const entries = entriesOf([0, patch({ x: 1 }, ["color", "label"])], [1, patch({}, ["x"])], [2, remove]);
    expect(decodeDelta(encodeDelta(0, 1, entries).body).entries).toEqual(entries);
  });

  test("of nothing is three bytes", () => {
    expect(encodeDelta(0, 0, new Map()).body).toEqual(bytesOfHex("00 00 00"));
  });

  test("that puts a record without saying which is never written", () => {
    const nameless = { change: { kind: "put", record: {} }, id: undefined } as const;
    expect(() => encodeDelta(0, 1, entriesOf([7, nameless]))).toThrow("a put of record 7 has no id");
  });

  test("is weighed for no less than it will be, whatever handles its records get", () => {
    fc.assert(
      fc.property(fc.array(anyEdit, { maxLength: 6 }), fc.maxSafeNat(), (edits, next) => {
        const changes = operationOf(new State(), edits);
        const handles = new Handles(Math.floor(next / 2 ** 13)); // below 2⁴⁰, the millionth of a million
        const { body } = encodeDelta(0, 1, handles.take(changes));
        let most = 10;
        for (const [collection, records] of changes) {
          most += collection.length + 10;
          for (const [id, change] of records) most += mostEntryBytes(id, change);
        }
        expect(body.length).toBeLessThanOrEqual(most);
      }),
    );
  });

  test.each([
    ["nothing", ""],
    ["no end", "00"],
    ["more sections than bytes", "00 00 7f"],
    ["more records than bytes", "00 00 01 0161 7f"],
    ["fields as before, and none before", "00 00 01 0161 01 02"],
    ["fields of a list that there is not", "00 00 01 0161 01 01 02 05"],
    ["more names than bytes", "00 00 01 0161 01 01 00 7f"],
    ["a value too few", "00 00 01 0161 01 01 00 02 0178 0179 01"],
    ["something behind its end", "00 00 00 00"],
    ["a revision beyond all counting", "ff ff ff ff ff ff ff 1f 00 00"],
  ])("is none with %s", (_, hex) => {
    expect(() => decodeDelta(bytesOfHex(hex))).toThrow(FormatError);
  });

  test("with a byte that fell over is another, or none", () => {
    fc.assert(
      fc.property(
        fc.array(anyEdit, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(255),
        (edits, at, byte) => {
          const { body } = encodeDelta(0, 1, new Handles(0).take(operationOf(new State(), edits)));
          expect(problemOf(body.with(at % body.length, byte)) ?? new FormatError()).toBeInstanceOf(
            FormatError,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("deltas squashed into one", () => {
  const flushes = fc.array(fc.array(anyEdit, { maxLength: 4 }), { minLength: 1, maxLength: 12 });

  test("do what they do one after the other, to whoever comes from any of their revisions", () => {
    fc.assert(
      fc.property(flushes, (flushes) => {
        const room = new Flushes();
        for (const edits of flushes) room.flush(edits);
        const squashed = squashDeltas(room.deltas);
        expect([squashed.from, squashed.to]).toEqual([0, flushes.length]);
        const newest = contentOf(room.states.at(-1) as State);
        for (const [rev, before] of room.states.entries()) {
          const state = copyOfState(before);
          const names = new RecordNames(room.names[rev]);
          applyDelta(state, names, squashed.body);
          expect(contentOf(state)).toEqual(newest);
          expect([...names.note].toSorted(byHandle)).toEqual(
            [...(room.names.at(-1) as RecordNames).note].toSorted(byHandle),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  test("come to the same, however they are grouped", () => {
    fc.assert(
      fc.property(flushes, fc.nat(), (flushes, at) => {
        const room = new Flushes();
        for (const edits of flushes) room.flush(edits);
        const cut = at % flushes.length;
        const groups = [room.deltas.slice(0, cut), room.deltas.slice(cut)].filter(({ length }) => length > 0);
        const twice = squashDeltas(groups.map(squashDeltas));
        expect(decodeDelta(twice.body)).toEqual(decodeDelta(squashDeltas(room.deltas).body));
      }),
      { numRuns: 100 },
    );
  });

  test("have the deletion of a record stand before a put of the same id, which has another handle", () => {
    const room = new Flushes();
    const edit = (change: Change) => ({ collection: "notes", id: "a", change });
    room.flush([edit({ kind: "put", record: { text: "old" } })]);
    room.flush([edit({ kind: "patch", set: { text: "older" }, unset: [] })]);
    room.flush([edit({ kind: "delete" })]);
    room.flush([edit({ kind: "put", record: { text: "new" } })]);
    expect(readDelta(squashDeltas(room.deltas.slice(1)).body).partitions).toEqual([
      [
        "notes",
        [
          ["delete", 0],
          ["put", 1, "a", { text: "new" }],
        ],
      ],
    ]);
  });

  test("say the id of a record that was put and then patched", () => {
    const deltas = [
      encodeDelta(0, 1, entriesOf([4, put("a", { x: 1, y: 1 })])),
      encodeDelta(1, 2, entriesOf([4, patch({ x: 2 }, ["y"])])),
    ];
    expect(decodeDelta(squashDeltas(deltas).body).entries).toEqual(entriesOf([4, put("a", { x: 2 })]));
  });
});

function byHandle([a]: readonly [number, unknown], [b]: readonly [number, unknown]): number {
  return a - b;
}

function problemOf(body: Uint8Array): unknown {
  try {
    decodeDelta(body);
    return undefined;
  } catch (error) {
    return error;
  }
}
