import type { Operation } from "../core/batch.ts";
import type { Client, RoomObjectOptions } from "../room/room-options.ts";
import type {
  AnyRoomDefinition,
  CollectionNamesOf,
  PresenceOf,
  RecordInputOf,
  RecordOf,
  UserOf,
} from "../schema/definition.ts";
import type { TestRoom } from "./test-room.ts";

/** A room's options as `RoomObject` takes them, and what a test says beside them. */
export type TestRoomOptions<D extends AnyRoomDefinition> = RoomObjectOptions<D> & {
  /** What is there when the test begins, as one operation of the room's own, by collection and id. */
  readonly records?: {
    readonly [C in CollectionNamesOf<D>]?: { readonly [id: string]: RecordInputOf<D, C> };
  };
  /** As the hook of the app's class: somebody has connected. `room` stands for its `this`. */
  readonly onJoin?: (client: Client<D>, room: TestRoom<D>) => void;
  /** As the hook of the app's class: somebody's only session is gone. */
  readonly onLeave?: (client: Client<D>, room: TestRoom<D>) => void;
  /** As the hook of the app's class: an operation is on disk. */
  readonly onCommit?: (operation: Operation, room: TestRoom<D>) => void;
  /** Milliseconds that every client's messages take, each way; 0 when left out. */
  readonly latencyMs?: number;
  /**
   * Whether each mutator is tried before it runs in the room, to see whether state, payload and context alone decide what it
   * does; one for which that is not so fails the next `settle`. True when left out.
   */
  readonly checksMutators?: boolean;
  /** Told what the app's code in the room has thrown, in place of the console. */
  readonly onError?: (error: unknown, what: string) => void;
};

/** Who connects, and how. Everything may be left out. */
export type TestConnectOptions<D extends AnyRoomDefinition> = {
  /** As `authenticate` would say it; nobody when left out. */
  readonly user?: UserOf<D> | null;
  /** `writer` when left out; `reader`, or a role of the app's own. */
  readonly role?: string;
  /** What the others see of this client first. Left out, they do not see it before `presence.update`. */
  readonly presence?: PresenceOf<D>;
  /** Milliseconds that this client's messages take, each way; the room's `latencyMs` when left out. */
  readonly latencyMs?: number;
};

/** `records` of a whole room. */
export type TestRecords<D extends AnyRoomDefinition> = {
  [C in CollectionNamesOf<D>]: { [id: string]: RecordOf<D, C> };
};
