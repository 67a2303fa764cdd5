import type { Access } from "../src/schema/access.ts";
import type {
  AnyRoomDefinition,
  CollectionNamesOf,
  PresenceOf,
  RecordOf,
  RoleOf,
  UserOf,
} from "../src/schema/definition.ts";

/** Who connects, and how. Everything may be left out. */
export type TestConnectOptions<D extends AnyRoomDefinition> = {
  /** As `authenticate` would say it; nobody when left out. */
  readonly user?: UserOf<D> | null;
  /** What the client may do; `write` when left out. */
  readonly access?: Access;
  /** The role that `authenticate` would return; none when left out. */
  readonly role?: RoleOf<D>;
  /** What the others see of this client first. Left out, they do not see it before `presence.update`. */
  readonly presence?: PresenceOf<D>;
  /** Milliseconds that this client's messages take, each way; the room's `latencyMs` when left out. */
  readonly latencyMs?: number;
};

/** `records` of a whole room. */
export type TestRecords<D extends AnyRoomDefinition> = {
  [C in CollectionNamesOf<D>]: { [id: string]: RecordOf<D, C> };
};
