import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type Locator, type Page } from "playwright-core";
import { sheet, type Ink, type Kind, type Point } from "../../demo/board.ts";
import type { DevServer } from "./dev-server.ts";

/** A shape as a page draws it. */
export interface DrawnShape {
  readonly kind: string;
  readonly x: number;
  readonly y: number;
  readonly color: string;
}

/** A row of the wire panel. Revisions are undefined where the frame carried no change. */
export interface WireEntry {
  readonly direction: string;
  readonly kind: string;
  readonly from: number | undefined;
  readonly to: number | undefined;
}

export interface WindowOptions {
  readonly color?: Ink;
  readonly viewport?: { readonly width: number; readonly height: number };
}

/** What Chromium says in the console about a server that is away. */
export const connectionLost = /WebSocket connection to .* failed|net::ERR_/;

const quietly = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** An empty variable counts as none. */
function chromiumPath(): string {
  return process.env["CHROMIUM_PATH"] || "/usr/bin/chromium";
}

/** Starts a real Chromium, with a profile of its own. `more` are further arguments of its command line, `less` are Playwright's own to leave out. */
export async function launchBrowser(
  more: readonly string[] = [],
  less: readonly string[] = [],
): Promise<Browser> {
  return await chromium.launch({
    ignoreDefaultArgs: [...less],
    executablePath: chromiumPath(),
    args: [...quietly, ...more],
  });
}

/** A Chromium that no test can talk to, for what a browser does not do under DevTools. It opens `url`. Returns how to end it. */
export function openUndriven(url: string, more: readonly string[]): () => Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), "deltaroom-chromium-"));
  const chromiumProcess = spawn(chromiumPath(), [...quietly, ...more, `--user-data-dir=${profile}`, url], {
    stdio: "ignore",
  });
  return async () => {
    const ended = once(chromiumProcess, "exit");
    chromiumProcess.kill();
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
}

/** Somebody in front of a window of the demo. Each has a browser context, hence a storage, of their own. */
export class Person {
  readonly name: string;
  readonly page: Page;
  /** What the page has logged as an error or thrown, except for what was to be expected. */
  readonly problems: string[] = [];
  readonly #expected: RegExp[] = [];
  #grip: Point = { x: 0, y: 0 };

