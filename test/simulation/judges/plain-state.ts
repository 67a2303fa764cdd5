import type { PlainRecord, PlainState } from "../board.ts";

/** Changes as frames and journal rows carry them: `[kind, id, fields?, removed?]` by collection. */
export type PlainChanges = {
  readonly [collection: string]: readonly (readonly [string, string, PlainRecord?, (readonly string[])?])[];
};

/**
 * Puts `changes` into `state`, as docs/PROTOCOL.md says it, with nothing of the product's own code.
 * Answers what was wrong with them.
 */
export function applyPlainly(state: Map<string, PlainRecord>, changes: PlainChanges): string | undefined {
  for (const collection in changes) {
    for (const [kind, id, fields, removed] of changes[collection] ?? []) {
      const key = `${collection}/${id}`;
      if (kind === "delete") {
        state.delete(key);
        continue;
      }
      if (fields === undefined) return `the ${kind} of ${key} carries no fields`;
      if (kind === "put") {
        state.set(key, fields);
        continue;
      }
      const before = state.get(key);
      if (before === undefined) return `the patch of ${key} meets no record`;
      const after: Record<string, unknown> = { ...before, ...fields };
      for (const field of removed ?? []) delete after[field];
      state.set(key, after);
    }
  }
  return undefined;
}

/** The first thing in which two states differ, undefined when they say the same. */
export function differenceOf(actual: PlainState, expected: PlainState): string | undefined {
  for (const [key, record] of expected) {
    const other = actual.get(key);
    if (other === undefined) return `${key} is missing: ${JSON.stringify(record)}`;
    if (other !== record && !isSameRecord(other, record))
      return `${key} is ${JSON.stringify(other)}, not ${JSON.stringify(record)}`;
  }
  if (actual.size === expected.size) return undefined;
  for (const [key, record] of actual) {
    if (!expected.has(key)) return `${key} should not be there: ${JSON.stringify(record)}`;
  }
  return undefined;
}

/** The fields of this board are numbers and strings. */
function isSameRecord(a: PlainRecord, b: PlainRecord): boolean {
  let fields = 0;
  for (const field in a) {
    if (a[field] !== b[field]) return false;
    fields += 1;
  }
  for (const field in b) {
    fields -= 1;
    if (!(field in a)) return false;
  }
  return fields === 0;
}
