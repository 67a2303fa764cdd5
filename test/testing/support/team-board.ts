import { z } from "zod";
import { defineRoom, type ServerMutatorsOf } from "../../../src/index.ts";
import { createTestRoom, type TestRoom, type TestRoomOptions } from "../../../testing/index.ts";

let counter = 0;

/** A room of an app, with the mistakes that apps make. */
const teamBoard = defineRoom({
  version: 1,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: {
    tasks: z.object({
      title: z.string(),
      assignee: z.string().nullable(),
      at: z.number().optional(),
    }),
    shapes: z.object({ x: z.number(), y: z.number() }),
  },
  direct: ["shapes"],
  presence: z.object({ x: z.number() }),
  events: { wave: z.object({ text: z.string() }) },
  mutators: (mutator) => ({
    addTask: mutator(z.object({ id: z.string(), title: z.string().default("untitled") }), (tx, task, ctx) => {
      tx.tasks.put(task.id, { title: task.title, assignee: null, at: ctx.now });
    }),
    claim: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      if (!tx.tasks.has(id)) throw ctx.reject("not-found");
      if (tx.tasks.changedByOthers(id)) throw ctx.reject("conflict", "somebody was first");
      tx.tasks.patch(id, { assignee: ctx.user?.id ?? ctx.clientId });
    }),
    /** Counts what it does, so that doing it twice shows. */
    push: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      const { x, y } = tx.shapes.get(id) ?? { x: 0, y: 0 };
      tx.shapes.put(id, { x: x + 1, y });
      ctx.broadcast("wave", { text: id });
    }),
    /** Does another thing in the room than it predicts, as it may. */
    judge: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      tx.shapes.put(id, { x: ctx.location === "server" ? 2 : 1, y: 0 });
    }),
    failOnServer: mutator(z.object({}), (_tx, _payload, ctx) => {
      if (ctx.location === "server") throw new TypeError("only the room stumbles here");
    }),
    stampNow: mutator(z.object({ id: z.string() }), (tx, { id }) =>
      tx.shapes.put(id, { x: Date.now(), y: 0 }),
    ),
    stampNew: mutator(z.object({ id: z.string() }), (tx, { id }) => {
      tx.shapes.put(id, { x: new Date().getTime(), y: 0 });
    }),
    roll: mutator(z.object({ id: z.string() }), (tx, { id }) =>
      tx.shapes.put(id, { x: Math.random(), y: 0 }),
    ),
    count: mutator(z.object({ id: z.string() }), (tx, { id }) => tx.shapes.put(id, { x: ++counter, y: 0 })),
    name: mutator(z.object({}), (tx) => tx.shapes.put(crypto.randomUUID(), { x: 0, y: 0 })),
    refuseAtTimes: mutator(z.object({}), (_tx, _payload, ctx) => {
      if (++counter % 2 === 0) throw ctx.reject("not-now");
    }),
    decide: mutator(z.object({ id: z.string() })), // no function here: the server alone decides
  }),
});

export type TeamBoard = typeof teamBoard;

const mutators: ServerMutatorsOf<TeamBoard> = {
  decide(tx, { id }) {
    if (id === "boom") throw new RangeError("a bug of the server's own");
    tx.shapes.put(id, { x: Math.random(), y: 0 });
  },
};

export const ada = { id: "ada", name: "Ada" };
export const bob = { id: "bob", name: "Bob" };

export function newTeamRoom(options: Partial<TestRoomOptions<TeamBoard>> = {}): TestRoom<TeamBoard> {
  return createTestRoom(teamBoard, { mutators, ...options });
}

/** A room and two who are in it. */
export async function withTwo(options: Partial<TestRoomOptions<TeamBoard>> = {}) {
  const server = newTeamRoom(options);
  return { server, one: await server.connect({ user: ada }), other: await server.connect({ user: bob }) };
}

/** What a call came to: its revision, or the code of its rejection. */
export async function outcomeOf(call: { committed: Promise<{ rev: number }> }): Promise<number | string> {
  return await call.committed.then(
    ({ rev }) => rev,
    (error: { code: string }) => error.code,
  );
}
