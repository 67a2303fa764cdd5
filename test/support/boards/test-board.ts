import { z } from "zod";
import { defineRoom, orderKey, Rejection } from "../../../src/index.ts";

/** A room with one of everything, for the tests of the Durable Object and of the Worker. */
export const testBoard = defineRoom({
  version: 3,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: {
    shapes: z.object({ x: z.number(), y: z.number(), color: z.string().optional() }),
    notes: z.object({ text: z.string(), tags: z.array(z.string()).optional() }),
    tasks: z.object({ title: z.string(), assignee: z.string().nullable() }),
    /** A list. */
    cards: z.object({ title: z.string(), place: orderKey() }),
  },
  direct: ["shapes", "notes", "cards"],
  presence: z.object({
    at: z.number().refine((at) => {
      if (at === 666) throw new Error("a schema's own bug");
      return true;
    }),
    note: z.string().optional(),
    // A field that is called like a member of an error frame.
    code: z.string().optional(),
  }),
  events: {
    wave: z.object({ text: z.string() }),
    rolled: z.object({ dice: z.number() }),
  },
  mutators: (mutator) => ({
    addTask: mutator(z.object({ id: z.string(), title: z.string() }), (tx, { id, title }) => {
      tx.tasks.put(id, { title, assignee: null });
    }),
    claim: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      if (!tx.tasks.has(id)) throw ctx.reject("not-found", "there is no such task", { id });
      if (tx.tasks.changedByOthers(id)) throw ctx.reject("conflict", "somebody changed this task first");
      tx.tasks.patch(id, { assignee: ctx.user?.id ?? ctx.clientId });
    }),
    /** Adds, so that running it twice shows. */
    addUp: mutator(z.object({ id: z.string(), by: z.number() }), (tx, { id, by }) => {
      const { x, y } = tx.shapes.get(id) ?? { x: 0, y: 0 };
      tx.shapes.put(id, { x: x + by, y });
    }),
    refuse: mutator(z.object({ text: z.string() }), (_tx, { text }) => {
      throw new Rejection("no-way", "this is never allowed", { text });
    }),
    stumble: mutator(z.object({}), (tx) => {
      tx.shapes.put("half-done", { x: 1, y: 1 });
      throw new Error("secret detail");
    }),
    celebrate: mutator(z.object({ text: z.string() }), (tx, { text }, ctx) => {
      tx.notes.put("party", { text });
      ctx.broadcast("wave", { text });
    }),
    /** Fills `count` notes of `chars` characters. */
    fill: mutator(z.object({ count: z.number(), chars: z.number() }), (tx, { count, chars }) => {
      for (let index = 0; index < count; index++) tx.notes.put(`fill-${index}`, { text: "x".repeat(chars) });
    }),
    roll: mutator(z.object({})), // no function here: the server alone decides
  }),
});

export type TestBoard = typeof testBoard;
