import { once } from "node:events";
import { WebSocket, type RawData } from "ws";
import { bytesOf } from "../load/socket.ts";

type Answer = {
  readonly id?: number;
  readonly result?: { readonly [name: string]: unknown };
  readonly error?: unknown;
};

/**
 * The inspector of the one isolate that a workerd runs. One connection serves for all: workerd hangs when it is left
 * and another is made.
 */
export class Inspector {
  readonly #port: number;
  #socket: WebSocket | undefined;
  #asked = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Bytes that the isolate holds: JavaScript, garbage included, and the buffers that it keeps alive. */
  async readHeapBytes(): Promise<number> {
    const usage: Partial<HeapUsage> = await this.#ask("Runtime.getHeapUsage");
    const { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = usage;
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  }

  /** Begins to watch what the isolate does. A busy isolate answers late, so it is asked before the load. */
  async startProfile(): Promise<void> {
    await this.#ask("Profiler.enable");
    await this.#ask("Profiler.setSamplingInterval", { interval: 500 });
    await this.#ask("Profiler.start");
  }

  /** Answers a CPU profile as Chromium's DevTools open it. */
  async stopProfile(): Promise<unknown> {
    return (await this.#ask("Profiler.stop"))["profile"];
  }

  async #ask(method: string, params: object = {}): Promise<{ readonly [name: string]: unknown }> {
    const socket = (this.#socket ??= await this.#open());
    this.#asked += 1;
    const id = this.#asked;
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly [name: string]: unknown }>();
    const listen = (data: RawData): void => {
      const answer = JSON.parse(bytesOf(data).toString()) as Answer;
      if (answer.id !== id) return;
      socket.off("message", listen);
      // workerd leaves an empty result out.
      if (answer.error === undefined) resolve(answer.result ?? {});
      else reject(new Error(`the inspector refuses ${method}: ${JSON.stringify(answer.error)}`));
    };
    socket.on("message", listen);
    socket.send(JSON.stringify({ id, method, params }));
    return await promise;
  }

  async #open(): Promise<WebSocket> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/json/list`);
    const [isolate] = (await response.json()) as { webSocketDebuggerUrl: string }[];
    if (isolate === undefined) throw new Error("the inspector knows no isolate");
    const socket = new WebSocket(isolate.webSocketDebuggerUrl, {
      perMessageDeflate: false,
      maxPayload: 2 ** 30,
    });
    await once(socket, "open");
    return socket;
  }
}

interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize: number;
  readonly backingStorageSize: number;
}
