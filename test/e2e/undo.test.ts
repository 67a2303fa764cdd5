import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { launchBrowser, Person } from "./browser.ts";
import { DevServer } from "./dev-server.ts";

let server: DevServer;
let browser: Browser;
let ada: Person;
let ben: Person;
let rooms = 0;

const soon = { timeout: 10_000, interval: 50 };

beforeAll(async () => {
  [server, browser] = await Promise.all([DevServer.start(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

afterEach(async () => {
  const problems = [...ada.problems, ...ben.problems];
  await Promise.all([ada.leave(), ben.leave()]);
  if (problems.length > 0) throw new Error(problems.join("\n"));
});

async function meet(): Promise<string> {
  rooms += 1;
  const roomId = `undo-${rooms}`;
  [ada, ben] = await Promise.all([
    Person.enter(browser, server, roomId, "Ada", { color: "vermilion" }),
    Person.enter(browser, server, roomId, "Ben", { color: "cobalt" }),
  ]);
  return roomId;
}

/** Waits until the room, Ada and Ben have the same board, with these shapes. */
async function expectBoard(roomId: string, shapes: object): Promise<void> {
  await vi.waitFor(async () => {
    const { collections } = await server.readRoom(roomId);
    expect(collections.shapes, `the board of the room`).toMatchObject(shapes);
    expect(Object.keys(collections.shapes)).toEqual(Object.keys(shapes));
    for (const person of [ada, ben])
      expect(await person.shapes(), `the board of ${person.name}`).toEqual(shapes);
  }, soon);
}

function near(x: number, y: number, color: string) {
  return expect.objectContaining({ x: expect.closeTo(x, -0.7), y: expect.closeTo(y, -0.7), color });
}

test("a drag is taken back in one step, and what somebody else has done to the shape stays", async () => {
  const roomId = await meet();
  const circle = await ada.add("circle", { x: 300, y: 300 });
  await expectBoard(roomId, { [circle]: near(300, 300, "vermilion") });
  await ada.drag(circle, { x: 800, y: 600 });
  await expectBoard(roomId, { [circle]: near(800, 600, "vermilion") });
  await ben.recolour(circle, "sun");
  await expectBoard(roomId, { [circle]: near(800, 600, "sun") });

  await ada.page.keyboard.press("Control+z");
  await expectBoard(roomId, { [circle]: near(300, 300, "sun") });
  await ada.page.keyboard.press("Control+Shift+Z");
  await expectBoard(roomId, { [circle]: near(800, 600, "sun") });

  // Ben's own history is his colour.
  expect(await ben.part("undo").isEnabled()).toBe(true);
  await ben.page.keyboard.press("Control+z");
  await expectBoard(roomId, { [circle]: near(800, 600, "vermilion") });
});

test("what was deleted comes back by the button, which says when there is nothing to take back", async () => {
  const roomId = await meet();
  const undo = ada.part("undo");
  const redo = ada.part("redo");
  expect([await undo.isDisabled(), await redo.isDisabled()]).toEqual([true, true]);
  const square = await ada.add("square", { x: 500, y: 400 });
  const there = near(500, 400, "vermilion");
  await expectBoard(roomId, { [square]: there });
  await ada.delete(square);
  await expectBoard(roomId, {});

  await undo.click();
  await expectBoard(roomId, { [square]: there });
  await redo.click();
  await expectBoard(roomId, {});
  await undo.click();
  await undo.click(); // the way to its place
  await undo.click(); // the square itself
  await expectBoard(roomId, {});
  expect([await undo.isDisabled(), await redo.isDisabled()]).toEqual([true, false]);
  expect(await ben.part("undo").isDisabled()).toBe(true);
});

test("what was written into a note in one go is one step, made offline as well", async () => {
  const roomId = await meet();
  const note = await ada.add("note", { x: 600, y: 400 });
  await expectBoard(roomId, { [note]: near(600, 400, "vermilion") });
  await ada.throwSwitch();
  await expect.poll(() => ada.status(), soon).toBe("offline");
  await ada.shape(note).dblclick();
  await ada.part("note-editor").pressSequentially("milk, bread");
  await ada.page.keyboard.press("Escape");
  await expect.poll(() => ada.shape(note).textContent(), soon).toBe("milk, bread");
  await ada.part("undo").click();
  await expect.poll(() => ada.shape(note).textContent(), soon).toBe("");
  await ada.part("redo").click();
  await ada.throwSwitch();
  await expect.poll(() => ben.shape(note).textContent(), soon).toBe("milk, bread");
  await expect.poll(() => ada.pending(), soon).toBe(0);
});
