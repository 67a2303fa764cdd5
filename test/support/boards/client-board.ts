import { z } from "zod";
import { defineRoom, orderKey } from "../../../src/index.ts";

/** What the scripted tests need of a room: edits that count, that depend on others, that refuse and that throw. */
export const clientBoard = defineRoom({
  version: 7,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: {
    shapes: z.object({
      x: z.number(),
      y: z.number(),
      color: z.string().optional(),
      path: z.array(z.number()).optional(),
    }),
    counters: z.object({ value: z.number() }),
    papers: z.object({ text: z.string(), layout: z.json().optional() }),
    cards: z.object({ title: z.string(), place: orderKey() }),
    /** Fields that have to fit together. */
    spans: z.object({ from: z.number(), to: z.number() }).refine(({ from, to }) => from <= to),
  },
  direct: ["shapes", "papers", "cards", "spans"],
  presence: z.object({ x: z.number(), y: z.number(), note: z.string().optional() }),
  events: { wave: z.object({ text: z.string() }) },
  mutators: (mutator) => ({
    /** Wrong when it is run on a stale base, or twice. */
    addUp: mutator(z.object({ id: z.string(), by: z.number() }), (tx, { id, by }) => {
      tx.counters.put(id, { value: (tx.counters.get(id)?.value ?? 0) + by });
    }),
    /** Refuses when the shape is not there. */
    paint: mutator(z.object({ id: z.string(), color: z.string() }), (tx, { id, color }, ctx) => {
      if (!tx.shapes.has(id)) throw ctx.reject("no-canvas", "there is nothing to paint", { id });
      tx.shapes.patch(id, { color });
    }),
    /** Throws what no mutator should when the counter is not there. */
    stumble: mutator(z.object({ id: z.string() }), (tx, { id }) => {
      const counter = tx.counters.get(id) as { value: number };
      tx.counters.put(id, { value: counter.value * 2 });
    }),
    /** Writes down who made the call and when. */
    sign: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      tx.papers.put(id, {
        text: `${ctx.user?.name ?? ctx.clientId} ${ctx.access} at ${ctx.now} on the ${ctx.location}`,
      });
    }),
    /** Takes a counter away, unless it has come to more than the caller knew. */
    drop: mutator(z.object({ id: z.string(), value: z.number() }), (tx, { id, value }, ctx) => {
      if (tx.counters.get(id)?.value !== value) throw ctx.reject("conflict", "somebody counts on it");
      tx.counters.delete(id);
    }),
    roll: mutator(z.object({ sides: z.number() })), // no function here: the server alone decides
  }),
  undo: {
    addUp: ({ id, by }, state) =>
      state.counters.has(id) ? ["addUp", { id, by: -by }] : ["drop", { id, value: by }],
    paint: ({ id }, state) => {
      const color = state.shapes.get(id)?.color;
      return color === undefined ? undefined : ["paint", { id, color }];
    },
  },
});

export type ClientBoard = typeof clientBoard;
