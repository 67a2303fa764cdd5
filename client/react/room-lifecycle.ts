import { useCallback, useEffect, useState, useRef, useSyncExternalStore } from "react";
import type { AnyRoomDefinition } from "../../src/schema/definition.ts";
import { ownRuntime } from "../platform.ts";
import type { Room } from "../room.ts";

/** How long a room that was left stays open for calls that have no answer yet. */
const lingerMs = 10_000;

/** A room that a provider has opened, or why it could not. */
interface RoomLifecycle<D extends AnyRoomDefinition> {
  readonly url: string;
  readonly attempt: number;
  readonly room: Room<D> | undefined;
  readonly error: unknown;
  /** The component is there; again, when React only tries its effects. */
  keep(): void;
  /** The component is gone, unless `keep` follows at once. */
  release(): void;
}

/**
 * The room of `url`, opened once the component is on the page and left when it goes; undefined until then. An effect
 * that React runs twice opens it once. Another `attempt` at the same URL is another room. `open` stays the same function.
 */
export function useRoomLifecycle<D extends AnyRoomDefinition>(
  url: string | undefined,
  attempt: number,
  open: (url: string) => Room<D>,
): Pick<RoomLifecycle<D>, "room" | "error"> | undefined {
  const [lifecycle, setLifecycle] = useState<RoomLifecycle<D>>();
  const newest = useRef<RoomLifecycle<D>>(undefined);
  useEffect(() => {
    if (url === undefined) return undefined;
    if (newest.current?.url !== url || newest.current.attempt !== attempt) {
      newest.current = enter(url, attempt, open, (over) => {
        if (newest.current === over) newest.current = undefined;
        // Only hidden, it is to be found without a room that is closed.
        setLifecycle((shown) => (shown === over ? undefined : shown));
      });
    }
    const current = newest.current;
    current.keep();
    setLifecycle(current);
    return () => current.release();
  }, [url, attempt, open]);
  return lifecycle?.url === url && lifecycle?.attempt === attempt ? lifecycle : undefined;
}

function enter<D extends AnyRoomDefinition>(
  url: string,
  attempt: number,
  open: (url: string) => Room<D>,
  left: (lifecycle: RoomLifecycle<D>) => void,
): RoomLifecycle<D> {
  let room: Room<D> | undefined;
  let error: unknown;
  try {
    room = open(url);
  } catch (thrown) {
    error = thrown;
  }
  let isKept = false;
  const lifecycle: RoomLifecycle<D> = {
    url,
    attempt,
    room,
    error,
    keep() {
      isKept = true;
    },
    release() {
      isKept = false;
      void Promise.resolve().then(() => {
        if (isKept) return;
        if (room !== undefined) leave(room);
        left(lifecycle);
      });
    },
  };
  return lifecycle;
}

/** Closes a room, once the calls that were made in it are answered; nobody is to lose what they did last. */
function leave<D extends AnyRoomDefinition>(room: Room<D>): void {
  if (room.pending === 0 || room.status === "closed") return room.close();
  const close = () => {
    stop();
    cancel();
    room.close();
  };
  const stop = room.on("pending", (count) => count === 0 && close());
  const cancel = ownRuntime.startTimer(close, lingerMs);
}

/** Why a room is not ready and will not be. */
interface Refusal {
  readonly error: unknown;
}

const refusals = new WeakMap<object, Refusal>();

/** `away`: on the server, or while a page that was made there is taken over. */
export type Phase = "away" | "loading" | "ready" | Refusal;

export function usePhase<D extends AnyRoomDefinition>(room: Room<D> | undefined): Phase {
  const subscribe = useCallback(
    (told: () => void) => {
      if (room === undefined) return () => {};
      void room.ready.then(told, (error: unknown) => {
        refusals.set(room, { error });
        told();
      });
      // A room that was refused may be told to try again.
      return room.on("status", told);
    },
    [room],
  );
  const read = (): Phase => {
    if (room === undefined) return "loading";
    if (room.isReady) return "ready";
    return (room.status === "closed" && refusals.get(room)) || "loading";
  };
  return useSyncExternalStore(subscribe, read, () => "away");
}
