/** The origins whose pages may ask: as browsers send them, `https://example.com`; "*" for all; undefined for the Worker's own alone. */
export type Origins = readonly string[] | "*" | undefined;

/** How long a browser may remember the answer to a preflight, in seconds. Most forget it earlier. */
const preflightSeconds = 7_200;

/** Whether a request may be answered. Whoever sends no `Origin` is no browser, or a page of the Worker's own that only reads. */
export function isAllowedOrigin(request: Request, url: URL, origins: Origins): boolean {
  const origin = request.headers.get("Origin");
  if (origin === null || origins === "*") return true;
  return origins === undefined ? origin === url.origin : origins.includes(origin);
}

/**
 * Lets the page of an allowed origin read the answer. Never with credentials: a token is said by the page, and cookies of other
 * origins say nothing.
 */
export function corsHeaders(request: Request, origins: Origins): Record<string, string> {
  const origin = request.headers.get("Origin");
  if (origins === "*") return { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag" };
  // Said also when nothing else is: the same URL is answered otherwise to others.
  if (origin === null) return { Vary: "Origin" };
  return {
    Vary: "Origin",
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Expose-Headers": "ETag",
  };
}

/** A browser asks whether its page may ask, before it sends a token along. */
export function isPreflight({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.has("Origin") && headers.has("Access-Control-Request-Method");
}

/** The answer to an allowed origin's. */
export const preflightHeaders = {
  "Access-Control-Allow-Methods": "GET",
  "Access-Control-Allow-Headers": "Authorization, If-None-Match",
  "Access-Control-Max-Age": String(preflightSeconds),
} as const;

/** Throws `TypeError` for origins that no browser sends, such as one that ends in a slash. */
export function requireOrigins(origins: Origins): void {
  if (origins === undefined || origins === "*") return;
  if (!Array.isArray(origins))
    throw new TypeError('routeRooms: origins must be "*" or a list, such as ["https://app.example"]');
  for (const origin of origins as readonly unknown[]) {
    if (typeof origin !== "string" || !isSpelled(origin))
      throw new TypeError(
        `routeRooms: no browser sends the origin ${JSON.stringify(origin)}; write it as "https://app.example" or ` +
          '"http://localhost:5173": scheme, host and unusual port in lower case, no slash at the end ("*" stands alone, without a list)',
      );
  }
}

function isSpelled(origin: string): boolean {
  if (origin === "null") return true;
  if (!URL.canParse(origin) || origin.includes("*")) return false;
  const { origin: spelled, protocol, host } = new URL(origin);
  // Pages of other schemes than the web's (an app's own) have an origin that URL does not tell.
  return origin === (spelled === "null" ? `${protocol}//${host}` : spelled);
}
