import { colors } from "./list";

export interface Identity {
  readonly name: string;
  readonly color: (typeof colors)[number];
}

const names = ["Ada", "Ben", "Cleo", "Dov", "Eve", "Finn", "Gia", "Hugo", "Ines", "Jun", "Kay", "Lou"];

/** Lots are drawn for it once a tab. */
export function loadIdentity(): Identity {
  const key = "deltaroom.react.identity";
  const stored = sessionStorage.getItem(key);
  // What this page has stored is what it reads.
  if (stored !== null) return JSON.parse(stored) as Identity;
  const identity = { name: drawn(names), color: drawn(colors) };
  sessionStorage.setItem(key, JSON.stringify(identity));
  return identity;
}

function drawn<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
