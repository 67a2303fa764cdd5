import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, BrowserContext, Worker } from "playwright-core";
import type { DevServer } from "../dev-server.ts";
import type { Play } from "./worker-script.ts";

/**
 * A page with a service worker that is a module. Both come from a server of their own, since no test can stand in for a server where
 * a service worker's script is loaded; what they ask of the rooms is handed on to the dev server as it is.
 */
export class ServiceWorkerPage {
  readonly #context: BrowserContext;
  readonly #files: Server;
  readonly #worker: Worker;

  private constructor(context: BrowserContext, files: Server, worker: Worker) {
    this.#context = context;
    this.#files = files;
    this.#worker = worker;
  }

  static async start(browser: Browser, rooms: DevServer): Promise<ServiceWorkerPage> {
    const { outputFiles } = await build({
      absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
      entryPoints: { worker: "worker-script.ts" },
      outdir: "/",
      bundle: true,
      splitting: true,
      format: "esm",
      write: false,
    });
    const scripts = new Map(outputFiles.map(({ path, text }) => [path, text]));
    const files = createServer(({ url = "/" }, response) => {
      const script = scripts.get(url);
      response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
      response.end(script ?? "<!doctype html><title>service worker</title>");
    });
    const { hostname, port } = new URL(rooms.url);
    files.on("upgrade", (request, socket, head) => {
      const room = connect(Number(port), hostname, () => {
        const headers = request.rawHeaders.flatMap((text, index, all) => {
          return index % 2 === 0 ? [`${text}: ${all[index + 1]}\r\n`] : [];
        });
        room.write(`GET ${request.url} HTTP/1.1\r\n${headers.join("")}\r\n`);
        room.write(head);
        room.pipe(socket).pipe(room);
      });
      room.on("error", () => socket.destroy());
      socket.on("error", () => room.destroy());
    });
    files.listen(0, "127.0.0.1");
    await once(files, "listening");
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`);
    const started = context.waitForEvent("serviceworker");
    await page.evaluate(`navigator.serviceWorker.register("/worker.js", { type: "module" })`);
    return new ServiceWorkerPage(context, files, await started);
  }

  /** Has the worker play with a room; `isImported`: it passes what it has imported to `connect`. */
  async play(roomId: string, isImported: boolean): Promise<Awaited<ReturnType<Play>>> {
    return await this.#worker.evaluate<Awaited<ReturnType<Play>>>(
      `globalThis.play(${JSON.stringify(roomId)}, ${isImported})`,
    );
  }

  async close(): Promise<void> {
    await this.#context.close();
    this.#files.close();
    this.#files.closeAllConnections();
  }
}
