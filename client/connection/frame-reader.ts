import { decodeDown, frameBytes } from "../../src/protocol/codec.ts";
import type { DownFrame, SnapshotPart } from "../../src/protocol/down/down-frames.ts";
import type { Runtime } from "../platform.ts";

/** Parts that are inflated at the same time. Others wait as they came, so that memory holds few that are large. */
const maxInflating = 8;

export interface FrameReaderEvents {
  /** The next frame, in the order in which they were sent, and its bytes as it came. */
  readonly take: (frame: DownFrame, bytes: number) => void;
  /** What came could not be read. It may have been anything: a delta, or an answer that a call waits for. */
  readonly misread: (error: unknown) => void;
}

/** Makes frames of what a socket brings. Parts of a snapshot are inflated at the same time, and no frame overtakes another. */
export class FrameReader {
  readonly #events: FrameReaderEvents;
  readonly #maxPartBytes: number;
  #inflate: Runtime["inflate"];
  /** Frames that wait for their turn behind a part that is being inflated, and the end of their queue. */
  #waiting = 0;
  #turn: Promise<void> = Promise.resolve();
  /** Of the connection: what still waits of an earlier one is not taken. */
  #connection = 0;

  /** `maxPartBytes`: of a part that is inflated. */
  constructor(inflate: Runtime["inflate"], maxPartBytes: number, events: FrameReaderEvents) {
    this.#maxPartBytes = maxPartBytes;
    this.#inflate = inflate;
    this.#events = events;
  }

  /** Whether to ask for parts that are compressed. Not once that has failed: as text the same part may be read. */
  get acceptsDeflate(): boolean {
    return this.#inflate !== undefined;
  }

  /** From now on it hears another socket. */
  reset(): void {
    this.#connection += 1;
  }

  receive(data: unknown): void {
    let frame: DownFrame;
    try {
      frame = decodeDown(data);
    } catch (error) {
      return this.#events.misread(error);
    }
    const bytes = frameBytes(data as string | Uint8Array);
    if (frame.kind === "snapshot" && frame.isDeflated) this.#queue(this.#inflated(frame), bytes);
    else if (this.#waiting > 0) this.#queue(Promise.resolve(frame), bytes);
    else this.#events.take(frame, bytes);
  }

  #queue(frame: Promise<DownFrame>, bytes: number): void {
    const connection = this.#connection;
    this.#waiting += 1;
    const settled = frame.then(
      (ready) => () => this.#events.take(ready, bytes),
      (error) => () => this.#events.misread(error),
    );
    this.#turn = this.#turn.then(async () => {
      const notify = await settled;
      this.#waiting -= 1;
      if (connection === this.#connection) notify();
    });
  }

  async #inflated(part: SnapshotPart): Promise<SnapshotPart> {
    if (this.#waiting >= maxInflating) await this.#turn;
    try {
      if (this.#inflate === undefined) throw new Error("a part came compressed that was not asked for");
      return { ...part, isDeflated: false, content: await this.#inflate(part.content, this.#maxPartBytes) };
    } catch (error) {
      this.#inflate = undefined;
      throw error;
    }
  }
}
