import { connect, orderBetween, ordersBetween, type Room } from "../../client/index.ts";
import { undo } from "../../client/undo/index.ts";
import * as z from "zod";
import { defineRoom, type RoleOf } from "../../src/index.ts";
import {
  remote,
  RoomObject,
  type Authenticate,
  type RemoteStub,
  type RoomObjectOptions,
} from "../../src/server.ts";
import { testBoard } from "../support/boards/test-board.ts";
import { board } from "../schema/board.ts";

// What a room answers and refuses is inferred from the definition alone. Checked by tsc; never run.

const room = connect("/rooms/lobby", board, {
  initialPresence: { cursor: null },
  token: async () => "token",
  undo,
});

export const x: number | undefined = room.state.shapes.get("s")?.x;
export const title: string | undefined = room.state.tasks.values()[0]?.title;
// @ts-expect-error a field that is not in the schema
void room.state.shapes.get("s")?.z;
// @ts-expect-error a collection that is not in the definition
void room.state.whatever;
// @ts-expect-error the state is read, never written
room.state.shapes.put("s", { x: 1, y: 1, color: "red" });
// @ts-expect-error records are read-only
room.state.shapes.values()[0].x = 1;

export const committed: Promise<{ readonly rev: number }> = room.mutate.addTask({
  id: "t",
  title: "T",
}).committed;
// @ts-expect-error no such mutator
room.mutate.whatever({});
// @ts-expect-error the payload lacks its title
room.mutate.addTask({ id: "t" });
// @ts-expect-error the title is a string
room.mutate.addTask({ id: "t", title: 1 });

room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1, color: tx.tasks.get("t")?.title ?? "red" }));
// @ts-expect-error tasks are not direct
room.transact((tx) => tx.tasks.put("t", { title: "T", assignee: null }));
// @ts-expect-error a direct edit is synchronous
room.transact(async (tx) => tx.shapes.delete("s"));

room.subscribe(
  (s) => s.shapes.get("s"),
  (shape) => shape?.x.toFixed(),
);
room.subscribe(
  (s) => s.shapes.get("s"),
  // @ts-expect-error the selection may be undefined
  (shape) => shape.x,
);
room.observe("tasks", ([change]) => change?.before?.assignee);
// @ts-expect-error no such collection
room.observe("whatever", () => {});

room.presence.update({ cursor: { x: 1, y: 2 } });
// @ts-expect-error a cursor has two coordinates
room.presence.update({ cursor: { x: 1 } });
// @ts-expect-error no such field
room.presence.update({ colour: "red" });
export const cursorOfPeer: number | undefined = room.others[0]?.presence.cursor?.x;
export const nameOfPeer: string | undefined = room.others[0]?.user?.name;

room.broadcast("confetti", { x: 1, y: 2 });
// @ts-expect-error no such event
room.broadcast("whatever", {});
room.onEvent("confetti", ({ x: left }, from) => from?.user?.name.repeat(left));
// @ts-expect-error the payload has no z
room.onEvent("confetti", ({ z }) => z);

room.on("reject", ({ code, operation }) => `${code} ${operation.type}`);
// @ts-expect-error nothing of that name is told
room.on("whatever", () => {});

room.history.undo({ force: true });
room.on("history", ({ canUndo }) => `${canUndo}`);
// @ts-expect-error no such collection
room.onPending("whatever", "s", () => {});

// @ts-expect-error the presence has a cursor
connect("/rooms/lobby", board, { presence: {} });

export const typed: Room<typeof board> = room;

export class Board extends RoomObject(board, { mutators: { assignRandomly() {} } }) {}
// @ts-expect-error assignRandomly has no function yet
export class Forgetful extends RoomObject(board) {}
// @ts-expect-error the server's function must be synchronous as well
export class Waiting extends RoomObject(board, { mutators: { async assignRandomly() {} } }) {}

declare const stub: RemoteStub;
void remote(stub, board).mutate.addTask({ id: "t", title: "T" }, { user: { id: "u", name: "U" } });
// @ts-expect-error no such mutator
void remote(stub, board).mutate.whatever({});

const list = connect("/rooms/list", testBoard);
const places: (string | undefined)[] = list.state.cards.values("place").map((card) => card.place);
export const place: string = orderBetween(places[0], places[1] ?? null);
export const three: string[] = ordersBetween(null, undefined, 3);
list.subscribe(
  (s) => s.cards.ids("place"),
  ([first]) => first?.toUpperCase(),
);
list.transact((tx) => tx.cards.patch(tx.cards.ids("place")[0] ?? "", { place }));
// @ts-expect-error a title is no order
list.state.cards.ids("title");
// @ts-expect-error tasks have no order
list.state.tasks.entries("place");
// @ts-expect-error a place is a text
orderBetween(1, 2);

export const access: "read" | "write" | undefined = room.self.access;

const withRoles = defineRoom({
  version: 1,
  roles: ["editor", "guest"],
  collections: { notes: z.object({ text: z.string() }) },
});
export const roleOptions: RoomObjectOptions<typeof withRoles> = { visibleTo: { notes: ["editor"] } };
// @ts-expect-error the definition does not list the role
export const otherRole: RoomObjectOptions<typeof withRoles> = { visibleTo: { notes: ["editro"] } };
type Admits = Authenticate<RoleOf<typeof withRoles>>;
export const admits: Admits = () => ({ user: null, access: "read", role: "guest" });
// @ts-expect-error the definition does not list the role
export const admitsOther: Admits = () => ({ user: null, access: "read", role: "gest" });
// @ts-expect-error access is required
export const lacksAccess: Authenticate = () => ({ user: null });
// @ts-expect-error access is `read` or `write`
export const oddAccess: Authenticate = () => ({ user: null, access: "writer" });
