/** One line of JSON for the operator. `facts` hold no token, no payload and no stack. */
export function logLine(event: string, facts: { readonly [name: string]: unknown }): void {
  console.warn(JSON.stringify({ event, ...facts }));
}
