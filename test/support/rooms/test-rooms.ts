import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { onTestFinished } from "vitest";
import type { Hello } from "../../../src/protocol/handshake/hello.ts";
import type { Collections } from "../clients/client-copy.ts";
import type {
  AttackRoom,
  Board,
  CardRoom,
  ListRoom,
  SmallRoom,
  TestRoom,
  ThriftyRoom,
  TightRoom,
  WatchfulRoom,
} from "./test-worker.ts";
import { WireClient, type WireOptions } from "../clients/wire-client.ts";

type AnyTestRoom =
  | TestRoom
  | SmallRoom
  | ThriftyRoom
  | WatchfulRoom
  | CardRoom
  | AttackRoom
  | Board
  | TightRoom
  | ListRoom;

interface Row {
  readonly flushSeq: number;
  readonly from: number;
  readonly to: number;
  readonly body: ArrayBuffer;
  readonly clientLog: string;
}

/** One room of the test Worker, with a name that no other test has. */
class RoomUnderTest<Room extends AnyTestRoom> {
  readonly name = `room-${crypto.randomUUID()}`;
  readonly url: string;
  readonly #stub: DurableObjectStub<Room>;

  constructor(path: string, namespace: DurableObjectNamespace<Room>) {
    this.url = `https://rooms.test${path}/${this.name}`;
    this.#stub = namespace.getByName(this.name);
  }

  /**
   * A client that has not connected yet. Whatever its test looks at, every frame that it was sent has to keep to
   * the protocol.
   */
  client(options: WireOptions = {}): WireClient {
    const client = new WireClient(this.url, options);
    onTestFinished(() => {
      client.cut();
      if (client.violation !== undefined) throw client.violation;
    });
    return client;
  }

  /** A client that has caught up, with nothing left to take. */
  async join(options: WireOptions = {}, hello: Partial<Hello> = {}): Promise<WireClient> {
    const client = this.client(options);
    await client.open(hello);
    await client.caughtUp();
    return client;
  }

  async get(init: RequestInit = {}): Promise<Response> {
    return await exports.default.fetch(new Request(this.url, init));
  }

  /** The state as `GET` tells it; collections without a record are left out. */
  async json(): Promise<{ epoch: string; rev: number; collections: Collections }> {
    const response = await this.get({ headers: { Authorization: "Bearer reader:tester" } });
    const state = await response.json<{ epoch: string; rev: number; collections: Collections }>();
    const entries = Object.entries(state.collections).filter(
      ([, records]) => Object.keys(records).length > 0,
    );
    return { ...state, collections: Object.fromEntries(entries) };
  }

  /** Runs inside the object, between two of its events. */
  async inside<R>(look: (room: Room, state: DurableObjectState) => R | Promise<R>): Promise<R> {
    // What the pool calls the instance is the object itself, whatever its stub's type makes of it.
    return await runInDurableObject(this.#stub, look as never);
  }

  async sql(query: string): Promise<Record<string, SqlStorageValue>[]> {
    return await this.inside((_, { storage }) => storage.sql.exec(query).toArray());
  }

  /** The journal, oldest first. */
  async rows(): Promise<Row[]> {
    return (await this.sql("SELECT * FROM deltaroom_journal ORDER BY flushSeq")) as unknown as Row[];
  }

  /** As another Worker's backend has it. */
  get stub(): DurableObjectStub<Room> {
    return this.#stub;
  }

  /**
   * Hibernates the sockets, or closes them, and drops the memory, once nothing runs and no timer waits. Throws when
   * the room is not awake.
   */
  async evict(webSockets: "hibernate" | "close" = "hibernate"): Promise<void> {
    await evictDurableObject(this.#stub, { webSockets });
  }
}

/** Any of them, for what can be done to all. */
export type AnyRoom = Omit<RoomUnderTest<AnyTestRoom>, "inside">;

/** A board of the demo, which everybody may join. */
export const newBoard = () => new RoomUnderTest("/rooms", env.ROOMS);
export const newTestRoom = () => new RoomUnderTest("/test-rooms", env.TEST_ROOMS);
export const newPrivateRoom = () => new RoomUnderTest("/private-rooms", env.TEST_ROOMS);
export const newSmallRoom = () => new RoomUnderTest("/small-rooms", env.SMALL_ROOMS);
export const newThriftyRoom = () => new RoomUnderTest("/thrifty-rooms", env.THRIFTY_ROOMS);
export const newCardRoom = () => new RoomUnderTest("/card-rooms", env.CARD_ROOMS);
export const newWatchfulRoom = () => new RoomUnderTest("/watchful-rooms", env.WATCHFUL_ROOMS);
export const newAttackRoom = () => new RoomUnderTest("/attack-rooms", env.ATTACK_ROOMS);
export const newClosedRoom = () => new RoomUnderTest("/closed-rooms", env.ATTACK_ROOMS);
export const newListRoom = () => new RoomUnderTest("/list-rooms", env.LIST_ROOMS);
export const newMixedRoom = () => new RoomUnderTest("/mixed-rooms", env.TIGHT_ROOMS);
export const newTightRoom = () => new RoomUnderTest("/tight-rooms", env.TIGHT_ROOMS);

/** A direct edit of one record. */
export function put(collection: string, id: string, record: object): readonly [string, unknown] {
  return ["transact", { [collection]: [["put", id, record]] }];
}

export function patch(collection: string, id: string, fields: object): readonly [string, unknown] {
  return ["transact", { [collection]: [["patch", id, fields]] }];
}

export function remove(collection: string, id: string): readonly [string, unknown] {
  return ["transact", { [collection]: [["delete", id]] }];
}
