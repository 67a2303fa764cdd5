import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fakeTimers } from "../../support/rooms/scripted-room.ts";
import { TwoAuthors } from "../support/two-authors.ts";

fakeTimers();

const ids = ["a", "b", "c"] as const;
const id = fc.constantFrom(...ids);
/** Few, so that a field often comes back to what it was. */
const value = fc.integer({ min: 1, max: 3 });
const color = fc.constantFrom("red", "blue");

const ownEdit = fc.oneof(
  fc.record({ kind: fc.constant("move" as const), id, x: value }),
  fc.record({ kind: fc.constant("moveAll" as const), x: value, y: value }),
  fc.record({ kind: fc.constant("paint" as const), id, color }),
  fc.record({ kind: fc.constant("strip" as const), id }),
  fc.record({ kind: fc.constant("put" as const), id, x: value, y: value }),
  fc.record({ kind: fc.constant("delete" as const), id }),
);
const othersEdit = fc.oneof(
  fc.record({ kind: fc.constant("others move" as const), id }),
  fc.record({ kind: fc.constant("others paint" as const), id }),
  fc.record({ kind: fc.constant("others put" as const), id }),
  fc.record({ kind: fc.constant("others delete" as const), id }),
);
const step = fc.oneof(
  { weight: 8, arbitrary: ownEdit },
  { weight: 5, arbitrary: othersEdit },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("undo" as const, "redo" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("execute" as const), refuses: weighted(0.2) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("deliver" as const), frames: fc.nat(4) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function weighted(share: number): fc.Arbitrary<boolean> {
  return fc.integer({ min: 1, max: 100 }).map((dice) => dice <= share * 100);
}

/** Does a step; answers what an undo or redo has changed, and who had written that. */
async function take(two: TwoAuthors, step: Step, number: number): Promise<string[]> {
  const { room } = two;
  const { shapes } = room.state;
  /** No other edit has this value, so that what the other wrote can be told by it. */
  const unique = 1_000 + number;
  const edit = (run: Parameters<typeof room.transact>[0]) => two.act(() => void room.transact(run));
  switch (step.kind) {
    case "move":
      if (shapes.has(step.id)) edit((tx) => tx.shapes.patch(step.id, { x: step.x }));
      break;
    case "moveAll":
      edit((tx) => tx.shapes.ids().forEach((each) => tx.shapes.patch(each, { x: step.x, y: step.y })));
      break;
    case "paint":
      if (shapes.has(step.id)) edit((tx) => tx.shapes.patch(step.id, { color: step.color }));
      break;
    case "strip":
      if (shapes.has(step.id)) edit((tx) => tx.shapes.unset(step.id, "color"));
      break;
    case "put":
      edit((tx) => tx.shapes.put(step.id, { x: step.x, y: step.y }));
      break;
    case "delete":
      edit((tx) => tx.shapes.delete(step.id));
      break;
    case "others move":
      two.edit({ shapes: [["patch", step.id, { x: unique, y: unique }]] });
      break;
    case "others paint":
      two.edit({ shapes: [["patch", step.id, { color: `color ${unique}` }]] });
      break;
    case "others put":
      // Never again under the name of one that was deleted.
      two.edit({
        shapes: [["put", two.has(step.id) ? step.id : `${step.id}${number}`, { x: unique, y: unique }]],
      });
      break;
    case "others delete":
      // Of two who delete the same at once, nobody could say who it was.
      if (shapes.has(step.id) && two.has(step.id)) two.edit({ shapes: [["delete", step.id]] });
      break;
    case "undo":
    case "redo":
      return two.act(() => void room.history[step.kind]());
    case "pause":
    case "resume":
      room.history[step.kind]();
      break;
    case "execute":
      await two.execute(step.refuses);
      break;
    case "deliver":
      await two.deliver(step.frames);
      break;
    default:
      step satisfies never;
  }
  return [];
}

test("undo and redo never change what the other wrote last, nor bring back what the other deleted", async () => {
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), async (steps) => {
      const two = await TwoAuthors.meet({
        a: { x: 1, y: 1 },
        b: { x: 2, y: 2, color: "red" },
        c: { x: 3, y: 3 },
      });
      for (const [number, each] of steps.entries()) {
        const changed = await take(two, each, number);
        expect(changed.filter((change) => change.endsWith("of there"))).toEqual([]);
        changes += changed.length;
      }
      await two.settle();
      two.room.close();
    }),
    { numRuns: 150 },
  );
  expect(changes).toBeGreaterThan(500);
}, 120_000);

test("as many redos as there were undos lead back to where the first undo began", async () => {
  let undone = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
      fc.boolean(),
      fc.nat(12),
      async (steps, settles, wanted) => {
        const two = await TwoAuthors.meet({
          a: { x: 1, y: 1 },
          b: { x: 2, y: 2, color: "red" },
          c: { x: 3, y: 3 },
        });
        for (const [number, each] of steps.entries()) await take(two, each, number);
        if (settles) await two.settle();
        const { history, state } = two.room;
        const before = state.shapes.entries();
        let undos = 0;
        while (undos < wanted && history.undo()) undos += 1;
        for (let redos = 0; redos < undos; redos++) expect(history.redo()).toBe(true);
        expect(state.shapes.entries()).toEqual(before);
        undone += undos;
        two.room.close();
      },
    ),
    { numRuns: 150 },
  );
  expect(undone).toBeGreaterThan(200);
}, 120_000);
