import { codes } from "../protocol/codes.ts";
import type { Refusal } from "./authentication.ts";

/** Of every answer that is JSON: it is no page, nobody else's to read, and another one in a moment. */
const securityHeaders = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
} as const;

/** After which time what passes by itself may be tried again, in seconds. */
const retryAfterSeconds = 2;

/** Refuses over HTTP. */
export function refuseByStatus(
  { code, status, message, headers }: Refusal,
  cors: Record<string, string>,
): Response {
  return Response.json(
    { error: { code, message } },
    {
      status,
      headers: {
        ...securityHeaders,
        ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
        ...(status === 503 && codes[code].advice === "retry" && { "Retry-After": String(retryAfterSeconds) }),
        ...cors,
        ...headers,
      },
    },
  );
}

/** The room's own answer, with the headers of the edge. One that is a socket is left as it is. */
export function secured(answer: Response, headers: Record<string, string>): Response {
  if (answer.webSocket !== null) return answer;
  const response = new Response(answer.body, answer);
  for (const [name, value] of Object.entries({ ...securityHeaders, ...headers })) {
    if (name === "Vary") response.headers.append(name, value);
    else response.headers.set(name, value);
  }
  return response;
}
