import type { Caller } from "../model/call.ts";
import { equalJson } from "../model/json.ts";
import { codes, type Code } from "../protocol/codes.ts";
import { clientIdOf } from "../protocol/handshake/client-secret.ts";
import type { Hello } from "../protocol/handshake/hello.ts";
import type { NameTable } from "../protocol/names.ts";
import { Rejection } from "../schema/rejection.ts";
import type { AnyRoomDefinition } from "../schema/definition.ts";
import type { Json } from "../schema/json.ts";
import type { CatchUpQueue } from "./broadcast/catch-up-queue.ts";
import type { EphemeralUpdates } from "./flush/ephemeral.ts";
import type { Limits } from "./limits.ts";
import type { Recovery } from "./recovery.ts";
import { nameOf, type RoomPorts } from "./room-ports.ts";
import {
  isAdmitted,
  refusalOf,
  sendWelcome,
  userAs,
  type Identity,
  type TurnedAway,
} from "./sessions/admission.ts";
import { Alarm } from "./sessions/alarm.ts";
import { Expiry } from "./sessions/expiry.ts";
import { Liveness } from "./sessions/liveness.ts";
import { sendError, tooMuch } from "./sessions/refusals.ts";
import type { SendBudget } from "./sessions/send-budget.ts";
import { Session, type Attachment, type SessionRoom, type Socket } from "./sessions/session.ts";
import { UserRateLimits } from "./sessions/user-rate-limits.ts";
import type { Journal } from "./storage/journal.ts";
import type { View, Views } from "./visibility/view.ts";

/** What the sessions need of the room. */
export interface RoomOfSessions {
  readonly definition: AnyRoomDefinition;
  readonly limits: Limits;
  readonly ports: Pick<RoomPorts, "now" | "setAlarm" | "log">;
  readonly names: NameTable;
  readonly views: Views;
  /** By client id. Others read it; sessions come and go here alone. */
  readonly sessions: Map<string, Session>;
  readonly sendBudget: SendBudget<Session>;
  readonly journal: Journal;
  readonly ephemeral: EphemeralUpdates;
  readonly catchUps: CatchUpQueue;
  readonly recovery: Recovery;
  /** Schedules a flush, if anything waits for one. */
  readonly schedule: () => void;
  /** Has a flush follow, but not before this turn is over. */
  readonly scheduleSoon: () => void;
  readonly onJoin: (client: Caller) => void;
  readonly onLeave: (client: Caller) => void;
}

/**
 * Who is in the room: sessions join, are taken back after hibernation, and leave; the alarm finds those whose client is gone.
 *
 * Invariants: a client has at most one session. A session that has left is not saved again, so it does not come back from
 * hibernation.
 */
export class RoomSessions {
  readonly #room: RoomOfSessions;
  readonly #liveness: Liveness;
  readonly #expiry: Expiry;
  readonly #alarm: Alarm;
  readonly userRateLimits: UserRateLimits;
  readonly #sessionRoom: SessionRoom;

