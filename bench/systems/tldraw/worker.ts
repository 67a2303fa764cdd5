import {
  DurableObjectSqliteSyncWrapper,
  SQLiteSyncStorage,
  TLSocketRoom,
  type SessionStateSnapshot,
  type TLSyncSqliteWrapper,
} from "@tldraw/sync-core";
import { DurableObject } from "cloudflare:workers";
import { answerBench, countStorage } from "../counters.ts";
import { createSchema, type NoteRecord } from "./schema.ts";

interface Env {
  readonly ROOMS: DurableObjectNamespace<Room>;
}

interface Attachment {
  readonly sessionId: string;
  readonly snapshot?: SessionStateSnapshot;
}

/** A room as the package's documentation has it: its SQLite storage, sessions that outlive hibernation. */
export class Room extends DurableObject<Env> {
  readonly #room: TLSocketRoom<NoteRecord>;
  readonly #sockets = new Map<string, WebSocket>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    countStorage(ctx.storage);
    const sql = new DurableObjectSqliteSyncWrapper(ctx.storage) as TLSyncSqliteWrapper;
    // Left out, a new room begins with a drawing's own records.
    const snapshot = { documents: [], schema: createSchema().serialize() };
    const isNew = !SQLiteSyncStorage.hasBeenInitialized(sql);
    const storage = new SQLiteSyncStorage<NoteRecord>({ sql, ...(isNew && { snapshot }) });
    this.#room = new TLSocketRoom<NoteRecord>({
      storage,
      schema: createSchema(),
      onSessionSnapshot: (sessionId, snapshot) =>
        this.#sockets.get(sessionId)?.serializeAttachment({ sessionId, snapshot } satisfies Attachment),
    });
    for (const socket of ctx.getWebSockets()) {
      const { sessionId, snapshot } = socket.deserializeAttachment() as Attachment;
      this.#sockets.set(sessionId, socket);
      if (snapshot) this.#room.handleSocketResume({ sessionId, socket: socketOf(socket), snapshot });
    }
  }

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    const sessionId = crypto.randomUUID();
    this.ctx.acceptWebSocket(server);
    server.serializeAttachment({ sessionId } satisfies Attachment);
    this.#sockets.set(sessionId, server);
    this.#room.handleSocketConnect({ sessionId, socket: socketOf(server) });
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#room.handleSocketMessage(sessionOf(socket), message);
  }

  override webSocketClose(socket: WebSocket): void {
    const sessionId = sessionOf(socket);
    this.#sockets.delete(sessionId);
    this.#room.handleSocketClose(sessionId);
    socket.close(1000);
  }
}

function sessionOf(socket: WebSocket): string {
  return (socket.deserializeAttachment() as Attachment).sessionId;
}

/** As much of a socket as the room uses; its events come through the object's own methods. */
function socketOf(socket: WebSocket) {
  return {
    send: (data: string) => socket.send(data),
    close: (code?: number, reason?: string) => socket.close(code, reason),
    get readyState() {
      return socket.readyState;
    },
  };
}

export default {
  async fetch(request, env) {
    const answer = answerBench(request);
    if (answer !== undefined) return answer;
    if (request.headers.get("Upgrade") !== "websocket") return new Response("not a room", { status: 404 });
    return await env.ROOMS.getByName("bench").fetch(request);
  },
} satisfies ExportedHandler<Env>;
