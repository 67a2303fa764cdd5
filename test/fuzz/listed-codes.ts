/** Of the `error` frames that answer what no honest client sends. */
export const errorCodes: ReadonlySet<string> = new Set(["invalid", "too-large", "rate-limited"]);

/** Of calls that a room refuses, without the words of the app's own. */
export const rejectionCodes: ReadonlySet<string> = new Set([
  "invalid",
  "forbidden",
  "not-found",
  "too-large",
  "id-conflict",
  "too-old",
  "conflict",
]);
