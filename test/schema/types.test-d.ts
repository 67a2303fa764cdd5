// Checked by `tsc` alone, never run: each @ts-expect-error fails the build when the refusal it stands for is lost.
import { expectTypeOf } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import {
  type AnyRoomDefinition,
  type CollectionReader,
  type DirectTxOf,
  type EventNamesOf,
  type EventPayloadOf,
  type Json,
  type MutatorContext,
  type MutatorNamesOf,
  type OrderFieldsOf,
  type PayloadOf,
  type PresenceOf,
  type RecordOf,
  type RoleOf,
  type ServerMutatorsOf,
  type StateOf,
  type TxOf,
  type UserOf,
  defineRoom,
  orderBetween,
  orderKey,
} from "../../src/index.ts";
import { board } from "./board.ts";

type Board = typeof board;
type ServerNamesOf<D extends AnyRoomDefinition> = keyof ServerMutatorsOf<D>;
type Shape = { readonly x: number; readonly y: number; readonly color: string };
type Task = { readonly title: string; readonly assignee: string | null };

// ---- a board with one of everything infers all of it

expectTypeOf<RecordOf<Board, "tasks">>().toEqualTypeOf<Task>();
expectTypeOf<StateOf<Board>["shapes"]>().toEqualTypeOf<CollectionReader<Shape>>();
expectTypeOf<UserOf<Board>>().toEqualTypeOf<{ readonly id: string; readonly name: string }>();
expectTypeOf<PresenceOf<Board>>().toEqualTypeOf<{
  readonly cursor: { readonly x: number; readonly y: number } | null;
}>();
expectTypeOf<EventNamesOf<Board>>().toEqualTypeOf<"confetti">();
expectTypeOf<EventPayloadOf<Board, "confetti">>().toEqualTypeOf<{ readonly x: number; readonly y: number }>();
expectTypeOf<MutatorNamesOf<Board>>().toEqualTypeOf<"addTask" | "claim" | "assignRandomly">();
expectTypeOf<PayloadOf<Board, "addTask">>().toEqualTypeOf<{ readonly id: string; readonly title: string }>();
expectTypeOf<ServerNamesOf<Board>>().toEqualTypeOf<"assignRandomly">();
expectTypeOf(board).toExtend<AnyRoomDefinition>();

export function readsAreTyped(state: StateOf<Board>) {
  expectTypeOf(state.shapes.get("s1")?.x).toEqualTypeOf<number | undefined>();
  expectTypeOf(state.tasks.entries()).toEqualTypeOf<readonly (readonly [id: string, record: Task])[]>();
  expectTypeOf(state.tasks.size).toEqualTypeOf<number>();
  // @ts-expect-error the state is read only
  state.shapes.put("s1", { x: 1, y: 2, color: "red" });
  const shape = state.shapes.get("s1");
  // @ts-expect-error records are frozen
  if (shape) shape.x = 2;
  // @ts-expect-error no such collection
  state.nope.ids();
}

// ---- writes

export function mutatorsWriteEveryCollection(tx: TxOf<Board>) {
  tx.tasks.put("t1", { title: "a", assignee: null });
  tx.tasks.patch("t1", { title: undefined, assignee: "me" });
  expectTypeOf(tx.tasks.changedByOthers("t1")).toEqualTypeOf<boolean>();
  // @ts-expect-error a field is missing
  tx.tasks.put("t1", { title: "a" });
  // @ts-expect-error no such field
  tx.tasks.put("t1", { title: "a", assignee: null, done: true });
  // @ts-expect-error the field has another type
  tx.tasks.patch("t1", { title: 1 });
  // @ts-expect-error no such field
  tx.tasks.patch("t1", { done: true });
  // @ts-expect-error a required field stays
  tx.tasks.unset("t1", "title");
}

export function transactWritesOnlyDirectCollections(tx: DirectTxOf<Board>) {
  tx.shapes.put("s1", { x: 1, y: 2, color: "red" });
  tx.shapes.delete("s1");
  expectTypeOf(tx.tasks).toEqualTypeOf<CollectionReader<Task>>();
  // @ts-expect-error tasks is not direct
  tx.tasks.put("t1", { title: "a", assignee: null });
  // @ts-expect-error tasks is not direct
  tx.tasks.delete("t1");
  // @ts-expect-error only a mutator knows what its caller had seen
  tx.shapes.changedByOthers("s1");
}

