import { setTimeout as sleep } from "node:timers/promises";
import type { BoardRoom } from "./board-client.ts";
import type { Chance } from "../support/seeded-random.ts";
import type { Exchange, Line } from "./tcp-proxy.ts";
import { Guest } from "./soak-client.ts";
import { comesTrue } from "../support/wait-until.ts";

const tickMs = 200;
const pointersPerTick = 30;
const editsPerTick = 10;
const chanceOfCheer = 0.2;
const chanceOfMisfortune = 0.8;
/** A client whose connection is frozen finds out after 25 s, or after 10 s when it waits for an answer. */
const frozenMs = [12_000, 28_000] as const;
const halvedMs = [3_000, 15_000] as const;
const delayMs = [1_000, 6_000] as const;
const settleTimeoutMs = 40_000;

/** What happens to guests; the more often it stands here, the more often it does. */
// oxfmt-ignore
const misfortunes = [
  "reload", "reload", "reload", "reload", "crash", "crash", "cut", "cut", "delay", "delay", "roam", "vanish", "freeze",
] as const;
type Misfortune = (typeof misfortunes)[number];

/** So many people on one board, who come and go all the time. */
export class Crowd {
  readonly #exchange: Exchange;
  readonly #url: string;
  readonly #chance: Chance;
  readonly #onTrouble: (trouble: string) => void;
  readonly #happened = new Map<string, number>();
  readonly #guests: Guest[];
  #departed: WeakRef<BoardRoom>[] = [];
  #arrivals = 0;

  constructor(
    exchange: Exchange,
    url: string,
    count: number,
    chance: Chance,
    onTrouble: (trouble: string) => void,
  ) {
    this.#exchange = exchange;
    this.#url = url;
    this.#chance = chance;
    this.#onTrouble = onTrouble;
    this.#guests = Array.from({ length: count }, () => this.#arrive());
  }

  get guests(): readonly Guest[] {
    return this.#guests;
  }

  /** Clients that there have ever been. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** How often what was done. */
  get happened(): ReadonlyMap<string, number> {
    return this.#happened;
  }

  /** Lives for `ms`. */
  async live(ms: number): Promise<void> {
    const ticking = setInterval(() => this.#tick(), tickMs);
    await sleep(ms);
    clearInterval(ticking);
  }

  /** Ends what is left of broken connections. False when not everybody is online again, with every call answered. */
  async settle(): Promise<boolean> {
    for (const line of this.#exchange.lines) if (!line.isWhole) line.cut();
    return await comesTrue(
      () => this.#guests.every((guest) => guest.isSettled && this.#exchange.lineOf(guest.clientId)),
      settleTimeoutMs,
    );
  }

  /** Everybody leaves. */
  close(): void {
    for (const guest of this.#guests.splice(0)) this.#leave(guest);
  }

  /** Rooms that were closed and that somebody still holds. */
  countHeld(): number {
    this.#departed = this.#departed.filter((room) => room.deref() !== undefined);
    return this.#departed.length;
  }

  #arrive(): Guest {
    this.#arrivals += 1;
    return new Guest(this.#url, this.#arrivals, this.#chance, this.#onTrouble);
  }

  #leave(guest: Guest): void {
    guest.close();
    this.#departed.push(new WeakRef(guest.room));
  }

  #tick(): void {
    for (let edit = 0; edit < editsPerTick; edit++) this.#let("edit", (guest) => guest.edit());
    for (let point = 0; point < pointersPerTick; point++) this.#let("point", (guest) => guest.point());
    if (this.#chance.happens(chanceOfCheer)) this.#let("cheer", (guest) => guest.cheer());
    if (this.#chance.happens(chanceOfMisfortune)) this.#befall(this.#chance.pick(misfortunes));
  }

  /** Somebody who is online does it. */
  #let(what: string, act: (guest: Guest, index: number) => void): void {
    const index = this.#chance.between(0, this.#guests.length - 1);
    const guest = this.#guests[index];
    if (!guest?.isOnline) return;
    this.#happened.set(what, (this.#happened.get(what) ?? 0) + 1);
    act(guest, index);
  }

  #befall(misfortune: Misfortune): void {
    this.#let(misfortune, (guest, index) => {
      const line = this.#exchange.lineOf(guest.clientId);
      if (line !== undefined) this.#apply(misfortune, line);
      if (!["reload", "crash", "vanish"].includes(misfortune)) return;
      this.#leave(guest);
      this.#guests[index] = this.#arrive();
    });
  }

  /** A reload closes its connection properly. Of the others only some are told to the room, and some to the client. */
  #apply(misfortune: Misfortune, line: Line): void {
    switch (misfortune) {
      case "reload":
        return;
      case "crash":
      case "cut":
        return line.cut();
      case "roam":
      case "vanish":
        line.halve();
        setTimeout(() => line.cut(), this.#chance.between(...halvedMs));
        return;
      case "freeze":
        line.freeze();
        setTimeout(() => line.cut(), this.#chance.between(...frozenMs));
        return;
      case "delay":
        return line.delay(this.#chance.between(...delayMs));
    }
  }
}
