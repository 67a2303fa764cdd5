import { equalJson, type Fields } from "../src/model/json.ts";
import { Transaction, type TransactionOptions, type Tx } from "../src/model/transaction.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import type { Json } from "../src/schema/json.ts";
import type { AnyMutatorContext, AnyMutatorRun } from "../src/schema/mutator.ts";
import { Rejection } from "../src/schema/rejection.ts";
import type { AnyTx } from "../src/schema/collections.ts";

/** A record that two runs of one call have left differently; undefined where one has left none. */
export interface RecordDifference {
  /** The name of the collection. */
  readonly collection: string;
  /** The record's id. */
  readonly id: string;
  /** The record as the prediction has left it. */
  readonly predicted: { readonly [field: string]: Json } | undefined;
  /** The record as the room has left it. */
  readonly actual: { readonly [field: string]: Json } | undefined;
}

/** What a call would have come to as a prediction over the very state that the room had. */
export interface TestPrediction {
  /** `accepted`, the code of its rejection, or `internal` where it threw anything else. */
  readonly outcome: string;
  /** Where the room came to something else: by `ctx.location` or `changedByOthers`, or by mistake. Empty when it did the same. */
  readonly differences: readonly RecordDifference[];
}

/** What the check sees of one run in the room. */
export interface CheckedRun {
  readonly type: string;
  readonly clientId: string;
  readonly payload: Json;
  readonly prediction: TestPrediction | undefined;
  /** What it has thrown that is no rejection. */
  readonly thrown: { readonly error: unknown } | undefined;
  /** Why it may do another thing each time that it runs; undefined when it seems to do the same. */
  readonly problem: string | undefined;
}

/** What one run came to. */
interface Run {
  readonly outcome: string;
  readonly records: Records;
}

/** What a run has left of the records that it has touched, by `collection/id`. */
type Records = Map<
  string,
  { readonly collection: string; readonly id: string; readonly record: Fields | undefined }
>;

/**
 * The definition as the room of a test has it: each mutator is first run as a prediction over the same state, then for
 * good, and `told` is told how the two compare. Where they differ, once more as the room runs it, under another time and
 * with other dice: what then differs still is not decided by state, payload and context alone.
 */
export function checkedDefinition(
  definition: AnyRoomDefinition,
  options: Pick<TransactionOptions, "limits">,
  isChecked: boolean,
  told: (run: CheckedRun) => void,
): AnyRoomDefinition {
  const entries = Object.entries(definition.mutators).map(([type, mutator]) => {
    const { run } = mutator;
    if (run === undefined) return [type, mutator] as const;
    const checked: AnyMutatorRun = (tx, payload, ctx) => {
      const twin = (location: "client" | "server") =>
        runTwin({ ...options, definition }, run, tx, payload, { ...ctx, location, broadcast() {} });
      const [prediction, again] = isChecked ? [twin("client"), twin("server")] : [];
      const touched: Records = new Map();
      const noted = noting(tx, touched);
      const call = { type, clientId: ctx.clientId, payload: payload as Json };
      let result: ReturnType<AnyMutatorRun>;
      try {
        result = run(noted, payload, ctx);
      } catch (error) {
        told({ ...call, ...judge(tx, touched, codeOf(error), prediction, again), thrown: thrownBy(error) });
        throw error;
      }
      told({ ...call, ...judge(tx, touched, "accepted", prediction, again), thrown: undefined });
      return result;
    };
    return [type, { ...mutator, run: checked }] as const;
  });
  const mutators = Object.assign(Object.create(null) as object, Object.fromEntries(entries));
  return Object.freeze({ ...definition, mutators });
}

function judge(
  tx: AnyTx,
  touched: Records,
  outcome: string,
  prediction: Run | undefined,
  again: Run | undefined,
): Pick<CheckedRun, "prediction" | "problem"> {
  if (prediction === undefined || again === undefined) return { prediction: undefined, problem: undefined };
  const differencesTo = (run: Run) =>
    run.outcome === "accepted" && outcome === "accepted" ? differencesOf(tx, touched, run.records) : [];
  const unstable = differencesTo(again);
  const problem =
    again.outcome === outcome
      ? unstable[0] && `it left ${textOf(unstable[0])}`
      : `once it came to ${again.outcome}, once to ${outcome}`;
  return {
    prediction: { outcome: prediction.outcome, differences: differencesTo(prediction) },
    problem,
  };
}

