/** Times further ahead the platform does not take, some day; who waits so long is looked at in between. */
const maxAheadMs = 365 * 86_400_000;

/** The object's one alarm, for all that wait for a time: it is set for the earliest. */
export class Alarm {
  readonly #setAlarm: (at: number) => void;
  /** When it will come; unknown after hibernation, though an alarm that was set then will come. */
  #at: number | undefined;

  /** `setAlarm`: has it come at that time, in place of any time before. */
  constructor(setAlarm: (at: number) => void) {
    this.#setAlarm = setAlarm;
  }

  /** Sees to it that it comes at `dueAt` at the latest, `Infinity` for no need. Say the earliest of all times: another one is forgotten. */
  setFor(dueAt: number, now: number): void {
    if (this.#at !== undefined && this.#at >= now && this.#at <= dueAt) return;
    if (!Number.isFinite(dueAt)) return;
    this.#at = Math.min(Math.max(now, Math.ceil(dueAt)), now + maxAheadMs);
    this.#setAlarm(this.#at);
  }

  /** It has come. */
  passed(): void {
    this.#at = undefined;
  }
}
