import { isRoomId, roomIdRule, writtenPath } from "../src/model/ids.ts";

declare class URL {
  constructor(url: string, base?: string);
  protocol: string;
  readonly pathname: string;
  readonly href: string;
}

const page = () => (globalThis as { location?: { readonly href: string } }).location?.href;

/**
 * The URL of the room `id` below `base`, for `connect`: `roomUrl("/rooms", "lobby")` is `/rooms/lobby`. Use it for every id that
 * a person or another program has written. Throws `TypeError` if `id` is not a room id, or if `base` cannot be part of a room's URL.
 */
export function roomUrl(base: string, id: string): string {
  if (!isRoomId(id)) throw new TypeError(`${JSON.stringify(id)} is no room id: ${roomIdRule}`);
  const url = `${base.replace(/\/$/, "")}/${id}`;
  parseRoomUrl(url, page() ?? "http://localhost");
  return url;
}

/** The URL of a room as a WebSocket takes it. Two URLs of one room give the same text. Throws `TypeError` for any other URL. */
export function webSocketUrl(url: string): string {
  const parsed = parseRoomUrl(url, page());
  parsed.protocol = parsed.protocol.replace("http", "ws");
  return parsed.href;
}

/**
 * A URL parser drops tabs, folds `x/../C` to `C`, and cuts off what follows `#`. Each of these would open another room than the
 * app has named, so this function throws for every path that the parser changes.
 */
function parseRoomUrl(url: string, base: string | undefined): URL {
  const refuse = (problem: string) => new TypeError(`${JSON.stringify(url)} is no URL of a room: ${problem}`);
  let parsed: URL;
  let path: string;
  try {
    parsed = new URL(url, base);
    path = writtenPath(url); // throws for what is not a string
  } catch {
    const isPath = base === undefined && !/^[a-z]+:/i.test(url);
    throw refuse(isPath ? "a path needs a page. On a server, give the whole URL" : "it cannot be parsed");
  }
  const { pathname } = parsed;
  if (!pathname.endsWith(path) || path.includes("//"))
    throw refuse(`its path is read as ${pathname}, without user, query, hash and //`);
  if (!isRoomId(path.slice(path.lastIndexOf("/") + 1))) throw refuse(roomIdRule);
  return parsed;
}
