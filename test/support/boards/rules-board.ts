import { z } from "zod";
import type { Caller, Run } from "../../../src/model/call.ts";
import { defineRoom } from "../../../src/index.ts";

const note = z.object({
  text: z.string(),
  rank: z.number(),
  tag: z.string().optional(),
  body: z.json().optional(),
});

/** A room with a call for everything that the core has a rule about. */
export const rulesBoard = defineRoom({
  version: 1,
  collections: {
    notes: note,
    cards: note,
    counters: z.object({ value: z.number() }),
    /** Has a default, and a rule over two fields. */
    doors: z
      .object({ key: z.string().optional(), code: z.string().optional(), color: z.string().default("grey") })
      .refine((door) => (door.key === undefined) !== (door.code === undefined), "a door has a key or a code"),
  },
  direct: ["notes", "cards", "doors"],
  events: { ping: z.object({ at: z.number() }) },
  mutators: (mutator) => ({
    add: mutator(z.object({ id: z.string(), by: z.number() }), (tx, { id, by }) => {
      tx.counters.put(id, { value: (tx.counters.get(id)?.value ?? 0) + by });
    }),
    nothing: mutator(z.object({}), () => {}),
    clear: mutator(z.object({}), (tx) => {
      for (const id of tx.notes.ids()) tx.notes.delete(id);
    }),
    /** Refuses when somebody else was first. */
    claim: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      if (tx.notes.changedByOthers(id)) throw ctx.reject("conflict", "somebody was first");
      tx.notes.patch(id, { tag: ctx.clientId });
    }),
    refuse: mutator(
      z.object({ code: z.string(), message: z.string().optional(), data: z.json().optional() }),
      (tx, { code, message, data }, ctx) => {
        tx.counters.put("refused", { value: 1 });
        throw ctx.reject(code, message, data);
      },
    ),
    crash: mutator(z.object({}), (tx) => {
      tx.counters.put("crashed", { value: 1 });
      throw new Error("a bug with secrets in its text");
    }),
    announce: mutator(z.object({ at: z.number() }), (_tx, { at }, ctx) => ctx.broadcast("ping", { at })),
    roll: mutator(z.object({ id: z.string() })),
  }),
});

/** What only the server of a sheet has. */
export const rulesServerMutators: { readonly [name: string]: Run } = {
  roll: (tx, payload) => tx["counters"]?.put((payload as { id: string }).id, { value: 6 }),
};

export function writer(clientId: string): Caller {
  return { clientId, user: { name: clientId }, access: "write" };
}
