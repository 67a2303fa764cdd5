import { isRoomId, roomIdRule, writtenPath } from "../model/ids.ts";
import type { Code } from "../protocol/codes.ts";
import { decodeHello, maxTokenLength, type Hello } from "../protocol/handshake/hello.ts";
import { closeAtOnce } from "../durable-object/upgrade.ts";
import { subprotocol } from "../protocol/version.ts";
import { withIdentity } from "../durable-object/identity.ts";
import { logLine } from "../durable-object/log-line.ts";
import { admit, type Authenticate, type Refusal } from "./authentication.ts";
import { refuseByStatus, secured } from "./responses.ts";
import { corsHeaders, isAllowedOrigin, isPreflight, preflightHeaders, requireOrigins } from "./origin.ts";
import { routeOf, type RoomRoutes } from "./route-table.ts";
import { requireKnownOptions } from "../schema/option-names.ts";

/**
 * Who may come in, and from where. Without `authenticate` and `allowAnonymous` only requests for this very machine are let in
 * (`localhost`, `127.0.0.1`, `[::1]`), as `wrangler dev` serves them; none for a deployed Worker is.
 */
export interface RouteOptions {
  /** Says who is asking, and how they may come in. */
  readonly authenticate?: Authenticate;
  /** Lets anyone who knows a URL join with the access `write`. `authenticate` takes precedence. */
  readonly allowAnonymous?: boolean;
  /**
   * Origins whose pages may connect, exactly as browsers send them (`https://example.com`), or "*" for all.
   * By default only pages of the Worker's own origin. Whoever sends no `Origin` is no browser and is let through.
   */
  readonly origins?: readonly string[] | "*";
}

/** Members of a query under which others send tokens. */
const tokenParameters = ["token", "access_token", "auth", "jwt"];

/**
 * Sends requests for rooms to their rooms: `GET <path>/<roomId>`, with an upgrade a session and without one the
 * state as JSON. Answers null for what is under none of the paths. Nothing refused here has woken a room, and each refusal
 * is a line in the log. Of several paths the longest one counts.
 *
 * Throws `TypeError`, whatever the request is, for routes and options that could never match: a path such as `v2` or `/api/`, an
 * origin such as `https://app.example/`, an option that there is not.
 */
export async function routeRooms(
  request: Request,
  routes: RoomRoutes,
  options: RouteOptions = {},
): Promise<Response | null> {
  requireKnownOptions(options, ["authenticate", "allowAnonymous", "origins"], "routeRooms");
  requireOrigins(options.origins);
  if (options.authenticate !== undefined && typeof options.authenticate !== "function")
    throw new TypeError("routeRooms: authenticate must be a function");
  // The client chooses the host: with two of them the URL is invalid.
  const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
  const route = routeOf(routes, url?.pathname ?? "");
  if (url === undefined) return refuseByStatus(by("invalid", 400, "the URL cannot be read"), {});
  if (route === undefined) return null;
  const [path, rooms] = route;
  const roomId = url.pathname.slice(path.length + 1);
  const { authenticate, allowAnonymous, origins } = options;
  const isUpgrade = request.headers.get("Upgrade")?.toLowerCase() === "websocket";
  const offered = isUpgrade ? offeredSubprotocols(request) : [];
  const isClient = offered.includes(subprotocol);
  const isAllowed = isAllowedOrigin(request, url, origins);
  const cors = isAllowed ? corsHeaders(request, origins) : { Vary: "Origin" };

  const refuse = (refusal: Refusal): Response => {
    const room = isRoomId(roomId) ? { room: roomId } : {}; // else it is whatever somebody has sent
    const { code, status, reason } = refusal;
    logLine("refused", { code, status, ...(reason && { reason }), path, ...room });
    const isClosed = isClient && request.method === "GET";
    return isClosed ? closeAtOnce(code) : refuseByStatus(refusal, cors);
  };

  if (!isAllowed) return refuse(stranger());
  if (isPreflight(request))
    return new Response(null, { status: 204, headers: { ...cors, ...preflightHeaders } });
  const hello = decodeHello(offered);
  const problem = problemOf(request, roomId, { isUpgrade, isClient, hello });
  if (problem !== undefined) return refuse(problem);
  const isOpen = allowAnonymous === true || isThisMachine(url.hostname);
  if (authenticate === undefined && !isOpen) return refuse(notSetUp());
  const token = hello?.token ?? bearerOf(request);
  if (token !== undefined && token.length > maxTokenLength)
    return refuse(by("unauthorized", 401, `a token has at most ${maxTokenLength} characters`));
  const admitted =
    authenticate === undefined
      ? { user: null, access: "write" as const }
      : await admit(authenticate, { token, roomId, path, request });
  if ("code" in admitted) {
    const isMisplaced =
      token === undefined && tokenParameters.some((parameter) => url.searchParams.has(parameter));
    if (!isMisplaced || admitted.code !== "unauthorized") return refuse(admitted);
    const message = "a token in a URL is not looked at: it goes into the header Authorization, or the hello";
    return refuse({ ...admitted, message, reason: "token-in-url" });
  }
  try {
    return secured(await rooms.getByName(roomId).fetch(withIdentity(request, admitted)), cors);
  } catch (error) {
    // It could not wake, or was reset; the platform says so in its own words.
    logLine("room-failed", { code: "internal", room: roomId, error: String(error) });
    return refuse(by("internal", 503, "the room cannot be reached"));
  }
}

