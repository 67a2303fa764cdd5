// What keeping a room takes from where it runs. Only browsers have all of it.

/** The part of the Web Locks that is used. */
export interface Locks {
  request<T>(
    name: string,
    options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
    hold: (lock: object | null) => Promise<T>,
  ): Promise<T>;
}

interface PageEvents {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
}

interface AbortSignal {
  readonly aborted: boolean;
}

interface Cancellation {
  readonly signal: AbortSignal;
  abort(): void;
}

interface MessageChannel {
  onmessage: ((message: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

interface Globals extends PageEvents {
  readonly navigator?: { readonly locks?: Locks };
  readonly BroadcastChannel?: new (name: string) => MessageChannel;
  readonly AbortController: new () => Cancellation;
  readonly indexedDB?: unknown;
  readonly document?: PageEvents & { readonly visibilityState: string };
}

const globals = globalThis as unknown as Globals;

export const newCancellation = (): Cancellation => new globals.AbortController();

/** Whether there is IndexedDB: Node and some private windows have none. */
export function hasDatabases(): boolean {
  return globals.indexedDB !== undefined;
}

/** Web Locks. Throws where there are none or no IndexedDB: browsers have locks on pages that came by https, or from localhost. */
export function requireLocks(): Locks {
  if (!hasDatabases()) throw new Error("there is no IndexedDB here");
  const locks = globals.navigator?.locks;
  if (locks === undefined) throw new Error("there are no Web Locks here");
  return locks;
}

/** What tabs of an origin say to one another. */
export interface Channel {
  say(text: string): void;
  close(): void;
}

/** `heard` is told what other tabs say in the channel of this name. Throws where tabs cannot talk. */
export function openChannel(name: string, heard: (text: string) => void): Channel {
  if (globals.BroadcastChannel === undefined) throw new Error("there is no BroadcastChannel here");
  const channel = new globals.BroadcastChannel(name);
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- which would have to be started by hand
  channel.onmessage = ({ data }) => heard(String(data));
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is one origin's
    say: (text) => channel.postMessage(text),
    close: () => channel.close(),
  };
}

/** Says `text` to every channel of this name. Nothing is said where tabs cannot talk, since nothing is kept there either. */
export function say(name: string, text: string): void {
  if (globals.BroadcastChannel === undefined) return;
  const channel = openChannel(name, () => {});
  channel.say(text);
  channel.close();
}

/** What becomes of a page. */
export interface PageLife {
  /** The page is hidden, and may be ended without a further event. */
  readonly hidden: () => void;
  /** The page is left or frozen. Its timers stop, and it may come back. */
  readonly left: () => void;
  /** A page that was left or frozen has come back. */
  readonly back: () => void;
}

/** Calls the functions of `life` as the page's events say; returns how to stop that. */
export function onPageLife({ hidden, left, back }: PageLife): () => void {
  const { document } = globals;
  const whenHidden = () => {
    if (document?.visibilityState === "hidden") hidden();
  };
  const listeners = [
    [globals, "pagehide", left],
    [globals, "pageshow", back],
    [document, "freeze", left],
    [document, "resume", back],
    [document, "visibilitychange", whenHidden],
  ] as const;
  for (const [source, type, listener] of listeners) source?.addEventListener?.(type, listener);
  return () => {
    for (const [source, type, listener] of listeners) source?.removeEventListener?.(type, listener);
  };
}