  private constructor(name: string, page: Page) {
    this.name = name;
    this.page = page;
    const report = (problem: string) => {
      if (!this.#expected.some((pattern) => pattern.test(problem))) this.problems.push(problem);
    };
    page.on("pageerror", (error) => report(`${name}'s page threw ${error.stack ?? error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error")
        report(`${name}'s console: ${message.text()} ${message.location().url}`);
    });
  }

  /** Opens a window on a room; resolves once its board is there and online. */
  static async enter(
    browser: Browser,
    server: DevServer,
    roomId: string,
    name: string,
    { color = "cobalt", viewport = { width: 1280, height: 800 } }: WindowOptions = {},
  ): Promise<Person> {
    const context = await browser.newContext({ viewport });
    // The demo draws lots for a name and a colour, once a tab; here it finds both drawn.
    await context.addInitScript((identity) => {
      const key = "deltaroom.demo.identity";
      if (sessionStorage.getItem(key) === null) sessionStorage.setItem(key, identity);
    }, JSON.stringify({ name, color }));
    const person = new Person(name, await context.newPage());
    await person.page.goto(`${server.url}/?room=${roomId}`);
    await person.untilOnline();
    return person;
  }

  async leave(): Promise<void> {
    await this.page.context().close();
  }

  /** From now on such problems are part of the story. */
  expectProblem(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  // ── what this person sees ──────────────────────────────────────────────────────────────────────────────────

  /** Every shape on the board, by id. */
  async shapes(): Promise<Record<string, DrawnShape>> {
    return await this.page.locator("g[data-shape-id]").evaluateAll((nodes) => {
      const entries = nodes.map((node) => {
        const read = (name: string) => node.getAttribute(`data-${name}`) ?? "";
        const [kind, color] = [read("kind"), read("color")];
        return [read("shape-id"), { kind, x: Number(read("x")), y: Number(read("y")), color }] as const;
      });
      return Object.fromEntries(entries);
    });
  }

  shape(id: string): Locator {
    return this.page.locator(`g[data-shape-id="${id}"]`);
  }

  async status(): Promise<string | null> {
    return await this.part("status").getAttribute("data-status");
  }

  /** Edits that wait for their answer. */
  async pending(): Promise<number> {
    return Number(await this.part("pending").textContent());
  }

  async revision(): Promise<number> {
    return Number(await this.part("revision").textContent());
  }

  /** This person's public id. */
  async clientId(): Promise<string> {
    return (await this.part("people").locator(".person-self").getAttribute("data-person")) ?? "";
  }

  /** The names of the others, in the order of the list. */
  async others(): Promise<string[]> {
    return await this.part("people").locator(".person-name").allTextContents();
  }

  /** The codes of the toasts that show one. */
  async toastCodes(): Promise<string[]> {
    const toasts = this.page.locator('[data-testid="toast"][data-code]');
    return await toasts.evaluateAll((nodes) => nodes.map((node) => node.getAttribute("data-code") ?? ""));
  }

  /** The rows of the wire panel, newest first. */
  async wire(): Promise<WireEntry[]> {
    return await this.part("wire-entry").evaluateAll((nodes) =>
      nodes.map((node) => {
        const read = (name: string) => node.getAttribute(`data-${name}`);
        const revision = (text: string | null) => (text === null ? undefined : Number(text));
        return {
          direction: read("direction") ?? "",
          kind: read("kind") ?? "",
          from: revision(read("from")),
          to: revision(read("to")),
        };
      }),
    );
  }

  /** The others' pointers. */
  cursor(clientId: string): Locator {
    return this.page.locator(`.cursor[data-client-id="${clientId}"]`);
  }

  /** An element by its test id. */
  part(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  async untilOnline(): Promise<void> {
    await this.page.locator('[data-testid="board"][data-width]').waitFor({ timeout: 30_000 });
    await this.page.locator('[data-testid="status"][data-status="online"]').waitFor({ timeout: 30_000 });
  }

  // ── what this person does ──────────────────────────────────────────────────────────────────────────────────

  /** Adds a shape by its button, and takes it where it belongs. Returns its id. */
  async add(kind: Kind, at: Point): Promise<string> {
    await this.part(`add-${kind}`).click();
    if (kind === "note") await this.page.keyboard.press("Escape"); // it opens for writing
    const id = await this.page.locator('g[data-shape-id][aria-pressed="true"]').getAttribute("data-shape-id");
    if (id === null) throw new Error("the new shape is not selected");
    await this.drag(id, at);
    return id;
  }

  /** Takes a shape by the mouse to a place on the sheet. */
  async drag(id: string, to: Point): Promise<void> {
    await this.grab(id);
    await this.pull(to, 5);
    await this.release();
  }

  /** Presses the mouse on a shape. */
  async grab(id: string): Promise<void> {
    const place = await this.#placeOf(id);
    await this.page.mouse.move(place.x, place.y);
    await this.page.mouse.down();
    const shape = await this.shape(id).evaluate((node) => ({
      x: Number(node.getAttribute("data-x")),
      y: Number(node.getAttribute("data-y")),
    }));
    const centre = await this.#onScreen(shape);
    this.#grip = { x: place.x - centre.x, y: place.y - centre.y };
  }

  /** Moves the mouse so that the centre of the grabbed shape comes to `to`. */
  async pull(to: Point, steps = 1): Promise<void> {
    const { x, y } = await this.#onScreen(to);
    await this.page.mouse.move(x + this.#grip.x, y + this.#grip.y, { steps });
  }

  async release(): Promise<void> {
    await this.page.mouse.up();
  }

  /** Points at a place on the sheet. */
  async point(at: Point): Promise<void> {
    const { x, y } = await this.#onScreen(at);
    await this.page.mouse.move(x, y);
  }

  async select(id: string): Promise<void> {
    const { x, y } = await this.#placeOf(id);
    await this.page.mouse.click(x, y);
  }

  async recolour(id: string, ink: Ink): Promise<void> {
    await this.select(id);
    await this.page.locator(`[data-testid="colour"][data-ink="${ink}"]`).click();
  }

  async delete(id: string): Promise<void> {
    await this.select(id);
    await this.part("delete").click();
  }

  /** Throws the switch between this window and the room, one way or the other. */
  async throwSwitch(): Promise<void> {
    await this.part("offline-switch").click();
  }

  async #onScreen({ x, y }: Point): Promise<Point> {
    const box = await this.part("board").boundingBox();
    if (!box) throw new Error("the board is not on the screen");
    return { x: box.x + (x / sheet.width) * box.width, y: box.y + (y / sheet.height) * box.height };
  }

  /** Where on the screen a mouse would meet this shape: its centre, unless another shape lies over that. */
  async #placeOf(id: string): Promise<Point> {
    return await this.shape(id).evaluate((node) => {
      const box = (node.querySelector("path") ?? node).getBoundingClientRect();
      const steps = [0, -0.15, 0.15, -0.3, 0.3, -0.42, 0.42];
      for (const right of steps) {
        for (const down of steps) {
          const x = box.x + box.width * (0.5 + right);
          const y = box.y + box.height * (0.5 + down);
          if (document.elementFromPoint(x, y)?.closest("g[data-shape-id]") === node) return { x, y };
        }
      }
      throw new Error("the shape is covered");
    });
  }
}
