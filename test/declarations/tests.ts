// What an app's own tests share.
import { createTestRoom } from "deltaroom/testing";
import { board } from "./board.ts";
import { lists } from "./mini.ts";

export const server = createTestRoom(board, { mutators: { assign() {} } });
export const join = () => server.connect({ user: { id: "ada", name: "Ada" } });
export const listServer = createTestRoom(lists);
export const { clock, mutate, calls } = server;
