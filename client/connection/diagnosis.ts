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

/** The event by which a browser tells that the page's policy has forbidden a request. */
interface Violation {
  /** `report` for a policy that only reports: the browser has sent the request. */
  readonly disposition: string;
  readonly effectiveDirective: string;
  /** The request's URL, or as little of it as its origin or its scheme. */
  readonly blockedURI: string;
}

type Listen = (type: "securitypolicyviolation", listener: (event: Violation) => void) => void;

interface Globals {
  readonly location?: { readonly origin: string; readonly protocol: string };
  /** Where it is missing, no policy is told of: in Node, Workers and old browsers. */
  readonly SecurityPolicyViolationEvent?: unknown;
  readonly addEventListener: Listen;
  readonly removeEventListener: Listen;
  readonly WebSocket: new (url: string) => { close(): void };
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
  "to pass on the headers Upgrade, Connection and Sec-WebSocket-Protocol with all its values, and each frame at once";

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
    return `a page under ${protocol} has no rooms of its own origin, and no room has such a URL: give connect the whole https URL`;
  if (globals.location?.protocol === "https:" && protocol === "ws:")
    return `a page that came over https may open only wss, so serve the room over https: ${wordsOf(cause)}`;
  if ((cause as { readonly name?: string }).name === "SecurityError")
    return `the page's Content-Security-Policy has to allow ${protocol}//${host} in connect-src: ${wordsOf(cause)}`;
  return wordsOf(cause);
}

async function ask(url: string): Promise<Diagnosis> {
  const address = asHttp(url);
  const { origin } = new URL(address);
  const { location } = globals;
  const policy = new Policy();
  try {
    // A policy may allow the GET and forbid the socket, so the socket is tried first.
    if (await policy.forbids(url, () => new globals.WebSocket(url).close()))
      return { hint: `the page's Content-Security-Policy has to allow ${url} in connect-src` };
    if (location !== undefined && location.origin !== origin) {
      // The browser would write a CORS error to the console, and would hide the answer.
      const hint = `open ${address} in a tab: an answer in JSON means that a proxy does not pass on the WebSocket handshake`;
      return { hint: `${hint}, and any other answer that no room is there` };
    }
    const signal = globals.AbortSignal.timeout(getTimeoutMs);
    return await judge(await globals.fetch(address, { cache: "no-store", redirect: "manual", signal }));
  } catch (cause) {
    const hint = (await policy.forbids(address))
      ? `the page's Content-Security-Policy allows the socket, and has to allow ${address} in connect-src to find out more`
      : "a GET of the same URL fails as well: the server or the network is down";
    return { hint, cause };
  } finally {
    policy.leave();
  }
}

/** Browsers differ in the scheme by which they name a socket. */
function asHttp(url: string): string {
  return url.replace(/^ws/, "http");
}

/** What the page's Content-Security-Policy forbids. A forbidden request fails as any other, and only an event tells the reason. */
class Policy {
  readonly #isTold = globals.SecurityPolicyViolationEvent !== undefined;
  readonly #forbidden: string[] = [];
  readonly #note = ({ disposition, effectiveDirective, blockedURI }: Violation) => {
    if (disposition === "enforce" && effectiveDirective === "connect-src") this.#forbidden.push(blockedURI);
  };

  constructor() {
    if (this.#isTold) globals.addEventListener("securitypolicyviolation", this.#note);
  }

  /** Whether the policy has forbidden a request to `url`; `request` makes one. */
  async forbids(url: string, request?: () => void): Promise<boolean> {
    if (!this.#isTold) return false;
    request?.();
    await new Promise<void>((resolve) => setTimeout(resolve, violationMs));
    return this.#forbidden.some((uri) => asHttp(url).startsWith(asHttp(uri)));
  }

  leave(): void {
    if (this.#isTold) globals.removeEventListener("securitypolicyviolation", this.#note);
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
  return { hint: `${answer}, which something in front of the Worker says`, cause };
}

/** The code in the body of a refusal by `routeRooms`; undefined for any other JSON. */
function codeIn(body: unknown): string | undefined {
  const code = (body as { readonly error?: { readonly code?: unknown } } | null)?.error?.code;
  return typeof code === "string" ? code : undefined;
}
