import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Caller, Outcome } from "../../../src/model/call.ts";
import type { Limits } from "../../../src/room/limits.ts";
import { Views } from "../../../src/room/visibility/view.ts";
import { defineRoom, orderBetween, orderKey } from "../../../src/index.ts";
import { Desk } from "../../support/rooms/engine-without-storage.ts";
import { diceOf } from "../../support/random-numbers.ts";
import { writer } from "../../support/boards/rules-board.ts";

/** A room in which each user has a list that nobody else is shown. */
const planner = defineRoom({
  version: 1,
  user: z.object({ id: z.string() }),
  collections: { plans: z.object({ text: z.string().max(20), place: orderKey() }) },
  private: ["plans"],
  direct: ["plans"],
  mutators: (mutator) => ({
    give: mutator(z.object({ id: z.string(), place: orderKey() }), (tx, { id, place }) => {
      tx.plans.put(id, { text: "given", place });
    }),
    rename: mutator(z.object({ id: z.string(), text: z.string() }), (tx, { id, text }) => {
      tx.plans.patch(id, { text });
    }),
  }),
});

const personOf = (id: string): Caller => ({ ...writer(id), user: { id } });
const ann = personOf("ann");
const ben = personOf("ben");

function newDesk(limits: Partial<Limits> = {}): Desk {
  return new Desk({ definition: planner, views: new Views(planner) }, limits);
}

const put = (id: string, place: string) => ({ plans: [["put", id, { text: "", place }]] });

function write(desk: Desk, client: Caller, id: string, place: string): Outcome | undefined {
  return desk.outcome(client, "transact", put(id, place));
}

/** Record id → key, of what belongs to `owner`. */
function keysOf(desk: Desk, owner: string): { [id: string]: unknown } {
  const ids = desk.memory.state.ids("plans").filter((id) => id.startsWith(`${owner}/`));
  return Object.fromEntries(ids.map((id) => [id, desk.memory.state.get("plans", id)?.["place"]]));
}

const deep = `a0${"V".repeat(60)}`;

describe("a private collection has a list for each owner", () => {
  test("a key that another owner uses is stored as it was written", () => {
    const desk = newDesk();
    const places = ["a0", "a1", "a2"];
    for (const [at, place] of places.entries()) {
      write(desk, ann, `ann/${at}`, place);
      write(desk, ben, `ben/${at}`, place);
    }
    expect(Object.values(keysOf(desk, "ann"))).toEqual(places);
    expect(Object.values(keysOf(desk, "ben"))).toEqual(places);
  });

  test("a long key between those of another owner changes none of them", () => {
    const desk = newDesk({ longOrderKeyLength: 100 });
    write(desk, ann, "ann/1", `${deep}A`);
    write(desk, ann, "ann/2", `${deep}C`);
    const tight = newDesk();
    for (const [id, place] of Object.entries(keysOf(desk, "ann"))) {
      const record = Object.freeze({ text: "", place: place as string });
      tight.memory.state.set("plans", id, record);
      tight.memory.pages.touch("plans", id, "put");
    }
    write(tight, ben, "ben/1", `${deep}B`);
    expect(keysOf(tight, "ann")).toEqual(keysOf(desk, "ann"));
    expect(keysOf(tight, "ben")).toEqual({ "ben/1": "a0" });
  });

  test("within one owner's list equal and long keys are repaired", () => {
    const desk = newDesk();
    write(desk, ann, "ann/1", "a0");
    write(desk, ann, "ann/2", "a0");
    write(desk, ann, "ann/3", `${deep}A`);
    expect(new Set(Object.values(keysOf(desk, "ann"))).size).toBe(3);
    expect(Object.values(keysOf(desk, "ann")).every((key) => (key as string).length < 48)).toBe(true);
  });

  test("one operation that writes to several lists repairs each by itself", () => {
    const desk = newDesk();
    desk.engine.transact((tx) => {
      for (const id of ["ann/1", "ben/1", "ann/2", "ben/2"]) tx["plans"]?.put(id, { text: "", place: "a0" });
    });
    expect(Object.values(keysOf(desk, "ann"))).toEqual(Object.values(keysOf(desk, "ben")));
    expect(new Set(Object.values(keysOf(desk, "ann"))).size).toBe(2);
  });

  test("an edit of the room's own with an id of nobody is refused before its keys are looked at", () => {
    expect(() =>
      newDesk().engine.transact((tx) => tx["plans"]?.put("nobody", { text: "", place: "a0" })),
    ).toThrow("plans is private");
  });

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    "whatever others write, each list is what it would be in a room of its own: %i",
    (seed) => {
      const below = diceOf(seed);
      const limits = { longOrderKeyLength: 8, maxShortenedOrderKeys: 4 };
      const owners = ["ann", "anna", "ben"].map(personOf);
      const shared = newDesk(limits);
      const alone = new Map(owners.map(({ actor }) => [actor, newDesk(limits)] as const));
      const keys = ["a0", "a1"];
      while (keys.length < 40) keys.push(orderBetween(keys[below(keys.length)], keys[below(keys.length)]));
      for (let step = 0; step < 120; step++) {
        const client = owners[below(owners.length)] as Caller;
        const id = `${client.actor}/${below(8)}`;
        const isPut = below(6) > 0;
        const edit = isPut
          ? put(id, keys[below(keys.length)] as string)
          : { plans: [["delete", id]] as const };
        for (const desk of [shared, alone.get(client.actor) as Desk]) desk.outcome(client, "transact", edit);
      }
      for (const [owner, desk] of alone) expect(keysOf(shared, owner)).toEqual(keysOf(desk, owner));
    },
  );
});

describe("what the room says about a record that the caller is not shown", () => {
  const desk = newDesk({ maxRecordBytes: 60 });
  write(desk, ben, "ben/1", "a0");

  test.each([
    ["is not there", "ben/2", "x"],
    ["is there, and the text does not fit", "ben/1", "much longer than twenty characters"],
  ])("names neither its id nor what is wrong with it: %s", (_, id, text) => {
    const outcome = desk.outcome(ann, "rename", { id, text });
    expect(outcome).toMatchObject({
      kind: "rejected",
      message: "the call writes a record of plans that you are not shown",
    });
    expect(outcome).not.toHaveProperty("data");
    const own = desk.outcome(ben, "rename", { id, text });
    expect(JSON.stringify(own)).toContain(id);
    expect(own).toHaveProperty("data");
  });

  test("does not tell its size either", () => {
    const place = `a0${"V".repeat(40)}`;
    expect(desk.outcome(ann, "give", { id: "ben/3", place })).toEqual({
      kind: "rejected",
      code: "too-large",
      message: "the call writes a record of plans that you are not shown",
    });
    expect(desk.outcome(ben, "give", { id: "ben/3", place })).toMatchObject({
      message: expect.stringContaining("allowed are 60"),
    });
  });
});
