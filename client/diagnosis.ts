/**
 * Finds out why no socket opens, and what a developer can do. A browser hides the reason from its page, so this module asks the
 * server once, by a GET of the room's URL. It is loaded only when a client has failed.
 */

declare function setTimeout(run: () => void, delayMs: number): unknown;

declare class URL {
  constructor(url: string);
  readonly origin: string;
  readonly protocol: string;
  readonly host: string;
}

interface Answer {
  readonly status: number;
  readonly ok: boolean;
  readonly type: string;
  readonly headers: { get(name: string): string | null };
  readonly body: { cancel(): Promise<void> } | null;
  json(): Promise<unknown>;
}

interface Violation {
  readonly effectiveDirective: string;
}

interface Globals {
  readonly location?: { readonly origin: string; readonly protocol: string };
  readonly document?: {
    addEventListener(type: string, listener: (event: Violation) => void): void;
    removeEventListener(type: string, listener: (event: Violation) => void): void;
  };
  readonly AbortSignal: { timeout(ms: number): unknown };
  fetch(url: string, options: object): Promise<Answer>;
}

const globals = globalThis as unknown as Globals;

/** A server that has not answered the GET by then counts as away. */
const getTimeoutMs = 10_000;

/** Within which time a browser tells that the page's policy has forbidden a request. */
const violationMs = 200;

/** Codes with which a room refuses what may work in a moment: its handshakes fail for the same reason. */
const troubles: ReadonlySet<string> = new Set(["internal", "rate-limited", "room-full"]);

const upgradeHint =
  "so the URL is right, and something on the way does not pass on the WebSocket handshake: a proxy or development server has " +
  "to pass on the headers Upgrade, Connection and Sec-WebSocket-Protocol with all its values";

/** What is known of a failure. */
export interface Diagnosis {
  /** What a developer can do. */
  readonly hint: string;
  /** What the socket's constructor has thrown, or the `status` and `code` of the answer to the GET. */
  readonly cause?: unknown;
}

/** `url` is the room's, as a WebSocket takes it; `code` and `cause` are what the app will be told. */
export async function diagnose(url: string, code: string, cause: unknown): Promise<Diagnosis> {
  switch (code) {
    case "invalid":
      return {
        hint:
          "the room could not read the hello. A proxy that keeps only the first value of Sec-WebSocket-Protocol loses it; a server " +
          "with another version of deltaroom does not know it",
      };
    case "forbidden": {
      const { origin } = globals.location ?? {};
      const page =
        origin === undefined
          ? ""
          : `, or \`origins\` of routeRooms does not list the page's origin ${origin}`;
      return { hint: `the token is not good for this room${page}` };
    }
    case "unsupported":
      return { hint: hintOfThrown(new URL(url), cause), cause };
    default:
      return cause === undefined ? await ask(url) : { hint: wordsOf(cause), cause };
  }
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : typeof thrown;
}

function hintOfThrown({ protocol, host }: URL, cause: unknown): string {
  if (!["ws:", "wss:"].includes(protocol))
    return `a page under ${protocol} has no rooms of its own origin: give connect the whole https URL of the room`;
  if (globals.location?.protocol === "https:" && protocol === "ws:")
    return `a page that came over https may open only wss, so serve the room over https: ${wordsOf(cause)}`;
  if ((cause as { readonly name?: string }).name === "SecurityError")
    return `the page's Content-Security-Policy has to allow ${protocol}//${host} in connect-src: ${wordsOf(cause)}`;
  return wordsOf(cause);
}

async function ask(url: string): Promise<Diagnosis> {
  const address = url.replace(/^ws/, "http");
  const { origin } = new URL(address);
  const { location, document } = globals;
  if (location !== undefined && location.origin !== origin) {
    // The browser would write a CORS error to the console, and would hide the answer.
    const hint = `open ${address} in a tab: an answer in JSON means that a proxy does not pass on the WebSocket handshake`;
    return { hint: `${hint}, and any other answer that no room is there` };
  }
  let isForbidden = false;
  const note = ({ effectiveDirective }: Violation) => (isForbidden ||= effectiveDirective === "connect-src");
  document?.addEventListener("securitypolicyviolation", note);
  try {
    const signal = globals.AbortSignal.timeout(getTimeoutMs);
    return await judge(await globals.fetch(address, { cache: "no-store", redirect: "manual", signal }));
  } catch (cause) {
    await new Promise<void>((resolve) => setTimeout(resolve, violationMs)); // it is told after the request has failed
    const hint = isForbidden
      ? `the page's Content-Security-Policy has to allow ${url} in connect-src`
      : "a GET of the same URL fails as well: the server or the network is down";
    return { hint, cause };
  } finally {
    document?.removeEventListener("securitypolicyviolation", note);
  }
}

async function judge(response: Answer): Promise<Diagnosis> {
  const { ok, status, type } = response;
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const isRefusal = isJson && !ok;
  const code = isRefusal ? codeIn(await response.json().catch(() => null)) : undefined;
  if (!isRefusal) await response.body?.cancel(); // the state of a room may be large
  const cause = { status, ...(code !== undefined && { code }) };
  const answer = `a GET of the same URL is answered ${[status, code].join(" ").trim()}`;
  if (type === "opaqueredirect")
    return { hint: "the URL redirects, which a WebSocket does not follow", cause };
  if (code !== undefined && troubles.has(code)) return { hint: `${answer}: the room is in trouble`, cause };
  if (code !== undefined || (ok && isJson)) return { hint: `${answer}, ${upgradeHint}`, cause };
  if (ok) return { hint: `${answer} with a page: its path does not reach the Worker of the rooms`, cause };
  if (status === 404) return { hint: `${answer}: no route of routeRooms has this path`, cause };
  return { hint: answer, cause };
}

/** The code in the body of a refusal by `routeRooms`; undefined for any other JSON. */
function codeIn(body: unknown): string | undefined {
  const code = (body as { readonly error?: { readonly code?: unknown } } | null)?.error?.code;
  return typeof code === "string" ? code : undefined;
}
