import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AuthorshipIndex } from "../../../src/room/engine/authorship.ts";
import { deletion, type Change, type Changes } from "../../../src/model/changes.ts";
import { Handles } from "../../../src/room/storage/handles.ts";
import { utf8Bytes, type Fields } from "../../../src/model/json.ts";
import { PageTable } from "../../../src/room/storage/page-table.ts";
import { loadPage } from "../../../src/room/storage/page-codec.ts";
import type { StoredPage } from "../../../src/room/storage/room-storage.ts";
import { PagedState } from "../../../src/room/storage/paged-state.ts";
import { readPageRecords, writePageRecords } from "../../../src/protocol/encoding/page-records.ts";
import { PageReader } from "../../../src/room/storage/page-reader.ts";
import { anyEdit, contentOf, operationOf } from "../../support/random-edits.ts";

/** A state, its pages and what storage has of them. */
class Pages {
  readonly records: PagedState;
  readonly authorship: AuthorshipIndex;
  readonly handles = new Handles(0);
  readonly table: PageTable;
  readonly storage = new Map<number, StoredPage>();
  readonly pageBytes: number;
  #rev = 0;

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
    const read = (number: number) => this.storage.get(number) as StoredPage;
    const load = (page: StoredPage) => loadPage(page, this);
    this.table = new PageTable(pageBytes, new PageReader(read, load));
    this.records = new PagedState(this.table);
    this.authorship = new AuthorshipIndex(100, this.table);
  }

  /** Notes changes that are in the state. */
  note(changes: Changes, clientId = "ann"): void {
    this.#rev += 1;
    this.handles.take(changes);
    for (const [collection, records] of changes) {
      for (const [id, { kind }] of records) {
        this.authorship.note(collection, id, this.#rev, clientId);
        this.table.touch(collection, id, kind);
      }
    }
  }

  put(...ids: string[]): void {
    this.#change(ids, { kind: "put", record: { text: "0123456789" } });
  }

  delete(...ids: string[]): void {
    this.#change(ids, deletion);
  }

  #change(ids: readonly string[], change: Change): void {
    const changes: Changes = new Map([["notes", new Map(ids.map((id) => [id, change]))]]);
    this.records.apply(changes);
    this.note(changes);
  }

  /** Writes what has changed; answers the numbers of the pages written and removed. */
  checkpoint(): { written: number[]; removed: readonly number[] } {
    const written: number[] = [];
    const removed: number[] = [];
    for (const write of this.table.encodeChanged(this)) {
      if (write.kind === "put") {
        this.storage.set(write.page.number, write.page);
        written.push(write.page.number);
      } else {
        if (!this.storage.delete(write.number)) throw new Error(`page ${write.number} was never stored`);
        removed.push(write.number);
      }
    }
    return { written, removed };
  }

  /** Another one, from storage alone, read in the opposite order. */
  wake(): Pages {
    const woken = new Pages(this.pageBytes);
    const pages = [...this.storage.values()].toReversed();
    for (const page of pages) woken.storage.set(page.number, page);
    woken.table.list(pages.map((page) => ({ ...page, bytes: utf8Bytes(page.records) })));
    return woken;
  }

  /** `""…c: a b` for each stored page, in order. */
  layout(): string[] {
    return Array.from(this.table.ranges(), ({ number, firstId, untilId }) => {
      const ids = this.#recordsOf(number).map(([id]) => id);
      return `${firstId}…${untilId ?? ""}: ${ids.join(" ")}`;
    });
  }

  /** All that the stored pages hold. Throws when two of them hold the same or one holds what is not in its range. */
  content(): { [collection: string]: { [id: string]: Fields } } {
    const content: { [collection: string]: { [id: string]: Fields } } = {};
    for (const { number, collection, firstId, untilId } of this.table.ranges()) {
      for (const [id, record] of this.#recordsOf(number)) {
        if (id < firstId || (untilId !== null && id >= untilId))
          throw new Error(`${id} is not in its page's range`);
        const partition = (content[collection] ??= {});
        if (Object.hasOwn(partition, id)) throw new Error(`${id} is in two pages`);
        partition[id] = record;
      }
    }
    return content;
  }

  #recordsOf(number: number): [string, Fields][] {
    const page = this.storage.get(number);
    if (page === undefined) throw new Error(`page ${number} is not stored`);
    const { ids, records } = readPageRecords(page.records);
    return ids.map((id, index) => [id, records[index] as Fields]);
  }
}

