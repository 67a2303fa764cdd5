import { board } from "../demo/board.ts";
import { RoomObject, routeRooms } from "./server.ts";

/** A board of the demo: each name in the URL is one Durable Object of this class. */
export class Board extends RoomObject(board) {}

export default {
  async fetch(request, env) {
    const response = await routeRooms(request, { "/rooms": env.ROOMS }, { openToEverybody: true });
    return response ?? new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<{ ROOMS: DurableObjectNamespace<Board> }>;
