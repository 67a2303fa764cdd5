import { parseEvent, type Caller, type Outcome } from "../model/call.ts";
import type { Tx } from "../model/transaction.ts";
import type { Hello } from "../protocol/handshake/hello.ts";
import { nameTable } from "../protocol/names.ts";
import type { AnyRoomDefinition } from "../schema/definition.ts";
import type { Json } from "../schema/json.ts";
import { callFromBackend, type BackendCallRoom } from "./backend-call.ts";
import { Broadcaster } from "./broadcast/broadcaster.ts";
import { CatchUpQueue } from "./broadcast/catch-up-queue.ts";
import type { Flushed } from "./engine/engine.ts";
import { EphemeralUpdates } from "./flush/ephemeral.ts";
import { Hooks } from "./flush/hooks.ts";
import { Flusher } from "./flusher.ts";
import { FrameHandler } from "./inbound/frame-handler.ts";
import type { Limits } from "./limits.ts";
import { Workload } from "./owners/workload.ts";
import { Recovery } from "./recovery.ts";
import { nameOf, type RoomPorts, type RoomRules } from "./room-ports.ts";
import { RoomSessions } from "./room-sessions.ts";
import type { Identity, TurnedAway } from "./sessions/admission.ts";
import { SendBudget } from "./sessions/send-budget.ts";
import type { Attachment, Session, Socket } from "./sessions/session.ts";
import { Journal } from "./storage/journal.ts";
import type { RoomState } from "./storage/room-state.ts";
import { Views, type View } from "./visibility/view.ts";

/**
 * One room: what comes in from clients, from the app and from the platform enters here.
 *
 * A message of a session goes to `FrameHandler`, which has the engine execute its calls. `Flusher` writes what was committed, and
 * only then does anything leave. `RoomSessions` has who is here. `Recovery` makes memory equal to storage again after a failure.
 *
 * Invariants: one entry is carried out at a time, and hooks of the app run behind it. Code of the app that runs for a call may
 * not enter: it would read or flush what is half done.
 */
export class RoomServer {
  readonly #definition: AnyRoomDefinition;
  readonly #ports: RoomPorts;
  readonly #journal: Journal;
  readonly #sessionsById = new Map<string, Session>();
  readonly #ephemeral = new EphemeralUpdates();
  readonly #hooks: Hooks;
  readonly #catchUps: CatchUpQueue;
  readonly #recovery: Recovery;
  readonly #flusher: Flusher;
  readonly #sessions: RoomSessions;
  readonly #frames: FrameHandler;
  readonly #backendCalls: BackendCallRoom;
  /** Entries from outside that are being carried out: a hook, which runs last of all, may enter once more. */
  #depth = 0;
  #divergences = 0;