/** Bytes of the pages below, which hold two records each. */
const twoRecords = writePageRecords({
  ids: ["a", "b"],
  handles: [0, 1],
  records: [{ text: "0123456789" }, { text: "0123456789" }],
}).length;

describe("splitting", () => {
  test("begins a page where the one before is full", () => {
    const pages = new Pages(twoRecords);
    pages.put("e", "b", "a", "d", "c");
    pages.checkpoint();
    expect(pages.layout()).toEqual(["…c: a b", "c…e: c d", "e…: e"]);
  });

  test("splits a page that grew, and writes no other", () => {
    const pages = new Pages(twoRecords);
    pages.put("a", "c", "d", "f");
    const first = pages.checkpoint();
    expect(pages.layout()).toEqual(["…d: a c", "d…: d f"]);
    pages.put("b");
    const second = pages.checkpoint();
    expect(pages.layout()).toEqual(["…c: a b", "c…d: c", "d…: d f"]);
    expect(second.written).toEqual([first.written[0], Math.max(...first.written) + 1]);
    expect(second.removed).toEqual([]);
  });

  test("counts bytes, not characters", () => {
    const record = { text: "é".repeat(40) };
    const ids = ["a", "b", "c", "d"];
    const pages = new Pages(150);
    for (const id of ids) pages.records.set("notes", id, record);
    pages.note(
      new Map([["notes", new Map(ids.map((id) => [id, { kind: "put", record } satisfies Change]))]]),
    );
    pages.checkpoint();
    expect(pages.layout()).toEqual(["…b: a", "b…c: b", "c…d: c", "d…: d"]);
  });

  test("leaves a record whole that is larger than a page", () => {
    const pages = new Pages(10);
    pages.put("a", "b");
    pages.checkpoint();
    expect(pages.layout()).toEqual(["…b: a", "b…: b"]);
  });
});

test("pages that grow anywhere are split into halves, so that on average they are well filled", () => {
  const pages = new Pages(1_000);
  const ids = Array.from({ length: 600 }, (_, index) => String((index * 7_919) % 10_007).padStart(5, "0"));
  for (let from = 0; from < ids.length; from += 5) {
    pages.put(...ids.slice(from, from + 5));
    pages.checkpoint();
  }
  const sizes = [...pages.storage.values()].map(({ records }) => records.length);
  expect(sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length).toBeGreaterThan(550);
});

describe("a page that ran low", () => {
  const ids = Array.from({ length: 30 }, (_, index) => String(index).padStart(2, "0"));

  test("joins the one before it when both are small, in place of which it is stored", () => {
    const pages = new Pages(400);
    pages.put(...ids);
    const { written } = pages.checkpoint();
    expect(written.length).toBeGreaterThan(2);
    pages.delete(...ids.filter((id) => Number(id) % 10 !== 0));
    const after = pages.checkpoint();
    expect(pages.layout()).toEqual(["…: 00 10 20"]);
    expect([after.written, after.removed]).toEqual([[written[0]], written.slice(1)]);
    expect(contentOf(pages.wake().records)).toEqual(contentOf(pages.records));
  });

  test("does not draw in a large one, nor pages that nobody has changed", () => {
    const pages = new Pages(400);
    pages.put(...ids);
    const { written } = pages.checkpoint();
    pages.delete("00", "01", "02");
    expect(pages.checkpoint()).toEqual({ written: [written[0]], removed: [] });
    pages.put("29");
    expect(pages.checkpoint()).toEqual({ written: [written.at(-1)], removed: [] });
  });
});

describe("a page that ran empty", () => {
  test("is removed, and the one before it covers its range", () => {
    const pages = new Pages(twoRecords);
    pages.put("a", "b", "c", "d", "e");
    const { written } = pages.checkpoint();
    pages.delete("c", "d");
    expect(pages.checkpoint()).toEqual({ written: [], removed: [written[1]] });
    expect(pages.layout()).toEqual(["…e: a b", "e…: e"]);
    pages.put("c");
    pages.checkpoint();
    expect(pages.layout()).toEqual(["…c: a b", "c…e: c", "e…: e"]);
  });

  test("stays when it is the first: it says that the collection is empty", () => {
    const pages = new Pages(twoRecords);
    pages.put("a", "b", "c");
    pages.checkpoint();
    pages.delete("a", "b", "c");
    pages.checkpoint();
    expect(pages.layout()).toEqual(["…: "]);
  });
});