// ---- calls

type Call<D extends AnyRoomDefinition> = <M extends MutatorNamesOf<D>>(
  name: M,
  payload: PayloadOf<D, M>,
) => void;

export function callsAreTyped(call: Call<Board>) {
  call("addTask", { id: "t1", title: "a" });
  call("assignRandomly", { id: "t1" });
  // @ts-expect-error no such mutator
  call("nope", {});
  // @ts-expect-error the payload has another type
  call("claim", { id: 1 });
  // @ts-expect-error a field of the payload is missing
  call("addTask", { id: "t1" });
}

export function contextIsTyped(ctx: Parameters<ServerMutatorsOf<Board>["assignRandomly"]>[2]) {
  expectTypeOf(ctx.user).toEqualTypeOf<UserOf<Board> | null>();
  expectTypeOf(ctx.location).toEqualTypeOf<"client" | "server">();
  ctx.broadcast("confetti", { x: 1, y: 2 });
  // @ts-expect-error no such event
  ctx.broadcast("nope", { x: 1, y: 2 });
  // @ts-expect-error the payload has another type
  ctx.broadcast("confetti", { x: "1", y: 2 });
  expectTypeOf<ReturnType<typeof ctx.reject>>().toBeNever();
  // @ts-expect-error the data of a rejection is JSON
  ctx.reject("late", "too late", { at: new Date() });
}

export function throwingARejectionNarrows(tx: TxOf<Board>, ctx: MutatorContext<null>): string {
  const task = tx.tasks.get("t1");
  if (!task) throw ctx.reject("not-found");
  return task.title;
}

// ---- server mutators

export const served: ServerMutatorsOf<Board> = {
  assignRandomly(tx, { id }, ctx) {
    expectTypeOf(id).toEqualTypeOf<string>();
    tx.tasks.patch(id, { assignee: ctx.user?.name ?? null });
  },
};
declare function serve<D extends AnyRoomDefinition>(
  room: D,
  options: { mutators: ServerMutatorsOf<D> },
): void;
export function serverMutatorsInferFromTheRoom() {
  serve(board, {
    mutators: {
      assignRandomly(tx, { id }, ctx) {
        ctx.broadcast("confetti", { x: 0, y: 0 });
        tx.tasks.patch(id, { assignee: ctx.clientId });
      },
    },
  });
  // @ts-expect-error assignRandomly is missing
  serve(board, { mutators: {} });
}
// @ts-expect-error assignRandomly is missing
export const unserved: ServerMutatorsOf<Board> = {};
// @ts-expect-error claim has its function in the definition
export const servedTwice: ServerMutatorsOf<Board> = { ...served, claim() {} };
// @ts-expect-error a server mutator is synchronous too
export const servedLater: ServerMutatorsOf<Board> = { async assignRandomly() {} };

// ---- inference does not depend on order, and nothing but collections is required

export const mutatorsFirst = defineRoom({
  mutators: (mutator) => ({
    rename: mutator(z.object({ id: z.string(), to: z.string() }), (tx, { id, to }, ctx) => {
      expectTypeOf(ctx.user).toEqualTypeOf<{ readonly nick: string } | null>();
      expectTypeOf(tx.notes.get(id)).toEqualTypeOf<{ readonly text: string } | undefined>();
      ctx.broadcast("renamed", { to });
      tx.notes.patch(id, { text: to });
    }),
  }),
  events: { renamed: z.object({ to: z.string() }) },
  collections: { notes: z.object({ text: z.string() }) },
  user: z.object({ nick: z.string() }),
  version: 1,
});
expectTypeOf<MutatorNamesOf<typeof mutatorsFirst>>().toEqualTypeOf<"rename">();

