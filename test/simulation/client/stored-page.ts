import type { KeptRoom, Persist, Persistence } from "../../../client/offline/persistence.ts";
import { keepParts } from "../../../client/offline/room-keeping.ts";
import type { KeptBase } from "../../../client/replica/replica.ts";
import type { Fields } from "../../../src/model/json.ts";
import { board } from "../board.ts";
import type { BrowserStorage, KeptClient, Person } from "./browser-storage.ts";
import { SavedRoom, type Answered } from "./stored-room.ts";
import type { Stage } from "../stage.ts";

/** Where a page keeps its room, and what it begins with. */
export interface KeepingOptions {
  readonly stage: Stage;
  readonly browserStorage: BrowserStorage;
  readonly person: Person;
  /** The page's own. */
  readonly own: KeptClient;
  /** What pages have left that are gone. */
  readonly left: readonly KeptClient[];
  /** Milliseconds until anything can be read. */
  readonly openingMs: number;
  readonly answered: Answered;
  /** The page shows a base that was kept. */
  readonly restored: (base: KeptBase) => void;
}

/** How one page keeps its room, and takes over what other pages have left: what a browser's tab does over its disk. */
export class Keeping {
  readonly #options: KeepingOptions;
  readonly #shelves = new Map<KeptClient, SavedRoom>();
  readonly #secrets = new Set<string>();
  #room: KeptRoom | undefined;
  #isOver = false;
  #isFull = false;

  constructor(options: KeepingOptions) {
    this.#options = options;
  }

  /** Begins to keep a room. */
  readonly persist: Persist = async (parts) => await keepParts(parts, async (room) => await this.#open(room));

  async #open(room: KeptRoom): Promise<Persistence> {
    const { stage, browserStorage, person, own, left, openingMs } = this.#options;
    await this.#pause(openingMs);
    for (const client of left) {
      this.#adopt(room, client);
      await this.#pause(stage.dice.between(...stage.plan.keepMs));
    }
    const base = browserStorage.baseOf(person);
    if (base !== undefined && stage.dice.chance(stage.plan.baseShare)) this.#restore(room, base);
    const savedRoom = this.#newSavedRoom(own);
    savedRoom.confirmTo(room.keepOwn(savedRoom));
    this.#room = room;
    return {
      noteBase: () => {
        if (stage.dice.chance(0.4)) browserStorage.keepBase(person, baseOf(room));
      },
      close: () => this.finish(),
    };
  }

  /** Whether all that the page began with is taken over. */
  get isOpen(): boolean {
    return this.#room !== undefined && !this.#isOver;
  }

  /** All that it has ever sent calls under. */
  get secrets(): string[] {
    return [...this.#secrets];
  }

  savedRoomOf(secret: string): SavedRoom | undefined {
    for (const [client, savedRoom] of this.#shelves) if (client.secret === secret) return savedRoom;
    return undefined;
  }

  /** Takes over what another page has left, while this one is in use. */
  adopt(client: KeptClient): void {
    if (this.#room !== undefined) this.#adopt(this.#room, client);
  }

  /** From now on nothing more can be kept. */
  fill(): void {
    this.#isFull = true;
    for (const savedRoom of this.#shelves.values()) savedRoom.isFull = true;
    this.#room?.fail("the disk is full");
  }

  /** Removes clients of which nothing is left. */
  tidy(): void {
    const { stage, browserStorage, own } = this.#options;
    for (const [client, savedRoom] of this.#shelves) {
      if (client === own || !savedRoom.isDone) continue;
      this.#shelves.delete(client);
      savedRoom.stop();
      if (stage.sharedIds.has(client.secret)) client.calls.clear(); // its own page is still there, and keeps more
      else browserStorage.remove(client);
    }
  }

  /** The page is gone without a word. */
  stop(): void {
    this.#isOver = true;
    for (const savedRoom of this.#shelves.values()) savedRoom.stop();
  }

  /** The page has left the room. */
  finish(): void {
    this.#isOver = true;
    for (const savedRoom of this.#shelves.values()) savedRoom.finish();
  }

  #adopt(room: KeptRoom, client: KeptClient): void {
    const { browserStorage, stage } = this.#options;
    if (client.calls.size === 0) return browserStorage.remove(client);
    stage.figures.count("queues adopted");
    stage.figures.count("calls adopted", client.calls.size);
    const savedRoom = this.#newSavedRoom(client);
    savedRoom.confirmTo(room.adopt(client.queue, savedRoom));
  }

  #restore(room: KeptRoom, base: KeptBase): void {
    if (!room.restore(base)) return;
    this.#options.stage.figures.count("bases restored");
    this.#options.restored(base);
  }

  #newSavedRoom(client: KeptClient): SavedRoom {
    const { stage, answered } = this.#options;
    const savedRoom = new SavedRoom(stage, client, answered);
    savedRoom.isFull = this.#isFull;
    this.#shelves.set(client, savedRoom);
    this.#secrets.add(client.secret);
    return savedRoom;
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.stage.clock.after(ms, () => {
      if (!this.#isOver) resolve();
    });
    return promise;
  }
}

/** A room's base as it is now. */
function baseOf({ base }: KeptRoom): KeptBase {
  const pages = Object.keys(board.collections).map((collection) => {
    const page = { ids: [] as string[], handles: [] as number[], records: [] as Fields[] };
    for (const handle of base.handles(collection)) {
      const [id, record] = base.recordOf(collection, handle) ?? [];
      if (id === undefined || record === undefined) continue;
      page.ids.push(id);
      page.handles.push(handle);
      page.records.push(record);
    }
    return [collection, page] as const;
  });
  return { epoch: base.epoch ?? "", rev: base.rev, pages };
}
