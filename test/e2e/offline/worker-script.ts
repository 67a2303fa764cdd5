import * as z from "zod/mini";
import { connect } from "../../../client/index.ts";
import { offline } from "../../../client/offline/index.ts";
import { board } from "../../../demo/board.ts";

z.config({ jitless: true });

/** Opens a room, edits it without a connection, and counts what is on disk a while later. */
async function play(roomId: string, isImported: boolean) {
  const room = connect(`/rooms/${roomId}`, board, {
    persist: { userId: roomId },
    ...(isImported && { offline }),
  });
  const troubles: string[] = [];
  room.on("error", ({ code }) => troubles.push(code));
  await room.ready;
  room.disconnect();
  room.transact((tx) => tx.shapes.put("a", { kind: "circle", x: 1, y: 0, color: "sun" }));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const [calls, bases] = isImported ? [await rowsOf(roomId, "calls"), await rowsOf(roomId, "bases")] : [0, 0];
  room.close();
  return { troubles, calls, bases };
}

async function rowsOf(user: string, table: string): Promise<number> {
  const opening = indexedDB.open(`deltaroom:${user}`);
  await new Promise((resolve) => opening.addEventListener("success", resolve));
  const count = opening.result.transaction(table).objectStore(table).count();
  await new Promise((resolve) => count.addEventListener("success", resolve));
  opening.result.close();
  return count.result;
}

/** What the test calls in the worker. */
export type Play = typeof play;
Object.assign(globalThis, { play });
