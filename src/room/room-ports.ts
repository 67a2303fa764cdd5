import type { Caller, Run } from "../model/call.ts";
import type { Authorize } from "./engine/authorization.ts";
import type { Operation } from "./engine/batch.ts";
import type { Clock } from "./flush/flush-timer.ts";
import type { RoomStorage } from "./storage/room-storage.ts";
import type { VisibleTo } from "./visibility/view.ts";

/** The platform as a room needs it, all of it given, so that the same room runs in workerd and in a simulation. */
export interface RoomPorts extends Clock {
  readonly storage: RoomStorage;
  readonly newEpoch: () => string;
  /** Raw deflate. */
  readonly deflate: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** Has `alarm` called at that time, in milliseconds since the epoch, in place of any time before; over hibernation too. */
  readonly setAlarm: (at: number) => void;
  /** Ends this instance at once, memory and sockets with it. */
  readonly abort: (reason: string) => void;
  /** Notes what an operator should know; never a payload or a token. `thrown` is the app's own, and may quote either. */
  readonly log: (event: string, facts: { readonly [name: string]: unknown }, thrown?: unknown) => void;
}

/**
 * What the app adds: rules that only the server has, and hooks. Hooks are called when the room has nothing else to do, see `Hooks`.
 * A hook may return anything: the room looks for a promise, and logs what that is rejected with.
 */
export interface RoomRules {
  readonly serverMutators: { readonly [name: string]: Run };
  readonly authorize?: Authorize;
  readonly visibleTo?: VisibleTo;
  readonly onJoin: (client: Caller) => unknown;
  readonly onLeave: (client: Caller) => unknown;
  /** No code of the app: it is called within the flush, as soon as the state is another. It must not throw. */
  readonly onFlush: () => void;
  readonly onCommit: (operation: Operation) => unknown;
}

/** What kind of error was thrown, for a log line. An error's message may be the platform's or the product's, never a payload. */
export function nameOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : typeof thrown;
  } catch {
    return "object"; // to look at what was thrown can throw again
  }
}
