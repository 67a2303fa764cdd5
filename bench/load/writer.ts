import type { Player, Position } from "../systems/system.ts";

/** One session's operations on so many records in turn, numbered 1, 2, 3… by their `x`. */
export class Writer {
  made = 0;
  readonly expected = new Map<number, Position>();
  readonly player: Player;
  readonly #records: number;

  constructor(player: Player, records: number) {
    this.player = player;
    this.#records = records;
  }

  /** Makes operations as long as fewer than `window` are behind `done`. */
  fillWindow(window: number, done: number, total = Infinity): void {
    while (this.made - done < window && this.made < total && this.player.closed === undefined) {
      this.made += 1;
      const record = this.made % this.#records;
      const position = { x: this.made, y: (this.made * 37) % 1_000 };
      this.player.move(record, position.x, position.y);
      this.expected.set(record, position);
    }
  }
}
