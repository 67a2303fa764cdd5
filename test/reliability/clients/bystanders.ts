import { setTimeout as sleep } from "node:timers/promises";
import { openBoard, readBoard, type BoardJson, type BoardRoom } from "./board-client.ts";

const own = "bystander";
const presence = (name: string) => ({ name, color: "sea", cursor: null, holding: null }) as const;

/** Two people on a board of the demo, of whom one edits and the other sees it, while others do what they like. */
export class Bystanders {
  readonly url: string;
  /** The longest round trip so far. */
  worstMs = 0;
  rounds = 0;
  /** What should not have happened to them. */
  readonly troubles: string[] = [];
  readonly #writer: BoardRoom;
  readonly #sessionJudge: BoardRoom;

  private constructor(url: string) {
    this.url = url;
    this.#writer = openBoard(url, { initialPresence: presence("writer") });
    this.#sessionJudge = openBoard(url, { initialPresence: presence("witness") });
  }

  static async open(url: string): Promise<Bystanders> {
    const bystanders = new Bystanders(url);
    for (const room of bystanders.#rooms) await room.ready;
    for (const room of bystanders.#rooms) {
      // A room that restarts drops its sockets, so each of these is one.
      room.on("status", (status) => status !== "closed" && bystanders.troubles.push(`it was ${status}`));
      room.on("error", ({ code, message }) => bystanders.troubles.push(`it was told ${code}: ${message}`));
    }
    return bystanders;
  }

  /** An edit that is committed and seen by the other. Throws when that takes longer than `patienceMs`. */
  async round(patienceMs: number): Promise<void> {
    const x = (this.rounds += 1);
    const startedAt = performance.now();
    const call = this.#writer.transact((tx) => tx.shapes.put(own, { kind: "circle", x, y: 0, color: "sea" }));
    const { rev } = await call.committed;
    while (this.#sessionJudge.rev < rev) {
      if (performance.now() - startedAt > patienceMs) break;
      await sleep(1);
    }
    const tookMs = performance.now() - startedAt;
    this.worstMs = Math.max(this.worstMs, tookMs);
    // Others may have changed it since, as they may: whoever clears the board.
    const isSeen = this.#sessionJudge.rev > rev || this.#sessionJudge.state.shapes.get(own)?.x === x;
    if (tookMs > patienceMs || !isSeen)
      throw new Error(`a round trip took ${Math.round(tookMs)} ms, seen: ${isSeen}`);
  }

  /** The state as `GET` tells it, without their own record. Throws when what the witness has is another. */
  async state(): Promise<BoardJson> {
    const json = await readBoard(this.url);
    const { [own]: _, ...shapes } = json.collections.shapes;
    const seen = this.#sessionJudge.state.shapes.ids().filter((id) => id !== own);
    if (this.#sessionJudge.rev === json.rev && seen.join() !== Object.keys(shapes).toSorted().join())
      throw new Error("the witness has other records than the room");
    return { ...json, collections: { ...json.collections, shapes } };
  }

  close(): void {
    for (const room of this.#rooms) room.close();
  }

  get #rooms(): readonly BoardRoom[] {
    return [this.#writer, this.#sessionJudge];
  }
}
