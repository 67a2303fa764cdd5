import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, BrowserContext, CDPSession, Page, Route, WebSocketRoute } from "playwright-core";
import type { DevServer, RoomJson } from "../dev-server.ts";
import type { Harness, PageRoom } from "./page.ts";

/** What the page's own files are, by path: as a service worker would have them, with the server away. */
type Files = ReadonlyMap<string, string>;

const folder = "/offline-tests/";

/** Bundles the page as an app would, with what only some need in a file of its own. */
export async function buildPage(): Promise<Files> {
  const { outputFiles } = await build({
    absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
    entryPoints: ["page.ts"],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: "esm",
    write: false,
  });
  const files = new Map(outputFiles.map(({ path, text }) => [path, text]));
  return files.set(folder, `<!doctype html><title>room</title><script type="module" src="page.js"></script>`);
}

/** One person's browser: its tabs share a storage. */
export class Profile {
  /** What its tabs have asked for, by path. */
  readonly asked: string[] = [];
  readonly #context: BrowserContext;
  readonly #server: DevServer;
  /** Answers to calls get lost on their way. */
  losesAnswers = false;
  /** Whether the rooms are out of reach for all its tabs. */
  #isCut = false;
  readonly #lines = new Set<WebSocketRoute>();

  private constructor(context: BrowserContext, server: DevServer) {
    this.#context = context;
    this.#server = server;
  }

  static async create(browser: Browser, server: DevServer, files: Files): Promise<Profile> {
    const profile = new Profile(await browser.newContext(), server);
    await profile.#context.route(`${server.url}${folder}**`, async (route: Route) => {
      const { pathname } = new URL(route.request().url());
      profile.asked.push(pathname);
      const contentType = pathname.endsWith(".js") ? "text/javascript" : "text/html";
      await route.fulfill({ body: files.get(pathname) ?? "", contentType });
    });
    await profile.#context.routeWebSocket(/\/rooms\//, (line) => profile.#connect(line));
    return profile;
  }

  /** Opens a tab with a room; `user` as it is given to `persist`. */
  async open(roomId: string, user?: string): Promise<Tab> {
    const tab = new Tab(await this.#context.newPage(), `${this.#server.url}${folder}`, roomId, user);
    await tab.load();
    return tab;
  }

  /** No tab reaches a room any more. */
  async cut(): Promise<void> {
    this.#isCut = true;
    for (const line of this.#lines) await line.close({ code: 1006 }).catch(() => {});
    this.#lines.clear();
  }

  mend(): void {
    this.#isCut = false;
  }

  async run(script: string): Promise<void> {
    await this.#context.addInitScript(script);
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  #connect(line: WebSocketRoute): void {
    if (this.#isCut) return void line.close({ code: 1011 });
    this.#lines.add(line);
    const room = line.connectToServer();
    room.onMessage((frame) => {
      if (!this.losesAnswers || typeof frame === "string") line.send(frame);
    });
  }
}

/** A tab with a room. */
export class Tab {
  readonly page: Page;
  readonly roomId: string;
  readonly #url: string;
  readonly #user: string | undefined;

  constructor(page: Page, url: string, roomId: string, user: string | undefined) {
    this.page = page;
    this.roomId = roomId;
    this.#url = url;
    this.#user = user;
  }

  /** Loads the page, for the first time or anew, and opens the room in it. */
  async load(): Promise<void> {
    await this.page.goto(this.#url);
    await this.page.waitForFunction("globalThis.harness");
    await this.page.evaluate(
      ([roomId, user]) => {
        const page = globalThis as unknown as { harness: Harness; room: PageRoom };
        page.room = page.harness.open(roomId, user);
      },
      [this.roomId, this.#user] as const,
    );
  }

  /** Runs `work` in the page, on its room. */
  async do<T, A>(work: (room: PageRoom, argument: A) => T, argument?: A): Promise<Awaited<T>> {
    // The function goes over as text: it may use what it is given, and nothing else.
    const given = JSON.stringify(argument) ?? "undefined";
    return await this.page.evaluate<Awaited<T>>(`(${work.toString()})(globalThis.room, ${given})`);
  }

  async ready(): Promise<void> {
    await this.do(async (room) => await room.ready);
  }

  /** Puts a circle at `x`. */
  async put(id: string, x: number): Promise<void> {
    await this.do(
      (room, shape) => {
        room.transact((tx) => tx.shapes.put(shape.id, { kind: "circle", x: shape.x, y: 0, color: "sun" }));
      },
      { id, x },
    );
  }

  /** Moves a circle without telling where it was. */
  async move(id: string, x: number): Promise<void> {
    await this.do(
      (room, shape) => {
        room.transact((tx) => tx.shapes.patch(shape.id, { x: shape.x }));
      },
      { id, x },
    );
  }

  /** Where each shape is, as this tab shows it. */
  async shapes(): Promise<Record<string, number>> {
    return await this.do((room) => {
      return Object.fromEntries(room.state.shapes.entries().map(([id, { x }]) => [id, x]));
    });
  }

  async pending(): Promise<number> {
    return await this.do((room) => room.pending);
  }

  async status(): Promise<string> {
    return await this.do((room) => room.status);
  }

  async troubles(): Promise<readonly string[]> {
    return await this.do((room) => room.troubles);
  }

  /** What has gone by since the page was loaded. */
  async frames(): Promise<PageRoom["frames"]> {
    return await this.do((room) => room.frames);
  }

  /** The browser takes away what the site has stored, as when a person clears it, or a disk is full. */
  async clearStorage(): Promise<void> {
    const session: CDPSession = await this.page.context().newCDPSession(this.page);
    const { origin } = new URL(this.#url);
    await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
  }

  /** The tab's process dies, with no chance to say or write anything. */
  async crash(): Promise<void> {
    const session: CDPSession = await this.page.context().newCDPSession(this.page);
    const crashed = this.page.waitForEvent("crash");
    session.send("Page.crash").catch(() => {}); // there is nobody left to answer
    await crashed;
  }

  /** Closed as a browser that is ended closes it. */
  async close(): Promise<void> {
    await this.page.close();
  }
}

/** Where each shape is in the room. */
export function placesOf({ collections }: RoomJson): Record<string, number> {
  return Object.fromEntries(Object.entries(collections.shapes).map(([id, { x }]) => [id, x]));
}
