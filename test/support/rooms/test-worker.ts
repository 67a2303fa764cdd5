import { DurableObject } from "cloudflare:workers";
import { Rejection, type ServerMutatorsOf } from "../../../src/index.ts";
import {
  RoomObject,
  routeRooms,
  type Admission,
  type Authorize,
  type Client,
  type Operation,
} from "../../../src/server.ts";
import { idOf } from "../clients/named-client.ts";
import { cardGame, cardRules } from "../boards/card-game.ts";
import { authenticateGrant } from "../../attacks/rooms/tokens.ts";
import { testBoard, type TestBoard } from "../boards/test-board.ts";

export { Board } from "../../../src/worker.ts";
export { AttackRoom, TightRoom } from "../../attacks/rooms/attack-rooms.ts";
export { ListRoom } from "../../attacks/rooms/list-rooms.ts";

export const serverMutators: ServerMutatorsOf<TestBoard> = {
  roll(tx, _payload, ctx) {
    tx.shapes.put("dice", { x: 4, y: 4 });
    ctx.broadcast("rolled", { dice: 4 });
  },
};

/** Refuses in each of the three ways that an app can, by the id of what is changed. */
export const authorize: Authorize = ({ changes }, { user }) => {
  const ids = changes.map(({ id }) => id);
  if (ids.includes("frozen")) throw new Rejection("frozen", "this was frozen", { since: "yesterday" });
  if (ids.includes("riddle")) throw new Error("a bug in authorize");
  return !ids.includes("alices") || (user as { id: string } | null)?.id === "alice";
};

/** A room with the limits of every day, which keeps what its hooks are told. */
export class TestRoom extends RoomObject(testBoard, { mutators: serverMutators, authorize }) {
  readonly heard: string[] = [];

  override onJoin({ clientId }: Client): void {
    this.heard.push(`join ${clientId}`);
    if (clientId === idOf("greeted-alice")) this.broadcast("wave", { text: `welcome ${clientId}` });
    if (clientId === idOf("unwanted-bob")) throw new Error("a hook's own bug");
  }

  override onLeave({ clientId }: Client): void {
    this.heard.push(`leave ${clientId}`);
  }

  override onCommit({ rev, type, clientId }: Operation): void {
    this.heard.push(`commit ${rev} ${type} by ${clientId}`);
    if (type === "celebrate") this.transact((tx) => tx.notes.put("thanks", { text: `to ${clientId}` }));
  }
}

/** A room in which everything that takes a thousand flushes elsewhere takes eight, and every message is a flush. */
export class SmallRoom extends RoomObject(testBoard, {
  mutators: serverMutators,
  limits: {
    flushIntervalMs: 0,
    maxRingFlushes: 8,
    pageBytes: 512,
    quietCheckpointMs: 50,
    maxLoggedClients: 2,
  },
}) {}

/** A small room that trusts nobody with more than 2 KB. */
export class ThriftyRoom extends RoomObject(testBoard, {
  mutators: serverMutators,
  limits: {
    flushIntervalMs: 0,
    maxRingFlushes: 8,
    pageBytes: 512,
    quietCheckpointMs: 50,
    maxUnacknowledgedBytes: 2_048,
  },
}) {}

/** A room that asks after 1.6 s of silence, and waits for 0.4 s. */
export class WatchfulRoom extends RoomObject(testBoard, {
  mutators: serverMutators,
  limits: { maxSilenceMs: 2_000 },
}) {}

/** A room that does not show everybody everything. */
export class CardRoom extends RoomObject(cardGame, cardRules) {}

/** Storage and nothing else. */
export class Scratch extends DurableObject {}

/**
 * Tokens of the tests: `user:alice`, `reader:bob`, and `user:alice@1800000000000`, which is good until then; with any other
 * nobody comes in. The name of `giant` is 20 KB long.
 */
function authenticate({ token }: { token: string | undefined }): Admission | null {
  const [, role, id, expiresAt] = /^(user|reader):([a-z]+)(?:@(\d+))?$/.exec(token ?? "") ?? [];
  if (role === undefined || id === undefined) return null;
  const user = { id, name: id.toUpperCase().repeat(id === "giant" ? 4_000 : 1) };
  return {
    user,
    access: role === "reader" ? "read" : "write",
    role,
    ...(expiresAt !== undefined && { expiresAt: Number(expiresAt) }),
  };
}

export default {
  async fetch(request, env) {
    const open = {
      "/rooms": env.ROOMS,
      "/test-rooms": env.TEST_ROOMS,
      "/small-rooms": env.SMALL_ROOMS,
      "/thrifty-rooms": env.THRIFTY_ROOMS,
      "/watchful-rooms": env.WATCHFUL_ROOMS,
      "/attack-rooms": env.ATTACK_ROOMS,
      "/tight-rooms": env.TIGHT_ROOMS,
    };
    const closed = { "/private-rooms": env.TEST_ROOMS, "/card-rooms": env.CARD_ROOMS };
    return (
      (await routeRooms(request, open, { allowAnonymous: true })) ??
      (await routeRooms(request, closed, { authenticate })) ??
      (await routeRooms(
        request,
        {
          "/closed-rooms": env.ATTACK_ROOMS,
          "/list-rooms": env.LIST_ROOMS,
        },
        { authenticate: authenticateGrant },
      )) ??
      (await routeRooms(
        request,
        { "/mixed-rooms": env.TIGHT_ROOMS },
        {
          authenticate: (asked) =>
            asked.token === undefined ? { user: null, access: "write" } : authenticateGrant(asked),
        },
      )) ??
      new Response("Not found", { status: 404 })
    );
  },
} satisfies ExportedHandler<Cloudflare.Env>;
