import { parseEvent, type Caller, type Outcome, type Run } from "../model/call.ts";
import type { Flush, Operation } from "./engine/batch.ts";
import { frameByteUnits, frameUnits } from "./engine/cost/call-work.ts";
import type { Authorize } from "./engine/authorization.ts";
import type { Flushed } from "./engine/engine.ts";
import type { Limits } from "./limits.ts";
import { answerTo } from "./engine/client-log/client-log.ts";
import type { RoomState } from "./storage/room-state.ts";
import { equalJson } from "../model/json.ts";
import { ownerOf } from "./owners/owner.ts";
import { rejectedOutcome } from "./engine/rejected-outcome.ts";
import { DeletedError, SupersededError, type RoomStorage } from "./storage/room-storage.ts";
import type { Tx } from "../model/transaction.ts";
import { Views, type View, type VisibleTo } from "./visibility/view.ts";
import { clientIdOf } from "../protocol/handshake/client-secret.ts";
import { decodeUp } from "../protocol/codec.ts";
import { codes, type Code } from "../protocol/codes.ts";
import type { UpFrame } from "../protocol/down/down-frames.ts";
import type { Hello } from "../protocol/handshake/hello.ts";
import { nameTable, type NameTable } from "../protocol/names.ts";
import type { AnyRoomDefinition } from "../schema/definition.ts";
import type { Json } from "../schema/json.ts";
import { rejectionIn } from "../schema/rejection.ts";
import { Alarm } from "./sessions/alarm.ts";
import { refusalOf, sendWelcome, userAs } from "./sessions/admission.ts";
import { SendBudget } from "./sessions/send-budget.ts";
import { Deflater } from "./broadcast/page-compression.ts";
import { Expiry } from "./sessions/expiry.ts";
import { FlushPace } from "./flush/flush-pace.ts";
import { FlushTimer, type Clock } from "./flush/flush-timer.ts";
import { Hooks } from "./flush/hooks.ts";
import {
  handleFrame,
  refuse,
  refusePush,
  sendError,
  spendWork,
  type FrameHandlerRoom,
} from "./inbound/frame-handler.ts";
import { Journal } from "./storage/journal.ts";
import { Liveness } from "./sessions/liveness.ts";
import { UserRateLimits } from "./sessions/user-rate-limits.ts";
import { Broadcaster } from "./broadcast/broadcaster.ts";
import { Session, type Attachment, type SessionRoom, type Socket } from "./sessions/session.ts";
import { EphemeralUpdates } from "./flush/ephemeral.ts";
import { Workload } from "./owners/workload.ts";

/** The platform as a room needs it, all of it given, so that the same room runs in workerd and in a simulation. */
export interface RoomPorts extends Clock {
  readonly storage: RoomStorage;
  readonly newEpoch: () => string;
  /** Raw deflate. */
  readonly deflate: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** Has `alarm` called at that time, in milliseconds since the epoch, in place of any time before; over hibernation too. */
  readonly setAlarm: (at: number) => void;
  /** Ends this instance at once, memory and sockets with it. */
  readonly abort: (reason: string) => void;
  /** Notes what an operator should know; never a payload or a token. `thrown` is the app's own, and may quote either. */
  readonly log: (event: string, facts: { readonly [name: string]: unknown }, thrown?: unknown) => void;
}

/**
 * What the app adds: rules that only the server has, and hooks. Hooks are called when the room has nothing else to do, see `Hooks`.
 * A hook may return anything: the room looks for a promise, and logs what that is rejected with.
 */
export interface RoomRules {
  readonly serverMutators: { readonly [name: string]: Run };
  readonly authorize?: Authorize;
  readonly visibleTo?: VisibleTo;
  readonly onJoin: (client: Caller) => unknown;
  readonly onLeave: (client: Caller) => unknown;
  /** No code of the app: it is called within the flush, as soon as the state is another. It must not throw. */
  readonly onFlush: () => void;
  readonly onCommit: (operation: Operation) => unknown;
}

/** Who `authenticate` says is connecting. */
export interface Identity {
  readonly user: Json;
  readonly role: string;
  /** Until when they may stay, in milliseconds since the epoch; left out for ever. */
  readonly expiresAt?: number;
}

/** Why a client does not come in, and when it may try again where that is known. */
export interface TurnedAway {
  readonly code: Code;
  readonly retryAfterMs?: number;
}

