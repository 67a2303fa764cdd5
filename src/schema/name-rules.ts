/** What a collection, an event or a mutator may be called. */
export const DEFINITION_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/** What a field of a record may be called. */
export const FIELD_NAME = /^[A-Za-z_$][A-Za-z0-9_$-]{0,63}$/;

/** Keys that reach an object's prototype instead of its data; refused wherever a key comes from outside. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** True of a name that a collection, an event or a mutator may have. */
export function isDefinitionName(name: string): boolean {
  return DEFINITION_NAME.test(name) && !FORBIDDEN_KEYS.has(name);
}

/** True of a name that a field of a record may have. */
export function isFieldName(name: string): boolean {
  return FIELD_NAME.test(name) && !FORBIDDEN_KEYS.has(name);
}