describe("ranges", () => {
  test("are those that storage has: what was never written is not among them", () => {
    const pages = new Pages(twoRecords);
    pages.put("a");
    expect(pages.layout()).toEqual([]);
    pages.checkpoint();
    pages.put("b", "c");
    expect(pages.layout()).toEqual(["…: a"]);
  });

  test("come by collection, and cover every id that a record may have", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyEdit, { maxLength: 8 }), { maxLength: 5 }), (groups) => {
        const pages = new Pages(120);
        for (const edits of groups) {
          pages.note(operationOf(pages.records, edits));
          pages.checkpoint();
        }
        const byCollection = Map.groupBy(pages.table.ranges(), ({ collection }) => collection);
        expect([...byCollection.keys()]).toEqual([...byCollection.keys()].toSorted());
        for (const ranges of byCollection.values()) {
          expect(ranges[0]?.firstId).toBe("");
          expect(ranges.at(-1)?.untilId).toBeNull();
          expect(ranges.slice(1).map(({ firstId }) => firstId)).toEqual(
            ranges.slice(0, -1).map(({ untilId }) => untilId),
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("pages hold exactly the state, each record in one page, over any edits, checkpoints and wakes", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.array(anyEdit, { minLength: 1, maxLength: 6 }) },
    fc.constant("checkpoint" as const),
    fc.constant("wake" as const),
  );
  const given = fc.tuple(fc.integer({ min: 20, max: 300 }), fc.array(step, { maxLength: 12 }));
  fc.assert(
    fc.property(given, ([pageBytes, steps]) => {
      let pages = new Pages(pageBytes);
      for (const [at, step] of [...steps, "checkpoint" as const, "wake" as const].entries()) {
        if (typeof step === "object") {
          pages.note(operationOf(pages.records, step), at % 2 === 0 ? "ann" : "ben");
          continue;
        }
        pages.checkpoint();
        expect(pages.content()).toEqual(contentOf(pages.records));
        const texts = Array.from(pages.storage.values(), ({ records }) => records);
        expect(pages.table.bytes).toBe(
          texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0),
        );
        if (step === "checkpoint") continue;
        const woken = pages.wake();
        expect(contentOf(woken.records)).toEqual(contentOf(pages.records));
        for (const [collection, records] of Object.entries(contentOf(pages.records))) {
          for (const id of Object.keys(records)) {
            expect(woken.authorship.get(collection, id)).toEqual(pages.authorship.get(collection, id));
          }
        }
        expect(woken.table.bytes).toBe(pages.table.bytes);
        expect(woken.layout()).toEqual(pages.layout());
        // What woke numbers its new pages on from those that storage has.
        pages = woken;
      }
    }),
    { numRuns: 100 },
  );
});

test("no page is larger than the limit, but for one that holds a single record", () => {
  fc.assert(
    fc.property(
      fc.array(anyEdit, { maxLength: 20 }),
      fc.integer({ min: 50, max: 300 }),
      (edits, pageBytes) => {
        const pages = new Pages(pageBytes);
        pages.note(operationOf(pages.records, edits));
        pages.checkpoint();
        const shared = Array.from(pages.storage.values(), ({ records }) => records).filter((records) => {
          return readPageRecords(records).ids.length > 1;
        });
        const brackets = "[[],[],[]]".length; // they are not counted
        const tooLarge = shared.filter((records) => utf8Bytes(records) > pageBytes + brackets);
        expect(tooLarge).toEqual([]);
      },
    ),
    { numRuns: 100 },
  );
});

test("a checkpoint without changes writes nothing", () => {
  const pages = new Pages(twoRecords);
  pages.put("a", "b", "c");
  pages.checkpoint();
  expect(pages.checkpoint()).toEqual({ written: [], removed: [] });
});

test("what woke is frozen all the way down", () => {
  const pages = new Pages(1_000);
  pages.put("a");
  pages.checkpoint();
  expect(Object.isFrozen(pages.wake().records.get("notes", "a"))).toBe(true);
});
