import { abortAllDurableObjects } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Room } from "../../../client/index.ts";
import type { DownFrame } from "../../../src/protocol/down/down-frames.ts";
import type { Collections } from "../../support/clients/client-copy.ts";
import {
  newPrivateRoom,
  newTestRoom,
  newThriftyRoom,
  patch,
  put,
  remove,
  type AnyRoom,
} from "../../support/rooms/test-rooms.ts";
import type { TestBoard } from "../../support/boards/test-board.ts";
import type { Call } from "../../support/clients/wire-client.ts";
import {
  enter,
  expectAgreement,
  outcomeOf,
  until,
  type Entered,
} from "../../support/clients/joined-client.ts";

// The client waits for a random part of its time before it comes back: here for none of it.
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
afterEach(() => void vi.restoreAllMocks());

type Act = (room: Room<TestBoard>) => { readonly committed: Promise<{ readonly rev: number }> };

const puts =
  (x: number): Act =>
  (room) =>
    room.transact((tx) => tx.shapes.put("s", { x, y: 0 }));
const patches =
  (x: number): Act =>
  (room) =>
    room.transact((tx) => tx.shapes.patch("s", { x }));
const deletes: Act = (room) => room.transact((tx) => tx.shapes.delete("s"));
const adds: Act = (room) => room.mutate.addUp({ id: "s", by: 1 });

/** Who has done what with a shape whose `x` was 0, and what `x` is in the end; undefined when it is gone. */
const stories: [string, Act, readonly Act[], number | undefined][] = [
  ["a patch, and another has patched the same field", patches(1), [patches(2)], 2],
  ["a patch, and another has deleted the record", patches(1), [deletes], undefined],
  ["a patch, and another has deleted the record and put it anew", patches(1), [deletes, puts(2)], 2],
  ["a put, and another has deleted the record", puts(1), [deletes], undefined],
  ["a deletion, and another has put the record anew", deletes, [puts(2)], 2],
  ["a mutator, and another has written the same field", adds, [patches(5)], 5],
  ["a mutator, and another has deleted the record", adds, [deletes], undefined],
  ["a mutator, and another has deleted the record and made it anew", adds, [deletes, adds], 1],
];

/** What happens to the room between the loss and the return. */
const meanwhiles: [string, (at: AnyRoom) => Promise<void>][] = [
  ["", async () => {}],
  [" over an eviction", async (at) => await at.evict()],
  [" over an eviction that closes the sockets", async (at) => await at.evict("close")],
  [" over a crash", async () => await abortAllDurableObjects()],
  [
    " over twenty flushes of others, and an eviction",
    async (at) => {
      const busy = await at.join({ token: "user:dora" });
      for (let n = 0; n < 20; n++) await busy.commit(put("notes", "n", { text: `${n}` }));
      await busy.commit(remove("notes", "n"));
      busy.cut();
      await at.evict();
    },
  ],
];

function shape(x: number | undefined): Collections {
  return x === undefined ? {} : { shapes: { s: { x, y: 0 } } };
}

function isAnswer(frame: DownFrame): boolean {
  return frame.kind === "update" && frame.outcomes !== undefined;
}

/** Has somebody do something and be cut off before the answer is there. */
async function doUnanswered({ room, link }: Entered, act: Act): Promise<ReturnType<Act>> {
  const answers = link.down.filter(isAnswer).length;
  link.loses = ({ kind }) => kind === "update";
  const call = act(room);
  await until(() => link.down.filter(isAnswer).length > answers);
  link.cut();
  link.loses = () => false;
  expect(room.pending).toBe(1);
  return call;
}

/** Has every call of a client arrive once more; only the one that is made then counts. */
async function repeatAll({ room, link }: Entered): Promise<void> {
  const { rev } = room;
  for (const frame of link.up.filter(({ kind }) => kind === "push")) link.repeat(frame);
  expect(await room.mutate.addTask({ id: "last", title: "behind all of them" }).committed).toEqual({
    rev: rev + 1,
  });
}

