import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, openUndriven } from "./browser.ts";
import { DevServer } from "./dev-server.ts";
import { buildPage, type Tab } from "./offline/tab.ts";
import { PageServer } from "./page-server.ts";

let server: DevServer;
let browser: Browser;
let pages: PageServer;

/** A page that has another one prerendered, and goes there 3 s later. The other asks for a path that says what it is. */
const prerendering = [
  [
    "/prerendering",
    `<!doctype html><script type="speculationrules">{"prerender":[{"urls":["/prerendered"],"eagerness":"immediate"}]}</script>
    <script>setTimeout(() => (location.href = "/prerendered"), 3_000)</script>`,
  ],
  [
    "/prerendered",
    `<!doctype html><script type="module">
      import "/offline-tests/page.js";
      const room = globalThis.harness.open("prerendered");
      room.presence.update({ name: "Alice", color: "sea", cursor: null, holding: null });
      fetch("/rooms/prerendering-" + document.prerendering);
    </script>`,
  ],
] as const;

beforeAll(async () => {
  // Playwright switches off the back/forward cache of its own accord.
  [server, browser] = await Promise.all([
    DevServer.start(),
    launchBrowser([], ["--disable-back-forward-cache"]),
  ]);
  pages = await PageServer.start(new Map([...(await buildPage()), ...prerendering]), server.url);
});

afterAll(async () => {
  await browser?.close();
  pages?.stop();
  await server?.stop();
});

/** Opens the room in a page, and in a second one that watches. */
async function open(roomId: string): Promise<{ tab: Tab; watcher: Tab }> {
  const tab = await pages.open(browser, roomId);
  const watcher = await pages.open(browser, roomId);
  await Promise.all([tab.ready(), watcher.ready()]);
  await tab.do((room) => room.presence.update({ name: "Alice", color: "sea", cursor: null, holding: null }));
  await sees(watcher, 1);
  return { tab, watcher };
}

/** Waits until the watcher sees so many others; far below the 24 s after which the room gives up a silent client. */
async function sees(watcher: Tab, count: number): Promise<void> {
  const look = async () => await watcher.do((room) => room.others.length);
  await expect.poll(look, { timeout: 5_000, interval: 20 }).toBe(count);
}

test("a page in the back/forward cache is gone for the others at once, and comes back with what it has done", async () => {
  const { tab, watcher } = await open("bfcache");
  await tab.page.evaluate(() => {
    const { room } = globalThis as unknown as { room: any };
    // Playwright loses a page that comes out of the cache, so the page tells the watcher about itself.
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted) room.presence.update({ name: `restored, ${room.pending} pending` });
    });
    // A listener of the app behind the client's own: this call has to wait until the page is back.
    addEventListener("pagehide", () => {
      room.transact((tx: any) => tx.shapes.put("late", { kind: "circle", x: 2, y: 0, color: "sun" }));
    });
    room.transact((tx: any) => tx.shapes.put("early", { kind: "circle", x: 1, y: 0, color: "sun" }));
    location.href = "/elsewhere"; // before that call is answered
  });
  await sees(watcher, 0);
  const shapes = async () => Object.keys((await server.readRoom("bfcache")).collections.shapes).toSorted();
  expect(await shapes()).toEqual(["early"]);

  await tab.page.waitForURL("**/elsewhere");
  await tab.page.evaluate(() => void setTimeout(() => history.back(), 0));
  await sees(watcher, 1);
  const name = async () => await watcher.do((room) => room.others[0]?.presence.name);
  await expect.poll(name, { timeout: 5_000 }).toMatch(/^restored, [12] pending$/);
  await expect.poll(shapes, { timeout: 5_000 }).toEqual(["early", "late"]);
  expect((await server.readRoom("bfcache")).rev).toBe(2);
});

test("a page that is told to freeze is gone for the others, and back when it runs again", async () => {
  const { tab, watcher } = await open("frozen");
  // A headless browser freezes no page that it shows, so the test plays the browser's part.
  await tab.page.evaluate(() => document.dispatchEvent(new Event("freeze")));
  await sees(watcher, 0);
  await tab.page.evaluate(() => document.dispatchEvent(new Event("resume")));
  await sees(watcher, 1);
  await expect.poll(async () => await tab.do((room) => room.status)).toBe("online");
});

test("a page whose `beforeunload` is cancelled stays in the room, on the same connection", async () => {
  const { tab, watcher } = await open("stays");
  await tab.page.evaluate(() => addEventListener("beforeunload", (event) => event.preventDefault()));
  await tab.page.mouse.click(5, 5); // without which a browser asks nobody
  const statuses = await tab.page.evaluateHandle(() => {
    const said: string[] = [];
    (globalThis as any).room.on("status", (status: string) => said.push(status));
    return said;
  });
  const asked = tab.page.waitForEvent("dialog");
  void tab.page.close({ runBeforeUnload: true });
  await (await asked).dismiss();
  await tab.put("s1", 1);
  await expect.poll(async () => await tab.do((room) => room.pending)).toBe(0);
  expect(await statuses.jsonValue()).toEqual([]);
  await sees(watcher, 1);
});

test("a page that is closed is gone for the others at once", async () => {
  const { tab, watcher } = await open("closed");
  await tab.page.close();
  await sees(watcher, 0);
  expect(await watcher.do((room) => room.status)).toBe("online");
});

test("a page that a browser prerenders opens no socket before a person sees it", async () => {
  const watcher = await pages.open(browser, "prerendered");
  await watcher.ready();
  const end = openUndriven(`${pages.url}/prerendering`, [
    "--enable-features=Prerender2MemoryControls:memory_threshold_in_mb/0", // on a machine with little memory too
  ]);
  try {
    const look = () => pages.asked.filter((asked) => asked.includes("prerendering"));
    await expect.poll(look, { timeout: 20_000 }).toEqual(["GET /rooms/prerendering-true"]);
    await watcher.page.waitForTimeout(1_000);
    expect(await watcher.do((room) => room.others.length)).toBe(0);
    await sees(watcher, 1);
    expect(look()).toHaveLength(1); // it is the page that was prerendered, and not loaded anew
  } finally {
    await end();
  }
});
