import { RoomObject, routeRooms } from "../../../src/server.ts";
import { naivePath, pool, wokenText } from "./pool.ts";

const naiveTag = "naive";

/** The room class of `stalled.ts`, and in the same class the room that it is compared with. */
export class Board extends RoomObject(pool) {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    console.log(wokenText);
  }

  override fetch(request: Request): Response {
    if (!new URL(request.url).pathname.startsWith(naivePath)) return super.fetch(request);
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [naiveTag]);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(webSocket: WebSocket, message: string | ArrayBuffer): void {
    if (!this.ctx.getTags(webSocket).includes(naiveTag)) return super.webSocketMessage(webSocket, message);
    for (const peer of this.ctx.getWebSockets(naiveTag)) peer.send(message);
  }

  override webSocketClose(webSocket: WebSocket, closeCode: number, reason: string): void {
    if (!this.ctx.getTags(webSocket).includes(naiveTag)) super.webSocketClose(webSocket, closeCode, reason);
  }
}

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname.startsWith(naivePath))
      return await env.ROOMS.getByName(naivePath).fetch(request);
    const response = await routeRooms(request, { "/rooms": env.ROOMS });
    return response ?? new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<{ ROOMS: DurableObjectNamespace<Board> }>;
