import { DurableObject } from "cloudflare:workers";
import type { Caller, Run } from "../model/call.ts";
import type { Operation } from "../room/engine/batch.ts";
import { limitsWith } from "../room/limits.ts";
import { ownerOf } from "../room/owners/owner.ts";
import { RecordsReader } from "../model/reader.ts";
import type { RecordSource } from "../model/state.ts";
import type { Tx } from "../model/transaction.ts";
import { codes } from "../protocol/codes.ts";
import { decodeHello } from "../protocol/handshake/hello.ts";
import { pingText, pongText } from "../protocol/version.ts";
import type {
  AnyRoomDefinition,
  EventInputOf,
  EventNamesOf,
  ServerMutatorsOf,
  StateOf,
  TxOf,
} from "../schema/definition.ts";
import { unpackAttachment } from "./attachment.ts";
import { logLine } from "./log-line.ts";
import { closeAtOnce, switched } from "./upgrade.ts";
import { readIdentity } from "./identity.ts";
import { shownState } from "./json-snapshot.ts";
import { answerRemote } from "./remote.ts";
import { RoomServer } from "../room/room-server.ts";
import type { TurnedAway } from "../room/sessions/admission.ts";
import { clientOf, requireRoomOptions, type Client, type RoomObjectOptions } from "./room-options.ts";
import { Session, type Socket } from "../room/sessions/session.ts";
import { nameOfRoom, platformPorts } from "./platform-ports.ts";
import { closeQuietly, socketOf } from "./room-socket.ts";
import { StateReads } from "./state-reads.ts";
import { isKnown, streamOf, tooManyReads } from "./state-response.ts";

/**
 * A room's Durable Object, extended by the class that an app exports. Override the hooks (`onJoin`, `onLeave`, `onCommit`). The
 * room calls hooks one after the other, in the order of what happened, when that is on disk and sent. An error that a hook throws,
 * or that its promise is rejected with, is logged and given to `onError`; it disturbs nothing else. A hook may call every method
 * here. Mutators, `authorize` and the function given to `transact` may call none: they use what they are given.
 */
export abstract class RoomBase<D extends AnyRoomDefinition, Env = unknown> extends DurableObject<Env> {
  readonly #definition: D;
  readonly #room: RoomServer;
  readonly #reads: StateReads;
  readonly #readers: readonly (readonly [collection: string, reader: RecordsReader])[];
  readonly #sessions = new Map<WebSocket, Session>();

