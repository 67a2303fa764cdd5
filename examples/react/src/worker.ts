import { RoomObject, routeRooms } from "deltaroom/server";
import { list } from "./list";

export class List extends RoomObject(list) {}

export default {
  async fetch(request, env) {
    const response = await routeRooms(request, { "/lists": env.LISTS }, { allowAnonymous: true });
    return response ?? new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<{ LISTS: DurableObjectNamespace<List> }>;
