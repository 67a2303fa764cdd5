import "fake-indexeddb/auto";
import {
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  oneof,
  option,
  tuple,
} from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as z from "zod/mini";
import { BasePages, readBase } from "../../../client/offline/base-pages.ts";
import { deleteDatabase, Storage } from "../../../client/offline/database.ts";
import { Replica } from "../../../client/replica/replica.ts";
import type { Entries, Entry } from "../../../src/protocol/encoding/delta.ts";
import { State } from "../../../src/model/state.ts";
import { defineRoom } from "../../../src/index.ts";

const board = defineRoom({
  version: 3,
  collections: { shapes: z.object({ x: z.number() }), notes: z.object({ x: z.number() }) },
});
const collections = Object.keys(board.collections);
const room = "ws://example.com/rooms/a";
const open: Storage[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const storage of open.splice(0)) storage.close();
  await deleteDatabase("ada");
});

function newStorage(lost = () => {}): Storage {
  const storage = new Storage("ada", lost);
  open.push(storage);
  return storage;
}

async function countPages(storage: Storage): Promise<number> {
  return await storage.use(async (database) => await database.count("pages"));
}

function newReplica(): Replica {
  return new Replica(board, { clientId: "ada", user: null, access: "write" }, () => false);
}

function contentsOf({ view, rev, epoch }: Replica): object {
  const records = collections.map((name) => [name, view.ids(name).map((id) => [id, view.get(name, id)])]);
  return { epoch, rev, records };
}

/** A room of records `collection/handle`, whose ids are their handles'. */
class Room {
  readonly replica = newReplica();
  readonly #alive = new Set<string>();
  rev = 0;

  constructor() {
    this.replica.finishSnapshot("e1", 0, { from: 0, to: 0, entries: new Map() }, []);
  }

