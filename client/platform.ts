import { encodeBase64Url } from "../src/protocol/encoding/base64url.ts";
import { isPromise } from "../src/schema/promise.ts";

/** What a client takes from where it runs: browsers, Node ≥ 22 and Workers have all but `document`. */
declare function setTimeout(run: () => void, delayMs: number): unknown;
declare function clearTimeout(timer: unknown): void;
declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };
declare const console: { warn(...message: unknown[]): void; error(...message: unknown[]): void };

interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

interface Globals extends Partial<EventSource> {
  readonly navigator?: { readonly onLine?: boolean };
  readonly WebSocket?: new (url: string, protocols: string[]) => { binaryType: string };
  readonly document?: EventSource & { readonly visibilityState: string; readonly prerendering?: boolean };
}

const globals = globalThis as Globals;

/** What can happen to the page of a client. */
interface PageEvents {
  /** The network is back, or a person looks at the page again. */
  readonly wake: (isVisible?: boolean) => void;
  /** The page is hidden. */
  readonly hide: () => void;
  /** The page stops: it is frozen, left for another one that may lead back, or prerendered. It must not hold a socket. */
  readonly suspend: () => void;
  /** The page runs again, looked at or hidden. */
  readonly resume: (isVisible: boolean) => void;
}

/** Time and chance, given to a client so that a simulation can hold both in its hand. */
export interface Runtime {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls `run` after `delayMs`; answers how to cancel that. */
  readonly startTimer: (run: () => void, delayMs: number) => () => void;
  /** In [0, 1). */
  readonly random: () => number;
  /** Calls `events` for what happens to the page, now or later. Returns how to stop that. */
  readonly onPage: (events: PageEvents) => () => void;
  /**
   * Undoes raw deflate; left out where that cannot be done, and then nothing comes compressed. Rejects, and stops, as soon as there
   * are more than `maxBytes`.
   */
  readonly inflate?: (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>;
}

const onPage: Runtime["onPage"] = ({ wake, hide, suspend, resume }) => {
  const { document } = globals;
  const isVisible = () => document?.visibilityState !== "hidden";
  const look = () => (isVisible() ? wake(true) : hide());
  const goOn = () => resume(isVisible());
  // A worker and Node have no document, and never stop as a page does.
  const stops = [
    listen(globals, "online", () => wake(isVisible())),
    listen(globals, "pagehide", suspend),
    listen(globals, "pageshow", goOn),
    listen(document, "freeze", suspend),
    listen(document, "resume", goOn),
    listen(document, "prerenderingchange", goOn),
    listen(document, "visibilitychange", look),
  ];
  if (document?.prerendering) suspend();
  else if (!isVisible()) hide();
  return () => {
    for (const stop of stops) stop();
  };
};

function listen(source: Partial<EventSource> | undefined, type: string, listener: () => void): () => void {
  source?.addEventListener?.(type, listener);
  return () => source?.removeEventListener?.(type, listener);
}

/** A longer timer runs at once. */
const maxTimerMs = 2 ** 31 - 1;

export const ownRuntime: Runtime = {
  now: () => Date.now(),
  startTimer: (run, delayMs) => {
    const timer = setTimeout(run, Math.min(delayMs, maxTimerMs));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  onPage,
  ...("DecompressionStream" in globalThis && { inflate }),
};

declare class DecompressionStream {
  readonly readable: {
    getReader(): {
      read(): Promise<{ readonly value?: Uint8Array }>;
      cancel(reason: unknown): Promise<void>;
    };
  };
  readonly writable: {
    getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  };
  constructor(format: string);
}
declare class Blob {
  constructor(parts: readonly Uint8Array[]);
  arrayBuffer(): Promise<ArrayBuffer>;
}

async function inflate(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const { readable, writable } = new DecompressionStream("deflate-raw");
  const writer = writable.getWriter();
  // What is wrong with the bytes comes out of the other end too.
  void Promise.all([writer.write(bytes), writer.close()]).catch(() => {});
  const reader = readable.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    length += value.length;
    chunks.push(value);
    if (length <= maxBytes) continue;
    const error = new RangeError(`a part has more than ${maxBytes} bytes`);
    void reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** A random id of `bytes` × 8 bits, as base64url text. */
export function randomId(bytes: number): string {
  return encodeBase64Url(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
}

/** Says in the console what nobody listens for. */
export function warn(message: string, detail?: unknown): void {
  console.warn(`deltaroom: ${message}`, ...(detail === undefined ? [] : [detail]));
}

/** Calls a listener of the app. What it throws, or its promise is rejected with, is reported, and the others still run. */
export function callListener(listener: () => unknown): void {
  try {
    isPromise(listener(), reportThrown);
  } catch (error) {
    reportThrown(error);
  }
}

/** A listener or selector of the app has thrown, or its promise was rejected. */
export function reportThrown(error: unknown): void {
  console.error("deltaroom: a listener threw", error);
}

/** Whether the browser itself says that there is no network. */
export function isOffline(): boolean {
  return globals.navigator?.onLine === false;
}

/** The runtime's own WebSocket. Throws an error that will not pass where there is none. */
export function openWebSocket(url: string, protocols: string[]): unknown {
  if (globals.WebSocket === undefined)
    throw Object.assign(new Error("there is no WebSocket here: give connect a transport"), {
      name: "NotSupportedError",
    });
  const socket = new globals.WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  return socket;
}
