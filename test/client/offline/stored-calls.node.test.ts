import "fake-indexeddb/auto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { StoredCalls, readSecrets, readQueue } from "../../../client/offline/stored-calls.ts";
import { deleteDatabase, Storage } from "../../../client/offline/database.ts";
import { PendingQueue } from "../../../client/mutations/pending-queue.ts";
import { QueueKeeper } from "../../../client/offline/queue-keeper.ts";
import type { Settle } from "../../../client/mutations/call-outcomes.ts";
import type { Outcome } from "../../../src/model/call.ts";

const room = "ws://example.com/rooms/a";
const secret = "the-secret-of-a-client-of-ada";
const quiet: Settle = { resolve() {}, reject() {} };
const open: Storage[] = [];
const failures: unknown[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const storage of open.splice(0)) storage.close();
  failures.length = 0;
  await deleteDatabase("ada");
});

/** A client's queue whose calls are kept, and what is on disk of it. */
async function keptQueue() {
  const storage = new Storage("ada", () => log.doubt(storage.isEnded));
  open.push(storage);
  await storage.use(async () => {}); // open, as it is when a page is in use
  const isFailing = () => failures.length > 0;
  const log: StoredCalls = new StoredCalls(storage, room, secret, {
    settled() {},
    failed: (error) => failures.push(error),
    isFailing,
  });
  const queue = new PendingQueue(secret);
  const wakes: number[] = [];
  const keeper = new QueueKeeper(queue, log, () => wakes.push(queue.unsent));
  keeper.keepAll();
  log.confirmTo(keeper);
  const rows = async () => {
    await Promise.resolve(); // the turn is over
    const { calls } = await readQueue(storage, room, secret);
    return calls.map(({ clientReqId, payload }) => [clientReqId, payload]);
  };
  return { storage, log, queue, rows, wakes };
}

function edit(queue: PendingQueue, id: string, x: number): void {
  queue.add("transact", { shapes: [["put", id, { x }]] }, 0, 0, quiet);
}

/** From now on the disk takes no row. */
function fill() {
  return vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
}

async function deleted(): Promise<void> {
  await new Promise((resolve) => {
    indexedDB.deleteDatabase("deltaroom:ada").addEventListener("success", resolve);
  });
}

const accepted = (rev: number): Outcome => ({ kind: "accepted", rev });
const refused: Outcome = { kind: "rejected", code: "no", message: "no" };