  constructor(room: RoomOfSessions) {
    const { definition, limits, ports, sessions, sendBudget } = room;
    this.#room = room;
    this.#liveness = new Liveness(sessions, limits);
    this.#expiry = new Expiry(sessions);
    this.#alarm = new Alarm(ports.setAlarm);
    // A room that asks for no users has only clients without one.
    this.userRateLimits = new UserRateLimits(
      definition.user === undefined ? { ...limits, maxSessionsWithoutUser: Infinity } : limits,
    );
    this.#sessionRoom = {
      limits,
      sendBudget,
      now: ports.now,
      meterOf: (holder, state) => this.userRateLimits.meterOf(holder, state),
      overdue: (session) => {
        this.#liveness.owes(session, ports.now());
        this.setAlarm();
      },
    };
  }

  /** Whether `session` is the one that its client has now. */
  isCurrent(session: Session): boolean {
    return this.#room.sessions.get(session.client.clientId) === session;
  }

  /** Opens a session and sends its welcome and catch-up, or returns why not; then no socket was opened, or it is closed again. */
  join(openSocket: () => Socket, hello: Hello, identity: Identity): Session | TurnedAway {
    const { definition, ports, names, views, sessions, sendBudget, journal, recovery } = this.#room;
    recovery.assertNewest();
    const { roomState } = journal;
    const now = ports.now();
    const client = this.#clientOf(hello, identity, now);
    if ("code" in client) return client;
    const { clientId } = client;
    const former = sessions.get(clientId);
    const refusal = this.#refusal(client, hello, former, now);
    if (refusal !== undefined) return refusal;
    const rateLimits = this.userRateLimits.admit(
      client,
      former,
      roomState.clientLog.get(clientId) !== undefined,
      now,
    );
    if (typeof rateLimits === "number") return { code: "rate-limited", retryAfterMs: rateLimits };
    recovery.asNewest(() => journal.create());
    const { attempt = 0, epoch, rev, resumeSnapshot } = hello;
    const view = views.of(client);
    const session = Session.open(
      openSocket(),
      {
        client,
        ...(identity.expiresAt !== undefined && { expiresAt: identity.expiresAt }),
        epoch: view.epochOf(roomState.epoch),
        attempt,
        schema: definition.version,
        names: hello.names === names.hash ? names.hash : null,
        acceptsDeflate: hello.acceptsDeflate ?? false,
        feed: { kind: "joining", position: { epoch, rev }, resumeSnapshot },
        rateLimits: rateLimits.state,
        sendBudgetBytes: sendBudget.bytesFor(sessions.size + 1),
      },
      view,
      this.#sessionRoom,
    );
    if (former === undefined) this.userRateLimits.entered(session);
    else this.#replace(former, session);
    sessions.set(clientId, session);
    try {
      return this.#welcome(session, hello, former === undefined);
    } catch (error) {
      this.close(session, "internal"); // it would be held, and shown to the others, for ever
      throw error;
    }
  }

  /**
   * Takes back a session that has hibernated. Returns undefined for one that the room does not take back: its socket is closed, and
   * the others are sent that its client has left.
   */
  restore(socket: Socket, attachment: Attachment): Session | undefined {
    const { views, sessions, journal, ephemeral } = this.#room;
    const { client, presence } = attachment;
    const view = views.of(client);
    const former = sessions.get(client.clientId);
    const code = this.#restoreRefusal(attachment, view);
    if (former !== undefined && (code !== undefined || attachment.attempt <= former.attempt)) {
      socket.close(codes.replaced.closeCode, "replaced");
      return undefined;
    }
    if (code !== undefined) {
      socket.close(codes[code].closeCode, code);
      if (presence !== undefined) ephemeral.leave(client.clientId);
      this.#room.onLeave(client);
      this.#room.scheduleSoon(); // others are still to be restored
      return undefined;
    }
    const session = Session.restore(socket, attachment, view, this.#sessionRoom, journal.roomState.rev);
    if (former !== undefined) this.#replace(former, session);
    else this.userRateLimits.entered(session);
    sessions.set(client.clientId, session);
    this.#expiry.note(session);
    if (!session.isDue) return session;
    this.#room.catchUps.restore(session);
    this.#room.scheduleSoon();
    return session;
  }

  /**
   * Closes a session for good. Its socket may never answer, so it is gone from this moment on. A client that asked for too much is
   * sent when it may come back.
   */
  close(session: Session, code: Code, retryAfterMs?: number): void {
    if (!this.isCurrent(session)) return;
    if (retryAfterMs !== undefined) sendError(session, { ...tooMuch, retryAfterMs });
    session.socket.close(codes[code].closeCode, code);
    this.leave(session);
  }

  /** The session's socket is gone. */
  leave(session: Session): void {
    if (!this.isCurrent(session)) return;
    const { ports, sessions, journal, ephemeral, catchUps } = this.#room;
    const { clientId } = session.client;
    sessions.delete(clientId);
    catchUps.drop(session);
    this.userRateLimits.left(session);
    session.end();
    journal.roomState.clientLog.see(clientId, ports.now());
    if (session.presence !== undefined) ephemeral.leave(clientId);
    this.#room.onLeave(session.client);
    catchUps.resumeThrottled(); // the last thing that can throw
    this.#room.schedule();
  }

  /** The time that `setAlarm` was given has come. */
  alarm(): void {
    const now = this.#room.ports.now();
    this.#alarm.passed();
    this.closeExpired(now);
    for (const [session, code] of this.#liveness.look(now)) this.close(session, code);
    this.setAlarm();
  }

  /** Sets the one alarm that there is, for the earliest of all times that are waited for: setting it forgets any other. */
  setAlarm(): void {
    const now = this.#room.ports.now();
    this.#alarm.setFor(Math.min(this.#liveness.dueAt(now), this.#expiry.dueAt), now);
  }

  closeExpired(now: number): void {
    for (const session of this.#expiry.look(now)) this.close(session, "token-expired");
  }

  /** Returns the user as the definition reads it; undefined when it does not fit: `authenticate` and the room do not agree. */
  admit(user: Json): Json | undefined {
    const { definition, limits, ports } = this.#room;
    try {
      return userAs(definition, user, limits.maxUserBytes);
    } catch (error) {
      ports.log("user-refused", { error: nameOf(error) }, error);
      return undefined;
    }
  }

  /** What of the room a person without a session is shown. Throws `Rejection` for a person that does not fit the definition. */
  viewOf(identity: Identity): View {
    const { definition, limits, views } = this.#room;
    const { user, role } = identity;
    if (!this.#admits(identity))
      throw new Rejection("forbidden", "this room does not have the access or the role");
    return views.of({ user: userAs(definition, user, limits.maxUserBytes), role });
  }

  #admits(identity: Pick<Identity, "access" | "role">): boolean {
    const { definition, ports } = this.#room;
    return isAdmitted(definition, identity, (error) => ports.log("role-refused", { error }));
  }

  /** Who wants to join, as far as the hello and `authenticate` say it. */
  #clientOf(hello: Hello, identity: Identity, now: number): Caller | TurnedAway {
    const { definition, journal } = this.#room;
    const { expiresAt } = identity;
    if (expiresAt !== undefined && expiresAt <= now) return { code: "token-expired" };
    const user = this.admit(identity.user);
    if (user === undefined || !this.#admits(identity)) return { code: "unauthorized" };
    if (hello.schema !== definition.version) return { code: "schema-mismatch" };
    // Its client knows a room that was deleted: to go on here would be to fill a new room with what is left of that one.
    if (!journal.roomState.stored && (hello.epoch !== null || hello.knownSince !== null))
      return { code: "gone" };
    const { access, role } = identity;
    return { clientId: clientIdOf(hello.secret), user, access, ...(role !== undefined && { role }) };
  }

  /** Why the client may not join now. Sessions whose client is certainly gone are closed before that, where they take its place. */
  #refusal(client: Caller, hello: Hello, former: Session | undefined, now: number): TurnedAway | undefined {
    const { limits, sessions, journal } = this.#room;
    const isCrowded = former === undefined && this.userRateLimits.isCrowded(client);
    const isFull = isCrowded || sessions.size >= limits.maxSessions;
    for (const lost of this.#liveness.lost(now, isFull)) if (lost !== former) this.close(lost, "timeout");
    const code = refusalOf(client, hello, journal.roomState, sessions, limits.maxSessions);
    if (code !== undefined) return { code };
    return isCrowded && this.userRateLimits.isCrowded(client) ? { code: "room-full" } : undefined;
  }

  /** The same client, with another socket. The others hear of it only if its person is shown to them in another way now. */
  #replace(former: Session, session: Session): void {
    const { ephemeral, catchUps } = this.#room;
    const { clientId, user } = session.client;
    catchUps.drop(former);
    former.end();
    session.presence = former.presence;
    former.socket.close(codes.replaced.closeCode, "replaced");
    if (session.presence !== undefined && !equalJson(former.client.user, user))
      ephemeral.join(clientId, user, session.presence);
  }

  #welcome(session: Session, hello: Hello, isNew: boolean): Session | TurnedAway {
    const { definition, limits, ports, journal, ephemeral, catchUps } = this.#room;
    const { roomState } = journal;
    const { client } = session;
    const { clientId } = client;
    const { epoch } = hello;
    this.#expiry.note(session);
    roomState.clientLog.see(clientId, ports.now());
    // What was confirmed of another history may be the id of another call here. Without an epoch the first push confirms it.
    if (epoch === session.epoch) roomState.clientLog.confirm(clientId, hello.confirmed);
    sendWelcome(session, roomState, limits);
    if (!catchUps.catchUp(session)) return { code: "internal" };
    if (session.presence === undefined && definition.presence === undefined) {
      session.presence = {};
      ephemeral.join(clientId, client.user, {});
    }
    session.save();
    this.setAlarm();
    if (isNew) this.#room.onJoin(client);
    this.#room.schedule();
    return session;
  }

  /** Why a session that has hibernated is not taken back: the room or the app's code is another one since. */
  #restoreRefusal({ client, epoch, names, schema }: Attachment, view: View): Code | undefined {
    const { roomState } = this.#room.journal;
    if (epoch !== view.epochOf(roomState.epoch)) return roomState.stored ? "epoch-changed" : "gone";
    if (schema !== this.#room.definition.version) return "schema-mismatch";
    // Its pushes would be read as something else. Its client comes back, and is told which form it may use.
    if (names !== null && names !== this.#room.names.hash) return "internal";
    return this.admit(client.user) === undefined || !this.#admits(client) ? "unauthorized" : undefined;
  }
}
