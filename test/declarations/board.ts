// An app's definition, exported without a type of its own, as README says it.
import { defineRoom, orderKey } from "deltaroom";
import * as z from "zod";

export const board = defineRoom({
  version: 1,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: {
    shapes: z.object({ x: z.number(), y: z.number(), color: z.enum(["red", "blue"]).optional() }),
    tasks: z.object({ title: z.string(), assignee: z.string().nullable(), order: orderKey() }),
    drafts: z.object({ text: z.string() }),
  },
  direct: ["shapes"],
  private: ["drafts"],
  presence: z.object({ cursor: z.object({ x: z.number(), y: z.number() }).nullable() }),
  events: { confetti: z.object({ x: z.number() }) },
  mutators: (mutator) => ({
    addTask: mutator(
      z.object({ id: z.string(), title: z.string().max(200), order: orderKey() }),
      (tx, { id, title, order }) => {
        tx.tasks.put(id, { title, assignee: null, order });
      },
    ),
    removeTask: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      if (!tx.tasks.has(id)) throw ctx.reject("not-found");
      tx.tasks.delete(id);
    }),
    assign: mutator(z.object({ id: z.string() })),
  }),
  undo: { addTask: ({ id }) => ["removeTask", { id }] },
});

export const plain = defineRoom({ version: 1, collections: { notes: z.object({ text: z.string() }) } });