  /** Wakes the room from storage. Throws when that cannot be read. */
  constructor(definition: AnyRoomDefinition, limits: Limits, rules: RoomRules, ports: RoomPorts) {
    this.#definition = definition;
    this.#ports = ports;
    const sessions = this.#sessionsById;
    const ephemeral = this.#ephemeral;
    const names = nameTable(definition);
    const views = new Views(definition, rules.visibleTo);
    const sendBudget = new SendBudget<Session>(limits);
    const schedule = () => this.#flusher.schedule();
    const hooks = new Hooks(limits.maxHookWrites, ports, (error) =>
      ports.log("hook-failed", { error: nameOf(error) }, error),
    );
    const journal = new Journal(
      ports.storage,
      {
        definition,
        limits,
        views,
        ...rules,
        onFailure: (error, type) => ports.log("mutator-failed", { type, error: nameOf(error) }, error),
      },
      ports.newEpoch,
    );
    const broadcaster = new Broadcaster(ports.storage, sessions, limits, {
      checkpoint: () => this.#flusher.checkpoint(),
      snapshotSent: () => this.#flusher.deflatePages(),
    });
    const catchUps = new CatchUpQueue({
      journal,
      broadcaster,
      sendBudget,
      isSettled: () => this.#flusher.isSettled,
      serve: (session, work) => this.#recovery.serve(session, work),
      assertNewest: () => this.#recovery.assertNewest(),
    });
    const closeSession: RoomSessions["close"] = (session, code, retryAfterMs) =>
      this.#sessions.close(session, code, retryAfterMs);
    const recovery = new Recovery({
      journal,
      sessions,
      ports,
      onReload: rules.onFlush,
      catchUpLater: (session) => catchUps.catchUpLater(session),
      schedule,
      forgetWaiting: () => {
        ephemeral.take();
        catchUps.clear();
      },
      closeSession,
    });
    const parts = {
      definition,
      limits,
      ports,
      sessions,
      journal,
      ephemeral,
      broadcaster,
      catchUps,
      recovery,
    };
    this.#hooks = hooks;
    this.#journal = journal;
    this.#catchUps = catchUps;
    this.#recovery = recovery;
    this.#flusher = new Flusher({
      ...parts,
      enter: (what, work) => this.#enter(what, work),
      closeExpired: (now) => this.#sessions.closeExpired(now),
      onFlush: rules.onFlush,
      onCommit: (operation) => hooks.add(() => rules.onCommit(operation)),
    });
    this.#sessions = new RoomSessions({
      ...parts,
      names,
      views,
      sendBudget,
      schedule,
      scheduleSoon: () => this.#flusher.scheduleSoon(),
      onJoin: (client) => hooks.add(() => rules.onJoin(client)),
      onLeave: (client) => hooks.add(() => rules.onLeave(client)),
    });
    this.#backendCalls = { ...parts, now: ports.now, flusher: this.#flusher, sessions: this.#sessions };
    this.#frames = new FrameHandler({
      ...parts,
      names,
      workload: new Workload(limits),
      flush: () => this.#flusher.flush(),
      shown: () => this.#sessions.setAlarm(),
      diverged: (collections) => this.#noteDiverged(collections),
      closeSession,
      mend: (error) => recovery.mend(error),
      serve: (session, work) => recovery.serve(session, work),
      frameFailed: (error) => ports.log("frame-failed", { error: nameOf(error) }, error),
    });
  }

  // ── sessions ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a session and sends its welcome and catch-up, or returns why not; then no socket was opened, or it is closed again. */
  join(openSocket: () => Socket, hello: Hello, identity: Identity): Session | TurnedAway {
    return this.#enter("join", () => this.#sessions.join(openSocket, hello, identity));
  }

  /** Takes back a session that has hibernated. Returns undefined, and closes the socket, when the room does not take it back. */
  restore(socket: Socket, attachment: Attachment): Session | undefined {
    return this.#sessions.restore(socket, attachment);
  }

  /** Handles one message. It throws for nothing that a client can send. */
  receive(session: Session, data: unknown): void {
    this.#begin("receive");
    try {
      this.#receive(session, data);
    } finally {
      this.#end();
    }
  }

  #receive(session: Session, data: unknown): void {
    if (!this.#sessions.isCurrent(session)) return; // replaced: its socket is closing
    const now = this.#ports.now();
    if (session.expiresAt <= now) return this.#sessions.close(session, "token-expired"); // its calls are sent again
    this.#frames.receive(session, data, now);
    // An acknowledgement may have changed what the session is sent, and perhaps no flush follows to save that. A session that was
    // closed must not be saved: it would come back from hibernation.
    if (!this.#sessions.isCurrent(session)) return;
    session.save();
    this.#flusher.schedule();
  }

  /** The time that `setAlarm` was told has come. */
  alarm(): void {
    this.#enter("alarm", () => this.#sessions.alarm());
  }

  /** The session's socket is gone. */
  leave(session: Session): void {
    this.#enter("leave", () => this.#sessions.leave(session));
  }

  /** What of the room a person without a session is shown. Throws `Rejection` for a person that does not fit the definition. */
  viewOf(identity: Identity): View {
    return this.#sessions.viewOf(identity);
  }

  /** It should never happen, so an operator is told each time, and how often since the room woke. */
  #noteDiverged(collections: readonly string[]): void {
    this.#divergences += 1;
    const { rev } = this.#journal.roomState;
    this.#ports.log("client-diverged", { collections, rev, count: this.#divergences });
  }

  // ── the app's own ──────────────────────────────────────────────────────────────────────────────────────────

  /** Returns 0 if the user may read the state as a whole now, and otherwise the milliseconds to wait. */
  takeRead(user: Json): number {
    return this.#sessions.userRateLimits.takeRead(user, this.#ports.now());
  }

  /** Charges the user for bytes of a state that the room has written for it. */
  spendRead(user: Json, bytes: number): void {
    this.#sessions.userRateLimits.spendRead(user, bytes, this.#ports.now());
  }

  /**
   * The state as of the last flush, for anyone who may see it. To read it flushes nothing: a reader causes no row and no frame.
   * Throws when another instance has taken over, and while code of the app runs for a call.
   */
  read(): Flushed {
    return this.#enter("a read of the state", () => {
      this.#recovery.assertNewest();
      return this.#journal.engine.flushed;
    });
  }

  /** All that the room has in memory, what is not flushed included. A crash can undo that: show it to nobody. */
  get roomState(): RoomState {
    return this.#journal.roomState;
  }

  /** Commits an edit of the room's own as one operation, and returns its revision once it is on disk. */
  transact(edit: (tx: Tx) => unknown): number {
    return this.#enter("transact", () => {
      this.#flusher.settle();
      return this.#hooks.write(() => {
        if (!this.#recovery.asNewest(() => this.#journal.engine.transact(edit)))
          throw new Error("the edit does not fit an empty batch");
        const { rev } = this.#journal.roomState;
        if (!this.#flusher.flush()) throw new Error("storage failed: the edit was not made");
        return rev;
      });
    });
  }

  /** Executes the only call of a client without a session, and returns its outcome once that is on disk. */
  call(client: Caller, type: string, payload: Json): Outcome {
    return this.#enter("a remote call", () => {
      // What others have done before is no consequence of the hook that calls.
      if (this.#hooks.isRunning) this.#flusher.flush();
      this.#recovery.assertNewest();
      return this.#hooks.write(() => callFromBackend(this.#backendCalls, client, type, payload));
    });
  }

  /** Sends an event of the room's own to everybody. Throws `Rejection` for a payload that does not fit. */
  broadcast(event: string, payload: unknown): void {
    this.#enter("broadcast", () => {
      this.#ephemeral.event([null, event, parseEvent(this.#definition, event, payload)]);
      this.#flusher.schedule();
    });
  }

  /**
   * Begins another history with the state as it is, as a room has to that was restored to an earlier point: its
   * revisions stand for other operations than those that clients have seen. All sessions are closed and come back.
   */
  renewEpoch(): void {
    this.#enter("renewEpoch", () => {
      this.#flusher.flush();
      try {
        this.#journal.renewEpoch(this.#ports.now(), (clientId) => this.#sessionsById.has(clientId));
      } catch (error) {
        this.#recovery.recover(error);
        throw error;
      }
      this.#catchUps.clear();
      for (const session of this.#sessionsById.values()) this.#sessions.close(session, "epoch-changed");
    });
  }

  /** Writes what was committed and sends it. Returns false when the write failed. */
  flush(): boolean {
    return this.#enter("flush", () => this.#flusher.flush());
  }

  // ── entries ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Carries out what comes from outside, and then calls the hooks. Throws when code of the app that runs for a call enters: it
   * would read or flush what is half done.
   */
  #enter<T>(what: string, work: () => T): T {
    this.#begin(what);
    try {
      return work();
    } catch (error) {
      this.#recovery.mend(error);
      throw error;
    } finally {
      this.#end();
    }
  }

  #begin(what: string): void {
    if (this.#journal.engine.isRunning)
      throw new Error(
        `${what} inside a mutator, authorize or an edit: they may use what they are given, and nothing else of the room`,
      );
    this.#depth += 1;
  }

  #end(): void {
    this.#depth -= 1;
    if (this.#depth === 0) this.#hooks.run();
  }
}
