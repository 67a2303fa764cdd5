import { z } from "zod";
import { defineRoom } from "../../src/index.ts";

/** A room with one of everything that a definition may have. */
export const board = defineRoom({
  version: 1,
  user: z.object({ id: z.string(), name: z.string() }), // from authenticate; everybody in the room sees it
  collections: {
    shapes: z.object({ x: z.number(), y: z.number(), color: z.string() }),
    tasks: z.object({ title: z.string(), assignee: z.string().nullable() }),
  },
  direct: ["shapes"], // what room.transact and undo may write; all else only through mutators
  presence: z.object({ cursor: z.object({ x: z.number(), y: z.number() }).nullable() }),
  events: { confetti: z.object({ x: z.number(), y: z.number() }) },
  mutators: (mutator) => ({
    addTask: mutator(z.object({ id: z.string(), title: z.string() }), (tx, { id, title }) => {
      tx.tasks.put(id, { title, assignee: null });
    }),
    claim: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      const task = tx.tasks.get(id);
      if (!task) throw ctx.reject("not-found");
      if (tx.tasks.changedByOthers(id)) throw ctx.reject("conflict", "somebody changed this task first");
      tx.tasks.patch(id, { assignee: ctx.user?.id ?? ctx.clientId });
    }),
    assignRandomly: mutator(z.object({ id: z.string() })), // no function here: the server alone decides
  }),
});
