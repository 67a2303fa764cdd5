import * as z from "zod/mini";
import { connect, clearPersisted, type Traffic } from "../../../client/index.ts";
import { board } from "../../../demo/board.ts";

z.config({ jitless: true });

/** Opens a room, kept for `user`, or not at all. What goes wrong is noted under `troubles` and `messages`, what goes by under `frames`. */
function open(roomId: string, user?: string) {
  const frames: Traffic[] = [];
  const onTraffic = (frame: Traffic) => void frames.push(frame);
  const room = connect(`/rooms/${roomId}`, board, {
    onTraffic,
    ...(user !== undefined && { persist: { userId: user } }),
  });
  const troubles: string[] = [];
  const messages: string[] = [];
  room.on("error", ({ code, message }) => {
    troubles.push(code);
    messages.push(message);
  });
  room.on("reject", ({ code }) => troubles.push(code));
  room.on("kept", () => troubles.push("kept again"));
  return Object.assign(room, { troubles, messages, frames });
}

/** What the tests call in the page. */
const harness = { open, clearPersisted };
export type Harness = typeof harness;
export type PageRoom = ReturnType<typeof open>;
Object.assign(globalThis, { harness });
