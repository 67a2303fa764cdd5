import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Caller, Outcome } from "../../../src/model/call.ts";
import type { Limits } from "../../../src/room/limits.ts";
import { Views } from "../../../src/room/visibility/view.ts";
import { defineRoom, orderBetween, orderKey } from "../../../src/index.ts";
import { EngineHarness } from "../../support/rooms/engine-without-storage.ts";
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

function newHarness(limits: Partial<Limits> = {}): EngineHarness {
  return new EngineHarness({ definition: planner, views: new Views(planner) }, limits);
}

const put = (id: string, place: string) => ({ plans: [["put", id, { text: "", place }]] });

function write(harness: EngineHarness, client: Caller, id: string, place: string): Outcome | undefined {
  return harness.outcome(client, "transact", put(id, place));
}

/** Record id → key, of what belongs to `owner`. */
function keysOf(harness: EngineHarness, owner: string): { [id: string]: unknown } {
  const ids = harness.roomState.records.ids("plans").filter((id) => id.startsWith(`${owner}/`));
  return Object.fromEntries(ids.map((id) => [id, harness.roomState.records.get("plans", id)?.["place"]]));
}

const deep = `a0${"V".repeat(60)}`;

describe("a private collection has a list for each owner", () => {
  test("a key that another owner uses is stored as it was written", () => {
    const harness = newHarness();
    const places = ["a0", "a1", "a2"];
    for (const [at, place] of places.entries()) {
      write(harness, ann, `ann/${at}`, place);
      write(harness, ben, `ben/${at}`, place);
    }
    expect(Object.values(keysOf(harness, "ann"))).toEqual(places);
    expect(Object.values(keysOf(harness, "ben"))).toEqual(places);
  });

  test("a long key between those of another owner changes none of them", () => {
    const harness = newHarness({ longOrderKeyLength: 100 });
    write(harness, ann, "ann/1", `${deep}A`);
    write(harness, ann, "ann/2", `${deep}C`);
    const tight = newHarness();
    for (const [id, place] of Object.entries(keysOf(harness, "ann"))) {
      const record = Object.freeze({ text: "", place: place as string });
      tight.roomState.records.set("plans", id, record);
      tight.roomState.pages.touch("plans", id, "put");
    }
    write(tight, ben, "ben/1", `${deep}B`);
    expect(keysOf(tight, "ann")).toEqual(keysOf(harness, "ann"));
    expect(keysOf(tight, "ben")).toEqual({ "ben/1": "a0" });
  });

  test("within one owner's list equal and long keys are repaired", () => {
    const harness = newHarness();
    write(harness, ann, "ann/1", "a0");
    write(harness, ann, "ann/2", "a0");
    write(harness, ann, "ann/3", `${deep}A`);
    expect(new Set(Object.values(keysOf(harness, "ann"))).size).toBe(3);
    expect(Object.values(keysOf(harness, "ann")).every((key) => (key as string).length < 48)).toBe(true);
  });

  test("one operation that writes to several lists repairs each by itself", () => {
    const harness = newHarness();
    harness.engine.transact((tx) => {
      for (const id of ["ann/1", "ben/1", "ann/2", "ben/2"]) tx["plans"]?.put(id, { text: "", place: "a0" });
    });
    expect(Object.values(keysOf(harness, "ann"))).toEqual(Object.values(keysOf(harness, "ben")));
    expect(new Set(Object.values(keysOf(harness, "ann"))).size).toBe(2);
  });

  test("an edit of the room's own with an id of nobody is refused before its keys are looked at", () => {
    expect(() =>
      newHarness().engine.transact((tx) => tx["plans"]?.put("nobody", { text: "", place: "a0" })),
    ).toThrow("plans is private");
  });

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    "whatever others write, each list is what it would be in a room of its own: %i",
    (seed) => {
      const below = diceOf(seed);
      const limits = { longOrderKeyLength: 8, maxShortenedOrderKeys: 4 };
      const owners = ["ann", "anna", "ben"].map(personOf);
      const shared = newHarness(limits);
      const alone = new Map(owners.map(({ clientId }) => [clientId, newHarness(limits)] as const));
      const keys = ["a0", "a1"];
      while (keys.length < 40) keys.push(orderBetween(keys[below(keys.length)], keys[below(keys.length)]));
      for (let step = 0; step < 120; step++) {
        const client = owners[below(owners.length)] as Caller;
        const id = `${client.clientId}/${below(8)}`;
        const isPut = below(6) > 0;
        const edit = isPut
          ? put(id, keys[below(keys.length)] as string)
          : { plans: [["delete", id]] as const };
        for (const harness of [shared, alone.get(client.clientId) as EngineHarness])
          harness.outcome(client, "transact", edit);
      }
      for (const [owner, harness] of alone) expect(keysOf(shared, owner)).toEqual(keysOf(harness, owner));
    },
  );
});

describe("what the room says about a record that the caller is not shown", () => {
  const harness = newHarness({ maxRecordBytes: 60 });
  write(harness, ben, "ben/1", "a0");

  test.each([
    ["is not there", "ben/2", "x"],
    ["is there, and the text does not fit", "ben/1", "much longer than twenty characters"],
  ])("names neither its id nor what is wrong with it: %s", (_, id, text) => {
    const outcome = harness.outcome(ann, "rename", { id, text });
    expect(outcome).toMatchObject({
      kind: "rejected",
      message: "the call writes a record of plans that you are not shown",
    });
    expect(outcome).not.toHaveProperty("data");
    const own = harness.outcome(ben, "rename", { id, text });
    expect(JSON.stringify(own)).toContain(id);
    expect(own).toHaveProperty("data");
  });

  test("does not tell its size either", () => {
    const place = `a0${"V".repeat(40)}`;
    expect(harness.outcome(ann, "give", { id: "ben/3", place })).toEqual({
      kind: "rejected",
      code: "too-large",
      message: "the call writes a record of plans that you are not shown",
    });
    expect(harness.outcome(ben, "give", { id: "ben/3", place })).toMatchObject({
      message: expect.stringContaining("allowed are 60"),
    });
  });
});
