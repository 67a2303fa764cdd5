import { DurableObject } from "cloudflare:workers";
import { answerBench, countStorage } from "../counters.ts";

// The floor: what one writes in an afternoon. Each message is one operation, is stored as one row, and goes to everybody
// as it came, the sender included. Whoever joins is sent the whole state. There are no revisions, so whoever comes back
// is sent the whole state too.

interface Env {
  readonly ROOMS: DurableObjectNamespace<Room>;
}

type Put = { readonly put: [id: string, note: Record<string, unknown>][] };
type Move = { readonly id: string; readonly x: number; readonly y: number };

export class Room extends DurableObject<Env> {
  readonly #notes = new Map<string, Record<string, unknown>>();
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    countStorage(ctx.storage);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID",
    );
    for (const { id, note } of this.#sql.exec<{ id: string; note: string }>("SELECT id, note FROM notes"))
      this.#notes.set(id, JSON.parse(note) as Record<string, unknown>);
  }

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    server.send(JSON.stringify({ state: [...this.#notes] }));
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(_socket: WebSocket, message: string | ArrayBuffer): void {
    const operation = JSON.parse(message as string) as Put | Move;
    if ("put" in operation) for (const [id, note] of operation.put) this.#store(id, note);
    else this.#store(operation.id, { ...this.#notes.get(operation.id), x: operation.x, y: operation.y });
    for (const socket of this.ctx.getWebSockets()) socket.send(message);
  }

  override webSocketClose(socket: WebSocket): void {
    socket.close(1000);
  }

  #store(id: string, note: Record<string, unknown>): void {
    this.#notes.set(id, note);
    this.#sql.exec("INSERT OR REPLACE INTO notes VALUES (?, ?)", id, JSON.stringify(note));
  }
}

export default {
  async fetch(request, env) {
    const answer = answerBench(request);
    if (answer !== undefined) return answer;
    if (request.headers.get("Upgrade") !== "websocket") return new Response("not a room", { status: 404 });
    return await env.ROOMS.getByName("bench").fetch(request);
  },
} satisfies ExportedHandler<Env>;