const bare = defineRoom({ version: 1, collections: { notes: z.object({ text: z.string() }) } });
type Bare = typeof bare;
expectTypeOf(bare).toExtend<AnyRoomDefinition>();
expectTypeOf<UserOf<Bare>>().toBeNever();
expectTypeOf<MutatorNamesOf<Bare>>().toBeNever();
expectTypeOf<EventNamesOf<Bare>>().toBeNever();
expectTypeOf<PresenceOf<Bare>>().toExtend<object>();
expectTypeOf<{}>().toExtend<PresenceOf<Bare>>();
expectTypeOf<{ cursor: null }>().not.toExtend<PresenceOf<Bare>>();
expectTypeOf<ServerNamesOf<Bare>>().toBeNever();
expectTypeOf<DirectTxOf<Bare>["notes"]>().toEqualTypeOf<CollectionReader<{ readonly text: string }>>();

defineRoom({
  version: 1,
  collections: { notes: z.object({ text: z.string() }) },
  mutators: (mutator) => ({
    clear: mutator(z.object({}), (tx, _payload, ctx) => {
      expectTypeOf(ctx.user).toEqualTypeOf<null>();
      for (const id of tx.notes.ids()) tx.notes.delete(id);
      // @ts-expect-error the room has no events
      ctx.broadcast("cleared", {});
    }),
  }),
});

const withMini = defineRoom({
  version: 1,
  user: mini.object({ id: mini.string() }),
  collections: {
    notes: mini.object({ text: mini.string(), tags: mini.optional(mini.array(mini.string())) }),
  },
  direct: ["notes"],
  events: { ping: mini.number() },
  mutators: (mutator) => ({
    tag: mutator(
      mini.object({ id: mini.string(), tags: mini.array(mini.string()) }),
      (tx, { id, tags }, ctx) => {
        tx.notes.patch(id, { tags });
        tx.notes.unset(id, "tags");
        ctx.broadcast("ping", 1);
        expectTypeOf(ctx.user?.id).toEqualTypeOf<string | undefined>();
      },
    ),
    draw: mutator(mini.object({ count: mini.number() })),
  }),
});
expectTypeOf(withMini).toExtend<AnyRoomDefinition>();
expectTypeOf<PayloadOf<typeof withMini, "tag">>().toEqualTypeOf<{
  readonly id: string;
  readonly tags: readonly string[];
}>();
expectTypeOf<ServerNamesOf<typeof withMini>>().toEqualTypeOf<"draw">();

// ---- every kind of JSON

interface Point {
  x: number;
  y?: number;
}
const Tree = z.object({
  label: z.string(),
  get children() {
    return z.array(Tree);
  },
});

const rich = defineRoom({
  version: 1,
  collections: {
    things: z.object({
      flag: z.boolean(),
      note: z.string().optional(),
      count: z.number().default(0),
      owner: z.string().nullable(),
      size: z.object({ w: z.number(), h: z.number().optional() }),
      tags: z.array(z.string()),
      pair: z.tuple([z.string(), z.number()]),
      kind: z.enum(["a", "b"]),
      shape: z.discriminatedUnion("type", [
        z.object({ type: z.literal("dot"), at: z.tuple([z.number(), z.number()]) }),
        z.object({ type: z.literal("text"), text: z.string().nullish() }),
      ]),
      votes: z.record(z.string(), z.number()),
      props: z.json(),
      maybe: z.json().optional(),
      tree: Tree,
      later: z.lazy(() => Tree),
      id: z.string().brand<"Id">(),
      email: z.email(),
      point: z.custom<Point>(),
      frozen: z.array(z.number()).readonly(),
    }),
  },
  direct: ["things"],
  mutators: (mutator) => ({
    store: mutator(z.json(), (tx, payload) => {
      expectTypeOf(payload).toEqualTypeOf<Json>();
      tx.things.patch("a", { props: payload });
    }),
    copy: mutator(
      z.object({ from: z.string(), to: z.string(), times: z.number().default(1) }),
      (tx, { from, to, times }) => {
        expectTypeOf(times).toEqualTypeOf<number>();
        const thing = tx.things.get(from);
        if (thing) tx.things.put(to, thing);
      },
    ),
  }),
});
type Thing = RecordOf<typeof rich, "things">;
expectTypeOf<Thing["count"]>().toEqualTypeOf<number>();
expectTypeOf<Thing["tags"]>().toEqualTypeOf<readonly string[]>();
expectTypeOf<Thing["pair"]>().toEqualTypeOf<readonly [string, number]>();
expectTypeOf<Thing["size"]>().toEqualTypeOf<{ readonly w: number; readonly h?: number | undefined }>();
expectTypeOf<Thing["props"]>().toEqualTypeOf<Json>();
expectTypeOf<Thing["votes"]>().toEqualTypeOf<{ readonly [key: string]: number }>();
expectTypeOf<Thing["tree"]["children"][number]["children"][number]["label"]>().toEqualTypeOf<string>();
expectTypeOf<PayloadOf<typeof rich, "copy">>().toEqualTypeOf<{
  readonly from: string;
  readonly to: string;
  readonly times?: number | undefined;
}>();

