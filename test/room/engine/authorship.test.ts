import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AuthorshipIndex, decodeAuthors, encodeAuthors } from "../../../src/room/engine/authorship.ts";
import { deletion, type Change } from "../../../src/model/changes.ts";

const put: Change = { kind: "put", record: {} };

/** Settles a flush that changes records of `notes`, in this order. */
function settle(index: AuthorshipIndex, changes: readonly (readonly [id: string, change: Change])[]): void {
  index.settle(new Map([["notes", new Map(changes)]]));
}

/** In a flush of its own, `client id` changes a record of `notes`. */
function change(index: AuthorshipIndex, id: string, rev: number, clientId: string): void {
  index.note("notes", id, rev, clientId);
  settle(index, [[id, put]]);
}

function remove(index: AuthorshipIndex, id: string, rev: number, clientId: string): void {
  index.note("notes", id, rev, clientId);
  settle(index, [[id, deletion]]);
}

interface Write {
  readonly clientId: string;
  readonly id: string;
  readonly deletes: boolean;
}

const clientIds = ["ann", "ben", "cem"];
const ids = ["a", "b"];
const log: fc.Arbitrary<Write[]> = fc.array(
  fc.record({ clientId: fc.constantFrom(...clientIds), id: fc.constantFrom(...ids), deletes: fc.boolean() }),
  { maxLength: 12 },
);

/** An index that has seen `writes`, the first one at revision 1. */
function indexOf(writes: readonly Write[], maxTombstones = 100): AuthorshipIndex {
  const index = new AuthorshipIndex(maxTombstones);
  for (const [at, { clientId, id, deletes }] of writes.entries()) {
    (deletes ? remove : change)(index, id, at + 1, clientId);
  }
  return index;
}

describe("whether others have changed a record", () => {
  test("is what the whole log of writes says, for every caller and every revision", () => {
    fc.assert(
      fc.property(log, (writes) => {
        const index = indexOf(writes);
        for (const id of ids) {
          for (const clientId of [...clientIds, "nobody"]) {
            for (let baseRev = 0; baseRev <= writes.length + 1; baseRev++) {
              const inLog = writes.some(
                (write, at) => write.id === id && write.clientId !== clientId && at + 1 > baseRev,
              );
              expect(index.changedByOthers("notes", id, clientId, baseRev)).toBe(inLog);
            }
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test("does not count the caller's own changes since somebody else's", () => {
    const index = new AuthorshipIndex(10);
    change(index, "a", 1, "ben");
    change(index, "a", 2, "ann");
    change(index, "a", 3, "ann");
    expect(index.changedByOthers("notes", "a", "ann", 1)).toBe(false);
    expect(index.changedByOthers("notes", "a", "ann", 0)).toBe(true);
    expect(index.changedByOthers("notes", "a", "ben", 2)).toBe(true);
  });

  test("is no for a record that nobody ever changed", () => {
    const index = indexOf([{ clientId: "ann", id: "a", deletes: false }]);
    expect(index.changedByOthers("notes", "z", "ben", 0)).toBe(false);
    expect(index.changedByOthers("cards", "a", "ben", 0)).toBe(false);
  });
});

describe("deleted records", () => {
  test("are remembered, oldest first", () => {
    const index = new AuthorshipIndex(10);
    remove(index, "a", 1, "ann");
    remove(index, "b", 1, "ann");
    remove(index, "a", 2, "ben");
    expect([...index.tombstones()]).toEqual([
      ["notes", "b", { rev: 1, clientId: "ann", othersRev: 0 }],
      ["notes", "a", { rev: 2, clientId: "ben", othersRev: 1 }],
    ]);
  });

  test("are no more than the limit: the oldest is forgotten, and with it who deleted it", () => {
    const index = new AuthorshipIndex(2);
    change(index, "kept", 1, "ann");
    for (const [at, id] of ["a", "b", "c"].entries()) remove(index, id, at + 2, "ann");
    expect(Array.from(index.tombstones(), ([, id]) => id)).toEqual(["b", "c"]);
    expect(index.get("notes", "a")).toBeUndefined();
    expect(index.changedByOthers("notes", "a", "ben", 0)).toBe(false);
    expect(index.changedByOthers("notes", "b", "ben", 0)).toBe(true);
    expect(index.changedByOthers("notes", "kept", "ben", 0)).toBe(true);
  });

  test("that are made again are no longer among them, and are never forgotten", () => {
    const index = new AuthorshipIndex(1);
    remove(index, "a", 1, "ann");
    change(index, "a", 2, "ann");
    remove(index, "b", 3, "ann");
    remove(index, "c", 4, "ann");
    expect(Array.from(index.tombstones(), ([, id]) => id)).toEqual(["c"]);
    expect(index.get("notes", "a")?.rev).toBe(2);
  });

  test("that are undone within their flush push no other out", () => {
    const index = new AuthorshipIndex(2);
    for (const [at, id] of ["a", "b"].entries()) remove(index, id, at + 1, "ann");
    index.note("notes", "c", 3, "ann"); // a deletion
    index.note("notes", "c", 4, "ann"); // the record again
    settle(index, [["c", put]]);
    expect(Array.from(index.tombstones(), ([, id]) => id)).toEqual(["a", "b"]);
  });

  test("of one flush are as old as their places in its row, and the oldest are forgotten when it ends", () => {
    const index = new AuthorshipIndex(2);
    for (const [at, id] of ["c", "b", "a"].entries()) index.note("notes", id, at + 1, "ann");
    expect(index.changedByOthers("notes", "a", "ben", 0)).toBe(true);
    settle(index, [
      ["a", deletion],
      ["b", deletion],
      ["c", deletion],
    ]);
    expect(Array.from(index.tombstones(), ([, id]) => id)).toEqual(["b", "c"]);
    expect(index.get("notes", "a")).toBeUndefined();
  });

  test("are bounded over any writes, and what is there is always known", () => {
    const write = fc.record({
      clientId: fc.constantFrom(...clientIds),
      id: fc.constantFrom("a", "b", "c", "d", "e"),
      deletes: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.array(write, { maxLength: 20 }),
        (maxTombstones, writes) => {
          const index = indexOf(writes, maxTombstones);
          expect([...index.tombstones()].length).toBeLessThanOrEqual(maxTombstones);
          const living = [
            ...new Map(writes.map((write, at) => [write.id, { ...write, rev: at + 1 }])).values(),
          ].filter(({ deletes }) => !deletes);
          expect(living.map(({ id }) => index.get("notes", id)?.rev)).toEqual(living.map(({ rev }) => rev));
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("authors as text", () => {
  test("come back as they went", () => {
    const authorship = fc.record({
      rev: fc.nat(),
      clientId: fc.constantFrom(...clientIds, ""),
      othersRev: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(authorship), (authors) => {
        expect(decodeAuthors(encodeAuthors(authors))).toEqual(authors);
      }),
      { numRuns: 100 },
    );
  });

  test("name an clientId once, however many records it has changed", () => {
    const authors = Array.from({ length: 50 }, (_, rev) => ({
      rev,
      clientId: "a-long-actor-name",
      othersRev: 0,
    }));
    expect(encodeAuthors(authors).split("a-long-actor-name").length).toBe(2);
  });

  test("say nobody for a record whose author is forgotten", () => {
    expect(decodeAuthors(encodeAuthors([undefined]))).toEqual([{ rev: 0, clientId: "", othersRev: 0 }]);
  });
});
