/** In place of `cloudflare:test`, which scripted rooms ask for in workerd: in Node there is no Durable Object to put to sleep. */
export async function abortAllDurableObjects(): Promise<void> {}
