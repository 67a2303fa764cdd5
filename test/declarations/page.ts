// What the modules of an app's pages export, with the types that the compiler infers.
import { connect, clearPersisted, newId, orderBetween, RoomError } from "deltaroom/client";
import { undo } from "deltaroom/client/undo";
import { board, plain } from "./board.ts";
import { lists } from "./mini.ts";

export const room = connect("https://example.com/rooms/lobby", board, {
  initialPresence: { cursor: null },
  token: async () => "token",
  persist: { userId: "ada" },
  undo,
});
export const other = connect("https://example.com/rooms/lists", lists);
export const bare = connect("https://example.com/rooms/plain", plain);
export const { state, mutate, presence, history, self, others } = room;
export const call = room.mutate.addTask({ id: newId(), title: "Water", order: orderBetween(null, null) });
export const edit = room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 2, color: "red" }));
export const shape = room.state.shapes.get("s1");
export const tasks = room.state.tasks.entries("order");
export const stop = room.subscribe(
  (all) => all.tasks.size,
  (size) => console.log(size),
);
export const watch = (listener: Parameters<typeof room.observe<"shapes">>[1]) =>
  room.observe("shapes", listener);
export const leave = () => clearPersisted("ada");
export const isRefusal = (error: unknown) => error instanceof RoomError && error.code;
