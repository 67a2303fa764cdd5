import { codes, type Code } from "../protocol/codes.ts";
import { nameOf, type RoomPorts } from "./room-ports.ts";
import { refusePush } from "./sessions/refusals.ts";
import type { Session } from "./sessions/session.ts";
import type { Journal } from "./storage/journal.ts";
import { DeletedError, SupersededError } from "./storage/room-storage.ts";

/** The client ids whose calls were executed, and then lost. */
type Lost = Pick<ReadonlySet<string>, "has">;

/** What a push is refused with that storage did not take. The pause keeps all clients from coming again at once, while it fails. */
const storageFailed = { code: "internal", message: codes.internal.sentence, retryAfterMs: 1_000 } as const;

/** What a recovery needs of the room. */
export interface RecoveryRoom {
  readonly journal: Journal;
  readonly sessions: ReadonlyMap<string, Session>;
  readonly ports: Pick<RoomPorts, "log" | "abort">;
  /** Called when memory has been read from storage again. It must not throw. */
  readonly onReload: () => void;
  /** Sends the session what it lacks, behind the next flush. */
  readonly catchUpLater: (session: Session) => void;
  /** Schedules a flush, if anything waits for one. */
  readonly schedule: () => void;
  /** Forgets presence, events and catch-ups that wait: they are of a history that is gone. */
  readonly forgetWaiting: () => void;
  readonly closeSession: (session: Session, code: Code) => void;
}

/**
 * Makes memory equal to storage again after a failure, and says what becomes of the sessions.
 *
 * - Storage failed, or a step that changes memory threw before its end: the batch is discarded and memory is read from storage.
 *   Nothing of the batch has left the room, so its clients are asked to send their calls again.
 * - Storage was deleted: the room begins anew with nothing, and its sessions end for good.
 * - Another instance has taken over, or storage cannot be read: this instance ends.
 *
 * Invariant: a recovery sends nothing that needs storage, so it cannot fail and recover again from within.
 */
export class Recovery {
  readonly #room: RecoveryRoom;

  constructor(room: RecoveryRoom) {
    this.#room = room;
  }

  /** Discards memory, with the batch, and reads storage. `lost`: the clients whose calls are in the batch. */
  recover(error: unknown, lost: Lost = this.#room.journal.engine.unflushed, event = "storage-failed"): void {
    const { journal, sessions, ports } = this.#room;
    if (error instanceof SupersededError) return ports.abort(error.message);
    if (error instanceof DeletedError) return this.beginAnew(error);
    ports.log(event, { error: nameOf(error) });
    if (!this.#reload()) return;
    const { roomState } = journal;
    for (const session of sessions.values()) {
      const { clientId } = session.client;
      const lastCallId = roomState.clientLog.get(clientId)?.lastCallId ?? 0;
      session.dropReplies(lastCallId);
      if (lost.has(clientId))
        refusePush(session, undefined, { ...storageFailed, clientReqId: lastCallId + 1 });
      // The row was written before something failed.
      if (session.isLive && session.lastSentRev < roomState.rev) this.#room.catchUpLater(session);
    }
    this.#room.schedule(); // presence and events still have to be sent
  }

  /** Recovers if a step that changes memory has thrown before its end: then memory is neither what it was nor what disk says. */
  mend(error: unknown): void {
    if (this.#room.journal.engine.isTorn) this.recover(error, undefined, "core-failed");
  }

  /**
   * The app has deleted the storage. The room begins anew with nothing. Its sessions end for good, so that no client fills the new
   * room with what it still has of the old one.
   */
  beginAnew(error: DeletedError): void {
    const { sessions, ports } = this.#room;
    ports.log("storage-deleted", { error: error.message, sessions: sessions.size });
    if (!this.#reload()) return;
    this.#room.forgetWaiting();
    for (const session of sessions.values()) this.#room.closeSession(session, "gone");
  }

  /**
   * Does something for one session. When that fails, by storage that cannot be read, only the session is closed: its client
   * would wait for an answer for ever, and to connect again is to be caught up. Returns false then.
   */
  serve(session: Session, work: () => void): boolean {
    try {
      this.asNewest(work);
      return true;
    } catch (error) {
      if (error instanceof SupersededError) throw error;
      this.mend(error);
      if (error instanceof DeletedError) this.beginAnew(error);
      else this.#room.ports.log("session-failed", { error: nameOf(error) });
      this.#room.closeSession(session, "internal");
      return false;
    }
  }

  /** Makes sure that this instance is the one to send what it knows. Begins anew when storage was deleted. */
  assertNewest(): void {
    try {
      this.asNewest(() => this.#room.journal.assertNewest());
    } catch (error) {
      if (!(error instanceof DeletedError)) throw error;
      this.beginAnew(error);
    }
  }

  /** Does what may touch storage, which ends this instance when another has taken over. */
  asNewest<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof SupersededError) this.#room.ports.abort(error.message);
      throw error;
    }
  }

  /** Reads memory from storage. Returns false when that fails, which ends this instance. */
  #reload(): boolean {
    const { journal, ports } = this.#room;
    try {
      journal.reload();
      this.#room.onReload();
      return true;
    } catch (failure) {
      ports.log("wake-failed", { error: nameOf(failure) });
      ports.abort("storage cannot be read");
      return false;
    }
  }
}
