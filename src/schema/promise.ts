/**
 * Whether a callback of the app has returned a promise. TypeScript accepts an async function where the callback's type returns
 * nothing, so a promise can arrive anywhere. `rejected` is called if the promise is rejected, which is then never unhandled.
 * Throws what a hostile `then` getter throws.
 */
export function isPromise(returned: unknown, rejected: (error: unknown) => void): boolean {
  if (typeof returned !== "object" || returned === null || !("then" in returned)) return false;
  Promise.resolve(returned).catch(rejected);
  return true;
}
