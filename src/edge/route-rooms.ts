import { isRoomId } from "../core/ids.ts";
import { codes, type Code } from "../protocol/codes.ts";
import { decodeHello, type Hello } from "../protocol/hello.ts";
import { closeAtOnce } from "../room/handshake.ts";
import { subprotocol } from "../protocol/version.ts";
import { withIdentity } from "../room/identity.ts";
import type { Json } from "../schema/json.ts";

/** A `DurableObjectNamespace` of a class made by `RoomObject`. */
export interface RoomNamespace {
  /** The stub of the object with this name, which is the room's id. */
  getByName(name: string): { fetch(request: Request): Promise<Response> };
}

/** The namespaces of rooms, by the path that they are under: `{ "/rooms": env.ROOMS }`. */
export interface RoomRoutes {
  readonly [path: string]: RoomNamespace;
}

/** Somebody who may enter. */
export interface Admission {
  /** What everybody in the room sees of this person; fits the definition's `user`. */
  readonly user: Json;
  /** `writer` unless said otherwise; a `reader` may look, but changes nothing. */
  readonly role?: "reader" | "writer";
  /**
   * Until when this person may stay, in milliseconds since the epoch; left out for ever. Then the session ends with
   * `token-expired`, and the client comes back with what `token()` says next.
   */
  readonly expiresAt?: number;
}

/** Who may come in, and from where. */
export interface RouteOptions {
  /**
   * Says who is asking, or null for nobody that may come in. Without it the rooms are open to everybody.
   * The token is the one of the client's `token()`, or the bearer token of an HTTP request; never part of the URL.
   */
  readonly authenticate?: (asked: {
    readonly token: string | undefined;
    readonly roomId: string;
    readonly request: Request;
  }) => Admission | null | Promise<Admission | null>;
  /**
   * Origins whose pages may connect, exactly as browsers send them (`https://example.com`), or "*" for all.
   * By default only pages of the Worker's own origin. Whoever sends no `Origin` is no browser and is let through.
   */
  readonly origins?: readonly string[] | "*";
}

/**
 * Sends requests for rooms to their rooms: `GET <path>/<roomId>`, with an upgrade a session and without one the
 * state as JSON. Answers null for what is under none of the paths. Nothing refused here has woken a room.
 */
export async function routeRooms(
  request: Request,
  routes: RoomRoutes,
  options: RouteOptions = {},
): Promise<Response | null> {
  const url = new URL(request.url);
  const route = Object.entries(routes).find(([path]) => url.pathname.startsWith(`${path}/`));
  if (route === undefined) return null;
  const [path, rooms] = route;
  const roomId = url.pathname.slice(path.length + 1);
  const isUpgrade = request.headers.get("Upgrade")?.toLowerCase() === "websocket";
  const offered = isUpgrade ? offeredSubprotocols(request) : [];
  const hello = decodeHello(offered);
  const isClient = offered.includes(subprotocol);
  const refuse = (...refusal: Parameters<typeof refuseByStatus>) =>
    isClient ? closeAtOnce(refusal[1]) : refuseByStatus(...refusal);

  if (request.method !== "GET") return refuseByStatus(405, "invalid", "a room answers GET", { Allow: "GET" });
  if (!isRoomId(roomId))
    return refuse(400, "invalid", "a room id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -");
  if (!isAllowedOrigin(request, url, options.origins)) {
    return refuse(403, "forbidden", "pages of this origin may not connect; see `origins` of routeRooms");
  }
  if (!isUpgrade && wantsUpgrade(request)) {
    return refuse(426, "invalid", "this needs a WebSocket upgrade", {
      Upgrade: "websocket",
      Connection: "Upgrade",
    });
  }
  if (isUpgrade && !isClient) {
    return refuse(400, "invalid", `the room speaks the subprotocol ${subprotocol}`);
  }
  if (isUpgrade && hello === undefined)
    return refuse(400, "invalid", "the hello is missing or cannot be read");

  const admission = await admit(request, roomId, hello, options);
  const { user, role = "writer", expiresAt } = admission ?? { user: null, expiresAt: 0 };
  if ((expiresAt ?? Infinity) <= Date.now()) return refuse(401, "unauthorized");
  const identity = { user, role, ...(expiresAt !== undefined && { expiresAt }) };
  return await rooms.getByName(roomId).fetch(withIdentity(request, identity));
}

async function admit(
  request: Request,
  roomId: string,
  hello: Hello | undefined,
  { authenticate }: RouteOptions,
): Promise<Admission | null> {
  if (authenticate === undefined) return { user: null };
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
  return await authenticate({ token: hello?.token ?? bearer, roomId, request });
}

function isAllowedOrigin(request: Request, url: URL, origins: RouteOptions["origins"]): boolean {
  const origin = request.headers.get("Origin");
  if (origin === null || origins === "*") return true;
  return origins === undefined ? origin === url.origin : origins.includes(origin);
}

/** A WebSocket handshake that lost its Upgrade header, or an upgrade to something else. */
function wantsUpgrade(request: Request): boolean {
  return ["Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol"].some((name) => request.headers.has(name));
}

function offeredSubprotocols(request: Request): string[] {
  return (request.headers.get("Sec-WebSocket-Protocol") ?? "").split(",").map((name) => name.trim());
}

function refuseByStatus(
  status: number,
  code: Code,
  message: string = codes[code].sentence,
  headers: HeadersInit = {},
): Response {
  return Response.json({ error: { code, message } }, { status, headers });
}
