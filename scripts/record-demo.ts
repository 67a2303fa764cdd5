/**
 * Makes docs/demo.png, the README's picture, from the real thing: starts the demo, lets two people play a short
 * scene in Chromium, and puts their two windows side by side: `node scripts/record-demo.ts`.
 *
 * With a directory as its argument it leaves the two windows there as well, each as a picture of its own.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { launchBrowser, Person } from "../test/e2e/browser.ts";
import { DevServer } from "../test/e2e/dev-server.ts";

const picturePath = fileURLToPath(new URL("../docs/demo.png", import.meta.url));
const roomId = "lobby";
/** Just wide enough for the full layout of the page: its type stays legible at half of the picture. */
const viewport = { width: 1170, height: 730 };
const picture = { width: 1600, gap: 10, maxBytes: 300_000 };
/** Longer than any transition of the page. */
const settleMs = 600;

const server = await DevServer.start();
const browser = await launchBrowser();
try {
  const [ada, ben] = await Promise.all([
    Person.enter(browser, server, roomId, "Ada", { color: "vermilion", viewport }),
    Person.enter(browser, server, roomId, "Ben", { color: "cobalt", viewport }),
  ]);
  await play(ada, ben);
  const windows = await Promise.all([ada, ben].map((person) => person.page.screenshot()));
  const [directory] = process.argv.slice(2);
  if (directory !== undefined) {
    await Promise.all(
      windows.map((png, index) => writeFile(join(directory, `window-${index + 1}.png`), png)),
    );
  }
  const png = await sideBySide(browser, windows);
  if (png.length > picture.maxBytes) throw new Error(`${png.length} bytes, allowed are ${picture.maxBytes}`);
  await writeFile(picturePath, png);
  console.log(`docs/demo.png: ${png.length} bytes`);
  const problems = [...ada.problems, ...ben.problems];
  if (problems.length > 0) throw new Error(problems.join("\n"));
} finally {
  await browser.close();
  await server.stop();
}

/** Both draw; Ben goes offline for a moment, and what he made there is taken in; at the end both are at work. */
async function play(ada: Person, ben: Person): Promise<void> {
  // A new shape is one of three sizes by lot: here always the same one, so that the picture is.
  for (const { page } of [ada, ben]) await page.evaluate(() => void (Math.random = () => 0.5));
  const disc = await ada.add("circle", { x: 330, y: 270 });
  await enlarge(ada, disc, 4);
  const block = await ben.add("square", { x: 760, y: 230 });
  await enlarge(ben, block, 4);
  const wedge = await ada.add("triangle", { x: 460, y: 350 });
  await ada.recolour(wedge, "sun");
  await enlarge(ada, wedge, 3);

  await ben.throwSwitch();
  const note = await ben.add("note", { x: 930, y: 630 });
  await ben.recolour(note, "sea");
  await write(ben, note, "written offline, merged on return");
  await ben.recolour(block, "rose");
  const dot = await ada.add("circle", { x: 950, y: 400 });
  await ada.recolour(dot, "graphite");
  await ada.drag(block, { x: 780, y: 250 });
  await ben.throwSwitch();
  await ben.untilOnline();

  const moon = await ben.add("circle", { x: 690, y: 390 });
  await ben.recolour(moon, "cobalt");
  await enlarge(ben, moon, 2);
  const held = await ada.add("note", { x: 290, y: 630 });
  await ada.recolour(held, "sun");
  await write(ada, held, "Ada holds this one");
  await ada.part("claim").click();

  await ben.grab(block);
  for (let step = 1; step <= 12; step += 1) {
    await ben.pull({ x: 780 + step * 4, y: 250 - step });
    await ada.point({ x: 440 + step * 10, y: 690 - step * 7 });
  }
  await ada.cursor(await ben.clientId()).waitFor();
  await ben.cursor(await ada.clientId()).waitFor();
  await sleep(settleMs);
}

async function enlarge(person: Person, id: string, times: number): Promise<void> {
  await person.select(id);
  for (let time = 0; time < times; time += 1) await person.part("bigger").click();
}

async function write(person: Person, note: string, text: string): Promise<void> {
  await person.shape(note).dblclick();
  await person.part("note-editor").fill(text);
  await person.page.keyboard.press("Escape");
}

/** One picture of two, made by a page that shows both. */
async function sideBySide(browser: Browser, windows: readonly Buffer[]): Promise<Buffer> {
  const width = (picture.width - picture.gap * (windows.length - 1)) / windows.length;
  const height = Math.round((width / viewport.width) * viewport.height);
  const page = await browser.newPage({ viewport: { width: picture.width, height } });
  const images = windows.map((png) => `<img src="data:image/png;base64,${png.toString("base64")}">`);
  await page.setContent(`<!doctype html>
    <style>
      body { margin: 0; display: flex; gap: ${picture.gap}px }
      img { width: ${width}px; height: ${height}px }
    </style>
    ${images.join("")}`);
  return await page.screenshot({ omitBackground: true });
}
