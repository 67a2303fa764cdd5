import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { launchBrowser } from "./browser.ts";
import { DevServer } from "./dev-server.ts";
import { ServiceWorkerPage } from "./offline/service-worker.ts";
import { buildPage, placesOf, Profile, type Tab } from "./offline/tab.ts";

let server: DevServer;
let browser: Browser;
let files: Awaited<ReturnType<typeof buildPage>>;
let profiles: Profile[] = [];
let rooms = 0;

/** The pages come from no server, and a browser would not let such a page reach one of this machine. */
const pageFromNowhere = ["--disable-features=LocalNetworkAccessChecks"];

beforeAll(async () => {
  [server, browser, files] = await Promise.all([
    DevServer.start(),
    launchBrowser(pageFromNowhere),
    buildPage(),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

afterEach(async () => {
  await Promise.all(profiles.map((profile) => profile.close()));
  profiles = [];
});

const soon = { timeout: 20_000, interval: 50 };

function newRoom(): string {
  onTestFailed(() => console.log(server.log.slice(-4_000)));
  rooms += 1;
  return `offline-${rooms}`;
}

async function newProfile(): Promise<Profile> {
  const profile = await Profile.create(browser, server, files);
  profiles.push(profile);
  return profile;
}

/** The room on the server's disk holds this and no more, after so many calls, and each tab shows it. */
async function expectAgreement(tabs: readonly Tab[], places: Record<string, number>, calls: number) {
  const [{ roomId } = { roomId: "" }] = tabs;
  await expect.poll(async () => placesOf(await server.readRoom(roomId)), soon).toEqual(places);
  for (const tab of tabs) {
    await expect.poll(() => tab.status(), soon).toBe("online");
    await expect.poll(() => tab.pending(), soon).toBe(0);
    await expect.poll(() => tab.shapes(), soon).toEqual(places);
    expect(await tab.troubles()).toEqual([]);
  }
  expect((await server.readRoom(roomId)).rev, "calls that were executed").toBe(calls);
}

/** A tab whose room is kept on disk as it is, with one shape in it. */
async function keptRoom(user = "ada"): Promise<{ profile: Profile; tab: Tab; roomId: string }> {
  const [roomId, profile] = [newRoom(), await newProfile()];
  const tab = await profile.open(roomId, user);
  await tab.ready();
  await tab.put("a", 1);
  await expectAgreement([tab], { a: 1 }, 1);
  await expect.poll(() => keptRev(tab), soon).toBe(1);
  return { profile, tab, roomId };
}

/** The revision of the room that is on the browser's disk. */
async function keptRev(tab: Tab): Promise<number> {
  return await tab.do(async () => {
    // To open what is not there would make it.
    if ((await indexedDB.databases()).length === 0) return -1;
    const opening = indexedDB.open("deltaroom:ada");
    await new Promise((resolve) => opening.addEventListener("success", resolve));
    const all = opening.result.transaction("bases").objectStore("bases").getAll();
    await new Promise((resolve) => all.addEventListener("success", resolve));
    opening.result.close();
    return (all.result as { rev: number }[])[0]?.rev ?? -1;
  });
}

describe("a page that keeps its room", () => {
  test("shows it at once without a network, and takes edits", async () => {
    const { profile, tab } = await keptRoom();
    await profile.cut();
    await tab.load();
    await tab.ready();
    expect(await tab.shapes()).toEqual({ a: 1 });
    await tab.put("b", 2);
    await tab.move("a", 3);
    expect(await tab.shapes()).toEqual({ a: 3, b: 2 });
    profile.mend();
    await expectAgreement([tab], { a: 3, b: 2 }, 3);
  });

  test("brings edits through several reloads, and sends each once", async () => {
    const { profile, tab } = await keptRoom();
    await profile.cut();
    for (const [id, x] of [
      ["b", 2],
      ["c", 3],
      ["d", 4],
    ] as const) {
      await tab.put(id, x);
      await tab.load();
      await tab.ready();
    }
    expect(await tab.shapes()).toEqual({ a: 1, b: 2, c: 3, d: 4 });
    expect(await tab.pending()).toBe(3);
    profile.mend();
    await expectAgreement([tab], { a: 1, b: 2, c: 3, d: 4 }, 4);
  });

  test("shows what came a moment before it was left", async () => {
    const { profile, tab, roomId } = await keptRoom();
    const other = await (await newProfile()).open(roomId);
    await other.ready();
    await other.move("a", 9);
    await expect.poll(() => tab.shapes(), { ...soon, interval: 5 }).toEqual({ a: 9 });
    await profile.cut();
    await tab.load();
    await tab.ready();
    expect(await tab.shapes()).toEqual({ a: 9 });
  });

  test("is sent only what it missed", async () => {
    const { tab, roomId } = await keptRoom();
    const other = await (await newProfile()).open(roomId);
    await other.ready();
    await other.move("a", 9);
    await expectAgreement([tab, other], { a: 9 }, 2);
    await tab.load();
    await expectAgreement([tab], { a: 9 }, 2);
    await tab.page.goto("about:blank");
    await other.move("a", 10);
    await tab.load();
    await expectAgreement([tab, other], { a: 10 }, 3);
    const updates = (await tab.frames()).filter(
      ({ direction, to }) => direction === "down" && to !== undefined,
    );
    expect(updates).toEqual([expect.objectContaining({ kind: "update", from: 2, to: 3 })]);
  });
});

describe("several tabs", () => {
  test("each make edits without a network, and all of them arrive once", async () => {
    const { profile, tab, roomId } = await keptRoom();
    const others = [await profile.open(roomId, "ada"), await profile.open(roomId, "ada")];
    for (const other of others) await other.ready();
    await profile.cut();
    const tabs = [tab, ...others];
    for (const [index, each] of tabs.entries()) await each.put(`t${index}`, index);
    for (const each of tabs) await each.load(); // at the same time as the others, or nearly so
    for (const each of tabs) {
      await each.ready();
      expect(await each.shapes()).toMatchObject({ a: 1 });
    }
    profile.mend();
    await expectAgreement(tabs, { a: 1, t0: 0, t1: 1, t2: 2 }, 4);
  });

  test("send what one of them has left that crashed", async () => {
    const { tab, roomId, profile } = await keptRoom();
    const dying = await profile.open(roomId, "ada");
    await dying.ready();
    await dying.do((room) => room.disconnect());
    await dying.put("b", 2);
    await dying.move("a", 3);
    expect(await dying.pending()).toBe(2);
    await dying.crash();
    await expectAgreement([tab], { a: 3, b: 2 }, 3);
  });

  test("that were closed with edits have all of them sent by the next", async () => {
    const { profile, tab, roomId } = await keptRoom();
    const other = await profile.open(roomId, "ada");
    await other.ready();
    await profile.cut();
    await tab.put("b", 2);
    await other.put("c", 3);
    await tab.close();
    await other.crash();
    const next = await profile.open(roomId, "ada");
    await next.ready();
    expect(await next.shapes()).toEqual({ a: 1, b: 2, c: 3 });
    profile.mend();
    await expectAgreement([next], { a: 1, b: 2, c: 3 }, 3);
  });

  test("go on keeping the room when the one is gone that did", async () => {
    const { profile, tab, roomId } = await keptRoom();
    const other = await profile.open(roomId, "ada");
    await other.ready();
    await tab.crash();
    await other.put("b", 2);
    await expect.poll(() => keptRev(other), soon).toBe(2);
    await profile.cut();
    await other.load();
    await other.ready();
    expect(await other.shapes()).toEqual({ a: 1, b: 2 });
  });
});

describe("a call whose answer never came", () => {
  test.each(["reload", "crash"] as const)("is not made again after a %s", async (end) => {
    const { profile, tab, roomId } = await keptRoom();
    profile.losesAnswers = true;
    await tab.put("b", 2);
    await expect.poll(async () => (await server.readRoom(roomId)).rev, soon).toBe(2);
    expect(await tab.pending()).toBe(1);
    const writer = await (await newProfile()).open(roomId);
    await writer.ready();
    await writer.move("b", 7); // what the call did is overwritten: made again, it would show
    await expect.poll(async () => (await server.readRoom(roomId)).rev, soon).toBe(3);
    if (end === "crash") await tab.crash();
    else await tab.close();
    profile.losesAnswers = false;
    const next = await profile.open(roomId, "ada");
    await expectAgreement([next, writer], { a: 1, b: 7 }, 3);
  });

  test("is made once when the line is cut in the middle of many", async () => {
    const { profile, tab } = await keptRoom();
    await tab.do((room) => {
      for (let n = 0; n < 500; n++)
        room.transact((tx) => tx.shapes.put(`n${n}`, { kind: "circle", x: n, y: 0, color: "sun" }));
    });
    await profile.cut();
    await tab.load();
    await tab.ready();
    expect(Object.keys(await tab.shapes())).toHaveLength(501);
    profile.mend();
    const places = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`n${n}`, n]));
    await expectAgreement([tab], { a: 1, ...places }, 501);
  });
});

describe("what is kept", () => {
  test("is seen and sent by nobody else at the same machine", async () => {
    const { profile, tab, roomId } = await keptRoom();
    await profile.cut();
    await tab.put("b", 2);
    await tab.close();
    const ben = await profile.open(roomId, "ben");
    await expect(
      Promise.race([ben.ready(), ben.page.waitForTimeout(1_000).then(() => "nothing")]),
    ).resolves.toBe("nothing");
    expect(await ben.shapes()).toEqual({});
    profile.mend();
    await expectAgreement([ben], { a: 1 }, 1);
  });

  test("is gone once the person is forgotten", async () => {
    const { profile, tab, roomId } = await keptRoom();
    await profile.cut();
    await tab.put("b", 2);
    await tab.do(async () => {
      await (
        globalThis as unknown as { harness: { clearPersisted(user: string): Promise<void> } }
      ).harness.clearPersisted("ada");
    });
    await tab.close();
    const next = await profile.open(roomId, "ada");
    await next.page.waitForTimeout(500);
    expect(await next.shapes()).toEqual({});
    profile.mend();
    await expectAgreement([next], { a: 1 }, 1);
  });

  test("survives leaving the room within the page", async () => {
    const { profile, tab, roomId } = await keptRoom();
    await profile.cut();
    await tab.put("b", 2);
    await tab.do((room) => room.close());
    await tab.do(async (_, id) => {
      const page = globalThis as unknown as {
        harness: { open(id: string, user: string): unknown };
        room: unknown;
      };
      page.room = page.harness.open(id, "ada");
    }, roomId);
    await tab.ready();
    expect(await tab.shapes()).toEqual({ a: 1, b: 2 });
    profile.mend();
    await expectAgreement([tab], { a: 1, b: 2 }, 2);
  });
});

describe("a browser that keeps nothing", () => {
  const faults = {
    "has no IndexedDB": "delete globalThis.indexedDB",
    "forbids it": "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }",
    "has no room for a row":
      "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError') }",
    "has no locks": "Object.defineProperty(navigator, 'locks', { value: undefined })",
    "refuses its locks":
      "LockManager.prototype.request = async () => { throw new DOMException('no', 'SecurityError') }",
    "never answers":
      "IDBFactory.prototype.open = () => Object.setPrototypeOf(new EventTarget(), IDBOpenDBRequest.prototype)",
  };
  test.each(Object.entries(faults))("%s: the room works, and the app is told once", async (_, script) => {
    const profile = await newProfile();
    await profile.run(script);
    const tab = await profile.open(newRoom(), "ada");
    await tab.ready();
    for (const [n, id] of ["a", "b", "c"].entries()) await tab.put(id, n);
    await expect.poll(() => tab.pending(), soon).toBe(0);
    expect(await tab.shapes()).toEqual({ a: 0, b: 1, c: 2 });
    expect(await tab.troubles()).toEqual(["not-kept"]);
  });
});

/** What of the room's calls is on the browser's disk. */
async function keptCalls(tab: Tab): Promise<number> {
  return await tab.do(async () => {
    // To open what is not there would make it.
    if ((await indexedDB.databases()).length === 0) return -1;
    const opening = indexedDB.open("deltaroom:ada");
    await new Promise((resolve) => opening.addEventListener("success", resolve));
    const all = opening.result.transaction("calls").objectStore("calls").count();
    await new Promise((resolve) => all.addEventListener("success", resolve));
    opening.result.close();
    return all.result;
  });
}

/** Keeps every connection that a page opens within reach of the tests. */
const noteConnections = `
  globalThis.connections = [];
  const open = IDBFactory.prototype.open;
  IDBFactory.prototype.open = function (...given) {
    const opening = open.apply(this, given);
    opening.addEventListener("success", () => connections.push(opening.result));
    return opening;
  };`;

describe("a storage that goes away under the page", () => {
  const faults: { readonly [name: string]: (tab: Tab) => Promise<unknown> } = {
    "its connection is closed without a word": async (tab) =>
      await tab.page.evaluate("connections.forEach((connection) => connection.close())"),
    "its connection is closed with an event": async (tab) =>
      await tab.page.evaluate(`connections.forEach((connection) => {
        connection.close();
        connection.dispatchEvent(new Event("close"));
      })`),
    "the site's data is cleared": async (tab) => await tab.clearStorage(),
  };
  test.each(Object.entries(faults))("%s: every edit is there after a reload", async (_, takeAway) => {
    const { profile, tab, roomId } = await keptRoom();
    await profile.run(noteConnections);
    await tab.load();
    await tab.ready();
    const other = await profile.open(roomId, "ada");
    await other.ready();
    await profile.cut();
    await tab.put("b", 2);
    await other.put("c", 3);
    await takeAway(tab);
    await takeAway(other);
    await expect.poll(() => keptCalls(tab), soon).toBe(2);
    await tab.put("d", 4);
    await expect.poll(() => keptRev(tab), soon).toBe(1);
    expect(await tab.troubles()).toEqual([]);
    await other.close();
    await tab.load();
    await tab.ready();
    await expect.poll(() => tab.shapes(), soon).toEqual({ a: 1, b: 2, c: 3, d: 4 });
    profile.mend();
    await expectAgreement([tab], { a: 1, b: 2, c: 3, d: 4 }, 4);
  });

  test("a full disk that has room again keeps what it did not take", async () => {
    const profile = await newProfile();
    await profile.run(`
      const put = IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = function (...given) {
        if (globalThis.isFull) throw new DOMException("full", "QuotaExceededError");
        return put.apply(this, given);
      };`);
    const tab = await profile.open(newRoom(), "ada");
    await tab.ready();
    await tab.put("a", 1);
    await expect.poll(() => keptRev(tab), soon).toBe(1);
    await profile.cut();
    await tab.page.evaluate("globalThis.isFull = true");
    await tab.put("b", 2);
    await tab.put("c", 3);
    await expect.poll(() => tab.troubles(), soon).toEqual(["not-kept"]);
    await tab.page.evaluate("globalThis.isFull = false");
    await expect.poll(() => tab.troubles(), soon).toEqual(["not-kept", "kept again"]);
    await tab.put("d", 4);
    await tab.load();
    await tab.ready();
    expect(await tab.shapes()).toEqual({ a: 1, b: 2, c: 3, d: 4 });
    profile.mend();
    await expectAgreement([tab], { a: 1, b: 2, c: 3, d: 4 }, 4);
  });

  test("a tab whose person another tab has forgotten writes nothing any more", async () => {
    const { profile, tab, roomId } = await keptRoom();
    const other = await profile.open(roomId, "ada");
    await other.ready();
    await other.do(async () => {
      await (
        globalThis as unknown as { harness: { clearPersisted(user: string): Promise<void> } }
      ).harness.clearPersisted("ada");
    });
    await profile.cut();
    await tab.put("b", 2);
    await expect.poll(() => tab.troubles(), soon).toEqual(["not-kept"]);
    await tab.page.waitForTimeout(2_500);
    expect(await tab.do(async () => await indexedDB.databases())).toEqual([]);
    expect(await tab.shapes()).toEqual({ a: 1, b: 2 });
    profile.mend();
    await expect.poll(async () => placesOf(await server.readRoom(roomId)), soon).toEqual({ a: 1, b: 2 });
  });

  test("a tab that has opened it again while the person was forgotten leaves nothing", async () => {
    const { profile, tab } = await keptRoom();
    await profile.cut();
    await tab.clearStorage(); // as `clearPersisted` does, and no tab has heard of that
    await tab.put("b", 2);
    await expect.poll(() => keptCalls(tab), soon).toBe(1);
    await tab.page.evaluate(`new BroadcastChannel("deltaroom:ada").postMessage("forgotten")`);
    // On a slow machine the tab has seen that its storage was cleared, and has kept everything again, before the message came.
    const newest = async () => (await tab.troubles()).filter((trouble) => trouble !== "unreachable").at(-1);
    await expect.poll(newest, soon).toBe("not-kept");
    await tab.page.waitForTimeout(2_500);
    expect(await tab.do(async () => await indexedDB.databases())).toEqual([]);
  });

  test("a newer version of the database in another tab is not held up, and the room works", async () => {
    const { tab, profile, roomId } = await keptRoom();
    const other = await profile.open(roomId);
    const version = await other.do(async () => {
      const opening = indexedDB.open("deltaroom:ada", 2);
      await new Promise((resolve) => opening.addEventListener("success", resolve));
      return opening.result.version;
    });
    expect(version).toBe(2);
    await tab.put("b", 2);
    await expect.poll(() => tab.troubles(), soon).toEqual(["not-kept"]);
    await expect.poll(async () => placesOf(await server.readRoom(roomId)), soon).toEqual({ a: 1, b: 2 });
  });
});

test("a service worker that is a module keeps a room, with what it has imported beforehand", async () => {
  const worker = await ServiceWorkerPage.start(browser, server);
  try {
    const roomId = newRoom();
    expect(await worker.play(roomId, false)).toMatchObject({ troubles: ["not-kept"], calls: 0 });
    expect(await worker.play(`${roomId}-kept`, true)).toMatchObject({ troubles: [], calls: 1, bases: 1 });
  } finally {
    await worker.close();
  }
});

test("who keeps nothing loads nothing for it", async () => {
  const profile = await newProfile();
  const tab = await profile.open(newRoom());
  await tab.ready();
  expect(profile.asked.filter((path) => path.includes("keep-room"))).toEqual([]);
});
