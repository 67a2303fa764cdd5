import type { ComponentType } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { ScriptedRoom, type Greeting } from "../support/rooms/scripted-room.ts";
import { after, Page } from "./page.tsx";

// What docs/guide/react.md shows is run here, from the page itself.
const { App } = (await import("virtual:guide/react/app.tsx")) as { App: ComponentType<object> };
const { Page: Skeletons } = (await import("virtual:guide/react/skeletons.tsx")) as {
  Page: ComponentType<object>;
};

const todos = {
  t1: { text: "Water the plants", isDone: false, at: 2 },
  t2: { text: "Buy milk", isDone: true, at: 1 },
};
/** The names of the scripted rooms are those of another definition, so calls go as text. */
const greeting: Greeting = { records: { todos }, acceptsBinary: false, user: { id: "u1", name: "Ada" } };

let server: ScriptedRoom;

beforeEach(() => {
  server = new ScriptedRoom();
  const WebSocket = function open(url: string, protocols: string[]) {
    return server.transport(url, protocols);
  };
  vi.stubGlobal("WebSocket", WebSocket);
  return () => vi.unstubAllGlobals();
});

const texts = (page: Page) =>
  [...page.container.querySelectorAll<HTMLInputElement>("li input:not([type])")].map(({ value }) => value);

async function list(): Promise<Page> {
  const page = new Page(<App {...{ listId: "home", fetchToken: async () => "t1" }} />, { isStrict: true });
  expect(page.text).toBe("Opening the list…");
  await after(async () => (await server.attempt(1)).greet(greeting));
  return page;
}

test("the guide's list shows its todos in their order, and what others do to them", async () => {
  const page = await list();
  expect(server.newest.url).toMatch(/\/rooms\/home$/);
  expect(server.newest.hello.token).toBe("t1");
  expect(texts(page)).toEqual(["Buy milk", "Water the plants"]);
  await after(() => server.newest.delta(0, { todos: [["patch", "t2", { at: 3 }]] }));
  expect(texts(page)).toEqual(["Water the plants", "Buy milk"]);
  await after(() => {
    server.newest.say({ kind: "peers", peers: [["actor-b", { id: "b", name: "Ben" }, { editing: "t1" }]] });
  });
  expect(page.find("li").textContent).toBe("Ben …");
});

test("the guide's list shows its own edits as waiting, and sends them", async () => {
  const page = await list();
  await after(() => page.find("li input[type=checkbox]").click());
  expect(page.find("li").className).toBe("pending");
  const sent = () => server.newest.calls.map(({ type, payload }) => [type, payload]);
  await expect.poll(sent).toEqual([["transact", { todos: [["patch", "t2", { isDone: false }]] }]]);
  await after(() => {
    server.newest.delta(
      0,
      { todos: [["patch", "t2", { isDone: false }]] },
      { lastCallId: 1, outcomes: [[1, 1]] },
    );
  });
  expect(page.find("li").className).toBe("");
  const [add, clear] = [...page.container.querySelectorAll("button")];
  await after(() => add?.click());
  expect(texts(page)).toEqual(["Buy milk", "Water the plants", ""]);
  await after(() => page.find("li input[type=checkbox]").click());
  await after(() => clear?.click());
  expect(texts(page)).toEqual(["Water the plants", ""]);
});

test("the guide's list says when it is offline", async () => {
  const page = await list();
  await after(() => server.newest.drop());
  expect(page.text).toContain("Offline: what you do is sent later.");
});

test("the guide's skeletons stand for what waits, and for nothing else", async () => {
  const page = new Page(<Skeletons {...{ listId: "home" }} />);
  expect(page.visibleText).toBe("home…");
  await after(async () => (await server.attempt(1)).greet(greeting));
  await expect.poll(() => texts(page)).toEqual(["Buy milk", "Water the plants"]);
});
