import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { codes } from "../../../src/protocol/codes.ts";
import type { WireCall } from "../../../src/protocol/down/down-frames.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { encodePush } from "../../../src/protocol/up/push.ts";
import { defineRoom } from "../../../src/index.ts";
import { bytesOfHex } from "../../support/frames/hex.ts";
import { withLoneRoom, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { newSmallRoom, newTestRoom, put } from "../../support/rooms/test-rooms.ts";
import { testBoard } from "../../support/boards/test-board.ts";

const names = nameTable(testBoard);
const edit = put("shapes", "s", { x: 1, y: 1 });

function bytesOf(
  first: number,
  ...calls: readonly (readonly [type: string, payload: unknown])[]
): Uint8Array {
  const wire = calls.map(([type, payload]) => [0, type, payload] as WireCall);
  const bytes = encodePush({ kind: "push", first, calls: wire, confirmed: 0 }, names);
  if (bytes === undefined) throw new Error("the test board lacks a name");
  return bytes;
}

describe("a client", () => {
  it("that has the room's names is told so, and its pushes as bytes do what they do as text", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join({}, { names: names.hash }), await room.join()];
    expect([alice.copy.welcome?.acceptsBinary, bob.copy.welcome?.acceptsBinary]).toEqual([true, false]);
    alice.sendRaw(bytesOf(1, edit, ["addUp", { id: "s", by: 2.5 }], ["refuse", { text: "é" }]));
    expect(await alice.outcomesOf(1, 3)).toEqual([
      1,
      2,
      { code: "no-way", message: "this is never allowed", data: { text: "é" } },
    ]);
    await bob.until(({ rev }) => rev === 2);
    expect(bob.copy.get("shapes", "s")).toEqual({ x: 3.5, y: 1 });
    alice.nextId = 4;
    expect(await alice.commit(edit)).toEqual([3]); // text is as good as before
  });

  it("is answered the same when it sends a call again in the other form", async () => {
    const room = newTestRoom();
    const alice = await room.join({}, { names: names.hash });
    alice.sendRaw(bytesOf(1, ["addUp", { id: "s", by: 1 }]));
    expect(await alice.outcomesOf(1)).toEqual([1]);
    await room.evict();
    alice.pushAt(1, ["addUp", { id: "s", by: 1 }, 0]);
    alice.sendRaw(bytesOf(1, ["addUp", { id: "s", by: 1 }]));
    await alice.quiet();
    expect((await room.json()).collections).toEqual({ shapes: { s: { x: 1, y: 0 } } });
  });

  it.each([
    ["says no names", undefined],
    ["has other names", names.hash + 1],
  ])("that %s is refused bytes, which change nothing", async (_, hash) => {
    const room = newSmallRoom();
    const alice = await room.join({}, hash === undefined ? {} : { names: hash });
    expect(alice.copy.welcome?.acceptsBinary).toBe(false);
    alice.sendRaw(bytesOf(1, edit));
    expect(await alice.next("error")).toEqual({
      kind: "error",
      code: "invalid",
      message: "frames of this client are text",
    });
    expect(await room.rows()).toEqual([]);
    expect(await alice.commit(edit)).toEqual([1]);
  });

  it("keeps its form while the room sleeps", async () => {
    const room = newTestRoom();
    const alice = await room.join({}, { names: names.hash });
    await room.evict();
    alice.sendRaw(bytesOf(1, edit));
    expect(await alice.outcomesOf(1)).toEqual([1]);
  });

  it("whose room woke with other names is closed, to come back and be told anew; who keeps to text stays", async () => {
    const other = defineRoom({
      version: 3,
      collections: { shapes: z.object({ y: z.number(), x: z.number(), zebra: z.number().optional() }) },
      direct: ["shapes"],
    });
    await withLoneRoom({ definition: testBoard }, (room) => {
      const alice = room.join("actor-alice", { names: names.hash });
      const bob = room.join("actor-bob");
      alice.sendRaw(bytesOf(1, edit));
      room.pass(40);
      room.redeploy(other);
      expect([alice.closed?.closeCode, bob.closed]).toEqual([codes.internal.closeCode, undefined]);
      expect(alice.session).toBeUndefined(); // a push on its way meets no session
      const again = room.join("actor-alice", { names: names.hash });
      expect(again.copy.welcome?.acceptsBinary).toBe(false);
      const knowing = room.join("actor-carol", { names: nameTable(other).hash });
      expect(knowing.copy.welcome?.acceptsBinary).toBe(true);
    });
  });
});

