import { inks, sheet } from "../../../demo/board.ts";
import { openBoard, type BoardRoom } from "./board-client.ts";
import type { Chance } from "../support/seeded-random.ts";

/** Records that guests edit; there are never more, so that the room does not grow. */
const shapeIds = Array.from({ length: 300 }, (_, number) => `shape-${number}`);

/** What a room may answer to guests who get in each other's way, and to a call whose page was left. */
const expectedCodes = new Set(["not-found", "conflict", "closed"]);

/** Somebody on the board, for the life of one page. */
export class Guest {
  readonly room: BoardRoom;
  readonly #chance: Chance;
  readonly #name: string;
  readonly #color;

  /** `onTrouble` is told of every rejection and error that should not be. */
  constructor(url: string, number: number, chance: Chance, onTrouble: (trouble: string) => void) {
    this.#chance = chance;
    this.#name = `guest-${number}`;
    this.#color = chance.pick(inks);
    const presence = { name: this.#name, color: this.#color, cursor: null, holding: null };
    this.room = openBoard(url, { initialPresence: presence });
    this.room.on("reject", ({ code, message }) => {
      if (!expectedCodes.has(code)) onTrouble(`${this.#name} was rejected: ${code}, ${message}`);
    });
    this.room.on("error", ({ code, message }) => onTrouble(`${this.#name} was told: ${code}, ${message}`));
    this.room.ready.catch(() => {}); // closed before
  }

  get clientId(): string {
    return this.room.self.clientId;
  }

  /** Online, with an answer to every call. */
  get isSettled(): boolean {
    return this.room.status === "online" && this.room.pending === 0;
  }

  get isOnline(): boolean {
    return this.room.status === "online";
  }

  /** Points somewhere, and perhaps at a shape. */
  point(): void {
    this.room.presence.update({
      cursor: this.#somewhere(),
      holding: this.#chance.happens(0.3) ? this.#chance.pick(shapeIds) : null,
    });
  }

  cheer(): void {
    this.room.broadcast("confetti", this.#somewhere());
  }

  /** Makes one call, a direct edit or one by a mutator. */
  edit(): void {
    const id = this.#chance.pick(shapeIds);
    if (this.#chance.happens(0.7)) this.#editDirectly(id);
    else this.#callMutator(id);
  }

  close(): void {
    this.room.close();
  }

  #editDirectly(id: string): void {
    const isThere = this.room.state.shapes.has(id);
    this.room.transact((tx) => {
      if (!isThere)
        tx.shapes.put(id, { kind: "note", ...this.#somewhere(), color: this.#color, text: this.#text() });
      else if (this.#chance.happens(0.1)) tx.shapes.delete(id);
      else if (this.#chance.happens(0.2)) tx.shapes.patch(id, { text: this.#text() });
      else tx.shapes.patch(id, this.#somewhere());
    });
  }

  #callMutator(id: string): void {
    const { mutate } = this.room;
    switch (this.#chance.pick(["claim", "claim", "release", "remove"])) {
      case "claim":
        mutate.claim({ id, name: this.#name, color: this.#color });
        break;
      case "release":
        mutate.release({ id });
        break;
      case "remove":
        mutate.remove({ id });
        break;
    }
  }

  #somewhere(): { x: number; y: number } {
    return { x: this.#chance.between(0, sheet.width), y: this.#chance.between(0, sheet.height) };
  }

  #text(): string {
    return "soak ".repeat(this.#chance.between(1, 40));
  }
}
