import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { runCall } from "../../src/core/call.ts";
import { encodeChanges } from "../../src/core/changes.ts";
import { maxJsonDepth } from "../../src/core/json.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { State } from "../../src/core/state.ts";
import { Transaction } from "../../src/core/transaction.ts";
import { decodeDown, decodeUp, encodeDown, encodeUp, encodeUpdate } from "../../src/protocol/codec.ts";
import type { UpFrame } from "../../src/protocol/frames.ts";
import { defineRoom, type Json } from "../../src/index.ts";

const maxBytes = 1_000;
const json = fc
  .jsonValue({ maxDepth: 3, stringUnit: "binary" })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json);
const counter = fc.maxSafeNat();
const name = fc.string({ maxLength: 64, unit: "binary-ascii" });

const push = fc.record(
  {
    kind: fc.constant("push" as const),
    first: counter.map((n) => Math.max(1, n)),
    calls: fc.array(fc.tuple(counter, name, json), { minLength: 1, maxLength: 3 }),
    confirmed: counter,
    received: counter,
  },
  { requiredKeys: ["kind", "first", "calls", "confirmed"] },
);
const upFrame: fc.Arbitrary<UpFrame> = fc.oneof(
  push as fc.Arbitrary<UpFrame>,
  fc.record({ kind: fc.constant("presence" as const), presence: json }),
  fc.record({ kind: fc.constant("event" as const), event: name, payload: json }),
  fc.record({ kind: fc.constant("ack" as const), bytes: counter }),
  fc.record({
    kind: fc.constant("resync" as const),
    tag: counter.map((n) => Math.max(1, n)),
    epoch: fc.option(name),
    rev: counter,
    confirmed: counter,
  }),
);

/** JSON that is no good as a key or a number or a text, as far as the codec can tell before it knows the room. */
const forbiddenKeys = ["__proto__", "constructor", "prototype"];
const isPlain = (frame: UpFrame) => !forbiddenKeys.some((key) => JSON.stringify(frame).includes(`"${key}":`));

describe("a frame up", () => {
  test("comes back as it went, whatever it carries", () => {
    fc.assert(
      fc.property(upFrame.filter(isPlain), (frame) => {
        expect(decodeUp(encodeUp(frame), 1e6)).toEqual({ kind: "frame", frame });
      }),
      { numRuns: 200 },
    );
  });

  test("may carry members that this version does not know", () => {
    const text = '{"kind":"ack","bytes":1,"since":"v2"}';
    expect(decodeUp(text, maxBytes)).toStrictEqual({ kind: "frame", frame: { kind: "ack", bytes: 1 } });
  });

  test("may be as long as the limit, in bytes", () => {
    const text = encodeUp({ kind: "presence", presence: "é𝄞" });
    const bytes = new TextEncoder().encode(text).length;
    expect(decodeUp(text, bytes).kind).toBe("frame");
    expect(decodeUp(text, bytes - 1)).toMatchObject({ kind: "refused", code: "too-large" });
    expect(decodeUp("x".repeat(maxBytes + 1), maxBytes)).toMatchObject({
      kind: "refused",
      code: "too-large",
    });
  });

  test("may carry a payload and a record as deep as they may be", () => {
    const definition = defineRoom({
      version: 1,
      collections: { notes: z.object({ body: z.json() }) },
      direct: ["notes"],
      mutators: (mutator) => ({ take: mutator(z.json(), () => {}) }),
    });
    const deep = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as Json;
    const limits = defaultLimits;
    const transaction = new Transaction(new State(), { definition, limits });
    transaction.tx["notes"]?.put("a", { body: deep(maxJsonDepth - 1) });
    const calls: [number, string, Json][] = [
      [0, "transact", encodeChanges(transaction.changes)],
      [0, "take", deep(maxJsonDepth)],
    ];
    const decoded = decodeUp(encodeUp({ kind: "push", first: 1, calls, confirmed: 0 }), 1e6);
    const read = decoded.kind === "frame" && decoded.frame.kind === "push" ? decoded.frame.calls : [];
    const caller = { actor: "ann", user: null, role: "writer" };
    const fates = read.map(([, type, payload]) => {
      return runCall(new State(), type, payload, { definition, limits, location: "server", now: 0, caller })
        .kind;
    });
    expect(fates).toEqual(["done", "done"]);
  });
});

