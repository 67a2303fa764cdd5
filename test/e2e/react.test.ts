import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { launchBrowser } from "./browser.ts";
import { DevServer } from "./dev-server.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

let server: DevServer;
let browser: Browser;
const problems: string[] = [];

beforeAll(async () => {
  const command = ["npm", "run", "start:react", "--"] as const;
  [server, browser] = await Promise.all([
    DevServer.start({ folder: repository, command: [...command] }),
    launchBrowser(),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  const said = problems.splice(0);
  if (said.length > 0) throw new Error(said.join("\n"));
});

const soon = { timeout: 10_000, interval: 50 };

interface Window {
  readonly page: Page;
  /** Sockets that the page has opened. */
  readonly sockets: string[];
}

/** Opens a window on a list; resolves when that is there. */
async function enter(name: string, list: string): Promise<Window> {
  const context = await browser.newContext({ viewport: { width: 720, height: 620 } });
  const identity = JSON.stringify({ name, color: name === "Ada" ? "cobalt" : "vermilion" });
  await context.addInitScript((text) => sessionStorage.setItem("deltaroom.react.identity", text), identity);
  const page = await context.newPage();
  const sockets: string[] = [];
  page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname));
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(`${server.url}/#${list}`);
  await page.getByText(`${name} (you)`).waitFor();
  return { page, sockets };
}

async function add(page: Page, text: string): Promise<void> {
  await page.getByLabel("new todo").fill(text);
  await page.getByLabel("new todo").press("Enter");
}

async function todos(page: Page): Promise<string[]> {
  return await page
    .getByLabel("todo", { exact: true })
    .evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value));
}

test("two windows share a list, and see who writes where", async () => {
  const ada = await enter("Ada", "shared");
  const ben = await enter("Ben", "shared");
  await add(ada.page, "oat milk");
  await add(ada.page, "rye bread");
  await add(ben.page, "apples");
  await vi.waitFor(
    async () => expect(await todos(ben.page)).toEqual(["oat milk", "rye bread", "apples"]),
    soon,
  );
  await vi.waitFor(
    async () => expect(await todos(ada.page)).toEqual(["oat milk", "rye bread", "apples"]),
    soon,
  );

  // A caret in the midst of a word stays there, though every key goes through the room.
  const milk = ada.page.getByLabel("todo", { exact: true }).first();
  await milk.click();
  await milk.press("Home");
  await milk.pressSequentially("two ");
  expect(await milk.evaluate((input: HTMLInputElement) => input.selectionStart)).toBe(4);
  await vi.waitFor(async () => expect((await todos(ben.page))[0]).toBe("two oat milk"), soon);
  await expect.poll(() => ben.page.locator(".editors").allTextContents(), soon).toEqual(["Ada"]);

  await ben.page.getByLabel("rye bread is done").click();
  await ben.page.getByRole("button", { name: "clear done" }).click();
  await vi.waitFor(async () => expect(await todos(ada.page)).toEqual(["two oat milk", "apples"]), soon);
  await ada.page.getByRole("button", { name: "clear done" }).click();
  await ada.page.getByText("Nothing on this list is done.").waitFor();
  await ada.page.getByText("2 things left").waitFor();

  // StrictMode or not: one socket each.
  expect([ada.sockets, ben.sockets]).toEqual([["/lists/shared"], ["/lists/shared"]]);
});

test("a window that is offline goes on, and what it did arrives when it is back", async () => {
  const ada = await enter("Ada", "offline");
  const ben = await enter("Ben", "offline");
  await ada.page.getByRole("button", { name: "online" }).click();
  await add(ada.page, "candles");
  await ada.page.getByText("1 waiting").waitFor();
  expect(await ada.page.locator(".todo[data-pending=true]").count()).toBe(1);
  expect(await todos(ben.page)).toEqual([]);
  await ada.page.getByRole("button", { name: "offline" }).click();
  await vi.waitFor(async () => expect(await todos(ben.page)).toEqual(["candles"]), soon);
  await vi.waitFor(
    async () => expect(await ada.page.locator(".todo[data-pending=true]").count()).toBe(0),
    soon,
  );
});

test("another list is another room, and an edit just before one leaves is not lost", async () => {
  const ada = await enter("Ada", "groceries");
  const ben = await enter("Ben", "groceries");
  await ada.page.getByLabel("new todo").fill("tea");
  // In one turn, as when a form is sent and closed.
  await ada.page.evaluate(() => {
    document.querySelector("form")?.requestSubmit();
    location.hash = "weekend";
  });
  await vi.waitFor(async () => expect(await todos(ben.page)).toEqual(["tea"]), soon);
  await expect.poll(() => ada.sockets, soon).toEqual(["/lists/groceries", "/lists/weekend"]);
  expect(await todos(ada.page)).toEqual([]);
  await expect.poll(() => ben.page.locator(".people li").allTextContents(), soon).toEqual(["Ben (you)"]);
});