/** Of the frames that may be unacknowledged: how many a session may have with all the answers that it provoked. */
const maxAnswersShare = 4;

/** The client ids whose calls were executed, and then lost. */
type Lost = Pick<ReadonlySet<string>, "has">;

const tooMuch = { code: "rate-limited", message: codes["rate-limited"].sentence } as const;

/** What a push is answered that storage did not take. The pause keeps all from coming again at once, while it fails. */
const storageFailed = { code: "internal", message: codes.internal.sentence, retryAfterMs: 1_000 } as const;

/** One room: messages and calls come in at any time, and only its `flush` lets anything out. */
export class RoomServer {
  readonly #definition: AnyRoomDefinition;
  readonly #limits: Limits;
  readonly #rules: RoomRules;
  readonly #ports: RoomPorts;
  readonly #names: NameTable;
  readonly #views: Views;
  readonly #journal: Journal;
  /** By client id: a client has one session at a time. */
  readonly #sessions = new Map<string, Session>();
  readonly #ephemeral = new EphemeralUpdates();
  readonly #pace: FlushPace;
  readonly #flushTimer: FlushTimer;
  readonly #broadcaster: Broadcaster;
  readonly #deflater: Deflater;
  readonly #liveness: Liveness;
  readonly #expiry: Expiry;
  readonly #alarm: Alarm;
  readonly #frameHandlerRoom: FrameHandlerRoom;
  readonly #sendBudget: SendBudget<Session>;
  readonly #userRateLimits: UserRateLimits;
  readonly #hooks: Hooks;
  readonly #sessionRoom: SessionRoom;
  /** Sessions to be caught up behind the next flush. */
  readonly #waiting = new Set<Session>();
  /** Entries from outside that are being carried out: a hook, which runs last of all, may enter once more. */
  #depth = 0;
  #lastWriteAt = 0;
  #divergences = 0;
  #isQuietTimerSet = false;
  #isResuming = false;