describe("the calls of a client on disk", () => {
  test("are there as soon as the turn is over that made them, one row each", async () => {
    const { queue, rows, storage } = await keptQueue();
    for (const n of [1, 2, 3]) queue.add("add", { n }, 0, 0, quiet);
    expect(await rows()).toEqual([
      [1, { n: 1 }],
      [2, { n: 2 }],
      [3, { n: 3 }],
    ]);
    expect([...(await readSecrets(storage, room))]).toEqual([secret]);
  });

  test("stay until the base on disk has what they did, and only then the room may forget their answers", async () => {
    const { queue, log, rows } = await keptQueue();
    for (const n of [1, 2, 3]) queue.add("add", { n }, 0, 0, quiet);
    queue.take(10, 1e6, 0);
    queue.answer(2, [
      [1, accepted(7)],
      [2, accepted(9)],
    ]);
    log.forget(6);
    expect((await rows()).map(([id]) => id)).toEqual([1, 2, 3]);
    expect(queue.confirmed).toBe(0);
    log.forget(8);
    expect((await rows()).map(([id]) => id)).toEqual([2, 3]);
    expect(queue.confirmed).toBe(1);
  });

  test("are forgotten in their order, so that the ids of those that are left follow one another", async () => {
    const { queue, log, rows } = await keptQueue();
    for (const n of [1, 2, 3]) queue.add("add", { n }, 0, 0, quiet);
    queue.take(10, 1e6, 0);
    queue.answer(2, [
      [1, accepted(7)],
      [2, refused],
    ]);
    log.forget(6);
    expect((await rows()).map(([id]) => id)).toEqual([1, 2, 3]);
    log.forget(7);
    expect((await rows()).map(([id]) => id)).toEqual([3]);
  });

  test("are what is sent: one that was changed by a further edit waits until that is kept", async () => {
    const { queue, rows, wakes } = await keptQueue();
    edit(queue, "a", 1);
    await rows();
    edit(queue, "a", 2);
    expect(queue.take(10, 1e6, 0)).toEqual([]);
    await expect.poll(() => wakes.length).toBe(1);
    const [call] = queue.take(10, 1e6, 0);
    expect(await rows()).toEqual([[1, call?.payload]]);
    expect(call?.payload).toEqual({ shapes: [["put", "a", { x: 2 }]] });
  });

  test("do not hold back what is made while the room is there", async () => {
    const { queue } = await keptQueue();
    edit(queue, "a", 1);
    expect(queue.take(10, 1e6, 0)).toHaveLength(1);
  });

  test("get new ids with those in memory, when a restored room knows fewer", async () => {
    const { queue, rows } = await keptQueue();
    for (const n of [1, 2, 3, 4]) queue.add("add", { n }, 0, 0, quiet);
    queue.take(10, 1e6, 0);
    queue.answer(2, [
      [1, accepted(1)],
      [2, accepted(2)],
    ]);
    queue.resume(1);
    expect(await rows()).toEqual([
      [2, { n: 3 }],
      [3, { n: 4 }],
    ]);
  });

  test("are sent without being kept while that fails, and the room may forget their answers", async () => {
    const { queue, log } = await keptQueue();
    fill();
    edit(queue, "a", 1);
    await expect.poll(() => failures.length).toBe(1);
    edit(queue, "a", 2);
    await expect.poll(() => queue.take(10, 1e6, 0).length).toBe(1);
    edit(queue, "b", 1);
    queue.answer(1, [[1, accepted(5)]]);
    await expect.poll(() => queue.confirmed).toBe(1);
    expect(failures).toHaveLength(1);
    await expect(log.write()).rejects.toThrow("full");
  });

  test("are all written when the disk has room again", async () => {
    const { queue, log, rows } = await keptQueue();
    queue.add("add", { n: 1 }, 0, 0, quiet);
    expect(await rows()).toHaveLength(1);
    const put = fill();
    for (const n of [2, 3]) queue.add("add", { n }, 0, 0, quiet);
    await expect.poll(() => failures.length).toBe(1);
    queue.add("add", { n: 4 }, 0, 0, quiet);
    queue.welcome(7);
    put.mockRestore();
    await log.write();
    expect((await rows()).map(([id]) => id)).toEqual([1, 2, 3, 4]);
  });

  test.each(["close", "close and delete"])(
    "are all there after a browser did this to the database: %s",
    async (end) => {
      const { queue, storage, rows } = await keptQueue();
      queue.welcome(7);
      for (const n of [1, 2]) queue.add("add", { n }, 0, 0, quiet);
      expect(await rows()).toHaveLength(2);
      queue.resume(0);
      await rows();
      await storage.use(async (database) => {
        database.close();
        await Promise.resolve();
      });
      if (end !== "close") await deleted();
      queue.add("add", { n: 3 }, 0, 0, quiet);
      await expect.poll(rows).toEqual([1, 2, 3].map((n) => [n, { n }]));
      expect((await readQueue(storage, room, secret)).knownSince).toBe(7);
      expect(failures).toEqual([]);
    },
  );

  test("with a missing one among them are read from behind it", async () => {
    const { queue, storage, rows } = await keptQueue();
    for (const n of [1, 2, 3, 4]) queue.add("add", { n }, 0, 0, quiet);
    expect(await rows()).toHaveLength(4);
    await storage.use(async (database) => await database.delete("calls", [room, secret, 2] as never));
    expect((await rows()).map(([id]) => id)).toEqual([3, 4]);
  });

  test("are deleted also when the same turn brings something that a full disk does not take", async () => {
    const { queue, rows } = await keptQueue();
    for (const n of [1, 2, 3]) queue.add("add", { n }, 0, 0, quiet);
    expect(await rows()).toHaveLength(3);
    queue.take(10, 1e6, 0);
    queue.answer(2, [
      [1, accepted(1)],
      [2, accepted(2)],
    ]);
    const put = fill();
    queue.resume(1); // a restored room knows one call: the third gets another id
    await expect.poll(() => failures.length).toBe(1);
    put.mockRestore();
    expect(await rows()).toEqual([]);
  });

  test("whose rows cannot be deleted are not confirmed, since another page may find them", async () => {
    const { queue, log, rows } = await keptQueue();
    queue.add("add", { n: 1 }, 0, 0, quiet);
    expect(await rows()).toHaveLength(1);
    queue.take(10, 1e6, 0);
    queue.answer(1, [[1, accepted(1)]]);
    const deletion = vi.spyOn(IDBObjectStore.prototype, "delete").mockImplementation(() => {
      throw new DOMException("no", "UnknownError");
    });
    log.forget(1);
    await expect.poll(() => failures.length).toBe(1);
    expect(queue.confirmed).toBe(0);
    deletion.mockRestore();
    await log.write();
    expect(queue.confirmed).toBe(1);
  });

  test("are not kept any more once the person is forgotten", async () => {
    const { queue, storage, rows } = await keptQueue();
    queue.add("add", { n: 1 }, 0, 0, quiet);
    expect(await rows()).toHaveLength(1);
    await deleteDatabase("ada");
    expect(storage.isEnded).toBe(true);
    queue.add("add", { n: 2 }, 0, 0, quiet);
    await expect.poll(() => failures.length).toBe(1);
    await expect.poll(() => queue.take(10, 1e6, 0).length).toBe(2);
    expect((await indexedDB.databases()).map(({ name }) => name)).toEqual([]);
  });
});
