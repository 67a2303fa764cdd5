/** A `DurableObjectNamespace` of a class made by `RoomObject`. */
export interface RoomNamespace {
  /** The stub of the object with this name, which is the room's id. */
  getByName(name: string): { fetch(request: Request): Promise<Response> };
}

/** The namespaces of rooms, by the path that they are under: `{ "/rooms": env.ROOMS }`. */
export interface RoomRoutes {
  readonly [path: string]: RoomNamespace;
}

/** Segments of characters that every URL parser leaves as they are. */
const pathPattern = /^(\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+$/;

/**
 * The route of a URL's path: of several the longest one. Undefined for a path that is under none. Throws `TypeError` for
 * routes of which one could never match, or leads nowhere.
 */
export function routeOf(
  routes: RoomRoutes,
  pathname: string,
): readonly [path: string, rooms: RoomNamespace] | undefined {
  requireRoutes(routes);
  const [longest] = Object.keys(routes)
    .filter((path) => pathname.startsWith(`${path}/`))
    .toSorted((a, b) => b.length - a.length);
  return longest === undefined ? undefined : [longest, routes[longest] as RoomNamespace];
}

function requireRoutes(routes: RoomRoutes): void {
  const paths = Object.keys(routes);
  if (paths.length === 0) throw new TypeError('routeRooms: there is no route; write { "/rooms": env.ROOMS }');
  for (const path of paths) {
    if (!isReachable(path))
      throw new TypeError(
        `routeRooms: the route ${JSON.stringify(path)} can never match; write it as "/rooms" or "/api/rooms": ` +
          "a slash before each segment, none at the end, and only characters that a URL leaves as they are",
      );
    if (typeof (routes[path] as Partial<RoomNamespace> | undefined)?.getByName !== "function")
      throw new TypeError(
        `routeRooms: the route ${JSON.stringify(path)} must lead to the binding of a Durable Object namespace, such as env.ROOMS`,
      );
  }
}

function isReachable(path: string): boolean {
  return pathPattern.test(path) && new URL(path, "https://rooms.test").pathname === path;
}