/** Runs a mutator over the state that `tx` shows, without a trace. */
function runTwin(
  options: TransactionOptions,
  run: AnyMutatorRun,
  tx: AnyTx,
  payload: unknown,
  ctx: AnyMutatorContext,
): Run {
  const source = {
    get: (collection: string, id: string) => tx[collection]?.get(id) as Fields | undefined,
    ids: (collection: string) => tx[collection]?.ids() ?? [],
  };
  const changedByOthers = (collection: string, id: string) =>
    ctx.location === "server" && (tx[collection]?.changedByOthers(id) ?? false);
  const transaction = new Transaction(source, { ...options, changedByOthers });
  const records: Records = new Map();
  let outcome = "accepted";
  try {
    // The core's tx has the members of the typed one.
    const result: unknown = underAnotherSky(() => run(transaction.tx as unknown as AnyTx, payload, ctx));
    // The room refuses it as asynchronous; what it still does, and how it fails, is of no use to anybody.
    if (result instanceof Promise) result.catch(() => {});
  } catch (error) {
    outcome = codeOf(error);
  } finally {
    transaction.close();
  }
  for (const [collection, written] of transaction.writes) {
    for (const [id, { record }] of written) records.set(`${collection}/${id}`, { collection, id, record });
  }
  return { outcome, records };
}

const writing = new Set<string | symbol>(["put", "patch", "unset", "delete"]);

/** `tx`, but the records that are written through it are noted, as they were before. */
function noting(tx: AnyTx, touched: Records): AnyTx {
  const collections = Object.entries(tx as unknown as Tx).map(([collection, records]) => {
    const noted = new Proxy(records, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          const id = given[0];
          if (writing.has(name) && typeof id === "string") {
            const key = `${collection}/${id}`;
            if (!touched.has(key)) touched.set(key, { collection, id, record: target.get(id) });
          }
          return member.apply(target, given) as unknown;
        };
      },
    });
    return [collection, noted] as const;
  });
  return Object.fromEntries(collections);
}

/** Where what `records` says differs from what is in `tx`; of records that it does not name it says what they were before. */
function differencesOf(tx: AnyTx, touched: Records, records: Records): RecordDifference[] {
  const differences: RecordDifference[] = [];
  for (const [key, { collection, id }] of new Map([...touched, ...records])) {
    const predicted = (records.get(key) ?? touched.get(key))?.record;
    const actual = tx[collection]?.get(id) as Fields | undefined;
    if (!equalJson(predicted, actual)) differences.push({ collection, id, predicted, actual });
  }
  return differences;
}

function textOf({ collection, id, predicted, actual }: RecordDifference): string {
  const [once, again] = [predicted, actual].map((record) =>
    record === undefined ? "nothing" : JSON.stringify(record),
  );
  return `${collection}/${id} once as ${once}, once as ${again}`;
}

function codeOf(error: unknown): string {
  return error instanceof Rejection ? error.code : "internal";
}

function thrownBy(error: unknown): CheckedRun["thrown"] {
  return error instanceof Rejection ? undefined : { error };
}

const dayMs = 86_400_000;

/** Runs `run` on another day and with other dice, so that what it takes from them differs even where a test has fixed both. */
function underAnotherSky<T>(run: () => T): T {
  const { Date: date } = globalThis;
  const { random } = Math;
  const now = () => date.now() + dayMs;
  try {
    globalThis.Date = new Proxy(date, {
      get: (target, name) => (name === "now" ? now : (Reflect.get(target, name, target) as unknown)),
      apply: () => new date(now()).toString(),
      construct: (target, given: unknown[], made) =>
        Reflect.construct(target, given.length === 0 ? [now()] : given, made) as object,
    });
    Math.random = () => (random() + 0.5) % 1;
    return run();
  } finally {
    globalThis.Date = date;
    Math.random = random;
  }
}
