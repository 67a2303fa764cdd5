import { z } from "zod";
import { defineRoom } from "../../../src/index.ts";

/** A room in which every call leaves a trace of when it was executed, and of being executed twice. */
export const ledger = defineRoom({
  version: 1,
  collections: {
    /** By the name of the call that made it. `order` counts the entries; as nothing else is committed, it is the revision. */
    entries: z.object({ order: z.number(), executions: z.number() }),
    /** One record, `all`. */
    totals: z.object({ executions: z.number() }),
    /** By writer: its newest long text, and the entry that it came with. */
    texts: z.object({ entry: z.string(), text: z.string() }),
  },
  mutators: (mutator) => ({
    append: mutator(
      z.object({ entry: z.string(), writer: z.string(), text: z.string() }),
      (tx, { entry, writer, text }) => {
        const order = (tx.totals.get("all")?.executions ?? 0) + 1;
        const executions = (tx.entries.get(entry)?.executions ?? 0) + 1;
        tx.totals.put("all", { executions: order });
        tx.entries.put(entry, { order, executions });
        if (text !== "") tx.texts.put(writer, { entry, text });
      },
    ),
    /** Always refused, in words that depend on when; only the server knows them. */
    refuse: mutator(z.object({ entry: z.string(), padding: z.string() })),
  }),
});

/** A small ring, so that slots of the journal are written again after two seconds, and a checkpoint comes every second. */
export const ledgerLimits = { maxRingFlushes: 64 } as const;

/** The ledger as `GET` answers it. */
export interface LedgerJson {
  readonly epoch: string;
  readonly rev: number;
  readonly collections: {
    readonly entries: Readonly<Record<string, Entry>>;
    readonly totals: Readonly<Record<string, { readonly executions: number }>>;
    readonly texts: Readonly<Record<string, { readonly entry: string; readonly text: string }>>;
  };
}

export interface Entry {
  readonly order: number;
  readonly executions: number;
}

/** Ends the names of calls that carry a long text; each name begins with its writer's. */
export const longMark = "-long";

/** The long text that the call named `entry` sends along: a copy of another call's, or half of one, is not it. */
export function textOf(entry: string, length: number): string {
  return `${entry} `.repeat(Math.ceil(length / (entry.length + 1))).slice(0, length);
}