  /** Puts, patches or deletes; answers what there was to tell of it. */
  change(edits: readonly (readonly [collection: number, handle: number, x: number | null])[]) {
    const entries: Entries = new Map();
    for (const [collection, handle, x] of edits) {
      const name = collections[collection] ?? "";
      const records = entries.get(name) ?? new Map<number, Entry>();
      const id = `${name}-${handle}`;
      if (records.has(handle)) continue;
      if (x === null) records.set(handle, { change: { kind: "delete" }, id: undefined });
      else if (this.#alive.has(id))
        records.set(handle, { change: { kind: "patch", set: { x }, unset: [] }, id: undefined });
      else records.set(handle, { change: { kind: "put", record: { x } }, id });
      if (x === null) this.#alive.delete(id);
      else this.#alive.add(id);
      entries.set(name, records);
    }
    const delta = { from: this.rev, to: ++this.rev, entries };
    this.replica.advance(delta, []);
    return delta;
  }
}

/** A new room, and what writes it to disk. */
function keptIn(storage: Storage): { readonly own: Room; readonly pages: BasePages } {
  const own = new Room();
  return { own, pages: new BasePages(storage, room, board.version, collections, own.replica, false) };
}

async function restored(storage: Storage): Promise<Replica> {
  const replica = newReplica();
  const base = await readBase(storage, room, board.version);
  if (base !== undefined) replica.restore(base, []);
  return replica;
}

const edit = tuple(
  constantFrom(0, 1),
  oneof(integer({ min: 0, max: 200 }), constant(2 ** 40)),
  option(integer({ min: 0, max: 9 })),
);
const step = oneof(
  { weight: 4, arbitrary: array(edit, { maxLength: 20 }) },
  { weight: 1, arbitrary: constant("write" as const) },
);

describe("a base on disk", () => {
  test("is the room's, whatever was changed and however often it was written", async () => {
    await assert(
      asyncProperty(array(step, { maxLength: 25 }), async (steps) => {
        const storage = newStorage();
        await storage.use(async (database) => {
          await database.clear("bases");
          await database.clear("pages");
        });
        const { own, pages } = keptIn(storage);
        for (const each of steps) {
          if (each === "write") await pages.write();
          else pages.note(own.change(each));
        }
        expect(await pages.write()).toBe(own.rev);
        expect(contentsOf(await restored(storage))).toEqual(contentsOf(own.replica));
        storage.close();
      }),
      { numRuns: 60 },
    );
  });

  test("goes on by deltas, and has the room's checksums", async () => {
    const storage = newStorage();
    const { own, pages } = keptIn(storage);
    pages.note(
      own.change([
        [0, 1, 1],
        [0, 100, 2],
        [1, 7, 3],
      ]),
    );
    await pages.write();
    const found = await restored(storage);
    found.advance(
      own.change([
        [0, 100, 9],
        [1, 7, null],
        [0, 300, 4],
      ]),
      [],
    );
    expect(contentsOf(found)).toEqual(contentsOf(own.replica));
    const state = new State();
    for (const name of collections) {
      for (const id of own.replica.view.ids(name)) state.set(name, id, own.replica.view.get(name, id));
    }
    const compareSome = found.comparison(state.checksums);
    let differing: string[] | undefined;
    while (differing === undefined) differing = compareSome();
    expect(differing).toEqual([]);
  });

  test("is replaced by another as a whole", async () => {
    const storage = newStorage();
    const { own: first, pages } = keptIn(storage);
    pages.note(
      first.change([
        [0, 1, 1],
        [0, 100, 2],
      ]),
    );
    await pages.write();
    first.replica.finishSnapshot("e2", 0, { from: 0, to: 5, entries: new Map() }, []);
    pages.note("replaced");
    expect(await pages.write()).toBe(5);
    expect(contentsOf(await restored(storage))).toEqual(contentsOf(first.replica));
    expect(await countPages(storage)).toBe(0);
  });

  test("of a room that was deleted is removed, and a new one is kept whole", async () => {
    const storage = newStorage();
    const { own, pages } = keptIn(storage);
    pages.note(own.change([[0, 1, 1]]));
    await pages.write();
    pages.note(own.change([[0, 100, 2]]));
    pages.note("gone");
    for (let write = 0; write < 2; write++) {
      expect(await pages.write()).toBe(own.rev);
      const bases = await storage.use(async (database) => await database.count("bases"));
      expect([bases, await countPages(storage)]).toEqual([0, 0]);
    }
    own.replica.finishSnapshot("e2", 0, { from: 0, to: 5, entries: new Map() }, []);
    pages.note("replaced");
    expect(await pages.write()).toBe(5);
    expect(contentsOf(await restored(storage))).toEqual(contentsOf(own.replica));
  });

  test("is written in few rows, and of those only what was touched", async () => {
    const storage = newStorage();
    const { own, pages } = keptIn(storage);
    pages.note(own.change(Array.from({ length: 640 }, (_, handle) => [0, handle, 1] as const)));
    await pages.write();
    expect(await countPages(storage)).toBe(10);
    const put = vi.spyOn(IDBObjectStore.prototype, "put");
    pages.note(own.change([[0, 65, 2]]));
    await pages.write();
    expect(put.mock.calls.map(([, key]) => key)).toEqual([[room, "shapes", 1], room]);
  });

  test("is not shown to another version of the definition", async () => {
    const storage = newStorage();
    const own = new Room();
    await new BasePages(storage, room, board.version, collections, own.replica, false).write();
    expect(await readBase(storage, room, board.version)).toBeDefined();
    expect(await readBase(storage, room, board.version + 1)).toBeUndefined();
    expect(await readBase(storage, "ws://example.com/rooms/ab", board.version)).toBeUndefined();
  });

  test("is written anew as a whole when writing it has failed", async () => {
    const storage = newStorage();
    const { own, pages } = keptIn(storage);
    pages.note(
      own.change([
        [0, 1, 1],
        [1, 100, 2],
      ]),
    );
    const put = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    await expect(pages.write()).rejects.toThrow("full");
    put.mockRestore();
    expect(await readBase(storage, room, board.version)).toBeUndefined();
    await pages.write();
    expect(contentsOf(await restored(storage))).toEqual(contentsOf(own.replica));
  });

  test("is written whole when the database was taken away under the page, and no part of it before", async () => {
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    const storage = newStorage(() => {
      pages.doubt();
      resolve();
    });
    const { own, pages } = keptIn(storage);
    pages.note(own.change(Array.from({ length: 640 }, (_, handle) => [0, handle, 1] as const)));
    await pages.write();
    await storage.use(async (database) => {
      database.close(); // as a browser does: the page is not told
      await Promise.resolve();
    });
    await new Promise((resolve) => {
      indexedDB.deleteDatabase("deltaroom:ada").addEventListener("success", resolve);
    });
    pages.note(own.change([[0, 65, 2]]));
    await pages.write();
    await lost;
    expect(await countPages(storage)).toBe(10);
    expect(contentsOf(await restored(storage))).toEqual(contentsOf(own.replica));
  });

  test("is written whole once it is in doubt what the database holds", async () => {
    const storage = newStorage();
    const { own, pages } = keptIn(storage);
    pages.note(own.change(Array.from({ length: 640 }, (_, handle) => [0, handle, 1] as const)));
    await pages.write();
    const put = vi.spyOn(IDBObjectStore.prototype, "put");
    pages.doubt();
    await pages.write();
    expect(put).toHaveBeenCalledTimes(11);
  });
});
