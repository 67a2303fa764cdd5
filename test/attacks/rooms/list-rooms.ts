import { z } from "zod";
import { defineRoom, orderKey, type ServerMutatorsOf } from "../../../src/index.ts";
import { RoomObject } from "../../../src/server.ts";

/** A room with a list for each user that nobody else is shown, and one for everybody in which each changes their own cards. */
const attackLists = defineRoom({
  version: 3,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: {
    /** The bystanders' own. */
    things: z.object({ n: z.number() }),
    plans: z.object({ text: z.string().max(20), place: orderKey() }),
    cards: z.object({ by: z.string(), place: orderKey() }),
  },
  private: ["plans"],
  direct: ["things", "plans", "cards"],
  /** By which an attacker sees that its answers have come, see scene.ts. */
  presence: z.object({ at: z.number() }),
  mutators: (mutator) => ({
    /** Writes anybody's plan, as the caller has named it. */
    plan: mutator(z.object({ id: z.string(), text: z.string(), isNew: z.boolean() })),
  }),
});

const mutators: ServerMutatorsOf<typeof attackLists> = {
  plan(tx, { id, text, isNew }) {
    if (isNew) tx.plans.put(id, { text, place: "a0" });
    else tx.plans.patch(id, { text });
  },
};

/** In which nobody may change another's card. */
export class ListRoom extends RoomObject(attackLists, {
  mutators,
  authorize: ({ changes }, { user }) =>
    changes.every(
      ({ collection, before, after }) =>
        collection !== "cards" ||
        [before, after].every(
          (card) => card === undefined || card["by"] === (user as { id: string } | null)?.id,
        ),
    ),
  limits: { quietCheckpointMs: 50, maxRecordBytes: 200 },
}) {
  readonly instance: string = crypto.randomUUID();
}
