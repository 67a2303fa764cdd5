// What an app's Worker exports.
import { jwtAuthenticator } from "deltaroom/jwt";
import { remote, RoomObject, routeRooms, type RemoteStub } from "deltaroom/server";
import { board, plain } from "./board.ts";
import { lists } from "./mini.ts";

export interface Env {
  readonly BOARDS: DurableObjectNamespace<Board>;
}

export class Board extends RoomObject(board, {
  mutators: {
    assign(tx, { id }, ctx) {
      tx.tasks.patch(id, { assignee: ctx.user?.id ?? null });
    },
  },
  authorize: (operation) => operation.changes.length < 100,
}) {}
export class Lists extends RoomObject(lists) {}
export const Plain = RoomObject(plain);

export const authenticate = jwtAuthenticator({ secret: "0123456789abcdef0123456789abcdef" });
export const lobbyOf = (stub: RemoteStub) => remote(stub, board);
export const route = (request: Request, env: Env) =>
  routeRooms(request, { "/rooms": env.BOARDS }, { authenticate });
export default {
  fetch: async (request: Request, env: Env) =>
    (await route(request, env)) ?? new Response("Not found", { status: 404 }),
};
