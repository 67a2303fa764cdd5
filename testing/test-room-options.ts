import type {
  AnyRoomDefinition,
  CollectionNamesOf,
  PresenceOf,
  RecordOf,
  UserOf,
} from "../src/schema/definition.ts";

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
