import type { Limits } from "../room/limits.ts";
import type { RoomPorts } from "../room/room-ports.ts";
import { journalSlots } from "../room/storage/journal.ts";
import { isPromise } from "../schema/promise.ts";
import { deflate } from "./deflate.ts";
import { kindOf, logLine } from "./log-line.ts";
import { SqliteStorage } from "./sqlite-storage.ts";

/** `onError` has failed itself. It is not called again: it would fail once more. */
function failedAgain(error: unknown): void {
  logLine("on-error-failed", { error: kindOf(error) });
}

/** The room's id as log lines name it. */
export function nameOfRoom({ id }: DurableObjectState): string {
  return id.name ?? id.toString();
}

/** The platform as a room needs it: SQLite, clock, timers, alarm and log of the Durable Object. */
export function platformPorts(
  ctx: DurableObjectState,
  limits: Limits,
  onError: (error: unknown, event: string) => unknown,
): RoomPorts {
  return {
    storage: new SqliteStorage(ctx.storage, journalSlots(limits)),
    now: () => Date.now(),
    setTimer: (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    deflate,
    setAlarm: (at) => void ctx.storage.setAlarm(at),
    newEpoch: () => crypto.randomUUID().replaceAll("-", "").slice(0, 16),
    abort: (reason) => ctx.abort(reason),
    log: (event, facts, thrown) => {
      logLine(event, {
        room: nameOfRoom(ctx),
        ...facts,
        ...(thrown !== undefined && { error: kindOf(thrown) }),
      });
      if (thrown === undefined) return;
      try {
        isPromise(onError(thrown, event), failedAgain);
      } catch (error) {
        failedAgain(error);
      }
    },
  };
}
