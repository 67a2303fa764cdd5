/** What passes by itself, by its close code: all that a client needs to know of the table in `codes.ts`, which is large. */
const passing: ReadonlySet<number> = new Set([
  4408, // timeout
  4420, // epoch-changed
  4421, // gap
  4422, // diverged
  4425, // not-ready
  4427, // queue-full
  4429, // rate-limited
  4440, // token-expired
  4500, // internal
  4503, // room-full
]);

/** Whether a connection was closed by its room, which says the name of a code as the reason. Any other close is the network's. */
export function isRefusal(closeCode: number): boolean {
  return closeCode >= 4400 && closeCode < 4600;
}

/** Whether another token may be all that it takes: `unauthorized`, `token-expired`. */
export function isOfToken(closeCode: number): boolean {
  return closeCode === 4401 || closeCode === 4440;
}

/** Whether the advice on a refusal is to try again. */
export function willPass(closeCode: number): boolean {
  return passing.has(closeCode);
}
