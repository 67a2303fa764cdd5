import type { PeerChange, PeersFrame, Welcome, WireEvent } from "../../src/protocol/down/down-frames.ts";
import type { Delta } from "../../src/protocol/encoding/delta.ts";
import type { NameTable } from "../../src/protocol/names.ts";
import type { RoomError } from "../errors.ts";
import type { ClientLimits } from "../client-limits.ts";
import type { Runtime } from "../platform.ts";
import type { ViewChanges } from "../replica/replica.ts";
import type { Status } from "./connection-events.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { Transport } from "./transport.ts";

/** One frame, as it went by. */
export interface Traffic {
  /** Whether this client sent it or received it. */
  readonly direction: "up" | "down";
  /** The frame's kind: `push`, `update`, …; the update that ends a snapshot is of its kind. */
  readonly kind: string;
  /** Of the frame, without what the WebSocket adds. */
  readonly bytes: number;
  /** Revision that the delta in an update begins at. */
  readonly from?: number;
  /** Revision that it ends at. */
  readonly to?: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** How much of a state that is being loaded is here, in parts of about 64 KB. */
export interface Progress {
  /** Parts that are here. */
  readonly received: number;
  /** Parts in all, as far as the room can tell: it may change while the parts come. */
  readonly total: number;
}

export interface SyncOptions {
  readonly url: string;
  readonly transport: Transport;
  readonly runtime: Runtime;
  readonly schemaVersion: number;
  /** Of the definition. */
  readonly names: NameTable;
  /** Settles when what is kept has been read, so that the first hello can tell of it. */
  readonly restored: Promise<unknown> | undefined;
  readonly token: ((isRefused: boolean) => string | Promise<string>) | undefined;
  readonly limits: ClientLimits;
  /** How long a page is hidden before it disconnects. */
  readonly hiddenMs?: number | false | undefined;
  /** What is made within this time goes in one turn. */
  readonly sendIntervalMs?: number | undefined;
  readonly onTraffic: ((traffic: Traffic) => void) | undefined;
  /** Finds out why no socket opens, or why the room refuses; left out where sockets come from elsewhere. */
  readonly diagnose?: ((url: string, code: string, cause: unknown) => Promise<Diagnosis>) | undefined;
}

/** How the base has changed. `gone`: the room was deleted, and its base must not be kept. */
export type BaseChange = Delta | "replaced" | "gone";

/** What the app's side of the room is told, in the order of the members within one frame. */
export interface SyncEvents {
  readonly status: (status: Status) => void;
  /** The room has said who this is. */
  readonly welcomed: (welcome: Welcome) => void;
  /** The state, the revision or what is pending is another. `told` are the answers that calls got. */
  readonly advanced: (changes: ViewChanges, told: readonly (() => void)[]) => void;
  readonly based: (change: BaseChange) => void;
  readonly allPeers: (peers: PeersFrame["peers"]) => void;
  readonly peers: (changes: readonly PeerChange[]) => void;
  readonly events: (events: readonly WireEvent[]) => void;
  /** A part of a snapshot is here. */
  readonly progress: (progress: Progress) => void;
  readonly failed: (error: RoomError) => void;
}
