import { z } from "zod";
import { defineRoom, orderKey } from "../../src/index.ts";

/** A room with every kind of schema that takes something from outside, and with mutators that are cheap whatever they are given. */
export const fuzzBoard = defineRoom({
  version: 3,
  user: z.object({ id: z.string() }),
  collections: {
    things: z.object({
      n: z.number(),
      text: z.string().max(100).optional(),
      tags: z.array(z.string()).optional(),
      kind: z.enum(["a", "b"]).nullable().optional(),
      any: z.json().optional(),
    }),
    cards: z.object({ title: z.string(), place: orderKey() }),
    ledger: z.object({ sum: z.number(), by: z.string() }),
  },
  direct: ["things", "cards"],
  presence: z.object({ at: z.number(), note: z.string().optional(), any: z.json().optional() }),
  events: { wave: z.object({ text: z.string(), any: z.json().optional() }), ping: z.null() },
  mutators: (mutator) => ({
    book: mutator(z.object({ id: z.string(), sum: z.number() }), (tx, { id, sum }, ctx) => {
      tx.ledger.put(id, { sum, by: ctx.clientId });
    }),
    take: mutator(z.json(), () => {}),
    pair: mutator(z.tuple([z.string(), z.boolean()]), (tx, [id, isKept]) => {
      if (isKept) tx.things.patch(id, { n: 1 });
      else tx.things.delete(id);
    }),
    count: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      if (tx.ledger.changedByOthers(id)) throw ctx.reject("conflict");
      tx.ledger.put(id, { sum: (tx.ledger.get(id)?.sum ?? 0) + 1, by: ctx.clientId });
      ctx.broadcast("wave", { text: id });
    }),
    refuse: mutator(z.object({ code: z.string(), data: z.json() }), (tx, { code, data }, ctx) => {
      tx.ledger.put("never", { sum: 0, by: "nobody" });
      throw ctx.reject(code, code, data);
    }),
    stumble: mutator(z.object({}), (tx) => {
      tx.ledger.put("never", { sum: 0, by: "nobody" });
      throw new TypeError("a bug");
    }),
  }),
});
