import type { System } from "./system.ts";

/** Each is imported only where it runs: they bring their own idea of what a global is. */
const loaders = {
  deltaroom: async () => (await import("./deltaroom/system.ts")).deltaroom("deltaroom"),
  "deltaroom-50ms": async () =>
    (await import("./deltaroom/system.ts")).deltaroom("deltaroom, 50 ms", { flushIntervalMs: 50 }),
  "deltaroom-0ms": async () =>
    (await import("./deltaroom/system.ts")).deltaroom("deltaroom, 0 ms", { flushIntervalMs: 0 }),
  naive: async () => (await import("./naive/system.ts")).naive,
  tldraw: async () => (await import("./tldraw/system.ts")).tldraw,
  "y-partyserver": async () => (await import("./y-partyserver/system.ts")).yPartyserver,
  hocuspocus: async () => (await import("./hocuspocus/system.ts")).hocuspocus,
  colyseus: async () => (await import("./colyseus/system.ts")).colyseus,
} satisfies { [name: string]: () => Promise<System> };

export type SystemName = keyof typeof loaders;

export const systemNames = Object.keys(loaders) as SystemName[];

export async function loadSystem(name: SystemName): Promise<System> {
  return await loaders[name]();
}
