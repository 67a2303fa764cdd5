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

/** The listed origins that no browser sends, such as one that ends in a slash. */
export function misspelledOrigins(origins: Origins): readonly string[] {
  if (origins === undefined || origins === "*") return [];
  return origins.filter((origin) => {
    if (origin === "null") return false;
    if (!URL.canParse(origin)) return true;
    const { origin: spelled, protocol, host } = new URL(origin);
    // Pages of other schemes than the web's (an app's own) have an origin that URL does not tell.
    return origin !== (spelled === "null" ? `${protocol}//${host}` : spelled);
  });
}
