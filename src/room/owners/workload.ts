import type { Limits } from "../limits.ts";
import { Shares, type Holder } from "./shares.ts";

/** Time over which the work of all clients is added up. Whoever waits until its end is refused no faster than refusals are forgiven. */
const windowMs = 500;

/**
 * Work that all clients together have the room do, in the units of `call-work.ts`. The room has one thread: many users, or many
 * clients without a user, could take all of it while each keeps to its own rate.
 *
 * When the work of a window is used up, only those who had the most of it done wait until the next window begins. So a client that
 * asks for little is never held up by others. Work beyond a fair part counts in the next windows too: otherwise each of many
 * clients could have one large call executed in every window.
 */
export class Workload {
  readonly #mostOfWindow: number;
  #done = new Shares();
  #endsAt = 0;

  constructor({ allWorkPerSecond }: Pick<Limits, "allWorkPerSecond">) {
    this.#mostOfWindow = (allWorkPerSecond * windowMs) / 1_000;
  }

  /** Returns 0 if the room works for `holder` now, and otherwise the milliseconds to wait. */
  waitOf(holder: Holder, now: number): number {
    this.#enterWindow(now);
    return this.#done.isAmongLargest(holder, this.#mostOfWindow) ? this.#endsAt - now : 0;
  }

  /** Notes that the room has done so much work for `holder`. */
  note(holder: Holder, units: number, now: number): void {
    this.#enterWindow(now);
    this.#done.add(holder, units);
  }

  #enterWindow(now: number): void {
    // A clock that was set back begins another window, so that nobody waits longer than one.
    if (now < this.#endsAt && now >= this.#endsAt - windowMs) return;
    let windows = now < this.#endsAt ? 1 : 1 + Math.floor((now - this.#endsAt) / windowMs);
    for (; windows > 0 && this.#done.total > this.#mostOfWindow; windows--)
      this.#done.lower(this.#mostOfWindow);
    if (windows > 0) this.#done = new Shares();
    this.#endsAt = now + windowMs;
  }
}