describe("bytes that are no push", () => {
  it.each([
    ["nothing", ""],
    ["an update", "20 00"],
    ["half a push", "10 01 00"],
    ["a call of a mutator that there is not", "10 01 00 7f e0"],
    ["an edit of a collection that there is not", "10 01 00 00 7f 0161"],
    ["an edit of a field that there is not", "10 01 00 00 00 0161 7f 01 01 01 01 01 01 01"],
    ["an id that is no number", `10 ${"80".repeat(199)}00 00 02 e0`],
    ["a payload that nests without end", `10 01 00 02 ${"e701".repeat(50_000)}e0`],
    ["a payload that promises more than there is", "10 01 00 02 e7 ff ff ff 7f"],
    ["text that is none", "10 01 00 02 c2 c3 28"],
  ])("are answered with an error, and have done nothing: %s", async (_, hex) => {
    const room = newSmallRoom();
    const [mallory, bob] = [await room.join({}, { names: names.hash }), await room.join()];
    await bob.commit(edit);
    await mallory.until(({ rev }) => rev === 1);
    const before = await room.json();
    mallory.sendRaw(bytesOfHex(hex));
    const answer = await mallory.next("error");
    expect(answer).toEqual({ kind: "error", code: "invalid", message: expect.any(String) });
    expect(answer.message.length).toBeLessThan(150);
    expect(await bob.quiet()).toEqual([]);
    expect(await room.json()).toEqual(before);
    expect(await mallory.commit(edit)).toEqual([2]);
  });

  it("use their ids up where they can be read, and hold what no record may", async () => {
    await withLoneRoom({}, (room) => {
      const mallory = room.join("actor-mallory", { names: names.hash });
      const proto = JSON.parse('{"__proto__":{"x":1}}') as unknown;
      const calls = [
        put("shapes", "__proto__", { x: 1, y: 1 }),
        put("shapes", "", { x: 1, y: 1 }),
        put("notes", "n", { text: "", tags: proto }),
        ["addUp", proto],
        ["addTask", { id: "x".repeat(129), title: "" }],
      ] as const;
      mallory.sendRaw(bytesOf(1, ...calls));
      room.pass(40);
      const told = [...mallory.copy.outcomes.values()].map((outcome) => (outcome as { code: string }).code);
      expect(told).toEqual(["invalid", "invalid", "invalid", "invalid", "invalid"]);
      expect(mallory.copy.collections).toEqual({});
    });
  });

  it("whatever they are, are answered, change nothing when they are refused, and disturb nobody", async () => {
    const record = fc.record({ x: fc.double({ noNaN: true }), y: fc.integer() });
    const call = fc.oneof(
      record.map((fields) => put("shapes", "s", fields)),
      fc.integer().map((by) => ["addUp", { id: "sum", by }] as const),
      fc.string().map((text) => ["refuse", { text }] as const),
    );
    const message = fc.record({
      calls: fc.array(call, { minLength: 1, maxLength: 3 }),
      damage: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      end: fc.option(fc.nat(), { freq: 4 }),
    });
    await withLoneRoom({ limits: { flushIntervalMs: 0, callsBurst: 1e6, ephemeralBurst: 1e6 } }, (room) => {
      const bob = room.join("actor-bob");
      let clientIds = 0;
      const stateOf = (lone: LoneRoom) => {
        const { rev, flushSeq, records, handles } = lone.room.roomState;
        return JSON.stringify([rev, flushSeq, records.checksums, handles.next]);
      };
      fc.assert(
        fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (messages) => {
          const mallory = room.join(`mallory-${++clientIds}`, { names: names.hash });
          for (const { calls, damage, end } of messages) {
            const lastCallId = mallory.copy.lastCallId;
            let bytes = bytesOf(lastCallId + 1, ...calls);
            for (const [at, byte] of damage) bytes = bytes.with(at % bytes.length, byte);
            if (end !== null) bytes = bytes.slice(0, end % bytes.length);
            const before = stateOf(room);
            mallory.sendRaw(bytes);
            const answers = mallory.take();
            const refusals = answers.filter(({ kind }) => kind === "error" || kind === "gap");
            const isRefused = refusals.length > 0 && mallory.copy.lastCallId === lastCallId;
            expect(isRefused && stateOf(room) !== before).toBe(false);
            mallory.send({ kind: "ack", bytes: 1e9 });
            expect(mallory.closed).toBeUndefined();
          }
          const next = mallory.copy.lastCallId + 1;
          const rev = room.room.read().rev;
          mallory.pushAt(next, ["addUp", { id: "sum", by: 1 }]);
          expect(mallory.copy.outcomes.get(next)).toBe(rev + 1);
          bob.send({ kind: "ack", bytes: 1e9 });
          expect([bob.closed, bob.copy.rev]).toEqual([undefined, rev + 1]);
          mallory.leave();
        }),
        { numRuns: 300 },
      );
      const before = stateOf(room);
      room.evict();
      expect(stateOf(room)).toBe(before);
    });
  });
});
