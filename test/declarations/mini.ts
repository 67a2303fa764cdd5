// The same with the smaller zod.
import { defineRoom, orderKey } from "deltaroom";
import * as z from "zod/mini";

export const lists = defineRoom({
  version: 1,
  user: z.object({ id: z.string() }),
  collections: { items: z.object({ text: z.string(), order: z.optional(orderKey()) }) },
  direct: ["items"],
  presence: z.object({ name: z.string() }),
  events: { ping: z.number() },
  mutators: (mutator) => ({
    clear: mutator(z.object({}), (tx) => {
      for (const id of tx.items.ids()) tx.items.delete(id);
    }),
  }),
});
