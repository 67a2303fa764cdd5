import type { RoomState } from "../storage/room-state.ts";
import type { RoomStorage } from "../storage/room-storage.ts";
import { utf8Encoder } from "../../model/utf8.ts";

/** Of a page at its largest: below it one is hardly shorter for being deflated. */
const minShare = 1 / 64;

/**
 * Keeps the deflated form of pages beside their text, so that each is compressed once and not for every join. It
 * works in between other things, a page at a time; what it has not come to yet is sent as it is.
 */
export class Deflater {
  readonly #storage: RoomStorage;
  readonly #deflate: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly #failed: (error: unknown) => void;
  readonly #minBytes: number;
  #isRunning = false;
  /** Somebody has asked since the pages were last looked through. */
  #isAsked = false;

  constructor(
    storage: RoomStorage,
    pageBytes: number,
    deflate: (bytes: Uint8Array) => Promise<Uint8Array>,
    failed: (error: unknown) => void,
  ) {
    this.#storage = storage;
    this.#deflate = deflate;
    this.#failed = failed;
    this.#minBytes = pageBytes * minShare;
  }

  /** Sees to the pages that have changed. `memory` says what the newest checkpoint is. */
  run(roomState: () => RoomState): void {
    if (!roomState().stored) return;
    this.#isAsked = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#work(roomState)
      .catch(this.#failed)
      .finally(() => (this.#isRunning = false));
  }

  async #work(roomState: () => RoomState): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#deflatePages(roomState);
    }
  }

  async #deflatePages(roomState: () => RoomState): Promise<void> {
    const { checkpoints } = roomState();
    for (const number of this.#storage.undeflatedPages(this.#minBytes)) {
      // The pages are others now, and of those the next who asks will see to.
      if (roomState().checkpoints !== checkpoints) return;
      const records = this.#storage.pageRecords(number, checkpoints);
      const deflated = await this.#deflate(utf8Encoder().encode(records));
      this.#storage.saveDeflated(number, deflated, checkpoints);
    }
  }
}
