import type { AnyRoomDefinition, PresenceOf } from "../src/schema/definition.ts";
import { ClientRoom, type ClientRoomOptions } from "./client-room.ts";
import { requireNumber, type ClientLimits } from "./client-limits.ts";
import type { Offline, Persist } from "./offline/persistence.ts";
import { ownRuntime, randomId } from "./platform.ts";
import type { Room } from "./room.ts";
import type { Undo } from "./undo/undo-history.ts";
import { webSocketUrl } from "./room-url.ts";
import type { Traffic } from "./connection/sync-options.ts";
import { webSocketTransport, type Transport } from "./connection/transport.ts";

/** How a room is opened. Everything may be left out. */
export type ConnectOptions<D extends AnyRoomDefinition> = {
  /**
   * Asked before every attempt to connect; what it answers reaches `authenticate`, never a URL. `isRefused`: the token before was
   * no good any more, so that one that is kept somewhere will not do. Throws what `room.on("error")` is told as `cause`.
   */
  readonly token?: (isRefused: boolean) => string | Promise<string>;
  /** Milliseconds after which a hidden page disconnects, unless a call is unanswered, until it is looked at or makes one. */
  readonly disconnectWhenHidden?: number | false;
  /** Milliseconds in which what is sent up is gathered, the newest presence only: 16, about one frame of the display. */
  readonly sendIntervalMs?: number;
  /** Opens sockets in place of the runtime's own `WebSocket`. */
  readonly transport?: Transport;
  /**
   * Keeps the room's last state and the pending calls beyond the page, in IndexedDB, for the user with this id: the next user of
   * the same machine neither sees the room nor sends the calls. Left out, nothing is kept.
   */
  readonly persist?: { readonly userId: string } | undefined;
  /**
   * `offline` of `deltaroom/client/offline`, where that cannot be loaded by `import()` when it is needed: in a service worker that
   * is a module. Left out, `persist` loads it.
   */
  readonly offline?: Offline;
  /** `undo` of `deltaroom/client/undo`: gives the room its `history`. Left out, nothing can be undone, and `room.history` throws. */
  readonly undo?: Undo | undefined;
  /** Told of every frame that goes by: for panels and measurements. */
  readonly onTraffic?: (traffic: Traffic) => void;
  /** What this client keeps at most, where that differs from the defaults. */
  readonly limits?: Partial<ClientLimits>;
} & (D["presence"] extends undefined
  ? { readonly initialPresence?: undefined }
  : {
      /** What the others see of this client first. Left out, they do not see it before `presence.update`. */
      readonly initialPresence?: PresenceOf<D>;
    });

/**
 * Opens a room and keeps it open. `url` is the room's, `/rooms/lobby` or `https://example.com/rooms/lobby`; `roomUrl` makes it of an id.
 * Returns at once; `ready` resolves when there is a state. Throws `TypeError` if `url` is not exactly the URL of one room (a URL
 * parser would make another room of `C#` or `x/../C`) or if a limit has an unknown name, `RangeError` if a number is negative or not
 * finite, and `RejectedError` if the presence does not fit.
 */
export function connect<D extends AnyRoomDefinition>(
  url: string,
  definition: D,
  ...[options]: [options?: ConnectOptions<D>]
): Room<D> {
  const address = webSocketUrl(url);
  requireNumber("sendIntervalMs", options?.sendIntervalMs ?? 0);
  requireNumber("disconnectWhenHidden", options?.disconnectWhenHidden || 0);
  const room: unknown = new ClientRoom({
    url: address,
    definition,
    persist:
      options?.persist === undefined
        ? undefined
        : persistFor(options.persist.userId, address, definition, options.offline),
    undo: options?.undo,
    secret: randomId(18),
    transport: options?.transport ?? webSocketTransport,
    runtime: ownRuntime,
    token: options?.token,
    hiddenMs: options?.disconnectWhenHidden,
    sendIntervalMs: options?.sendIntervalMs,
    onTraffic: options?.onTraffic,
    // Nothing is known of where an app's own transport leads.
    diagnose: options?.transport === undefined ? diagnose : undefined,
    presence: options?.initialPresence,
    limits: options?.limits,
  });
  // The one seam between names that are only known at run time and the types of the definition.
  return room as Room<D>;
}

/** Deletes all that `persist` has kept of any room for the user with this id, as when the user logs out. Open rooms go on unkept. */
export async function clearPersisted(userId: string): Promise<void> {
  const { deleteDatabase } = await import("./offline/keep-room.ts");
  await deleteDatabase(userId);
}

/** Only a client that has failed loads what that takes. */
const diagnose: ClientRoomOptions["diagnose"] = async (...failure) => {
  return await (await import("./connection/diagnosis.ts")).diagnose(...failure);
};

/** Only who keeps something loads what that takes. */
function persistFor(
  user: string,
  url: string,
  definition: AnyRoomDefinition,
  offline: Offline | undefined,
): Persist {
  if (typeof user !== "string" || user === "")
    throw new TypeError("persist must be { userId }, with the id of a user that is not empty");
  const { version: schema, collections } = definition;
  return async (parts) => {
    const keepRoom = offline ?? (await import("./offline/keep-room.ts")).keepRoom;
    return await keepRoom(parts, { user, url, schema, collections: Object.keys(collections) });
  };
}

/** A new record id: 120 random bits, short enough to be seen in a URL. */
export function newId(): string {
  return randomId(15);
}
