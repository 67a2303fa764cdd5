import type { Limits } from "../core/limits.ts";
import { pingText } from "../protocol/version.ts";
import type { Session } from "./session.ts";

/**
 * Of `maxSilenceMs`: silent for so long, a session is asked whether it is there, and has the rest of the time to answer. Clients
 * ping every 10 s, so mostly nobody is asked; but the timers of a hidden tab may run once a minute only, and an answer needs none.
 */
const askShare = 0.8;

/** Longer than the slowest timers of a tab take: whoever was silent for so long need not be asked. */
const certainMs = 90_000;

/**
 * Finds the sessions whose other end has gone without a word, as when a lid was shut: no close ever comes of them. It looks only
 * while somebody could see a ghost, by the object's alarm, since a timer would keep the room from hibernating.
 */
export class Liveness {
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #maxSilenceMs: number;
  /** When it wants to look again. Nobody's time can come before that, once it was worked out. */
  #dueAt = -Infinity;

  constructor(sessions: ReadonlyMap<string, Session>, { maxSilenceMs }: Pick<Limits, "maxSilenceMs">) {
    this.#sessions = sessions;
    this.#maxSilenceMs = maxSilenceMs;
  }

  /** When it wants to look; `Infinity` while nobody could see a ghost, and where the app leaves that to the network. */
  dueAt(now: number): number {
    if (this.#dueAt >= now) return this.#dueAt;
    if (!this.#hasOnlookers) return Infinity;
    const dueAt = Math.min(...[...this.#sessions.values()].map((session) => this.#dueAtOf(session, now)));
    this.#dueAt = Math.max(now, dueAt);
    return this.#dueAt;
  }

  /** Asks those who are silent, and answers those who have not answered. */
  look(now: number): readonly Session[] {
    this.#dueAt = -Infinity;
    const gone: Session[] = [];
    if (!this.#hasOnlookers) return gone;
    for (const session of this.#sessions.values()) {
      if (Math.abs(now - this.#since(session)) < this.#patienceMs(session)) continue;
      if (session.pulse.asked !== undefined) gone.push(session);
      else this.#ask(session, now);
    }
    return gone;
  }

  /** Who was alone, was watched by nobody, and is certainly gone: whoever comes now shall not meet a ghost. */
  lostAlone(now: number): Session | undefined {
    const [session, ...others] = this.#sessions.values();
    if (session === undefined || others.length > 0) return undefined;
    const silentMs = Math.abs(now - session.pulse.heardAt);
    return silentMs > Math.max(certainMs, this.#maxSilenceMs) ? session : undefined;
  }

  /** Whether anybody could see a ghost. */
  get #hasOnlookers(): boolean {
    if (this.#sessions.size < 2) return false;
    return [...this.#sessions.values()].some(({ presence }) => presence !== undefined);
  }

  #ask(session: Session, now: number): void {
    session.socket.send(pingText); // no frame: it needs no acknowledgement
    session.ask(now);
    session.save();
  }

  #dueAtOf(session: Session, now: number): number {
    return Math.min(now, this.#since(session)) + this.#patienceMs(session);
  }

  #since({ pulse }: Session): number {
    return pulse.asked?.at ?? pulse.heardAt;
  }

  #patienceMs({ pulse }: Session): number {
    return this.#maxSilenceMs * (pulse.asked === undefined ? askShare : 1 - askShare);
  }
}
