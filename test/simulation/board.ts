import { z } from "zod";
import { defineRoom, type MutatorContext } from "../../src/index.ts";
import type { Run } from "../../src/model/call.ts";
import type { RecordsReader } from "../../src/model/reader.ts";

const Called = z.object({ token: z.string(), key: z.string() });
const Aimed = z.object({ token: z.string(), key: z.string(), id: z.string() });

interface Tallies {
  get(id: string): { readonly tokens: string } | undefined;
  put(id: string, record: { tokens: string }): void;
}

/** Writes the call's token behind those that were there: who executes a call twice has it there twice. */
function tally(tx: { readonly tallies: Tallies }, { token, key }: { token: string; key: string }): void {
  const before = tx.tallies.get(key);
  tx.tallies.put(key, { tokens: before === undefined ? token : `${before.tokens} ${token}` });
}

const Shape = z.object({ x: z.number(), by: z.string(), label: z.string().optional() });

const options = {
  version: 1,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: { shapes: Shape, notes: Shape, tallies: z.object({ tokens: z.string() }) },
  direct: ["shapes", "notes"],
} as const;

/** The room of the simulation. Each call of a mutator that is executed leaves its token in `tallies`, for ever. */
export const board = defineRoom({
  ...options,
  presence: z.object({ at: z.number() }),
  events: { wave: z.object({ token: z.string() }) },
  mutators: (mutator) => ({
    tally: mutator(Called, tally),
    /** Fails unless nobody else has changed the shape since the caller saw it. */
    claim: mutator(Aimed, (tx, payload, ctx) => {
      if (!tx.shapes.has(payload.id)) throw ctx.reject("not-found");
      if (tx.shapes.changedByOthers(payload.id)) throw ctx.reject("conflict", "somebody was first", {});
      tx.shapes.patch(payload.id, { x: -1, by: payload.token });
      tally(tx, payload);
    }),
    /** Throws where the shape is missing, in a rebase as well as in the room. */
    lean: mutator(Aimed, (tx, payload) => {
      if (!tx.shapes.has(payload.id)) throw new Error("leant on nothing");
      tx.shapes.patch(payload.id, { label: payload.token });
      tally(tx, payload);
    }),
    clear: mutator(Called, (tx, payload) => {
      for (const id of tx.shapes.ids()) tx.shapes.delete(id);
      tally(tx, payload);
    }),
    /** Looks well to the client, and is refused by the room. */
    refuse: mutator(Called, (tx, payload, ctx) => {
      tally(tx, payload);
      if (ctx.location === "server") throw ctx.reject("no-way", "never", { token: payload.token });
    }),
    stumble: mutator(Called, (tx, payload, ctx) => {
      tally(tx, payload);
      if (ctx.location === "server") throw new Error("stumbled");
    }),
    decide: mutator(Called),
  }),
});

/** The same room, with notes that only their owner is shown. */
export const closedBoard: typeof board = Object.freeze({ ...board, private: Object.freeze(["notes"]) });

export const serverMutators: { readonly [name: string]: Run } = {
  decide: (tx, payload, ctx) => {
    const { token } = payload as { token: string };
    tally(tx as unknown as { tallies: Tallies }, payload as { token: string; key: string });
    (ctx as MutatorContext<unknown, typeof board.events>).broadcast("wave", { token });
  },
};

/** The names of the mutators that leave a token when they are executed. */
export type MutatorName = keyof typeof board.mutators;

/** A record as the model has it. */
export type PlainRecord = { readonly [field: string]: unknown };

/** The records of one revision by `collection/id`: a map that is never changed once it is handed out. */
export type PlainState = ReadonlyMap<string, PlainRecord>;

/** What readers show, as the model has it. */
export function stateOf(readers: { readonly [collection: string]: RecordsReader }): PlainState {
  const state = new Map<string, PlainRecord>();
  for (const collection in readers) {
    for (const [id, record] of readers[collection]?.entries() ?? []) state.set(`${collection}/${id}`, record);
  }
  return state;
}

/** What of a state somebody is shown whose private records begin with `owner`; all of it when that is undefined. */
export function shownTo(owner: string | undefined, state: PlainState): PlainState {
  if (owner === undefined) return state;
  return new Map(
    [...state].filter(([key]) => !key.startsWith("notes/") || key.startsWith(`notes/${owner}/`)),
  );
}
