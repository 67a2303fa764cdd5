import * as z from "zod/mini";
import { defineRoom } from "../src/index.ts";

/** The six inks of the demo. Records hold the name, so that each window may print it for its own light or dark paper. */
export const inks = ["vermilion", "cobalt", "sun", "sea", "rose", "graphite"] as const;
const kinds = ["circle", "square", "triangle", "note"] as const;

/** The sheet that everybody shares, in its own units; a window scales it to fit. */
export const sheet = { width: 1200, height: 820 } as const;
export const defaultSize = 130;

const Ink = z.enum(inks);
const Kind = z.enum(kinds);
const Point = z.object({ x: z.number(), y: z.number() });

const Shape = z.object({
  kind: Kind,
  /** The centre, in sheet units. */
  x: z.number(),
  y: z.number(),
  color: Ink,
  /** Width in sheet units; `defaultSize` when absent. */
  size: z.optional(z.number().check(z.minimum(20), z.maximum(600))),
  text: z.optional(z.string().check(z.maxLength(280))),
});

/** By the id of the shape. Not in `direct`: who holds a shape is decided by mutators, hence by the room. */
const Claim = z.object({ clientId: z.string(), name: z.string(), color: Ink });

const Presence = z.object({
  name: z.string().check(z.maxLength(24)),
  color: Ink,
  cursor: z.nullable(Point),
  /** The shape that this person has selected. */
  holding: z.nullable(z.string()),
});

export const board = defineRoom({
  version: 1,
  collections: { shapes: Shape, claims: Claim },
  direct: ["shapes"],
  presence: Presence,
  events: { confetti: Point },
  mutators: (mutator) => ({
    /** The room ends a claim when its holder leaves: no caller is asked who is here. */
    claim: mutator(
      z.object({ id: z.string(), name: z.string(), color: Ink }),
      (tx, { id, name, color }, ctx) => {
        if (!tx.shapes.has(id)) throw ctx.reject("not-found", "This shape is gone.");
        const held = tx.claims.get(id);
        if (held && held.clientId !== ctx.clientId) {
          throw ctx.reject("conflict", `${held.name} claimed this shape first.`, { holder: held.clientId });
        }
        tx.claims.put(id, { clientId: ctx.clientId, name, color });
      },
    ),

    release: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      const held = tx.claims.get(id);
      if (!held) return;
      if (held.clientId !== ctx.clientId)
        throw ctx.reject("conflict", `${held.name} holds this shape.`, { holder: held.clientId });
      tx.claims.delete(id);
    }),

    remove: mutator(z.object({ id: z.string() }), (tx, { id }, ctx) => {
      const held = tx.claims.get(id);
      if (held && held.clientId !== ctx.clientId) {
        throw ctx.reject("conflict", `${held.name} holds this shape.`, { holder: held.clientId });
      }
      tx.shapes.delete(id);
      tx.claims.delete(id);
    }),

    /** Brings shapes back, but for those that are there. */
    restore: mutator(
      z.object({ shapes: z.array(z.object({ id: z.string(), shape: Shape })) }),
      (tx, { shapes }) => {
        for (const { id, shape } of shapes) if (!tx.shapes.has(id)) tx.shapes.put(id, shape);
      },
    ),

    /** Everything but what others have claimed. */
    clear: mutator(z.object({}), (tx, _payload, ctx) => {
      const free = tx.shapes
        .ids()
        .filter((id) => (tx.claims.get(id)?.clientId ?? ctx.clientId) === ctx.clientId);
      if (free.length === 0)
        throw ctx.reject("nothing-to-clear", "There is nothing here that you may clear.");
      for (const id of free) {
        tx.shapes.delete(id);
        tx.claims.delete(id);
      }
    }),
  }),
  undo: {
    remove: ({ id }, state) => {
      const shape = state.shapes.get(id);
      return shape && ["restore", { shapes: [{ id, shape }] }];
    },
    clear: (_payload, state, { clientId }) => {
      const free = state.shapes
        .entries()
        .filter(([id]) => (state.claims.get(id)?.clientId ?? clientId) === clientId);
      return ["restore", { shapes: free.map(([id, shape]) => ({ id, shape })) }];
    },
  },
});

export type Ink = z.infer<typeof Ink>;
export type Kind = z.infer<typeof Kind>;
export type Point = z.infer<typeof Point>;
export type Shape = z.infer<typeof Shape>;
export type Claim = z.infer<typeof Claim>;
export type Presence = z.infer<typeof Presence>;
