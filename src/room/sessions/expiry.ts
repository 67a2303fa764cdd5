import type { Session } from "./session.ts";

/** Knows whose time is up: `authenticate` may say until when somebody may stay. */
export class Expiry {
  readonly #sessions: ReadonlyMap<string, Session>;
  /** Nobody's time is up before. That of a session that has left may stand here still, which costs one look. */
  #dueAt = Infinity;

  constructor(sessions: ReadonlyMap<string, Session>) {
    this.#sessions = sessions;
  }

  /** When to look; `Infinity` while everybody may stay. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** There is a session more. */
  note({ expiresAt }: Session): void {
    this.#dueAt = Math.min(this.#dueAt, expiresAt);
  }

  /** The sessions whose time is up; they have to go. */
  look(now: number): readonly Session[] {
    if (now < this.#dueAt) return [];
    const expired: Session[] = [];
    this.#dueAt = Infinity;
    for (const session of this.#sessions.values()) {
      if (session.expiresAt <= now) expired.push(session);
      else this.note(session);
    }
    return expired;
  }
}
