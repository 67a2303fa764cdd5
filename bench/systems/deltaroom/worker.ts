import { RoomObject, routeRooms, type Limits } from "../../../src/server.ts";
import { countStorage, readCounters } from "../counters.ts";
import { board } from "./board.ts";

/** Set when the Worker is bundled. */
declare const LIMITS: Partial<Limits>;

export class Room extends RoomObject(board, { limits: LIMITS }) {
  constructor(ctx: DurableObjectState, env: unknown) {
    countStorage(ctx.storage);
    super(ctx, env);
  }
}

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname === "/counters") return readCounters();
    const response = await routeRooms(request, { "/rooms": env.ROOMS });
    return response ?? new Response("not a room", { status: 404 });
  },
} satisfies ExportedHandler<{ ROOMS: DurableObjectNamespace<Room> }>;
