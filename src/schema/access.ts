/** What a client may do in a room: `read` sees and changes nothing, `write` also calls mutators. */
export type Access = "read" | "write";

/** Requires exactly one of the two words: any other value grants nothing. */
export function isAccess(value: unknown): value is Access {
  return value === "read" || value === "write";
}