describe.each(meanwhiles)("when an answer was lost%s", (_, meanwhile) => {
  test.each(stories)(
    "to %s, the last word stays, and the call has its first revision",
    async (__, act, reply, x) => {
      const at = newThriftyRoom();
      const [one, other] = [await enter(at), await enter(at)];
      await puts(0)(other.room).committed;
      await until(() => one.room.rev === 1);
      const call = await doUnanswered(one, act);
      for (const react of reply) await react(other.room).committed;
      await meanwhile(at);
      const { rev } = await at.json();
      one.link.mend();
      expect(await call.committed).toEqual({ rev: 2 });
      expect(await expectAgreement(at, one, other)).toEqual(shape(x));
      expect((await at.json()).rev).toBe(rev);
      await repeatAll(one);
      expect(await expectAgreement(at, one, other)).toMatchObject(shape(x));
      expect(one.room.state.shapes.get("s")?.x).toBe(x);
    },
  );

  test("to what was refused, it is refused the same, even though it would go well by now", async () => {
    const at = newThriftyRoom();
    const [one, other] = [await enter(at), await enter(at)];
    await puts(0)(other.room).committed;
    await until(() => one.room.rev === 1);
    one.link.hold("down"); // so that it does not know of the deletion
    await deletes(other.room).committed;
    const call = await doUnanswered(one, patches(1));
    one.link.release("down");
    await puts(2)(other.room).committed;
    await meanwhile(at);
    const { rev } = await at.json();
    one.link.mend();
    await expect(call.committed).rejects.toMatchObject({ code: "not-found" });
    expect(await expectAgreement(at, one, other)).toEqual(shape(2));
    expect((await at.json()).rev).toBe(rev);
    await repeatAll(one);
    expect(one.room.state.shapes.get("s")?.x).toBe(2);
  });

  test("to a mutator that was refused, it is refused the same, even to somebody who may by now", async () => {
    const at = newPrivateRoom();
    let token = "reader:bob";
    const one = await enter(at, { token: () => token });
    const call = await doUnanswered(one, adds);
    const other = await enter(at, { token: () => "user:carol" });
    await adds(other.room).committed;
    await meanwhile(at);
    token = "user:bob";
    one.link.mend();
    await expect(call.committed).rejects.toMatchObject({ code: "forbidden" });
    expect(await expectAgreement(at, one, other)).toEqual(shape(1));
    await repeatAll(one);
    expect(one.room.state.shapes.get("s")?.x).toBe(1);
  });
});

describe("when of several calls on their way", () => {
  /** Makes calls that go up one by one: to 1, to 2, … in the same field. */
  async function patchTo({ room, link }: Entered, ...values: number[]): Promise<ReturnType<Act>[]> {
    const calls: ReturnType<Act>[] = [];
    for (const value of values) {
      const sent = link.calls.length;
      calls.push(patches(value)(room));
      await until(() => link.calls.length === sent + 1);
    }
    return calls;
  }

  /** Two clients and a shape whose `x` is 0, at revision 1. */
  async function withShape(newRoom: () => AnyRoom = newThriftyRoom) {
    const at = newRoom();
    const [one, other] = [await enter(at), await enter(at)];
    await puts(0)(other.room).committed;
    await until(() => one.room.rev === 1);
    return { at, one, other };
  }

  test("the first answers alone were lost, it asks for them, and what others wrote in between stays", async () => {
    const { at, one, other } = await withShape();
    one.link.loses = isAnswer;
    const lost = await patchTo(one, 1, 2);
    await until(() => other.room.rev === 3 && one.link.down.filter(isAnswer).length === 2);
    one.link.loses = () => false;
    await patches(3)(other.room).committed;
    const answered = one.room.mutate.addTask({ id: "t", title: "T" });
    expect(await Promise.all([...lost, answered].map(outcomeOf))).toEqual([2, 3, 5]);
    expect(await expectAgreement(at, one, other)).toMatchObject(shape(3));
    expect(one.link.hellos).toHaveLength(1);
    await repeatAll(one);
    expect(one.room.state.shapes.get("s")?.x).toBe(3);
  });

  test("the first were executed and the others never arrived, only the others come behind what was written meanwhile", async () => {
    const { at, one, other } = await withShape();
    one.link.loses = isAnswer;
    const executed = await patchTo(one, 1, 2);
    await until(() => other.room.rev === 3);
    one.link.hold("up");
    const unheard = await patchTo(one, 3, 4);
    one.link.cut();
    one.link.release("up");
    one.link.loses = () => false;
    await deletes(other.room).committed;
    await puts(9)(other.room).committed;
    await at.evict();
    one.link.mend();
    expect(await Promise.all([...executed, ...unheard].map(outcomeOf))).toEqual([2, 3, 6, 7]);
    expect(await expectAgreement(at, one, other)).toEqual(shape(4));
    expect((await at.json()).rev).toBe(7);
  });

  test("some were refused, each comes to what it came to", async () => {
    const { at, one, other } = await withShape(newTestRoom);
    one.link.loses = isAnswer;
    const frozen = one.room.mutate.addUp({ id: "frozen", by: 1 });
    const calls = [adds(one.room), frozen, adds(one.room)];
    await until(() => other.room.rev === 3);
    one.link.cut();
    one.link.loses = () => false;
    await patches(7)(other.room).committed;
    await at.evict();
    one.link.mend();
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([2, "frozen", 3]);
    expect(await expectAgreement(at, one, other)).toEqual(shape(7));
  });
});