test.each([
  ["__proto__", '{"a":{"__proto__":1}}'],
  ["half a surrogate pair", '["\\ud800"]'],
  ["a number beyond all numbers", "[1e400]"],
  ["a hundred thousand levels", "[".repeat(100_000) + "]".repeat(100_000)],
])("a call is read whatever is in its payload, so that its id can be answered: %s", (_title, payload) => {
  const decoded = decodeUp(`{"kind":"push","first":1,"calls":[[0,"claim",${payload}]],"confirmed":0}`, 1e6);
  expect(decoded).toMatchObject({ kind: "frame", frame: { kind: "push", first: 1 } });
});

describe("a message that is no frame is refused, and the caller is told in a sentence:", () => {
  const push = (members: object) =>
    JSON.stringify({ kind: "push", first: 1, calls: [[0, "claim", {}]], confirmed: 0, ...members });
  const resync = (members: object) =>
    JSON.stringify({ kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 0, ...members });

  test.each<[string, unknown]>([
    ["bytes", new ArrayBuffer(4)],
    ["nothing", undefined],
    ["an object", { kind: "ack", bytes: 1 }],
    ["no text", ""],
    ["no JSON", "{"],
    ["a heartbeat in its place", "ping"],
    ["two frames at once", '{"kind":"ack","bytes":1}{"kind":"ack","bytes":1}'],
    ["null", "null"],
    ["a number", "1"],
    ["a text", '"push"'],
    ["a list", "[]"],
    ["an object without a kind", "{}"],
    ["an unknown kind", '{"kind":"join"}'],
    ["a frame that only goes down", '{"kind":"gap","expected":1}'],
    ["a kind that every object has", '{"kind":"toString"}'],
    ["a kind that is a list", '{"kind":["ack"],"bytes":1}'],
    ["a push of nothing", push({ calls: [] })],
    ["a push without calls", push({ calls: undefined })],
    ["a push of an object", push({ calls: {} })],
    ["a push from call 0", push({ first: 0 })],
    ["a push from call -1", push({ first: -1 })],
    ["a push from call 1.5", push({ first: 1.5 })],
    ["a push from call 2^53", push({ first: 2 ** 53 })],
    ["a push from call '1'", push({ first: "1" })],
    ["a call that is an object", push({ calls: [{ type: "claim" }] })],
    ["a call without a payload", push({ calls: [[0, "claim"]] })],
    ["a call with too many members", push({ calls: [[0, "claim", {}, 1]] })],
    ["a call at a revision below 0", push({ calls: [[-1, "claim", {}]] })],
    ["a call at no revision", push({ calls: [[null, "claim", {}]] })],
    ["a call of a nameless mutator", push({ calls: [[0, null, {}]] })],
    ["a call with an endless name", push({ calls: [[0, "x".repeat(65), {}]] })],
    ["a push that confirms -1", push({ confirmed: -1 })],
    ["a push that does not confirm", push({ confirmed: undefined })],
    ["a push that received null", push({ received: null })],
    ["a presence of nothing", '{"kind":"presence"}'],
    ["an event without a name", '{"kind":"event","payload":1}'],
    ["an event without a payload", '{"kind":"event","event":"confetti"}'],
    ["an event with an endless name", JSON.stringify({ kind: "event", event: "x".repeat(65), payload: 1 })],
    ["an ack of nothing", '{"kind":"ack"}'],
    ["an ack of less than nothing", '{"kind":"ack","bytes":-1}'],
    ["an ack of half a byte", '{"kind":"ack","bytes":0.5}'],
    ["an ack beyond all numbers", '{"kind":"ack","bytes":1e400}'],
    ["a resync without an epoch", resync({ epoch: undefined })],
    ["a resync of an endless epoch", resync({ epoch: "x".repeat(65) })],
    ["a resync with tag 0, which is the hello's", resync({ tag: 0 })],
    ["a resync from below 0", resync({ rev: -1 })],
    ["half a surrogate pair", '{"kind":"presence","presence":"\\ud800"}'],
    ["half a surrogate pair in a key", '{"kind":"presence","presence":{"\\udc00":1}}'],
    ["a number beyond all numbers", '{"kind":"presence","presence":[1e999]}'],
    ["__proto__ as a key", '{"kind":"presence","presence":{"__proto__":{"isAdmin":true}}}'],
    ["constructor as a key", '{"kind":"event","event":"e","payload":{"a":[{"constructor":1}]}}'],
    ["a payload too deep", `{"kind":"presence","presence":${"[".repeat(40)}${"]".repeat(40)}}`],
  ])("%s", (_title, data) => {
    const decoded = decodeUp(data, maxBytes);
    expect(decoded).toMatchObject({ kind: "refused", code: "invalid" });
    const message = decoded.kind === "refused" ? decoded.message : "";
    expect(message.length > 0 && message.length <= 200).toBe(true);
  });

  test("JSON nested a hundred thousand levels deep", () => {
    const text = "[".repeat(100_000) + "]".repeat(100_000);
    expect(decodeUp(text, 1e6)).toMatchObject({ kind: "refused", code: "invalid" });
  });

  test("and is not told its own words at length", () => {
    const text = JSON.stringify({ kind: "presence", presence: { ["𝄞".repeat(500)]: "\ud800" } });
    const decoded = decodeUp(text, 1e6);
    const message = decoded.kind === "refused" ? decoded.message : "";
    expect(message.length).toBeLessThanOrEqual(200);
    expect(message.isWellFormed()).toBe(true);
  });

  test("whatever is changed in a good one, nothing is ever thrown", () => {
    const broken = fc.tuple(
      upFrame.map(encodeUp),
      fc.nat(),
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.nat(4),
    );
    fc.assert(
      fc.property(broken, ([text, at, inserted, removed]) => {
        const start = at % (text.length + 1);
        const given = text.slice(0, start) + inserted + text.slice(start + removed);
        expect(["frame", "refused"]).toContain(decodeUp(given, maxBytes).kind);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a frame down", () => {
  test.each<[string, unknown]>([
    ["bytes", new ArrayBuffer(4)],
    ["no JSON", "{"],
    ["an unknown kind", '{"kind":"push"}'],
    ["an update with a delta that ends nowhere", '{"kind":"update","delta":{"from":0,"changes":{}}}'],
    [
      "an update with a change of no kind",
      '{"kind":"update","delta":{"from":0,"to":1,"changes":{"a":[["move","a"]]}}}',
    ],
    ["an update with an outcome of nothing", '{"kind":"update","outcomes":[[1,null]]}'],
    [
      "a snapshot with a record that is a list",
      '{"kind":"snapshot","part":0,"collection":"a","from":"","until":null,"records":[["a",[]]]}',
    ],
    ["a gap that expects nothing", '{"kind":"gap","expected":0}'],
  ])("that cannot be read throws, so that the client asks again: %s", (_title, data) => {
    expect(() => decodeDown(data)).toThrow(Error);
  });

  test("may carry members that this version does not know", () => {
    expect(decodeDown('{"kind":"gap","expected":1,"since":"v2"}')).toStrictEqual({
      kind: "gap",
      expected: 1,
    });
  });

  test("comes back as it went: whoever is here, and what they show", () => {
    const peer = fc.tuple(fc.string({ unit: "binary" }), json, json);
    fc.assert(
      fc.property(fc.array(peer, { maxLength: 4 }), (peers) => {
        expect(decodeDown(encodeDown({ kind: "roster", peers }))).toEqual({ kind: "roster", peers });
      }),
      { numRuns: 100 },
    );
  });

  test("is put together from shared texts without a change to them", () => {
    const events: [string, string, Json][] = [["ann", "say", { text: '"}],' }]];
    const presence: ["set", string, Json][] = [["set", "ann", '\u2028"\\']];
    const text = encodeUpdate({
      mark: 1,
      presence: JSON.stringify(presence),
      events: JSON.stringify(events),
    });
    expect(decodeDown(text)).toEqual({ kind: "update", mark: 1, presence, events });
  });
});
