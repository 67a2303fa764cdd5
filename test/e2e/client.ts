import { connect } from "../../client/index.ts";
import { board } from "../../demo/board.ts";
import type { DevServer, RoomJson } from "./dev-server.ts";

/** A client of the demo's room in this process, over Node's own WebSocket. */
export interface Client {
  readonly room: ReturnType<typeof connectToBoard>;
  /** Every rejection and error that the room object reported. */
  readonly troubles: string[];
}

/** Opens a room as somebody called `name`. */
export function openClient(server: DevServer, roomId: string, name: string): Client {
  const room = connectToBoard(`${server.url}/rooms/${roomId}`, name);
  const troubles: string[] = [];
  room.on("reject", ({ code, message }) => troubles.push(`${name} was rejected: ${code}, ${message}`));
  room.on("error", ({ code, message }) => troubles.push(`${name} was told: ${code}, ${message}`));
  return { room, troubles };
}

/** All collections as this client sees them, in the form that `GET` has. */
export function viewOf({ room }: Client): RoomJson["collections"] {
  return {
    shapes: Object.fromEntries(room.state.shapes.entries()),
    claims: Object.fromEntries(room.state.claims.entries()),
  };
}

function connectToBoard(url: string, name: string) {
  return connect(url, board, { initialPresence: { name, color: "sea", cursor: null, holding: null } });
}
