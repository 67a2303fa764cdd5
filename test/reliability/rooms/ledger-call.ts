import type { Chance } from "../support/seeded-random.ts";
import { longMark, textOf } from "./ledger.ts";

/** A call of the ledger's mutators; `entry` is its name. */
export type LedgerCall =
  | {
      readonly type: "append";
      readonly payload: { readonly entry: string; readonly writer: string; readonly text: string };
    }
  | { readonly type: "refuse"; readonly payload: { readonly entry: string; readonly padding: string } };

const refusedShare = 0.12;
const longShare = 0.05;
/** Long enough to fill the journal; what a refusal carries beside its words, of which the room keeps 4 KB. */
const textLength = [10_000, 90_000] as const;
const paddingLength = [0, 3_000] as const;

/** Thinks of the next call of a writer: mostly a short one, some with a long text, some that will be refused. */
export function inventCall(writer: string, number: number, chance: Chance): LedgerCall {
  if (chance.happens(refusedShare)) {
    const entry = `${writer}-${number}`;
    return { type: "refuse", payload: { entry, padding: textOf(entry, chance.between(...paddingLength)) } };
  }
  const isLong = chance.happens(longShare);
  const entry = `${writer}-${number}${isLong ? longMark : ""}`;
  const text = isLong ? textOf(entry, chance.between(...textLength)) : "";
  return { type: "append", payload: { entry, writer, text } };
}
