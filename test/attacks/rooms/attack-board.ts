import { z } from "zod";
import { defineRoom, Rejection, type Json } from "../../../src/index.ts";

/** Sprung on whoever looks at what was thrown. */
const trap = (): never => {
  throw new Error("a trap");
};

/** What a careless or hostile library may throw, by name; the room looks at each to tell a refusal from a bug. */
const thrown: { readonly [kind: string]: () => unknown } = {
  error: () => new Error("an error"),
  undefined: () => undefined,
  null: () => null,
  text: () => "a text",
  number: () => 7,
  symbol: () => Symbol("a symbol"),
  bigint: () => 7n,
  frozen: () => Object.freeze({}),
  function: () => trap,
  "trapped proxy": () => new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap }),
  "trapped error": () => new Proxy(new Error("an error"), { get: trap }),
  "trapped rejection": () => new Proxy(new Rejection("no-way"), { get: trap }),
  "error with getters": () =>
    Object.defineProperties(new Error("an error"), { name: { get: trap }, message: { get: trap } }),
  "rejection with getters": () => Object.defineProperty(new Rejection("no-way"), "code", { get: trap }),
  "rejection without text": () =>
    Object.assign(new Rejection("no-way"), { code: Object.create(null), message: Object.create(null) }),
};

export const thrownKinds = Object.keys(thrown);

/* oxlint-disable unicorn/no-thenable -- that is what a hostile one is */
/** What a mutator that is none may answer. */
const answered: { readonly [kind: string]: () => unknown } = {
  promise: () => Promise.resolve(),
  "failing promise": () => Promise.reject(new Error("too late")),
  "trapped thenable": () => Object.defineProperty({}, "then", { get: trap }),
  "thenable that throws": () => ({ then: trap }),
  "trapped proxy": () => new Proxy({}, { get: trap, has: trap }),
};
/* oxlint-enable unicorn/no-thenable */

export const answeredKinds = Object.keys(answered);

/** As JavaScript may write it: the compiler refuses it. */
const untyped = <T>(value: unknown): T => value as T;

let kept: unknown;

/** By name, what each room lets its own code do: a mutator that is leaked a room has all of it. */
export const reachable = new Map<string, { readonly [how: string]: () => unknown }>();

/** A room in which an attacker finds every kind of place that takes something from outside, and code that was badly written. */
export const attackBoard = defineRoom({
  version: 3,
  user: z.object({ id: z.string(), name: z.string() }),
  collections: {
    things: z.object({
      n: z.number(),
      text: z.string().optional(),
      tags: z.array(z.string()).optional(),
      any: z.json().optional(),
    }),
    /** Only mutators write it. */
    ledger: z.object({ sum: z.number(), by: z.string() }),
  },
  direct: ["things"],
  presence: z.object({
    at: z.number().refine((at) => (at === 666 ? trap() : true)),
    note: z.string().optional(),
    list: z.array(z.number()).optional(),
    any: z.json().optional(),
  }),
  events: { wave: z.object({ text: z.string(), any: z.json().optional() }) },
  mutators: (mutator) => ({
    book: mutator(z.object({ id: z.string(), sum: z.number() }), (tx, { id, sum }, ctx) => {
      tx.ledger.put(id, { sum, by: ctx.user?.id ?? ctx.clientId });
    }),
    /** Takes anything, and does nothing with it. */
    take: mutator(z.json(), () => {}),
    throwIt: mutator(z.object({ kind: z.string() }), (tx, { kind }) => {
      tx.ledger.put("half-done", { sum: 1, by: "nobody" });
      throw (thrown[kind] ?? trap)();
    }),
    /** As `new Error(…)` with what was given in it, which is common. */
    quote: mutator(z.object({ text: z.string() }), (_tx, { text }) => {
      throw new Error(`cannot take ${text}`);
    }),
    answerIt: mutator(z.object({ kind: z.string() }), (tx, { kind }) => {
      tx.ledger.put("half-done", { sum: 1, by: "nobody" });
      return untyped<undefined>((answered[kind] ?? trap)());
    }),
    recurse: mutator(z.object({}), (tx) => {
      tx.ledger.put("half-done", { sum: 1, by: "nobody" });
      const dive = (depth: number): number => dive(depth + 1) + 1;
      dive(0);
    }),
    /** Computes for a while: what a clock says does not move while code runs. */
    toil: mutator(z.object({ rounds: z.number() }), (_tx, { rounds }) => {
      let sum = 0;
      for (let round = 0; round < rounds; round++) sum += Math.sqrt(round);
      if (sum < 0) throw new Error("never");
    }),
    hoard: mutator(z.object({ megabytes: z.number() }), (_tx, { megabytes }) => {
      const held = Array.from({ length: megabytes }, () => new Uint8Array(1_048_576).fill(1));
      if (held.length < megabytes) throw new Error("never");
    }),
    fill: mutator(z.object({ count: z.number(), chars: z.number() }), (tx, { count, chars }) => {
      for (let index = 0; index < count; index++)
        tx.ledger.put(`fill-${index}`, { sum: index, by: "x".repeat(chars) });
    }),
    /** Names a record as it was told. */
    name: mutator(z.object({ id: z.string() }), (tx, { id }) => {
      tx.ledger.put(id, { sum: 0, by: "nobody" });
    }),
    refuse: mutator(z.object({ what: z.string() }), (_tx, { what }) => {
      const circle: Record<string, unknown> = {};
      circle["itself"] = circle;
      const data = untyped<Json>({ circle, bigint: 7n, long: "x".repeat(10_000) }[what]);
      throw new Rejection("c".repeat(100), `\ud800${"m".repeat(10_000)}`, data);
    }),
    /** Writes to what it was given to read. */
    scribble: mutator(z.object({ id: z.string() }), (tx, { id }) => {
      const thing = tx.things.get(id);
      if (thing !== undefined) untyped<{ n: number }>(thing).n = -1;
      throw new Error("it could be written");
    }),
    keep: mutator(z.object({}), (tx) => {
      kept = tx;
    }),
    useKept: mutator(z.object({}), () => {
      (kept as { ledger: { put: (id: string, record: object) => void } }).ledger.put("late", {
        sum: 1,
        by: "nobody",
      });
    }),
    /** Uses the room itself, which an app can leak to its mutators. */
    reach: mutator(z.object({ room: z.string(), how: z.string() }), (tx, { room, how }) => {
      tx.ledger.put("half-done", { sum: 1, by: "nobody" });
      (reachable.get(room)?.[how] ?? (() => {}))();
    }),
    shout: mutator(z.object({ event: z.string() }), (_tx, { event }, ctx) => {
      ctx.broadcast(untyped<"wave">(event), untyped<{ text: string }>({ text: 5 }));
    }),
  }),
});
