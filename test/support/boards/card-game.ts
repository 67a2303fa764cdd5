import { z } from "zod";
import { defineRoom, orderKey, type ServerMutatorsOf } from "../../../src/index.ts";
import type { RoomObjectOptions } from "../../../src/server.ts";

const Card = z.object({ face: z.string(), note: z.string().optional(), place: z.optional(orderKey()) });

/** Everybody sees the table, each their own hand, nobody the deck, and readers not the minutes. */
export const cardGame = defineRoom({
  version: 3,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: { table: Card, hands: Card, deck: Card, minutes: Card },
  private: ["hands"],
  direct: ["table", "hands", "minutes"],
  mutators: (mutator) => ({
    /** Puts cards on the deck, under the ids `0`, `1`, … */
    stack: mutator(z.object({ faces: z.array(z.string()) })),
    /** Gives the lowest card of the deck to somebody. */
    deal: mutator(z.object({ to: z.string() })),
    /** Puts a card of one's own on the table. */
    play: mutator(z.object({ card: z.string() }), (tx, { card }, ctx) => {
      const id = `${ctx.user?.id}/${card}`;
      const held = tx.hands.get(id);
      if (held === undefined) throw ctx.reject("not-found", "you do not have this card");
      tx.hands.delete(id);
      tx.table.put(card, held);
    }),
    /** Puts a card into a hand, under an id that may be anything. */
    smuggle: mutator(z.object({ id: z.string() }), (tx, { id }) => tx.hands.put(id, { face: "joker" })),
  }),
});
export type CardGame = typeof cardGame;

const mutators: ServerMutatorsOf<CardGame> = {
  stack(tx, { faces }) {
    for (const [index, face] of faces.entries()) tx.deck.put(String(index).padStart(3, "0"), { face });
  },
  deal(tx, { to }, ctx) {
    const [id] = tx.deck.ids();
    const card = id === undefined ? undefined : tx.deck.get(id);
    if (id === undefined || card === undefined) throw ctx.reject("not-found", "the deck is empty");
    tx.deck.delete(id);
    tx.hands.put(`${to}/${id}`, card);
  },
};

/** Small pages and a short ring, so that hands share pages and history is folded. */
export const cardRules = {
  mutators,
  visibleTo: { deck: [], minutes: ["user"] },
  limits: {
    flushIntervalMs: 0,
    maxRingFlushes: 8,
    pageBytes: 512,
    quietCheckpointMs: 50,
  },
} satisfies RoomObjectOptions<CardGame>;
