import { env as settings } from "cloudflare:workers";
import { board } from "../demo/board.ts";
import { jwtAuthenticator } from "./jwt.ts";
import { RoomObject, routeRooms, type Client, type RouteOptions } from "./server.ts";

/** What the demo's Worker may be told from outside: by `.dev.vars`, `wrangler secret put` or `--var`. */
interface Settings {
  /** Closes the rooms: whoever comes needs a token signed with it, see docs/guide/authentication.md. */
  readonly DELTAROOM_JWT_SECRET?: string;
  /** `true` lets anyone who can reach the server join any room, as `npm start` does. */
  readonly DELTAROOM_ALLOW_ANONYMOUS?: string;
}

/**
 * A board of the demo: each name in the URL is one Durable Object of this class. It ends the claims of a client that leaves, since
 * the room knows who is here, and a client could say anything.
 */
export class Board extends RoomObject(board) {
  override onJoin({ clientId }: Client<typeof board>): void {
    // A process that was killed has ended no claim. Who is alone on a board finds no claims of others.
    if (this.ctx.getWebSockets().length === 1) this.#endClaims((holder) => holder !== clientId);
  }

  override onLeave({ clientId }: Client<typeof board>): void {
    this.#endClaims((holder) => holder === clientId);
  }

  #endClaims(isOver: (holder: string) => boolean): void {
    const over = this.state.claims.entries().filter(([, claim]) => isOver(claim.clientId));
    if (over.length > 0) this.transact((tx) => over.forEach(([id]) => tx.claims.delete(id)));
  }
}

const access = accessBy(settings as Settings); // the global type of `env` is each project's own

/** Who may come in: with neither setting only this machine, and the secret counts for more. Says so once, as the Worker starts. */
function accessBy({
  DELTAROOM_JWT_SECRET: secret,
  DELTAROOM_ALLOW_ANONYMOUS: isOpen,
}: Settings): RouteOptions {
  if (secret !== undefined) {
    console.log("deltaroom: rooms are open to who has a token signed with DELTAROOM_JWT_SECRET");
    return { authenticate: jwtAuthenticator({ secret }) };
  }
  if (isOpen === "true") {
    console.log(
      "deltaroom: anyone who can reach this address can join any room. DELTAROOM_JWT_SECRET closes them: docs/guide/authentication.md",
    );
    return { allowAnonymous: true };
  }
  console.log(
    "deltaroom: rooms are closed, but to this machine: set DELTAROOM_JWT_SECRET, or DELTAROOM_ALLOW_ANONYMOUS=true",
  );
  return {};
}

export default {
  async fetch(request, env) {
    const response = await routeRooms(request, { "/rooms": env.ROOMS }, access);
    return response ?? new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<{ ROOMS: DurableObjectNamespace<Board> }>;
