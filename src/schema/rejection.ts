import type { Json } from "./json.ts";

/**
 * A mutator's refusal, which `ctx.reject(code, message?, data?)` throws: the call changes nothing and
 * its caller is told `code`, `message` and `data`. Any other error that a mutator throws reaches the caller
 * as `internal`, without its text.
 */
export class Rejection extends Error {
  /** The app's own word for what went wrong, or one of the room's (`not-found`, `conflict`, `forbidden`, …). */
  readonly code: string;
  /** Whatever helps the caller to react; must be JSON. */
  readonly data: Json | undefined;

  /** `message` is one sentence for people, by default the code itself. */
  constructor(code: string, message: string = code, data?: Json) {
    super(message);
    this.name = "Rejection";
    this.code = code;
    this.data = data;
  }
}

/** What was thrown, if it is a refusal. The app's code may throw anything: to look at a proxy can throw again. */
export function rejectionIn(thrown: unknown): Rejection | undefined {
  try {
    return thrown instanceof Rejection ? thrown : undefined;
  } catch {
    return undefined;
  }
}
