import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "./browser.ts";
import { DevServer } from "./dev-server.ts";
import { buildPage, type Tab } from "./offline/tab.ts";
import { PageServer, type Mangle } from "./page-server.ts";

let server: DevServer;
let browser: Browser;
let pages: PageServer;

beforeAll(async () => {
  [server, browser] = await Promise.all([DevServer.start(), launchBrowser()]);
  pages = await PageServer.start(await buildPage(), server.url);
});

afterEach(() => {
  pages.mangle = (lines) => lines;
  pages.answer = undefined;
  pages.headers = {};
  pages.muffle = false;
  pages.asked.length = 0;
});

afterAll(async () => {
  await browser?.close();
  pages?.stop();
  await server?.stop();
});

const without =
  (name: string): Mangle =>
  (lines) =>
    lines.filter((line) => !line.toLowerCase().startsWith(`${name.toLowerCase()}:`));

/** What the page's app has been told, once it has been told something. */
async function toldIn(tab: Tab): Promise<string> {
  const read = async () => await tab.do((room) => room.troubles.join());
  await expect.poll(read, { timeout: 25_000 }).not.toBe("");
  return await tab.do((room) => `${room.status} ${room.closeReason} ${room.messages.join()}`);
}

const proxies: [string, () => void, RegExp][] = [
  [
    "drops Sec-WebSocket-Protocol",
    () => (pages.mangle = without("Sec-WebSocket-Protocol")),
    /answered 200, so the URL is right.* Sec-WebSocket-Protocol/,
  ],
  ["drops Upgrade", () => (pages.mangle = without("Upgrade")), /answered 200, so the URL is right/],
  [
    "knows no such path",
    () => {
      pages.mangle = () => undefined;
      pages.answer = (response) => response.writeHead(404).end();
    },
    /answered 404: no route of routeRooms has this path/,
  ],
  [
    "answers with a page",
    () => {
      pages.mangle = () => undefined;
      pages.answer = (response) =>
        response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
    },
    /answered 200 with a page: its path does not reach the Worker/,
  ],
];

test.each(proxies)("a page behind a proxy that %s is told so, once", async (_, break_, message) => {
  break_();
  const tab = await pages.open(browser, "broken");
  expect(await toldIn(tab)).toMatch(message);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(await tab.do((room) => room.troubles)).toEqual(["unreachable"]);
  expect(pages.asked.filter((asked) => asked.startsWith("GET"))).not.toEqual([]);
  expect(await tab.do((room) => room.status)).not.toBe("closed");
});

const policies: [string, () => string][] = [
  ["http alone", () => "connect-src http:"],
  ["the server over http alone", () => `connect-src ${pages.url}`],
  ["http by default", () => "default-src http: 'unsafe-inline'"],
];

test.each(policies)("a page whose policy allows %s is told that it forbids the socket", async (_, policy) => {
  pages.headers = { "Content-Security-Policy": policy() };
  const tab = await pages.open(browser, "policy");
  expect(await toldIn(tab)).toMatch(/Content-Security-Policy has to allow ws:\/\/127\.0\.0\.1:\d+/);
});

test.each([
  ["reports what it would forbid", { "Content-Security-Policy-Report-Only": "connect-src 'none'" }],
  ["forbids other requests of the page", { "Content-Security-Policy": "connect-src 'self' ws:" }],
])("a page whose policy %s is not told that the policy forbids the socket", async (_, headers) => {
  pages.headers = headers;
  pages.mangle = () => undefined;
  pages.answer = (response) => response.destroy();
  const tab = await pages.open(browser, "policy");
  await tab.page.evaluate(() => void setInterval(() => void fetch("http://other.test/").catch(() => {}), 50));
  expect(await toldIn(tab)).toMatch(/a GET of the same URL fails as well/);
});

test("a page whose policy forbids only the GET is told so, and that the socket is allowed", async () => {
  pages.headers = { "Content-Security-Policy": "connect-src ws:" };
  pages.mangle = () => undefined;
  const tab = await pages.open(browser, "policy");
  expect(await toldIn(tab)).toMatch(/allows the socket, and has to allow http:\/\/127\.0\.0\.1:\d+/);
});

test("a page behind a proxy that opens sockets and passes on no frame is told so", async () => {
  pages.muffle = true;
  const tab = await pages.open(browser, "muffled");
  await expect.poll(() => tab.do((room) => room.troubles), { timeout: 50_000 }).toEqual(["unreachable"]);
  expect(await tab.do((room) => room.messages.join())).toMatch(
    /answered 200, so the URL is right.*each frame at once/,
  );
});

test("a page behind a proxy that keeps only the first subprotocol is closed, and told that", async () => {
  pages.mangle = (lines) => lines.map((line) => line.replace(/^(Sec-WebSocket-Protocol: [^,]*),.*$/i, "$1"));
  const tab = await pages.open(browser, "first");
  expect(await toldIn(tab)).toMatch(/^closed invalid .*keeps only the first value of Sec-WebSocket-Protocol/);
});

test("a page whose policy forbids the connection is told that", async () => {
  pages.headers = { "Content-Security-Policy": "connect-src 'none'" };
  const tab = await pages.open(browser, "policy");
  expect(await toldIn(tab)).toMatch(/Content-Security-Policy has to allow ws:\/\/127\.0\.0\.1:\d+/);
});

test("a page of another origin is told that its origin is not listed", async () => {
  pages.mangle = (lines) =>
    lines.map((line) => line.replace(/^Origin: .*$/i, "Origin: http://localhost:5173"));
  const tab = await pages.open(browser, "origin");
  expect(await toldIn(tab)).toMatch(
    /^closed forbidden .*`origins` of routeRooms does not list the page's origin http:/,
  );
});
