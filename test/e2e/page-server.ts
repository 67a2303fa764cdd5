import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Browser } from "playwright-core";
import { Tab, type buildPage } from "./offline/tab.ts";

/** What a proxy makes of the lines of a handshake; undefined to close the connection. */
export type Mangle = (lines: readonly string[]) => readonly string[] | undefined;

/** Serves the page of the offline tests on an origin of its own, and passes on all that goes to rooms, as a proxy does. */
export class PageServer {
  /** Makes something else of the handshakes that are passed on. */
  mangle: Mangle = (lines) => lines;
  /** Answers other requests below `/rooms`; undefined to pass them on. */
  answer: ((response: ServerResponse) => void) | undefined;
  /** Passes on the answer to a handshake and no frame behind it. */
  muffle = false;
  /** The requests below `/rooms` that came without an upgrade. */
  readonly asked: string[] = [];
  /** Headers of the page. */
  headers: Record<string, string> = {};
  readonly #server: Server;
  readonly #backend: URL;
  readonly #files: Awaited<ReturnType<typeof buildPage>>;
  readonly #sockets = new Set<Socket>();

  private constructor(files: Awaited<ReturnType<typeof buildPage>>, backend: string) {
    this.#files = files;
    this.#backend = new URL(backend);
    this.#server = createServer((request, response) => this.#serve(request, response));
    this.#server.on("connection", (socket) => this.#sockets.add(socket));
    this.#server.on("upgrade", (request, socket) => this.#pass(request, socket as Socket));
  }

  static async start(files: Awaited<ReturnType<typeof buildPage>>, backend: string): Promise<PageServer> {
    const server = new PageServer(files, backend);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Opens a room in a page of its own person. */
  async open(browser: Browser, roomId: string): Promise<Tab> {
    const context = await browser.newContext();
    const tab = new Tab(await context.newPage(), `${this.url}/offline-tests/`, roomId, undefined);
    await tab.load();
    return tab;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    if (path.startsWith("/rooms/")) {
      this.asked.push(`${request.method} ${path}`);
      if (this.answer !== undefined) return this.answer(response);
      return this.#pass(request, request.socket);
    }
    const type = path.endsWith(".js") ? "text/javascript" : "text/html";
    response.writeHead(200, { "Content-Type": type, ...this.headers });
    response.end(this.#files.get(path) ?? "<!doctype html><title>elsewhere</title>");
  }

  #pass(request: IncomingMessage, socket: Socket): void {
    const headers: string[] = [];
    for (let index = 0; index < request.rawHeaders.length; index += 2)
      headers.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
    const lines = this.mangle([`${request.method} ${request.url} HTTP/1.1`, ...headers]);
    if (lines === undefined) return void socket.destroy();
    const back = connect(Number(this.#backend.port), this.#backend.hostname);
    this.#sockets.add(back);
    back.write(`${lines.join("\r\n")}\r\n\r\n`);
    if (this.muffle && request.headers.upgrade !== undefined)
      back
        .once("data", (head: Buffer) => socket.write(head.subarray(0, head.indexOf("\r\n\r\n") + 4)))
        .resume();
    else back.pipe(socket);
    socket.pipe(back);
    for (const end of [back, socket]) {
      end.on("error", () => {});
      end.on("close", () => {
        back.destroy();
        socket.destroy();
      });
    }
  }
}
