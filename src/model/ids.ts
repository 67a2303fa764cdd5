import { FORBIDDEN_KEYS } from "../schema/name-rules.ts";

/** Why `id` cannot name a record, or undefined when it can. */
export function recordIdProblem(id: unknown, maxIdLength: number): string | undefined {
  if (typeof id !== "string") return "is not a string";
  if (id.length < 1 || id.length > maxIdLength)
    return `has ${id.length} characters, allowed are 1 to ${maxIdLength}`;
  if (!id.isWellFormed()) return "is not well-formed Unicode";
  if (FORBIDDEN_KEYS.has(id)) return `${id} is refused`;
  return undefined;
}

/** What a room id is, for the messages of errors. */
export const roomIdRule = "a room id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and is not . or ..";

/** Whether `id` can name a room: URL parsers leave each of its characters alone. They fold the segments `.` and `..`. */
export function isRoomId(id: unknown): id is string {
  return typeof id === "string" && /^(?!\.{1,2}$)[\w.~-]{1,128}$/.test(id);
}

/**
 * What stands behind the host of a URL, as it was written. A URL parser drops or folds some of that (`x/../C`, `C#`, a tab), and then
 * the `pathname` of the parsed URL differs from it. A user name, and a space or control character in the host, count as part of it.
 */
export function writtenPath(url: string): string {
  return url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#\\@\0- ]*/i, "");
}
