/** One line of JSON for the operator. `facts` hold no token, no payload and no stack. */
export function logLine(event: string, facts: { readonly [name: string]: unknown }): void {
  console.warn(JSON.stringify({ event, ...facts }));
}

/** What kind of error the app's code has thrown, and no more: its text may quote anything. Whatever was thrown, to look at it can throw again. */
export function kindOf(thrown: unknown): string {
  try {
    const name = thrown instanceof Error ? thrown.name : typeof thrown;
    return /^[A-Za-z]{1,64}$/.test(name) ? name : "Error";
  } catch {
    return "object";
  }
}
