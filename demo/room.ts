import { connect, roomUrl, type Traffic } from "../client/index.ts";
import { undo } from "../client/undo/index.ts";
import { board, type Presence } from "./board.ts";
import { keptToken } from "./people/sign-in.ts";

/** Everybody at the same `name` shares one board. */
export function openRoom(name: string, presence: Presence, onTraffic: (traffic: Traffic) => void) {
  const token = keptToken();
  return connect(roomUrl("/rooms", name), board, {
    initialPresence: presence,
    undo,
    onTraffic,
    ...(token !== undefined && { token: () => token }),
  });
}

export type BoardRoom = ReturnType<typeof openRoom>;
export type Person = BoardRoom["others"][number];
export type { Traffic };
