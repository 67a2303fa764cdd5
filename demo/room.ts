import { connect, type Traffic } from "../client/index.ts";
import { board, type Presence } from "./board.ts";

/** Everybody at the same `name` shares one board. */
export function openRoom(name: string, presence: Presence, onTraffic: (traffic: Traffic) => void) {
  return connect(`/rooms/${encodeURIComponent(name)}`, board, { presence, onTraffic });
}

export type BoardRoom = ReturnType<typeof openRoom>;
export type Person = BoardRoom["others"][number];
export type { Traffic };
