import { inks, type Ink } from "../board.ts";

const names = [
  "Ada", "Anni", "Bruno", "Edith", "Emil", "Farah", "Grete", "Ivo", "Jun", "Kofi", "Lena", "Lou",
  "Marta", "Noor", "Otti", "Pavel", "Ravi", "Rosa", "Sami", "Tove", "Uma", "Wassily", "Yara", "Zoe",
]; // prettier-ignore

const key = "deltaroom.demo.identity";
const maxNameLength = 24;

export interface DemoUser {
  name: string;
  color: Ink;
}

/** Chosen at random and kept for this tab, so that a second window is a second person. */
export function loadIdentity(): DemoUser {
  const stored = readStored();
  if (stored) return stored;
  const identity = { name: pick(names), color: pick(inks) };
  storeIdentity(identity);
  return identity;
}

export function storeIdentity(identity: DemoUser): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(identity));
  } catch {
    // Storage may be switched off; the name then lasts until the reload.
  }
}

/** `/?room=lobby` or `/#lobby`; what a room id may not contain is left out. */
export function roomNameFromAddress(address: Location): string {
  const wanted = new URLSearchParams(address.search).get("room") ?? decodeHash(address.hash);
  const name = wanted.replaceAll(/[^A-Za-z0-9._~-]+/g, "-").slice(0, 128);
  return ["", ".", ".."].includes(name) ? "lobby" : name;
}

/** The link that brings somebody else here, whichever way this window was opened. */
export function linkToRoom(name: string, address: Location): string {
  return `${address.origin}${address.pathname}?room=${encodeURIComponent(name)}`;
}

function decodeHash(hash: string): string {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return "";
  }
}

function readStored(): DemoUser | undefined {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(key) ?? "null");
    if (typeof stored !== "object" || stored === null) return undefined;
    const { name, color } = stored as Partial<Record<string, unknown>>; // from storage: checked on the next lines
    const ink = inks.find((candidate) => candidate === color);
    return typeof name === "string" && ink ? { name: name.slice(0, maxNameLength), color: ink } : undefined;
  } catch {
    return undefined;
  }
}

function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}
