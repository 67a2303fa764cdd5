import {
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  type Context,
  type ReactElement,
  type ReactNode,
} from "react";
import type { AnyRoomDefinition } from "../../src/schema/definition.ts";
import { connect, type ConnectOptions } from "../connect.ts";
import type { Room } from "../room.ts";
import { withResolvers } from "../with-resolvers.ts";
import { usePhase, useRoomLifecycle } from "./room-lifecycle.ts";

/** What a `RoomProvider` takes: the URL of a room and the options of `connect`, each a prop, or a room that was opened elsewhere. */
export type RoomProviderProps<D extends AnyRoomDefinition> = {
  /** What has the room: its components may use the hooks. */
  readonly children?: ReactNode;
  /** Shown until there is a state to show, and on a server. */
  readonly fallback?: ReactNode;
  /**
   * Shown when the room refuses this client for good, or cannot be opened; `retry` tries once more. Left out, the
   * error (a `RoomError`, mostly) is thrown to the nearest error boundary.
   */
  readonly errorFallback?: (error: unknown, retry: () => void) => ReactNode;
  /**
   * Render the children at once, and have their hooks suspend until there is a state: `fallback` is shown for those
   * who have no `<Suspense>` of their own.
   */
  readonly suspense?: boolean;
} & (
  | ({
      /** The room's, `/rooms/lobby` or `https://example.com/rooms/lobby`. Another URL is another room. */
      readonly url: string;
      readonly room?: undefined;
    } & ConnectOptions<D>)
  | {
      /** Opened by `connect`; it stays open when the provider goes. */
      readonly room: Room<D>;
      readonly url?: undefined;
    }
);

/** What the hooks find: a room that is ready, or when to look again. */
export type Found<D extends AnyRoomDefinition> = { readonly room: Room<D> } | Waiting;

interface Waiting {
  readonly room: undefined;
  readonly settled: Promise<void>;
  readonly settle: () => void;
}

/** The `RoomProvider` of a definition. */
export function createProvider<D extends AnyRoomDefinition>(
  definition: D,
  FoundContext: Context<Found<D> | undefined>,
): (props: RoomProviderProps<D>) => ReactElement {
  return function RoomProvider(props) {
    const { url, room: given, children, fallback, errorFallback, suspense, ...rest } = props;
    // What is left of the props is what the union has beside `url`.
    const options = rest as ConnectOptions<D>;
    const [attempt, setAttempt] = useState(0);
    const newest = useRef(options);
    useEffect(() => {
      newest.current = options;
    });
    const open = useCallback((url: string) => {
      const { token } = newest.current;
      // The app's own function may close over something that is older than the next attempt to connect.
      const current = token && { token: (isRefused: boolean) => (newest.current.token ?? token)(isRefused) };
      return connect<D>(url, definition, { ...newest.current, ...current });
    }, []);
    const lifecycle = useRoomLifecycle(url, attempt, open);
    const room = given ?? lifecycle?.room;
    const phase = usePhase(room);
    const found = useFound(phase === "ready" ? room : undefined);

    const refusal = typeof phase === "object" ? phase : lifecycle?.error !== undefined && lifecycle;
    if (refusal) {
      if (errorFallback === undefined) throw refusal.error;
      const retry = () => (given === undefined ? setAttempt(attempt + 1) : given.reconnect());
      return <>{errorFallback(refusal.error, retry)}</>;
    }
    const isShown = phase === "ready" || (suspense && phase === "loading");
    const shown = isShown ? (
      <FoundContext.Provider value={found}>{children}</FoundContext.Provider>
    ) : (
      fallback
    );
    // A boundary that the server has rendered may not be given anything else before React has taken it over.
    if (!suspense || phase === "away") return <>{shown}</>;
    // Another room is another boundary: in a transition the old one would go on being shown, and the new one would
    // never be opened.
    return (
      <Suspense key={url} fallback={fallback}>
        {shown}
      </Suspense>
    );
  };
}

/** The same object for the same room. Those who wait for one look again once it is there to be found. */
function useFound<D extends AnyRoomDefinition>(room: Room<D> | undefined): Found<D> {
  const found = useMemo(() => (room === undefined ? newWaiting() : { room }), [room]);
  const waiting = useRef<Waiting>(undefined);
  useEffect(() => {
    if (found !== waiting.current) waiting.current?.settle();
    waiting.current = found.room === undefined ? found : undefined;
  }, [found]);
  return found;
}

function newWaiting(): Waiting {
  const { promise, resolve } = withResolvers<void>();
  return { room: undefined, settled: promise, settle: resolve };
}