/** What is wrong with a request, whoever has sent it. */
function problemOf(
  request: Request,
  roomId: string,
  { isUpgrade, isClient, hello }: { isUpgrade: boolean; isClient: boolean; hello: Hello | undefined },
): Refusal | undefined {
  if (request.method !== "GET")
    return { ...by("invalid", 405, "a room answers GET"), headers: { Allow: "GET" } };
  // Folded, `x/../C` would be the room C, which the caller has not named.
  if (writtenPath(request.url.replace(/\?.*$/s, "")) !== new URL(request.url).pathname)
    return by("invalid", 400, "the path has dot segments or characters that a URL has only percent-encoded");
  if (!isRoomId(roomId)) return by("invalid", 400, roomIdRule);
  if (!isUpgrade && wantsUpgrade(request)) {
    const headers = { Upgrade: "websocket", Connection: "Upgrade" };
    return { ...by("invalid", 426, "this needs a WebSocket upgrade"), headers };
  }
  if (isUpgrade && !isClient) return by("invalid", 400, `the room speaks the subprotocol ${subprotocol}`);
  if (isUpgrade && hello === undefined) return by("invalid", 400, "the hello is missing or cannot be read");
  return undefined;
}

function stranger(): Refusal {
  const message = "pages of this origin may not connect; see `origins` of routeRooms";
  return { ...by("forbidden", 403, message), reason: "origin" };
}

/**
 * Whether a URL's host is the machine that it is sent from. No request for another has such a host when it comes through
 * Cloudflare, which finds the Worker by it.
 */
function isThisMachine(hostname: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function notSetUp(): Refusal {
  const remedy = "routeRooms wants `authenticate`, or `allowAnonymous: true` to let anyone join";
  logLine("rooms-closed", { code: "forbidden", remedy });
  return { ...by("forbidden", 503, `nobody may come in: ${remedy}`), reason: "not-set-up" };
}

function by(code: Code, status: number, message: string): Refusal {
  return { code, status, message };
}

function bearerOf(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
}

/** A WebSocket handshake that lost its Upgrade header, or an upgrade to something else. */
function wantsUpgrade(request: Request): boolean {
  return ["Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol"].some((name) => request.headers.has(name));
}

function offeredSubprotocols(request: Request): string[] {
  return (request.headers.get("Sec-WebSocket-Protocol") ?? "").split(",").map((name) => name.trim());
}