export function optionalFieldsMayBeUnset(tx: DirectTxOf<typeof rich>) {
  tx.things.unset("a", "note");
  tx.things.unset("a", "maybe");
  // @ts-expect-error nullable is not optional
  tx.things.unset("a", "owner");
  // @ts-expect-error a reader always finds a field with a default
  tx.things.unset("a", "count");
}

const branded = defineRoom({
  version: 1,
  collections: {
    notes: z
      .object({ text: z.string() })
      .brand<"Note">()
      .refine((note) => note.text !== ""),
  },
  mutators: (mutator) => ({
    copy: mutator(z.object({ id: z.string() }).strict(), (tx, { id }) => {
      tx.notes.put(id, tx.notes.get(id) ?? { text: "new" });
    }),
  }),
});
expectTypeOf<PayloadOf<typeof branded, "copy">>().toEqualTypeOf<{ readonly id: string }>();

// ---- refused definitions

const collections = { notes: z.object({ text: z.string(), done: z.boolean().optional() }) };

// @ts-expect-error direct names collections
defineRoom({ version: 1, collections, direct: ["nope"] });
// @ts-expect-error direct names collections
defineRoom({ version: 1, collections, direct: ["notes", "nope"] });
// @ts-expect-error a collection holds objects
defineRoom({ version: 1, collections: { notes: z.string() } });

// @ts-expect-error Date is not JSON
defineRoom({ version: 1, collections: { notes: z.object({ when: z.date() }) } });
// @ts-expect-error Map is not JSON
defineRoom({ version: 1, collections: { notes: z.object({ map: z.map(z.string(), z.string()) }) } });
// @ts-expect-error Set is not JSON
defineRoom({ version: 1, collections: { notes: z.object({ set: z.set(z.string()) }) } });
// @ts-expect-error bigint is not JSON
defineRoom({ version: 1, collections: { notes: z.object({ big: z.bigint() }) } });
// @ts-expect-error a function is not JSON
defineRoom({ version: 1, collections: { notes: z.object({ run: z.custom<() => void>() }) } });
// @ts-expect-error any may be anything
defineRoom({ version: 1, collections: { notes: z.object({ any: z.any() }) } });
// @ts-expect-error unknown may be anything
defineRoom({ version: 1, collections: { notes: z.object({ unknown: z.unknown() }) } });
// @ts-expect-error unknown fields may be anything
defineRoom({ version: 1, collections: { notes: z.looseObject({ text: z.string() }) } });
const log = z.array(z.object({ at: z.date().optional() }));
// @ts-expect-error a Date somewhere below
defineRoom({ version: 1, collections: { notes: z.object({ log }) } });
// @ts-expect-error one member of the union is a Date
defineRoom({ version: 1, collections: { notes: z.object({ at: z.union([z.string(), z.date()]) }) } });
// @ts-expect-error an array cannot keep undefined
defineRoom({ version: 1, collections: { notes: z.object({ list: z.array(z.string().optional()) }) } });
// @ts-expect-error bytes are not JSON
defineRoom({ version: 1, collections: { notes: z.object({ bytes: z.instanceof(Uint8Array) }) } });
// @ts-expect-error mini: Date is not JSON
defineRoom({ version: 1, collections: { notes: mini.object({ when: mini.date() }) } });
// @ts-expect-error a transform: what comes out may not go in again
defineRoom({ version: 1, collections: { notes: z.object({ size: z.string().transform(Number) }) } });
// @ts-expect-error a transform of the same type
defineRoom({ version: 1, collections: { notes: z.object({ size: z.number().transform((n) => n * 2) }) } });
// @ts-expect-error a pipe in a list in an object
defineRoom({ version: 1, presence: z.object({ a: z.array(z.string().pipe(z.string())) }), collections: {} });
// @ts-expect-error a value in the place of another
defineRoom({ version: 1, collections: {}, events: { ping: z.object({ at: z.number().catch(0) }) } });
// @ts-expect-error mini: a transform in a union
defineRoom({ version: 1, collections: {}, user: mini.union([mini.null(), mini.pipe(mini.string(), mini.transform((s) => s + 1))]) }); // prettier-ignore
// @ts-expect-error coercion takes anything
defineRoom({ version: 1, collections: { notes: z.object({ size: z.coerce.number() }) } });
// @ts-expect-error the second collection is at fault
defineRoom({ version: 1, collections: { ...collections, bad: z.object({ when: z.date() }) } });

