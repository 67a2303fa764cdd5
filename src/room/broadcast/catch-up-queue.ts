import type { SendBudget } from "../sessions/send-budget.ts";
import type { Session } from "../sessions/session.ts";
import type { Journal } from "../storage/journal.ts";
import type { Broadcaster } from "./broadcaster.ts";

/** What catch-ups need of the room. */
export interface CatchUpRoom {
  readonly journal: Pick<Journal, "roomState" | "assertNewest">;
  readonly broadcaster: Pick<Broadcaster, "resume">;
  readonly sendBudget: SendBudget<Session>;
  /** Whether all that has happened is on disk and sent. */
  readonly isSettled: () => boolean;
  /** Does something for one session, and closes the session when that fails. Returns false then. */
  readonly serve: (session: Session, work: () => void) => boolean;
  /** Ends this instance, and throws, when another one has taken over. Begins anew when storage was deleted. */
  readonly assertNewest: () => void;
}

/**
 * The sessions that wait to be sent what they lack: for the next flush, or until other sessions owe less.
 *
 * A catch-up shows the state as of a flush. To flush for each session that joins would send a frame to all others each time, so a
 * session waits for the flush that is due.
 */
export class CatchUpQueue {
  readonly #room: CatchUpRoom;
  /** Sessions to be caught up behind the next flush. */
  readonly #waiting = new Set<Session>();
  #isResuming = false;

  constructor(room: CatchUpRoom) {
    this.#room = room;
  }

  /** Whether no session waits for the next flush. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Sends a session what it lacks: at once when nothing is unflushed, and otherwise behind the flush that is due. Returns false
   * when it failed.
   */
  catchUp(session: Session): boolean {
    const { sendBudget, isSettled, serve, broadcaster, journal } = this.#room;
    if (!sendBudget.bears(session.holder, 0)) {
      session.isDue = true;
      sendBudget.waiting.add(session);
      return true;
    }
    if (isSettled()) return serve(session, () => broadcaster.resume(journal.roomState, session));
    session.isDue = true;
    this.#waiting.add(session);
    return true;
  }

  /** Sends a live session nothing until the next flush, and then what it lacks. */
  catchUpLater(session: Session): void {
    session.feed = { kind: "behind", rev: session.lastSentRev };
    session.isDue = true;
    this.#waiting.add(session);
    session.save();
  }

  /** Takes back a session that waited for the next flush when the room went to sleep. */
  restore(session: Session): void {
    this.#waiting.add(session);
  }

  /** Forgets a session that has ended. */
  drop(session: Session): void {
    this.#waiting.delete(session);
  }

  /** Forgets all that wait. */
  clear(): void {
    this.#waiting.clear();
    this.#room.sendBudget.waiting.clear();
  }

  /** Goes on with a session that was held back, and has acknowledged enough. Throws what {@link Journal.assertNewest} throws. */
  resume(session: Session): void {
    this.#room.journal.assertNewest();
    this.#resume(session);
  }

  /**
   * Resumes the sessions that were held back because other sessions owed too much, while the send budget allows it. A session
   * that fails meanwhile is closed, and its share becomes free: the loop below sees that, so the nested call returns.
   */
  resumeThrottled(): void {
    if (this.#room.sendBudget.waiting.size === 0 || this.#isResuming) return;
    this.#room.assertNewest();
    this.#isResuming = true;
    try {
      while (this.#resumeSome());
    } finally {
      this.#isResuming = false;
    }
  }

  /** Serves the sessions that waited for a flush. */
  flushed(): void {
    if (this.#waiting.size === 0) return;
    const { assertNewest, serve, broadcaster, journal } = this.#room;
    assertNewest(); // the flush may have had nothing to write
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const session of waiting) {
      session.isDue = false;
      serve(session, () => {
        broadcaster.resume(journal.roomState, session);
        session.save();
      });
    }
  }

  #resume(session: Session): void {
    this.#room.sendBudget.waiting.delete(session);
    session.isDue = false;
    this.catchUp(session);
  }

  /** Resumes each throttled session that may be sent more. Returns false when there was none. */
  #resumeSome(): boolean {
    const { sendBudget } = this.#room;
    let resumed = false;
    for (const session of sendBudget.waiting) {
      if (!sendBudget.canResume(session.holder)) continue;
      resumed = true;
      this.#resume(session);
      session.save();
    }
    return resumed;
  }
}
