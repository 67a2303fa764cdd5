import * as z from "zod/mini"; // a third of the size of "zod", and the page is all the smaller
import { defineRoom } from "deltaroom";

export const colors = ["vermilion", "cobalt", "sun", "sea", "rose", "violet"] as const;

export const list = defineRoom({
  version: 1,
  collections: {
    todos: z.object({
      text: z.string().check(z.maxLength(200)),
      isDone: z.boolean(),
      /** Milliseconds since the epoch; the list is in this order. */
      at: z.number(),
    }),
  },
  direct: ["todos"],
  presence: z.object({
    name: z.string().check(z.maxLength(24)),
    color: z.enum(colors),
    /** The id of the todo in which this person's caret is. */
    editing: z.nullable(z.string()),
  }),
  mutators: (mutator) => ({
    clearDone: mutator(z.object({}), (tx, _payload, ctx) => {
      const done = tx.todos.entries().filter(([, { isDone }]) => isDone);
      if (done.length === 0) throw ctx.reject("nothing-done", "Nothing on this list is done.");
      for (const [id] of done) tx.todos.delete(id);
    }),
  }),
});
