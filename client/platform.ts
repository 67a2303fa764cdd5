import { encodeBase64Url } from "../src/protocol/base64url.ts";

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
  readonly WebSocket?: new (url: string, protocols: string[]) => { binaryType: string };
  readonly document?: EventSource & { readonly visibilityState: string };
}

const globals = globalThis as Globals;

/** Time and chance, given to a client so that a simulation can hold both in its hand. */
export interface Runtime {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls `run` after `delayMs`; answers how to cancel that. */
  readonly startTimer: (run: () => void, delayMs: number) => () => void;
  /** In [0, 1). */
  readonly random: () => number;
  /**
   * Calls `wake` when the network is back or the page is looked at again, and says whether it is looked at; and `rest` when it is
   * hidden, now or later. Answers how to stop that.
   */
  readonly onWake: (wake: (isVisible?: boolean) => void, rest: () => void) => () => void;
  /** Undoes raw deflate; left out where that cannot be done, and then nothing comes compressed. */
  readonly inflate?: (bytes: Uint8Array) => Promise<Uint8Array>;
}

const onWake: Runtime["onWake"] = (wake, rest) => {
  const { document, addEventListener } = globals;
  const isVisible = () => document?.visibilityState !== "hidden";
  const whenOnline = () => wake(isVisible());
  const whenSeen = () => (isVisible() ? wake(true) : rest());
  const page = globals as unknown as EventSource;
  if (addEventListener !== undefined) page.addEventListener("online", whenOnline);
  document?.addEventListener("visibilitychange", whenSeen);
  if (!isVisible()) rest();
  return () => {
    if (addEventListener !== undefined) page.removeEventListener("online", whenOnline);
    document?.removeEventListener("visibilitychange", whenSeen);
  };
};

export const ownRuntime: Runtime = {
  now: () => Date.now(),
  startTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  onWake,
  ...("DecompressionStream" in globalThis && { inflate }),
};

declare class DecompressionStream {
  readonly readable: unknown;
  readonly writable: {
    getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  };
  constructor(format: string);
}
declare class Response {
  constructor(body: unknown);
  arrayBuffer(): Promise<ArrayBuffer>;
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  const { readable, writable } = new DecompressionStream("deflate-raw");
  const writer = writable.getWriter();
  // What is wrong with the bytes comes out of the other end too.
  void Promise.all([writer.write(bytes), writer.close()]).catch(() => {});
  return new Uint8Array(await new Response(readable).arrayBuffer());
}

/** A random id of `bytes` × 8 bits, as base64url text. */
export function randomId(bytes: number): string {
  return encodeBase64Url(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
}

/** Says in the console what nobody listens for. */
export function warn(message: string, detail?: unknown): void {
  console.warn(`deltaroom: ${message}`, ...(detail === undefined ? [] : [detail]));
}

/** An app's listener or selector has thrown: the others still run. */
export function reportThrown(error: unknown): void {
  console.error("deltaroom: a listener threw", error);
}

/** The runtime's own WebSocket. */
export function openWebSocket(url: string, protocols: string[]): unknown {
  if (globals.WebSocket === undefined)
    throw new Error("there is no WebSocket here: give connect a transport");
  const socket = new globals.WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  return socket;
}