  constructor(ctx: DurableObjectState, env: Env, definition: D, options: RoomObjectOptions<D>) {
    super(ctx, env);
    const limits = limitsWith(options.limits);
    this.#definition = definition;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(pingText, pongText));
    const rules = {
      // The types pair each name with its payload; at run time they are functions by name.
      serverMutators: (options.mutators ?? {}) as { readonly [name: string]: unknown } as {
        [name: string]: Run;
      },
      ...(options.authorize && { authorize: options.authorize }),
      ...(options.visibleTo && { visibleTo: options.visibleTo }),
      onJoin: (client: Caller) => this.onJoin(clientOf<D>(client)),
      onLeave: (client: Caller) => this.onLeave(clientOf<D>(client)),
      onFlush: () => {
        for (const [, reader] of this.#readers) reader.forget(new Map());
      },
      onCommit: (operation: Operation) => this.onCommit(operation),
    };
    const ports = platformPorts(ctx, limits, (error, event) => this.onError(error, event));
    this.#room = new RoomServer(definition, limits, rules, ports);
    this.#reads = new StateReads(limits, ports);
    const source = (): RecordSource => this.#room.read().records;
    this.#readers = Object.keys(definition.collections).map((name) => [
      name,
      new RecordsReader(source, name),
    ]);
    for (const webSocket of ctx.getWebSockets()) this.#restore(webSocket);
  }

  /** A client has connected that was not here. A client that is here and comes back, under another name perhaps, does not count. */
  onJoin(_client: Client<D>): void | Promise<void> {}

  /** A client's only session is gone. */
  onLeave(_client: Client<D>): void | Promise<void> {}

  /**
   * An operation is on disk and on its way to all clients. It is called once for each operation, in the order of revisions, also
   * for those that hooks make. So a hook that writes must leave out its own writes, such as by `operation.client id`, which is `room`
   * for them: a write beyond `maxHookWrites` throws.
   */
  onCommit(_operation: Operation): void | Promise<void> {}

  /**
   * Code of the app has thrown, or its promise was rejected: a mutator or `authorize` (`mutator-failed`), a hook (`hook-failed`), a
   * schema (`frame-failed`, `user-refused`). The log line names only the kind of the error, since its message may quote what
   * people wrote.
   */
  onError(_error: unknown, _event: string): void | Promise<void> {}

  /** The state as it is on disk: `this.state.shapes.get(id)`. */
  get state(): StateOf<D> {
    return Object.fromEntries<unknown>(this.#readers) as StateOf<D>;
  }

  /**
   * Commits an edit of the room's own, any collection included, and answers its revision, which is on disk. Throws what
   * `edit` throws, a `Rejection` for a record that does not fit, and an Error when storage fails; then nothing has happened. Throws
   * as well for an asynchronous `edit`, and within a mutator, `authorize` or another `edit`.
   */
  transact(edit: (tx: TxOf<D>) => void | undefined): { rev: number } {
    return { rev: this.#room.transact(edit as unknown as (tx: Tx) => void) };
  }

  /** Sends an event to everybody in the room. Throws `Rejection` for a payload that does not fit. */
  broadcast<E extends EventNamesOf<D>>(event: E, payload: EventInputOf<D, E>): void {
    this.#room.broadcast(event, payload);
  }

  /** Begins another history with the state as it is. Call it once after storage was restored to an earlier point. */
  renewEpoch(): void {
    this.#room.renewEpoch();
  }

  /** A call over Workers RPC; see `remote`. */
  remoteCall(request: string): string {
    return answerRemote(request, (client, type, payload) => this.#room.call(client, type, payload));
  }

  /** The state as JSON, or a session's start. `routeRooms` has checked everything that can be checked outside. */
  override fetch(request: Request): Response {
    return request.headers.has("Upgrade") ? this.#connect(request) : this.#snapshot(request);
  }

  override webSocketMessage(webSocket: WebSocket, message: string | ArrayBuffer): void {
    const session = this.#sessions.get(webSocket);
    if (session !== undefined) this.#room.receive(session, message);
  }

  override webSocketClose(webSocket: WebSocket, closeCode: number, reason: string): void {
    this.#leave(webSocket);
    // The platform does not answer a close by itself; 1005 and 1006 say that none was sent.
    const answer = closeCode === 1000 || (closeCode >= 3000 && closeCode <= 4999) ? closeCode : 1000;
    closeQuietly(webSocket, answer, reason);
  }

  /** The object's only alarm is the room's: it looks for those who have gone without a word. */
  override alarm(): void {
    this.#room.alarm();
  }

  override webSocketError(webSocket: WebSocket): void {
    this.#leave(webSocket);
    closeQuietly(webSocket, codes.invalid.closeCode, "invalid");
  }

  /** Takes back the session of a socket that has hibernated; undefined when it has none any more, or is not taken back. */
  #restore(webSocket: WebSocket): Session | undefined {
    const packed: unknown = webSocket.deserializeAttachment();
    if (packed === null) return undefined;
    const attachment = typeof packed === "object" ? unpackAttachment(packed) : undefined;
    if (attachment === undefined) {
      logLine("attachment-unreadable", { room: nameOfRoom(this.ctx) });
      this.#socketOf(webSocket).close(codes.internal.closeCode, "internal"); // its client comes back
      return undefined;
    }
    const session = this.#room.restore(this.#socketOf(webSocket), attachment);
    if (session !== undefined) this.#sessions.set(webSocket, session);
    return session;
  }

  #socketOf(webSocket: WebSocket): Socket {
    return socketOf(webSocket, () => this.ctx.getWebSocketAutoResponseTimestamp(webSocket)?.getTime() ?? 0);
  }

  #leave(webSocket: WebSocket): void {
    // A socket whose closing has woken the object is not among `getWebSockets()` any more.
    const session = this.#sessions.get(webSocket) ?? this.#restore(webSocket);
    this.#sessions.delete(webSocket);
    webSocket.serializeAttachment(null); // whatever event still follows, this session is gone
    if (session !== undefined) this.#room.leave(session);
  }

  #connect(request: Request): Response {
    const offered = (request.headers.get("Sec-WebSocket-Protocol") ?? "")
      .split(",")
      .map((name) => name.trim());
    const hello = decodeHello(offered);
    if (hello === undefined) return closeAtOnce("invalid");
    const { 0: clientEnd, 1: serverEnd } = new WebSocketPair();
    let isAccepted = false;
    const accept = () => {
      this.ctx.acceptWebSocket(serverEnd);
      isAccepted = true;
      return this.#socketOf(serverEnd);
    };
    let joined: Session | TurnedAway;
    try {
      joined = this.#room.join(accept, hello, readIdentity(request));
    } catch (error) {
      if (isAccepted) closeQuietly(serverEnd, codes.internal.closeCode, "internal"); // it would be held for ever
      throw error;
    }
    if (joined instanceof Session) this.#sessions.set(serverEnd, joined);
    else if (!isAccepted) return closeAtOnce(joined.code, joined.retryAfterMs);
    return switched(clientEnd);
  }

  /** The state as of the last flush. A refused request has read nothing, and no request has the room flush. */
  #snapshot(request: Request): Response {
    const identity = readIdentity(request);
    const { user } = identity;
    const waitMs = this.#room.takeRead(user);
    if (waitMs > 0) return tooManyReads(waitMs);
    const view = this.#room.viewOf(identity);
    const flushed = this.#room.read();
    const etag = `"${view.epochOf(flushed.epoch)}.${flushed.rev}"`;
    const headers = { ETag: etag, "Content-Type": "application/json" };
    if (isKnown(etag, request)) return new Response(null, { status: 304, headers });
    const names = Object.keys(this.#definition.collections);
    const show = () => shownState(flushed, names, view);
    const read = this.#reads.open(ownerOf(user), etag, flushed.bytes, show);
    if (typeof read === "number") return tooManyReads(read);
    return new Response(
      streamOf(read, (bytes) => this.#room.spendRead(user, bytes)),
      { headers },
    );
  }
}

/**
 * The class of a room's Durable Object: `export class Board extends RoomObject(board, { … }) {}`. The options may be left out
 * where no mutator is the server's alone. `Env` is the Worker's, for `this.env` in hooks. Throws `TypeError` for an option, a limit or a
 * name that there is not, and `RangeError` for a limit that is no such number.
 */
export function RoomObject<const D extends AnyRoomDefinition, Env = unknown>(
  definition: D,
  ...[options]: keyof ServerMutatorsOf<D> extends never ? [RoomObjectOptions<D>?] : [RoomObjectOptions<D>]
): new (ctx: DurableObjectState, env: Env) => RoomBase<D, Env> {
  const checked = options ?? {};
  requireRoomOptions(definition, checked);
  return class extends RoomBase<D, Env> {
    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env, definition, checked);
    }
  };
}
