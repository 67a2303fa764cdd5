/** What a code means to whoever meets it. */
interface CodeRow {
  /** `retry`: the same may work later, and clients reconnect by themselves, see `closing.ts`. `final`: it will not. */
  readonly advice: "retry" | "final";
  /** HTTP status of an answer that carries the code. */
  readonly status: number;
  /** WebSocket close code; 4000 + status where a status says it, so that it can be read without a table. */
  readonly closeCode: number;
  readonly sentence: string;
}

/* oxlint-disable unicorn/no-thenable -- a word in a table; no row is ever awaited */
/** Every code that the room itself uses. Mutators add the app's own through `ctx.reject`. */
export const codes = {
  invalid: {
    advice: "final",
    status: 400,
    closeCode: 4400,
    sentence: "The request does not have the form it needs.",
  },
  unauthorized: {
    advice: "final",
    status: 401,
    closeCode: 4401,
    sentence: "Nobody is signed in, or the token is not good.",
  },
  "token-expired": {
    advice: "retry",
    status: 401,
    closeCode: 4440,
    sentence: "The token has expired; come back with another.",
  },
  forbidden: {
    advice: "final",
    status: 403,
    closeCode: 4403,
    sentence: "This is not allowed to this caller.",
  },
  "not-found": { advice: "final", status: 404, closeCode: 4404, sentence: "There is no such thing." },
  conflict: {
    advice: "final",
    status: 409,
    closeCode: 4409,
    sentence: "Somebody else has changed this first.",
  },
  replaced: {
    advice: "final",
    status: 409,
    closeCode: 4410,
    sentence: "The same client has connected again.",
  },
  "id-conflict": {
    advice: "final",
    status: 409,
    closeCode: 4411,
    sentence: "This client id belongs to somebody else.",
  },
  "too-old": {
    advice: "final",
    status: 410,
    closeCode: 4412,
    sentence: "The room no longer knows what became of this client's calls.",
  },
  gone: {
    advice: "final",
    status: 410,
    closeCode: 4414,
    sentence: "The room was deleted.",
  },
  timeout: {
    advice: "retry",
    status: 408,
    closeCode: 4408,
    sentence: "Nothing was heard of this client for too long.",
  },
  idle: {
    advice: "final",
    status: 408,
    closeCode: 4428,
    sentence: "Nothing was done for too long.",
  },
  "too-large": {
    advice: "final",
    status: 413,
    closeCode: 4413,
    sentence: "This is over a limit of the room.",
  },
  "schema-mismatch": {
    advice: "final",
    status: 426,
    closeCode: 4426,
    sentence: "The room runs another version of the schema.",
  },
  "rate-limited": {
    advice: "retry",
    status: 429,
    closeCode: 4429,
    sentence: "Too much in too short a time.",
  },
  internal: {
    advice: "retry",
    status: 500,
    closeCode: 4500,
    sentence: "The room failed; nothing was changed.",
  },
  "room-full": { advice: "retry", status: 503, closeCode: 4503, sentence: "The room has no place left." },
  "epoch-changed": {
    advice: "retry",
    status: 409,
    closeCode: 4420,
    sentence: "The room was restored; start from its snapshot.",
  },
  diverged: {
    advice: "retry",
    status: 409,
    closeCode: 4422,
    sentence: "The copy of the state was not the room's; it is taken anew.",
  },
  gap: { advice: "retry", status: 409, closeCode: 4421, sentence: "An earlier call is missing." },
  "not-ready": {
    advice: "retry",
    status: 503,
    closeCode: 4425,
    sentence: "There is no state to work on yet.",
  },
  "queue-full": {
    advice: "retry",
    status: 503,
    closeCode: 4427,
    sentence: "Too many calls wait for their answer here.",
  },
  closed: { advice: "final", status: 410, closeCode: 1000, sentence: "The room was closed by this client." },
} as const satisfies Record<string, CodeRow>;
/* oxlint-enable unicorn/no-thenable */

/**
 * The codes of a room, in rejections, refusals and answers over HTTP; mutators add the app's own by `ctx.reject`. The
 * [table of them](docs/PROTOCOL.md#codes) has what each means, and whether trying again can help.
 */
export type Code = keyof typeof codes;
