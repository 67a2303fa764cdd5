import { z } from "zod";
import type { RecordSource } from "../../../src/model/state.ts";
import { defineRoom, orderKey } from "../../../src/index.ts";

/** A room of lists: cards that anybody may write, and tasks that only a mutator moves. */
export const listBoard = defineRoom({
  version: 1,
  collections: {
    cards: z.object({
      title: z.string(),
      place: orderKey(),
      /** A second list of the same records, in which not each of them is. */
      rank: z.optional(orderKey()),
    }),
    tasks: z.object({ title: z.string(), order: orderKey() }),
  },
  direct: ["cards"],
  mutators: (mutator) => ({
    add: mutator(z.object({ id: z.string(), order: orderKey() }), (tx, { id, order }) => {
      tx.tasks.put(id, { title: id, order });
    }),
    move: mutator(z.object({ id: z.string(), order: orderKey() }), (tx, { id, order }) => {
      tx.tasks.patch(id, { order });
    }),
    remove: mutator(z.object({ id: z.string() }), (tx, { id }) => {
      tx.tasks.delete(id);
    }),
    /** Names the tasks by their places. */
    number: mutator(z.object({}), (tx) => {
      for (const [index, id] of tx.tasks.ids("order").entries()) tx.tasks.patch(id, { title: `${index}` });
    }),
    claim: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      if (tx.tasks.changedByOthers(id)) throw ctx.reject("conflict");
      tx.tasks.patch(id, { title: ctx.clientId });
    }),
  }),
});

/** Record id → key, in the order of the list. */
export function keysIn(state: RecordSource, collection: string, field: string): { [id: string]: string } {
  return Object.fromEntries(
    state.ids(collection, field).map((id) => [id, state.get(collection, id)?.[field] as string]),
  );
}