// @ts-expect-error a Date in presence
defineRoom({ version: 1, collections, presence: z.object({ at: z.date() }) });
// @ts-expect-error a bigint in an event
defineRoom({ version: 1, collections, events: { ping: z.object({ n: z.bigint() }) } });
// @ts-expect-error a Date in the user
defineRoom({ version: 1, collections, user: z.object({ born: z.date() }) });

defineRoom({
  version: 1,
  collections,
  mutators: (mutator) => ({
    // @ts-expect-error a Date in a payload
    at: mutator(z.object({ when: z.date() })),
    // @ts-expect-error a Map in a payload
    map: mutator(z.map(z.string(), z.string()), () => {}),
    // @ts-expect-error no payload at all is not JSON
    optional: mutator(z.string().optional()),
    // @ts-expect-error an async mutator would write after its transaction
    later: mutator(z.object({ id: z.string() }), async () => {}),
    // @ts-expect-error an async mutator that uses what it is given
    much: mutator(z.object({ id: z.string() }), async (tx, { id }) => {
      tx.notes.delete(id);
    }),
    // @ts-expect-error a promise that is returned is async too
    promise: mutator(z.object({ id: z.string() }), () => Promise.resolve()),
    fine: mutator(z.object({ id: z.string() }), (tx, { id }) => tx.notes.delete(id)),
    wrong: mutator(z.object({ id: z.string() }), (tx, payload) => {
      // @ts-expect-error no such collection
      tx.nope.delete(payload.id);
      // @ts-expect-error no such field in the payload
      tx.notes.delete(payload.key);
      // @ts-expect-error the payload is frozen
      payload.id = "b";
    }),
  }),
});

// @ts-expect-error a mutator is made by `mutator`
defineRoom({ version: 1, collections, mutators: () => ({ bad: () => {} }) });
// @ts-expect-error no such option
defineRoom({ version: 1, collections, secret: ["notes"] });

defineRoom({ version: 1, collections, user: z.object({ id: z.string() }), private: ["notes"] });
// @ts-expect-error no such collection
defineRoom({ version: 1, collections, user: z.object({ id: z.string() }), private: ["nope"] });

// ---- ordered lists

const lists = defineRoom({
  version: 1,
  collections: {
    tasks: z.object({ title: z.string(), order: orderKey(), rank: z.optional(orderKey()) }),
    cards: mini.object({ title: mini.string(), place: mini.nullable(orderKey()) }),
    refined: z.object({ order: orderKey(), until: z.string() }).refine(({ until }) => until !== ""),
    notes: z.object({ text: z.string() }),
  },
  direct: ["cards"],
  mutators: (mutator) => ({
    move: mutator(z.object({ id: z.string(), order: orderKey() }), (tx, { id, order }) => {
      tx.tasks.patch(id, { order });
      expectTypeOf(tx.tasks.values("rank").at(0)?.title).toEqualTypeOf<string | undefined>();
      // @ts-expect-error not an order field
      tx.tasks.ids("title");
    }),
  }),
});
type Lists = typeof lists;

