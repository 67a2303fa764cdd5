import type { Player, Position } from "../systems/system.ts";

const tickMs = 4;
/** Newest moves of each record whose time of departure is known. */
const remembered = 4_096;

/** Moves every record when its time has come. A client that is late leaves a move out, as a hand does. */
export class Pace {
  readonly expected = new Map<number, Position>();
  sent = 0;
  readonly #periodMs: number;
  readonly #dueAt: number[];
  readonly #sequence: number[];
  readonly #sentAt: Float64Array[];
  #ticking: NodeJS.Timeout | undefined;

  constructor(clients: number, hz: number) {
    this.#periodMs = 1_000 / hz;
    this.#dueAt = Array.from({ length: clients }, (_, index) => (index / clients) * this.#periodMs);
    this.#sequence = this.#dueAt.map(() => 0);
    this.#sentAt = this.#dueAt.map(() => new Float64Array(remembered));
  }

  /** When `record` was sent to this `x`, which is the number of the move. */
  sentAt(record: number, x: number): number | undefined {
    return this.#sentAt[record]?.[x % remembered];
  }

  start(players: readonly Player[]): void {
    const startedAt = performance.now();
    this.#ticking = setInterval(() => this.#tick(players, startedAt), tickMs);
  }

  stop(): void {
    clearInterval(this.#ticking);
  }

  #tick(players: readonly Player[], startedAt: number): void {
    const now = performance.now() - startedAt;
    for (const [index, player] of players.entries()) {
      const dueAt = this.#dueAt[index] ?? 0;
      if (now < dueAt) continue;
      const next = dueAt + this.#periodMs;
      this.#dueAt[index] = next > now - this.#periodMs ? next : now;
      if (player.closed === undefined) this.#move(player, index);
    }
  }

  #move(player: Player, record: number): void {
    const x = (this.#sequence[record] ?? 0) + 1;
    const y = (x * 37 + record) % 1_000;
    this.#sequence[record] = x;
    const times = this.#sentAt[record];
    if (times) times[x % remembered] = performance.now();
    player.move(record, x, y);
    this.expected.set(record, { x, y });
    this.sent += 1;
  }
}