  /** Wakes the room from storage. Throws when that cannot be read. */
  constructor(definition: AnyRoomDefinition, limits: Limits, rules: RoomRules, ports: RoomPorts) {
    this.#definition = definition;
    this.#limits = limits;
    this.#rules = rules;
    this.#ports = ports;
    this.#names = nameTable(definition);
    this.#views = new Views(definition, rules.visibleTo);
    const onFailure = (error: unknown, type: string) =>
      ports.log("mutator-failed", { type, error: nameOf(error) }, error);
    const engineOptions = { definition, limits, onFailure, views: this.#views, ...rules };
    this.#journal = new Journal(ports.storage, engineOptions, ports.newEpoch);
    this.#pace = new FlushPace(limits.flushIntervalMs);
    this.#flushTimer = new FlushTimer(this.#pace, ports, () => this.flush());
    this.#deflater = new Deflater(ports.storage, limits.pageBytes, ports.deflate, (error) =>
      ports.log("deflate-failed", { error: nameOf(error) }),
    );
    this.#broadcaster = new Broadcaster(ports.storage, this.#sessions, limits, {
      checkpoint: () => {
        this.#checkpoint(ports.now());
        return this.#journal.roomState;
      },
      snapshotSent: () => this.#deflatePages(),
    });
    this.#liveness = new Liveness(this.#sessions, limits);
    this.#expiry = new Expiry(this.#sessions);
    this.#alarm = new Alarm(ports.setAlarm);
    this.#sendBudget = new SendBudget(limits);
    // A room that asks for no users has only clients without one.
    this.#userRateLimits = new UserRateLimits(
      definition.user === undefined ? { ...limits, maxSessionsWithoutUser: Infinity } : limits,
    );
    this.#hooks = new Hooks(limits.maxHookWrites, ports, (error) =>
      ports.log("hook-failed", { error: nameOf(error) }, error),
    );
    this.#sessionRoom = {
      limits,
      sendBudget: this.#sendBudget,
      now: ports.now,
      meterOf: (holder, state) => this.#userRateLimits.meterOf(holder, state),
      overdue: (session) => {
        this.#liveness.owes(session, ports.now());
        this.#setAlarm(ports.now());
      },
    };
    this.#frameHandlerRoom = {
      definition,
      limits,
      journal: this.#journal,
      broadcaster: this.#broadcaster,
      ephemeral: this.#ephemeral,
      workload: new Workload(limits),
      flush: () => this.#flush(),
      resume: (session) => {
        this.#journal.assertNewest();
        this.#resume(session);
      },
      shown: () => this.#setAlarm(ports.now()),
      noteDiverged: (collections) => this.#noteDiverged(collections),
      closeSession: (session, code, retryAfterMs) => this.#closeSession(session, code, retryAfterMs),
      resumeThrottled: () => this.#resumeThrottled(),
    };
  }

  // ── sessions ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a session and sends its welcome and catch-up, or answers why not; then no socket was opened, or it is closed again. */
  join(openSocket: () => Socket, hello: Hello, identity: Identity): Session | TurnedAway {
    return this.#enter("join", () => this.#join(openSocket, hello, identity));
  }

  #join(openSocket: () => Socket, hello: Hello, identity: Identity): Session | TurnedAway {
    this.#assertNewest();
    const { roomState } = this.#journal;
    const { expiresAt } = identity;
    if (expiresAt !== undefined && expiresAt <= this.#ports.now()) return { code: "token-expired" };
    const user = this.#admit(identity.user);
    if (user === undefined) return { code: "unauthorized" };
    const clientId = clientIdOf(hello.secret);
    const client: Caller = { clientId, user, role: identity.role };
    if (hello.schema !== this.#definition.version) return { code: "schema-mismatch" };
    // Its client knows a room that was deleted: to go on here would be to fill a new room with what is left of that one.
    if (!roomState.stored && (hello.epoch !== null || hello.knownSince !== null)) return { code: "gone" };
    const now = this.#ports.now();
    const former = this.#sessions.get(clientId);
    const isCrowded = former === undefined && this.#userRateLimits.isCrowded(client);
    const isFull = isCrowded || this.#sessions.size >= this.#limits.maxSessions;
    for (const lost of this.#liveness.lost(now, isFull))
      if (lost !== former) this.#closeSession(lost, "timeout");
    const refusal = refusalOf(client, hello, roomState, this.#sessions, this.#limits.maxSessions);
    if (refusal !== undefined) return { code: refusal };
    if (isCrowded && this.#userRateLimits.isCrowded(client)) return { code: "room-full" };
    const rateLimits = this.#userRateLimits.admit(
      client,
      former,
      roomState.clientLog.get(clientId) !== undefined,
      now,
    );
    if (typeof rateLimits === "number") return { code: "rate-limited", retryAfterMs: rateLimits };
    this.#asNewest(() => this.#journal.create());
    const { attempt = 0, epoch, rev, resumeSnapshot } = hello;
    const names = hello.names === this.#names.hash ? this.#names.hash : null;
    const view = this.#views.of(client);
    const session = Session.open(
      openSocket(),
      {
        client,
        ...(expiresAt !== undefined && { expiresAt }),
        epoch: view.epochOf(roomState.epoch),
        attempt,
        names,
        acceptsDeflate: hello.acceptsDeflate ?? false,
        feed: { kind: "joining", position: { epoch, rev }, resumeSnapshot },
        rateLimits: rateLimits.state,
        sendBudgetBytes: this.#sendBudget.bytesFor(this.#sessions.size + 1),
      },
      view,
      this.#sessionRoom,
    );
    if (former === undefined) {
      this.#userRateLimits.entered(session);
    } else {
      // The same person, still here: the others hear of it only if that person is shown to them in another way now.
      this.#waiting.delete(former);
      former.end();
      session.presence = former.presence;
      former.socket.close(codes.replaced.closeCode, "replaced");
      if (session.presence !== undefined && !equalJson(former.client.user, user))
        this.#ephemeral.join(clientId, user, session.presence);
    }
    this.#sessions.set(clientId, session);
    try {
      return this.#welcome(session, hello, former === undefined);
    } catch (error) {
      this.#closeSession(session, "internal"); // it would be held, and shown to the others, for ever
      throw error;
    }
  }

  #welcome(session: Session, hello: Hello, isNew: boolean): Session | TurnedAway {
    const { roomState } = this.#journal;
    const { client } = session;
    const { clientId } = client;
    const { epoch } = hello;
    this.#expiry.note(session);
    roomState.clientLog.see(clientId, this.#ports.now());
    // What was confirmed of another history may be the id of another call here.
    if (epoch === null || epoch === session.epoch) roomState.clientLog.confirm(clientId, hello.confirmed);
    sendWelcome(session, roomState, this.#limits);
    if (!this.#catchUp(session)) return { code: "internal" };
    if (session.presence === undefined && this.#definition.presence === undefined) {
      session.presence = {};
      this.#ephemeral.join(clientId, client.user, {});
    }
    session.save();
    this.#setAlarm(this.#ports.now());
    if (isNew) this.#hooks.add(() => this.#rules.onJoin(client));
    this.#schedule();
    return session;
  }

  /** Takes back a session that has hibernated, unless its client has come with another socket since. */
  restore(socket: Socket, attachment: Attachment): Session {
    const { roomState } = this.#journal;
    const view = this.#views.of(attachment.client);
    const session = Session.restore(socket, attachment, view, this.#sessionRoom, roomState.rev);
    const { clientId } = session.client;
    const isOfOtherNames = session.acceptsBinary && session.names !== this.#names.hash;
    const stale = roomState.stored ? "epoch-changed" : "gone";
    if (attachment.epoch !== view.epochOf(roomState.epoch)) socket.close(codes[stale].closeCode, stale);
    // Its pushes would be read as something else. It comes back, and is told which form it may use.
    else if (isOfOtherNames) socket.close(codes.internal.closeCode, "internal");
    else if (!this.#sessions.has(clientId)) this.#restored(session);
    return session;
  }

  #restored(session: Session): void {
    this.#sessions.set(session.client.clientId, session);
    this.#expiry.note(session);
    this.#userRateLimits.entered(session);
    if (!session.isDue) return;
    this.#waiting.add(session);
    this.#flushTimer.scheduleSoon(); // others are still to be restored
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
    if (this.#sessions.get(session.client.clientId) !== session) return; // replaced: its socket is closing
    const now = this.#ports.now();
    if (session.expiresAt <= now) return this.#closeSession(session, "token-expired"); // and its calls are sent again
    session.hear(now);
    const bytes = sizeOf(data);
    const retryAfterMs = session.rateLimits.takeFrame(now, bytes);
    if (retryAfterMs === 0) {
      const isRead = bytes <= this.#limits.maxFrameBytes;
      spendWork(
        this.#frameHandlerRoom,
        session,
        isRead ? frameUnits + frameByteUnits * bytes : frameUnits,
        now,
      );
    }
    if (retryAfterMs > 0) refuse(session, now, { ...tooMuch, retryAfterMs });
    else this.#read(session, data, now);
    // Errors are answered whatever is unacknowledged, so who provokes them and reads nothing would fill the memory.
    if (session.unacknowledgedFrames > maxAnswersShare * this.#limits.maxUnacknowledgedFrames) {
      session.rateLimits.punish(now);
      session.isAbusive = true;
    }
    if (session.isAbusive)
      return this.#closeSession(session, "rate-limited", session.rateLimits.refusals.take(now, 1, 0));
    // An acknowledgement may have changed what the session is sent, and perhaps no flush follows to save that. One that was
    // sent away must not be saved: it would come back from hibernation.
    if (this.#sessions.get(session.client.clientId) === session) session.save();
    this.#schedule();
  }

  #read(session: Session, data: unknown, now: number): void {
    const names = session.acceptsBinary ? this.#names : undefined;
    const decoded = decodeUp(data, this.#limits.maxFrameBytes, names, this.#limits);
    if (decoded.kind === "frame") this.#handle(session, decoded.frame, now);
    else refuse(session, now, { code: decoded.code, message: decoded.message });
  }

  #handle(session: Session, frame: UpFrame, now: number): void {
    try {
      handleFrame(this.#frameHandlerRoom, session, frame, now);
    } catch (error) {
      this.#mend(error);
      this.#serve(session, () => this.#refuse(session, frame, error, now));
    }
  }

  /** Answers a frame that was not carried out. Throws again what leaves the client waiting for more than an error. */
  #refuse(session: Session, { kind }: UpFrame, error: unknown, now: number): void {
    const rejection = rejectionIn(error);
    if (rejection !== undefined) {
      const { code, message, data } = rejectedOutcome(rejection);
      // Any other data is by field of the app's own schema, and has no place in the frame.
      const wait = code === "rate-limited" ? (data as { retryAfterMs: number }) : undefined;
      return refuse(session, now, { code, message, ...wait });
    }
    if (kind !== "presence" && kind !== "event") throw error;
    this.#ports.log("frame-failed", { error: nameOf(error) }, error); // such as by the app's schema, which throws
    sendError(session, { code: "internal", message: codes.internal.sentence });
  }

  /**
   * Does something for one session. When that fails, by storage that cannot be read, only the session goes: its client
   * would wait for an answer for ever, and to connect again is to be caught up. False then.
   */
  #serve(session: Session, work: () => void): boolean {
    try {
      this.#asNewest(work);
      return true;
    } catch (error) {
      if (error instanceof SupersededError) throw error;
      this.#mend(error);
      if (error instanceof DeletedError) this.#beginAnew(error);
      else this.#ports.log("session-failed", { error: nameOf(error) });
      this.#closeSession(session, "internal");
      return false;
    }
  }

  /** It should never happen, so an operator is told each time, and how often since the room woke. */
  #noteDiverged(collections: readonly string[]): void {
    this.#divergences += 1;
    const { rev } = this.#journal.roomState;
    this.#ports.log("client-diverged", { collections, rev, count: this.#divergences });
  }

  /**
   * Closes a session for good. Its socket may never answer, so it is gone from this moment on. Who asked for too much is told when
   * to come back.
   */
  #closeSession(session: Session, code: Code, retryAfterMs?: number): void {
    if (this.#sessions.get(session.client.clientId) !== session) return;
    if (retryAfterMs !== undefined) sendError(session, { ...tooMuch, retryAfterMs });
    session.socket.close(codes[code].closeCode, code);
    this.#leave(session);
  }

  /** The time that `setAlarm` was told has come. */
  alarm(): void {
    this.#enter("alarm", () => {
      const now = this.#ports.now();
      this.#alarm.passed();
      this.#closeExpired(now);
      for (const [session, code] of this.#liveness.look(now)) this.#closeSession(session, code);
      this.#setAlarm(now);
    });
  }

  /** There is one alarm, and setting it forgets the time that it was set for: hence for the earliest of all that wait. */
  #setAlarm(now: number): void {
    this.#alarm.setFor(Math.min(this.#liveness.dueAt(now), this.#expiry.dueAt), now);
  }

  #closeExpired(now: number): void {
    for (const session of this.#expiry.look(now)) this.#closeSession(session, "token-expired");
  }

  /** The session's socket is gone. */
  leave(session: Session): void {
    this.#enter("leave", () => this.#leave(session));
  }

  #leave(session: Session): void {
    const { clientId } = session.client;
    if (this.#sessions.get(clientId) !== session) return;
    this.#sessions.delete(clientId);
    this.#waiting.delete(session);
    this.#userRateLimits.left(session);
    session.end();
    this.#journal.roomState.clientLog.see(clientId, this.#ports.now());
    if (session.presence !== undefined) this.#ephemeral.leave(clientId);
    this.#hooks.add(() => this.#rules.onLeave(session.client));
    this.#resumeThrottled(); // the last thing that can throw
    this.#schedule();
  }

  /** What of the room somebody is shown who has no session. Throws `Rejection` for a person that does not fit the definition. */
  viewOf({ user, role }: Identity): View {
    return this.#views.of({ user: userAs(this.#definition, user, this.#limits.maxUserBytes), role });
  }

  // ── the app's own ──────────────────────────────────────────────────────────────────────────────────────────

  /** Returns 0 if the user may read the state as a whole now, and otherwise the milliseconds to wait. */
  takeRead(user: Json): number {
    return this.#userRateLimits.takeRead(user, this.#ports.now());
  }

  /** Charges the user for bytes of a state that the room has written for it. */
  spendRead(user: Json, bytes: number): void {
    this.#userRateLimits.spendRead(user, bytes, this.#ports.now());
  }

  /**
   * The state as of the last flush, for anyone who may see it. To read it flushes nothing: a reader causes no row and no frame.
   * Throws when another instance has taken over, and while code of the app runs for a call.
   */
  read(): Flushed {
    return this.#enter("a read of the state", () => {
      this.#assertNewest();
      return this.#journal.engine.flushed;
    });
  }

  /** All that the room has in memory, what is not flushed included. A crash can undo that: show it to nobody. */
  get roomState(): RoomState {
    return this.#journal.roomState;
  }

  /** Commits an edit of the room's own as one operation, and answers its revision once it is on disk. */
  transact(edit: (tx: Tx) => unknown): number {
    return this.#enter("transact", () => {
      this.#settle();
      return this.#hooks.write(() => {
        if (!this.#asNewest(() => this.#journal.engine.transact(edit)))
          throw new Error("the edit does not fit an empty batch");
        const { rev } = this.#journal.roomState;
        if (!this.#flush()) throw new Error("storage failed: the edit was not made");
        return rev;
      });
    });
  }

  /** Executes the only call of a client without a session, and answers once its outcome is on disk. */
  call(client: Caller, type: string, payload: Json): Outcome {
    return this.#enter("a remote call", () => {
      // What others have done before is no consequence of the hook that calls.
      if (this.#hooks.isRunning) this.#flush();
      this.#assertNewest();
      return this.#hooks.write(() => this.#call(client, type, payload));
    });
  }

  #call(client: Caller, type: string, payload: Json): Outcome {
    const user = this.#admit(client.user);
    if (user === undefined)
      return { kind: "rejected", code: "invalid", message: "the user does not fit the room" };
    const owner = this.#journal.roomState.clientLog.get(client.clientId)?.owner ?? ownerOf(user);
    if (owner !== ownerOf(user))
      return { kind: "rejected", code: "id-conflict", message: "another user has made this call" };
    const call = { clientReqId: 1, baseRev: this.#journal.roomState.rev, type, payload };
    const now = this.#ports.now();
    const submit = () => this.#asNewest(() => this.#journal.engine.submit({ ...client, user }, call, now));
    let submission = submit();
    this.#journal.engine.takeWork(); // a backend is not metered
    // The call that came first returned only after its flush, so its outcome is on disk: nothing has to be flushed for it.
    if (submission.kind === "duplicate") return submission.outcome;
    if (submission.kind === "full") {
      this.#flush();
      submission = submit();
    }
    this.#settle();
    const logged = this.#journal.roomState.clientLog.get(client.clientId);
    const answer = logged && answerTo(logged, 1);
    if (answer === undefined) throw new Error(`call ${type} came to nothing: ${submission.kind}`);
    return answer[1];
  }

  /** Sends an event of the room's own to everybody. Throws `Rejection` for a payload that does not fit. */
  broadcast(event: string, payload: unknown): void {
    this.#enter("broadcast", () => {
      this.#ephemeral.event([null, event, parseEvent(this.#definition, event, payload)]);
      this.#schedule();
    });
  }

  /**
   * Begins another history with the state as it is, as a room has to that was restored to an earlier point: its
   * revisions stand for other operations than those that clients have seen. All sessions are closed and come back.
   */
  renewEpoch(): void {
    this.#enter("renewEpoch", () => this.#renewEpoch());
  }

  #renewEpoch(): void {
    this.#flush();
    try {
      this.#journal.renewEpoch(this.#ports.now(), (clientId) => this.#sessions.has(clientId));
    } catch (error) {
      this.#recover(error);
      throw error;
    }
    this.#sendBudget.waiting.clear();
    for (const session of this.#sessions.values()) {
      this.#closeSession(session, "epoch-changed");
    }
  }

  // ── flush ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes what was committed and lets it out: the only place where either happens. False when the write failed. */
  flush(): boolean {
    return this.#enter("flush", () => this.#flush());
  }

  #flush(): boolean {
    const now = this.#ports.now();
    this.#closeExpired(now); // the alarm may be late, and nothing more is for them
    const dueAt = this.#flushTimer.clear();
    const flush = this.#cut(now);
    if (flush === "failed") return false;
    if (flush !== undefined && !this.#write(flush)) {
      // There is no way out of a full journal but a checkpoint, and memory is now what disk says.
      if (this.#journal.isFull) this.#checkpoint(now);
      return false;
    }
    for (const { event, payload } of flush?.broadcasts ?? []) this.#ephemeral.event([null, event, payload]);
    if (flush !== undefined) this.#rules.onFlush();
    const { frames, stale } = this.#broadcaster.fanOut(
      this.#journal.roomState,
      flush,
      this.#ephemeral.take(),
      now,
    );
    for (const session of stale)
      this.#serve(session, () => this.#broadcaster.update(this.#journal.roomState, session));
    for (const operation of flush?.operations ?? []) this.#hooks.add(() => this.#rules.onCommit(operation));
    this.#serveWaiting();
    this.#pace.flushed(now, frames, flush?.delta, dueAt);
    if (flush !== undefined) this.#afterWrite(now);
    return true;
  }

  /** The batch as a flush. When that fails, the batch is lost, and memory is what disk says. */
  #cut(now: number): Flush | undefined | "failed" {
    try {
      return this.#journal.engine.takeBatch(now);
    } catch (error) {
      this.#mend(error);
      return "failed";
    }
  }

  /**
   * Sends a session what it lacks: at once when nothing is unflushed, and otherwise behind the flush that is due. To flush
   * for each who comes would be a frame for everybody each time. False when it failed.
   */
  #catchUp(session: Session): boolean {
    if (!this.#sendBudget.bears(session.holder, 0)) {
      session.isDue = true;
      this.#sendBudget.waiting.add(session);
      return true;
    }
    if (this.#isSettled)
      return this.#serve(session, () => this.#broadcaster.resume(this.#journal.roomState, session));
    session.isDue = true;
    this.#waiting.add(session);
    return true;
  }

  /** Sends a live session nothing until the next flush, and then what it lacks. */
  #catchUpLater(session: Session): void {
    session.feed = { kind: "behind", rev: session.lastSentRev };
    session.isDue = true;
    this.#waiting.add(session);
    session.save();
  }

  /** Goes on with a session that was held back. */
  #resume(session: Session): void {
    this.#sendBudget.waiting.delete(session);
    session.isDue = false;
    this.#catchUp(session);
  }

  /**
   * Resumes the sessions that were held back because other sessions owed too much, while the send budget allows it. A session
   * that fails meanwhile is closed, and its share becomes free: the loop below sees that, so the nested call returns.
   */
  #resumeThrottled(): void {
    if (this.#sendBudget.waiting.size === 0 || this.#isResuming) return;
    this.#assertNewest();
    this.#isResuming = true;
    try {
      while (this.#resumeSome());
    } finally {
      this.#isResuming = false;
    }
  }

  /** Resumes each throttled session that may be sent more. False when there was none. */
  #resumeSome(): boolean {
    let resumed = false;
    for (const session of this.#sendBudget.waiting) {
      if (!this.#sendBudget.canResume(session.holder)) continue;
      resumed = true;
      this.#resume(session);
      session.save();
    }
    return resumed;
  }

  #serveWaiting(): void {
    if (this.#waiting.size === 0) return;
    this.#assertNewest(); // the flush may have had nothing to write
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const session of waiting) {
      session.isDue = false;
      this.#serve(session, () => {
        this.#broadcaster.resume(this.#journal.roomState, session);
        session.save();
      });
    }
  }

  /** Puts the flush on disk. False when that failed: then memory is what disk says, and clients send again. */
  #write(flush: Flush): boolean {
    try {
      this.#journal.write(flush);
      return true;
    } catch (error) {
      this.#recover(error, flush.answers);
      return false;
    }
  }

  #afterWrite(now: number): void {
    this.#lastWriteAt = now;
    if (this.#journal.isCheckpointDue) this.#checkpoint(now);
    else this.#awaitQuiet();
  }

  /**
   * Discards memory, with the batch, and reads storage. Nothing of the batch has left the room, so the clients in `lost` can be
   * asked for it again.
   */
  #recover(error: unknown, lost: Lost = this.#journal.engine.unflushed, event = "storage-failed"): void {
    if (error instanceof SupersededError) return this.#ports.abort(error.message);
    if (error instanceof DeletedError) return this.#beginAnew(error);
    this.#ports.log(event, { error: nameOf(error) });
    if (!this.#reload()) return;
    const { roomState } = this.#journal;
    for (const session of this.#sessions.values()) {
      const { clientId } = session.client;
      const lastCallId = roomState.clientLog.get(clientId)?.lastCallId ?? 0;
      session.dropReplies(lastCallId);
      if (lost.has(clientId))
        refusePush(session, undefined, { ...storageFailed, clientReqId: lastCallId + 1 });
      // The row was written before something failed. To send it from here could fail, and so recover, again and again.
      if (session.isLive && session.lastSentRev < roomState.rev) this.#catchUpLater(session);
    }
    this.#schedule(); // presence and events are still to be told
  }

  /** Reads memory from storage. False when that fails, which ends this instance. */
  #reload(): boolean {
    try {
      this.#journal.reload();
      this.#rules.onFlush();
      return true;
    } catch (failure) {
      this.#ports.log("wake-failed", { error: nameOf(failure) });
      this.#ports.abort("storage cannot be read");
      return false;
    }
  }

  /** Discards memory if a step that changes it has thrown before its end: then memory is neither what it was nor what disk says. */
  #mend(error: unknown): void {
    if (this.#journal.engine.isTorn) this.#recover(error, undefined, "core-failed");
  }

  /**
   * The app has deleted the storage. The room begins anew with nothing. Its sessions end for good, so that no client fills the new
   * room with what it still has of the old one.
   */
  #beginAnew(error: DeletedError): void {
    this.#ports.log("storage-deleted", { error: error.message, sessions: this.#sessions.size });
    if (!this.#reload()) return;
    this.#ephemeral.take();
    this.#waiting.clear();
    this.#sendBudget.waiting.clear();
    for (const session of this.#sessions.values()) this.#closeSession(session, "gone");
  }

  #checkpoint(now: number): void {
    try {
      this.#journal.checkpoint(now, (clientId) => this.#sessions.has(clientId));
    } catch (error) {
      this.#recover(error);
    }
  }

  /** When nothing has been written for a while, whatever cursors do meanwhile, the pages are brought up to date, so that the next wake is quick. */
  #awaitQuiet(): void {
    if (this.#isQuietTimerSet || !this.#journal.isCheckpointWorthwhile) return;
    this.#isQuietTimerSet = true;
    const { quietCheckpointMs } = this.#limits;
    const quietAt = this.#lastWriteAt + quietCheckpointMs;
    this.#ports.setTimer(
      () => {
        this.#isQuietTimerSet = false;
        const now = this.#ports.now();
        if (this.#lastWriteAt + quietCheckpointMs > now) return this.#awaitQuiet();
        this.#enter("a timer", () => {
          this.#flush();
          if (this.#journal.isCheckpointWorthwhile) this.#checkpoint(now);
          this.#deflatePages();
        });
      },
      Math.max(0, quietAt - this.#ports.now()),
    );
  }

  /** In between other things, for the next snapshots. */
  #deflatePages(): void {
    this.#deflater.run(() => this.#journal.roomState);
  }

  /** Flushes when it is time, or sees to it that it will be. */
  #schedule(): void {
    if (this.#isSettled && !this.#broadcaster.hasReplies && this.#waiting.size === 0) return;
    this.#flushTimer.schedule();
  }

  /** Whether all that has happened is on disk and told. */
  get #isSettled(): boolean {
    return !this.#journal.engine.hasBatch && this.#ephemeral.isEmpty;
  }

  /** Makes sure that all there is to tell is on disk, and that this instance is the one to tell it. */
  #settle(): void {
    if (!this.#isSettled) this.#flush();
    this.#assertNewest();
  }

  /** Makes sure that this instance is the one to tell what it knows. Begins anew when storage was deleted. */
  #assertNewest(): void {
    try {
      this.#asNewest(() => this.#journal.assertNewest());
    } catch (error) {
      if (!(error instanceof DeletedError)) throw error;
      this.#beginAnew(error);
    }
  }

  /** Does what may touch storage, which ends this instance when another has taken over. */
  #asNewest<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof SupersededError) this.#ports.abort(error.message);
      throw error;
    }
  }

  /** Undefined for a person that does not fit the definition: `authenticate` and the room do not agree. */
  #admit(user: Json): Json | undefined {
    try {
      return userAs(this.#definition, user, this.#limits.maxUserBytes);
    } catch (error) {
      this.#ports.log("user-refused", { error: nameOf(error) }, error);
      return undefined;
    }
  }

  /**
   * Carries out what comes from outside, and then calls the hooks. Throws when code of the app that runs for a call enters: it
   * would read or flush what is half done.
   */
  #enter<T>(what: string, work: () => T): T {
    this.#begin(what);
    try {
      return work();
    } catch (error) {
      this.#mend(error);
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

/** Near enough to the bytes of a message, and known without reading it. */
function sizeOf(data: unknown): number {
  return typeof data === "string" ? data.length : ((data as { byteLength?: number }).byteLength ?? 0);
}

function nameOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : typeof thrown;
  } catch {
    return "object"; // to look at what was thrown can throw again
  }
}