expectTypeOf<RecordOf<Lists, "tasks">>().toEqualTypeOf<{
  readonly title: string;
  readonly order: string;
  readonly rank?: string | undefined;
}>();
expectTypeOf<OrderFieldsOf<Lists["collections"]["tasks"]>>().toEqualTypeOf<"order" | "rank">();
expectTypeOf<OrderFieldsOf<Lists["collections"]["cards"]>>().toEqualTypeOf<"place">();
expectTypeOf<OrderFieldsOf<Lists["collections"]["refined"]>>().toEqualTypeOf<"order">();
expectTypeOf<OrderFieldsOf<Lists["collections"]["notes"]>>().toEqualTypeOf<never>();
expectTypeOf<PayloadOf<Lists, "move">>().toEqualTypeOf<{ readonly id: string; readonly order: string }>();
expectTypeOf(lists).toExtend<AnyRoomDefinition>();

export function listsAreReadInOrder(state: StateOf<Lists>, direct: DirectTxOf<Lists>) {
  expectTypeOf(state.tasks.ids("order")).toEqualTypeOf<readonly string[]>();
  expectTypeOf(state.tasks.values("rank").at(0)?.order).toEqualTypeOf<string | undefined>();
  expectTypeOf(state.cards.entries("place").at(0)?.[1].place).toEqualTypeOf<string | null | undefined>();
  direct.cards.put("c1", { title: "", place: orderBetween(direct.cards.values("place").at(-1)?.place) });
  state.tasks.ids();
  // @ts-expect-error not an order field
  state.tasks.ids("title");
  // @ts-expect-error no such field
  state.tasks.values("nope");
  // @ts-expect-error a collection without order fields has its ids alone
  state.notes.entries("text");
}

// ---- undo rules

defineRoom({
  version: 1,
  collections: { tasks: z.object({ title: z.string() }) },
  mutators: (mutator) => ({
    add: mutator(z.object({ id: z.string(), title: z.string() }), (tx, { id, title }) =>
      tx.tasks.put(id, { title }),
    ),
    remove: mutator(z.object({ id: z.string() }), (tx, { id }) => tx.tasks.delete(id)),
    shuffle: mutator(z.object({})),
  }),
  undo: {
    add: ({ id, title }) => (title === "" ? undefined : ["remove", { id }]),
    remove: ({ id }, state, { clientId, user }) => {
      expectTypeOf(clientId).toEqualTypeOf<string>();
      expectTypeOf(user).toEqualTypeOf<null>();
      const task = state.tasks.get(id);
      expectTypeOf(task).toEqualTypeOf<{ readonly title: string } | undefined>();
      // @ts-expect-error the state is read only
      state.tasks.delete(id);
      return task && ["add", { id, title: task.title }];
    },
  },
});

defineRoom({
  version: 1,
  collections: { tasks: z.object({ title: z.string() }) },
  mutators: (mutator) => ({ remove: mutator(z.object({ id: z.string() })) }),
  // @ts-expect-error the payload has an id
  undo: { remove: ({ name }: { name: string }) => ["remove", { name }] },
});

defineRoom({
  version: 1,
  collections: { tasks: z.object({ title: z.string() }) },
  mutators: (mutator) => ({ remove: mutator(z.object({ id: z.string() })) }),
  // @ts-expect-error no mutator of that name takes anything back
  undo: { remove: ({ id }) => ["whatever", { id }] },
});

defineRoom({
  version: 1,
  collections: { tasks: z.object({ title: z.string() }) },
  mutators: (mutator) => ({ remove: mutator(z.object({ id: z.string() })) }),
  // @ts-expect-error there is no such mutator
  undo: { whatever: () => undefined },
});

// ---- roles are typed by the definition, and are any word without it

const withRoles = defineRoom({
  version: 1,
  roles: ["editor", "guest"],
  collections: { notes: z.object({ text: z.string() }) },
  mutators: (mutator) => ({
    write: mutator(z.object({}), (_tx, _payload, ctx) => {
      expectTypeOf(ctx.role).toEqualTypeOf<"editor" | "guest" | undefined>();
      expectTypeOf(ctx.access).toEqualTypeOf<"read" | "write">();
    }),
  }),
});
expectTypeOf<RoleOf<typeof withRoles>>().toEqualTypeOf<"editor" | "guest">();
expectTypeOf<RoleOf<Board>>().toEqualTypeOf<string>();
