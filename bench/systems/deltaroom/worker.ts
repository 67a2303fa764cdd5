import { RoomObject, routeRooms, type Limits } from "../../../src/server.ts";
import { answerBench, countStorage } from "../counters.ts";
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
    const answer = answerBench(request);
    if (answer !== undefined) return answer;
    const response = await routeRooms(request, { "/rooms": env.ROOMS }, { allowAnonymous: true });
    return response ?? new Response("not a room", { status: 404 });
  },
} satisfies ExportedHandler<{ ROOMS: DurableObjectNamespace<Room> }>;
