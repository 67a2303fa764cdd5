import { FORBIDDEN_KEYS } from "../schema/names.ts";

/** Why `id` cannot name a record, or undefined when it can. */
export function recordIdProblem(id: unknown, maxIdLength: number): string | undefined {
  if (typeof id !== "string") return "is not a string";
  if (id.length < 1 || id.length > maxIdLength)
    return `has ${id.length} characters, allowed are 1 to ${maxIdLength}`;
  if (!id.isWellFormed()) return "is not well-formed Unicode";
  if (FORBIDDEN_KEYS.has(id)) return `${id} is refused`;
  return undefined;
}

/** Whether `id` can name a room: 1 to 128 characters that a URL leaves alone, and not a path of dots. */
export function isRoomId(id: string): boolean {
  return /^[A-Za-z0-9._~-]{1,128}$/.test(id) && !/^\.{1,2}$/.test(id);
}
