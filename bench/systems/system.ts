import type { Server } from "../servers/server.ts";

/** How a server is to be started. */
export interface ServerOptions {
  /** For its program and its data; made and removed by the caller. */
  readonly folder: string;
  /** Where the isolate's inspector listens, of systems on workerd. */
  readonly inspectorPort?: number | undefined;
}

/** One way to keep a room in sync, as the benchmark meets it. Each session is in the one room "bench" of its server. */
export interface System {
  readonly title: string;
  readonly runsOn: "durable object" | "node";
  /** Durable: what is acknowledged is on disk. Delayed: it is saved some time later. Memory: it is never saved. */
  readonly storage: "durable" | "delayed" | "memory";
  create(options: ServerOptions): Promise<Server>;
  /** Opens a room with the system's own client library, and all that this does. */
  judge(url: string): Judge;
  /** Opens a session that speaks the system's protocol and does as little as that allows. */
  player(url: string, options?: PlayerOptions): Promise<Player>;
}

/** A client that applies everything. */
export interface Judge {
  /** The state is here. */
  readonly ready: Promise<void>;
  /** Records that it has. */
  readonly size: number;
  position(record: number): Position | undefined;
  /** Loses its connection, and keeps its state. */
  disconnect(): void;
  /** Comes back with what it has. Systems whose clients do not keep their state get all of it again. */
  reconnect(): void;
  close(): void;
}

export interface Position {
  readonly x: number;
  readonly y: number;
}

export interface PlayerOptions {
  /** Told of each change of a record's `x` by others, as it arrives. Without it, what arrives is only counted. */
  readonly onMove?: ((record: number, x: number) => void) | undefined;
  /** Keeps `acknowledged` up to date, for which some systems have to read all that arrives. */
  readonly wantsAcknowledgements?: boolean | undefined;
  /** Comes back with the newest state, and is sent none; of systems that know such a thing. */
  readonly isCurrent?: boolean | undefined;
  /** It will never write, so what it is sent need not be taken in; of systems whose writers have to. */
  readonly neverWrites?: boolean | undefined;
  /** Sends what is made in one turn as the system's own client does, which may be one message; else each operation by itself. */
  readonly gathers?: boolean | undefined;
}

/** A session that writes. */
export interface Player {
  /** Own operations that the server has acknowledged, in the order in which they were made. */
  readonly acknowledged: number;
  /** Why it was cut off, when it was. */
  readonly closed: string | undefined;
  /** Bytes of messages that it was sent so far: when it begins, those of the state. */
  readonly downBytes: number;
  /** Makes records `first` … `first + count - 1`; one operation. At most {@link maxPuts} at a time. */
  put(first: number, count: number): void;
  /** Moves a record; one operation. */
  move(record: number, x: number, y: number): void;
  close(): void;
}

/** Records that are made by one operation. */
export const maxPuts = 500;
