import "fake-indexeddb/auto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { deleteDatabase, Storage } from "../../../client/offline/database.ts";
import { say } from "../../../client/offline/browser-storage.ts";

const name = "deltaroom:ada";
const open: Storage[] = [];

afterEach(async () => {
  vi.unstubAllGlobals();
  for (const storage of open.splice(0)) storage.close();
  await deleteDatabase("ada");
});

/** What a tab of this person has. */
function newStorage(): Storage {
  const storage = new Storage("ada", () => {});
  open.push(storage);
  return storage;
}

/** Resolves when a request of IndexedDB has succeeded. */
async function done<T>(request: IDBRequest<T>): Promise<T> {
  return await new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error as Error));
  });
}

const write = async (storage: Storage) =>
  await storage.use(
    async (database) => await database.put("bases", { epoch: "e", rev: 1, schema: 1 }, "room"),
  );

const names = async () => (await indexedDB.databases()).map((database) => database.name);

/** Has every tab lose its connection, and deletes the database while no tab has one: so no tab is told. */
async function deleteUnseen(): Promise<void> {
  (await done(indexedDB.open(name, 2))).close();
  await done(indexedDB.deleteDatabase(name));
}

describe("a tab that opens its database again while the person is forgotten", () => {
  test("deletes what it has made, once it hears of that", async () => {
    const storage = newStorage();
    await write(storage);
    await deleteUnseen();
    await write(storage);
    expect(await names()).toEqual([name]);
    say(name, "forgotten");
    await expect.poll(() => storage.isEnded).toBe(true);
    await expect.poll(names).toEqual([]);
    await expect(write(storage)).rejects.toThrow("what was kept for this person was deleted");
    expect(await names()).toEqual([]);
  });

  test("deletes it also when it hears of that before the database is open", async () => {
    const storage = newStorage();
    await write(storage);
    await deleteUnseen();
    const openDatabase = indexedDB.open.bind(indexedDB);
    let isLate = false;
    vi.spyOn(indexedDB, "open").mockImplementation((...args) => {
      const request = openDatabase(...args);
      // The browser has made the database, and the tab has not been told so.
      request.addEventListener("upgradeneeded", () => {
        isLate = true;
        say(name, "forgotten");
      });
      return request;
    });
    await write(storage).catch(() => {});
    vi.restoreAllMocks();
    expect(isLate).toBe(true);
    await expect.poll(() => storage.isEnded).toBe(true);
    await expect.poll(names).toEqual([]);
  });

  test("leaves alone a database that another tab has made", async () => {
    const next = newStorage();
    await write(next);
    const storage = newStorage();
    await write(storage);
    next.close();
    say(name, "forgotten");
    await expect.poll(() => storage.isEnded).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await names()).toEqual([name]);
  });
});

test("a tab whose database a newer version has changed is told to reload", async () => {
  const storage = newStorage();
  await write(storage);
  (await done(indexedDB.open(name, 2))).close();
  await expect(write(storage)).rejects.toThrow("reload the page");
});

test("`clearPersisted` has nothing to do where there is no IndexedDB", async () => {
  vi.stubGlobal("indexedDB", undefined);
  await expect(deleteDatabase("ada")).resolves.toBeUndefined();
});
