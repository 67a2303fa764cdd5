import type { Limits } from "../limits.ts";
import type { Code } from "../../protocol/codes.ts";
import { pingText } from "../../protocol/version.ts";
import type { Session } from "./session.ts";

/**
 * Of `maxSilenceMs`: silent for so long, a session is asked whether it is there, and has the rest of the time to answer. Clients
 * ping every 10 s, so mostly nobody is asked; but the timers of a hidden tab may run once a minute only, and an answer needs none.
 */
const askShare = 0.8;

/** Longer than the slowest timers of a tab take: whoever was silent for so long need not be asked. */
const certainMs = 90_000;

type LivenessLimits = Pick<Limits, "maxSilenceMs" | "maxStallMs" | "maxIdleMs">;

/**
 * Finds the sessions whose other end has gone without a word, as when a lid was shut: no close ever comes of them. It looks only
 * while somebody could see a ghost, by the object's alarm, since a timer would keep the room from hibernating.
 */
export class Liveness {
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #limits: LivenessLimits;
  /** When it wants to look again. Nobody's time can come before that, once it was worked out, unless it begins to owe. */
  #dueAt = -Infinity;
  /** Whether that was worked out for silence too. */
  #hadOnlookers = false;

  constructor(sessions: ReadonlyMap<string, Session>, limits: LivenessLimits) {
    this.#sessions = sessions;
    this.#limits = limits;
  }

  /** When it wants to look; `Infinity` while there is nobody to look for, and where the app leaves that to the network. */
  dueAt(now: number): number {
    const hasOnlookers = this.#hasOnlookers;
    if (this.#dueAt >= now && (this.#hadOnlookers || !hasOnlookers)) return this.#dueAt;
    let dueAt = Infinity;
    for (const session of this.#sessions.values()) {
      if (hasOnlookers) dueAt = Math.min(dueAt, this.#silenceDueAt(session, now));
      dueAt = Math.min(dueAt, this.#debtDueAt(session, now), this.#idleDueAt(session, now));
    }
    if (!Number.isFinite(dueAt)) return Infinity; // worked out anew next time: then there may be somebody
    this.#hadOnlookers = hasOnlookers;
    this.#dueAt = Math.max(now, dueAt);
    return this.#dueAt;
  }

  /** A session should acknowledge something: it has so much time. */
  owes(session: Session, now: number): void {
    if (this.#dueAt >= now) this.#dueAt = Math.min(this.#dueAt, this.#debtDueAt(session, now));
  }

  /** Asks those who are silent, and answers those whose time is over, each with the code that says why. */
  look(now: number): readonly (readonly [Session, Code])[] {
    this.#dueAt = -Infinity;
    const hasOnlookers = this.#hasOnlookers;
    const over: [Session, Code][] = [];
    for (const session of this.#sessions.values()) {
      if (this.#debtDueAt(session, now) <= now) over.push([session, "timeout"]);
      else if (this.#idleDueAt(session, now) <= now) over.push([session, "idle"]);
      else if (!hasOnlookers || Math.abs(now - this.#since(session)) < this.#patienceMs(session)) continue;
      else if (session.heartbeat.asked !== undefined) over.push([session, "timeout"]);
      else this.#ask(session, now);
    }
    return over;
  }

  /**
   * Who is certainly gone, and was watched by nobody: whoever comes now shall neither meet a ghost, where one was alone, nor find its
   * place taken, where the room is full.
   */
  lost(now: number, isFull: boolean): readonly Session[] {
    if (this.#sessions.size !== 1 && !isFull) return [];
    const certainlyMs = Math.max(certainMs, this.#limits.maxSilenceMs);
    return [...this.#sessions.values()].filter(
      ({ heartbeat }) => Math.abs(now - heartbeat.heardAt) > certainlyMs,
    );
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

  #silenceDueAt(session: Session, now: number): number {
    return Math.min(now, this.#since(session)) + this.#patienceMs(session);
  }

  /** When a session will have owed an acknowledgement for too long. */
  #debtDueAt({ overdueSince = Infinity }: Session, now: number): number {
    return overdueSince === Infinity ? Infinity : Math.min(now, overdueSince) + this.#limits.maxStallMs;
  }

  #idleDueAt({ rateLimits }: Session, now: number): number {
    return Math.min(now, rateLimits.activeAt) + this.#limits.maxIdleMs;
  }

  #since({ heartbeat }: Session): number {
    return heartbeat.asked?.at ?? heartbeat.heardAt;
  }

  #patienceMs({ heartbeat }: Session): number {
    return this.#limits.maxSilenceMs * (heartbeat.asked === undefined ? askShare : 1 - askShare);
  }
}