describe("a page that is loaded anew with the calls that the last one has saved", () => {
  const refusal = { code: "no-way", message: "this is never allowed", data: { text: "hm" } };
  const saved: readonly Call[] = [
    patch("shapes", "s", { x: 1 }),
    ["addUp", { id: "s", by: 10 }],
    ["refuse", { text: "hm" }],
    patch("shapes", "none", { x: 1 }),
    remove("shapes", "s"),
  ];

  test.each(meanwhiles)("is answered as that one was, and nothing runs again%s", async (_, meanwhile) => {
    const at = newThriftyRoom();
    const other = await at.join();
    await other.commit(put("shapes", "s", { x: 0, y: 0 }));
    const page = await at.join();
    const outcomes = await page.commit(...saved);
    expect(outcomes).toMatchObject([2, 3, refusal, { code: "not-found" }, 4]);
    page.cut();
    await other.until(({ rev }) => rev === 4);
    await other.commit(put("shapes", "s", { x: 7, y: 0 }), put("shapes", "none", { x: 8, y: 0 }));
    await meanwhile(at);
    const before = await at.json();

    const { secret, copy } = page;
    const anew = at.client({ secret });
    await anew.open({ knownSince: copy.welcome?.knownSince ?? null });
    expect((await anew.caughtUp()).outcomes?.map(([, outcome]) => outcome)).toEqual(outcomes);
    for (const first of [1, 1, 3]) {
      anew.pushAt(first, ...saved.slice(first - 1));
      expect((await anew.next("update")).outcomes?.map(([, outcome]) => outcome)).toEqual(
        outcomes.slice(first - 1),
      );
    }
    expect(await at.json()).toEqual(before);
    expect(before.collections["shapes"]).toEqual({ s: { x: 7, y: 0 }, none: { x: 8, y: 0 } });
  });

  test.each(meanwhiles)("has those executed that never arrived, once%s", async (_, meanwhile) => {
    const at = newThriftyRoom();
    const other = await at.join();
    const page = await at.join();
    const count = (by: number): Call => ["addUp", { id: "sum", by }];
    await page.commit(count(1), count(10));
    page.cut();
    await other.until(({ rev }) => rev === 2);
    await other.commit(count(1_000));
    await meanwhile(at);
    const { rev } = await at.json();

    const { secret, copy } = page;
    const anew = at.client({ secret });
    await anew.open({ knownSince: copy.welcome?.knownSince ?? null });
    await anew.caughtUp();
    anew.nextId = 1;
    expect(await anew.commit(count(1), count(10), count(100))).toEqual([1, 2, rev + 1]);
    anew.pushAt(1, count(1), count(10), count(100));
    await anew.quiet();
    expect(await at.json()).toMatchObject({
      rev: rev + 1,
      collections: { shapes: { sum: { x: 1_111, y: 0 } } },
    });
  });
});
