import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { runCall } from "../../src/model/call.ts";
import { encodeChanges } from "../../src/model/changes.ts";
import { maxJsonDepth } from "../../src/model/json.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import { checkReceivedPayload } from "../../src/room/engine/received-payload.ts";
import { State } from "../../src/model/state.ts";
import { changesOf, Transaction } from "../../src/model/transaction.ts";
import { decodeDown, decodeUp, encodeText, encodeUp } from "../../src/protocol/codec.ts";
import type { UpFrame } from "../../src/protocol/down/down-frames.ts";
import { nameTable } from "../../src/protocol/names.ts";
import { encodeShared, encodeUpdate } from "../../src/protocol/down/update.ts";
import { defineRoom, type Json } from "../../src/index.ts";
import { bytesOfHex } from "../support/frames/hex.ts";
import { welcomeLimits } from "./support/welcome-limits.ts";

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

/** A welcome as text, with some of it replaced. */
function welcomeWith(members: object): string {
  const person = { clientId: "ann-0001", user: null, access: "write" as const };
  const room = { epoch: "e", knownSince: 0, acceptsBinary: true, limits: welcomeLimits };
  return JSON.stringify({ kind: "welcome", ...person, ...room, ...members });
}

/** JSON that is no good as a key or a number or a text, as far as the codec can tell before it knows the room. */
const forbiddenKeys = ["__proto__", "constructor", "prototype"];
const isPlain = (frame: UpFrame) => !forbiddenKeys.some((key) => JSON.stringify(frame).includes(`"${key}":`));

describe("a frame up", () => {
  test("comes back as it went, whatever it carries", () => {
    fc.assert(
      fc.property(upFrame.filter(isPlain), (frame) => {
        expect(decodeUp(encodeUp(frame, undefined), 1e6, undefined)).toEqual({ kind: "frame", frame });
      }),
      { numRuns: 200 },
    );
  });

  test("may carry members that this version does not know", () => {
    const text = '{"kind":"ack","bytes":1,"since":"v2"}';
    expect(decodeUp(text, maxBytes, undefined)).toStrictEqual({
      kind: "frame",
      frame: { kind: "ack", bytes: 1 },
    });
  });

  test("may be as long as the limit, in bytes", () => {
    const text = encodeUp({ kind: "presence", presence: "é𝄞" }, undefined) as string;
    const bytes = new TextEncoder().encode(text).length;
    expect(decodeUp(text, bytes, undefined).kind).toBe("frame");
    expect(decodeUp(text, bytes - 1, undefined)).toMatchObject({ kind: "refused", code: "too-large" });
    expect(decodeUp("x".repeat(maxBytes + 1), maxBytes, undefined)).toMatchObject({
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
      [0, "transact", encodeChanges(changesOf(transaction.writes))],
      [0, "take", deep(maxJsonDepth)],
    ];
    const caller = { clientId: "ann", user: null, access: "write" as const };
    for (const names of [undefined, nameTable(definition)]) {
      const encoded = encodeUp({ kind: "push", first: 1, calls, confirmed: 0 }, names);
      expect(typeof encoded).toBe(names === undefined ? "string" : "object");
      const decoded = decodeUp(encoded, 1e6, names);
      const read = decoded.kind === "frame" && decoded.frame.kind === "push" ? decoded.frame.calls : [];
      const fates = read.map(([, type, payload]) => {
        const room = { location: "server", checkPayload: checkReceivedPayload } as const;
        const options = { definition, limits, now: 0, caller, ...room };
        return runCall(new State(), type, payload, options).kind;
      });
      expect(fates).toEqual(["done", "done"]);
    }
  });
});

test.each([
  ["__proto__", '{"a":{"__proto__":1}}'],
  ["half a surrogate pair", '["\\ud800"]'],
  ["a number beyond all numbers", "[1e400]"],
  ["a hundred thousand levels", "[".repeat(100_000) + "]".repeat(100_000)],
])("a call is read whatever is in its payload, so that its id can be answered: %s", (_title, payload) => {
  const decoded = decodeUp(
    `{"kind":"push","first":1,"calls":[[0,"claim",${payload}]],"confirmed":0}`,
    1e6,
    undefined,
  );
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
    ["half a surrogate pair in an event's name", '{"kind":"event","event":"\\ud800","payload":1}'],
    ["half a surrogate pair in an epoch", resync({ epoch: "\ud800" })],
    ["half a surrogate pair in a key", '{"kind":"presence","presence":{"\\udc00":1}}'],
    ["a number beyond all numbers", '{"kind":"presence","presence":[1e999]}'],
    ["__proto__ as a key", '{"kind":"presence","presence":{"__proto__":{"isAdmin":true}}}'],
    ["constructor as a key", '{"kind":"event","event":"e","payload":{"a":[{"constructor":1}]}}'],
    ["a payload too deep", `{"kind":"presence","presence":${"[".repeat(40)}${"]".repeat(40)}}`],
  ])("%s", (_title, data) => {
    const decoded = decodeUp(data, maxBytes, undefined);
    expect(decoded).toMatchObject({ kind: "refused", code: "invalid" });
    const message = decoded.kind === "refused" ? decoded.message : "";
    expect(message.length > 0 && message.length <= 200).toBe(true);
  });

  test("but half a character in presence or a payload becomes U+FFFD", () => {
    const text = { kind: "presence", presence: { a: ["\ud800", "🎉"] } };
    expect(decodeUp(JSON.stringify(text), maxBytes, undefined)).toEqual({
      kind: "frame",
      frame: { kind: "presence", presence: { a: ["\ufffd", "🎉"] } },
    });
    expect(
      decodeUp(JSON.stringify({ kind: "event", event: "e", payload: "\udc00" }), maxBytes, undefined),
    ).toEqual({
      kind: "frame",
      frame: { kind: "event", event: "e", payload: "\ufffd" },
    });
  });

  test("JSON nested a hundred thousand levels deep", () => {
    const text = "[".repeat(100_000) + "]".repeat(100_000);
    expect(decodeUp(text, 1e6, undefined)).toMatchObject({ kind: "refused", code: "invalid" });
  });

  test("and is not told its own words at length", () => {
    const text = JSON.stringify({ kind: "presence", presence: { ["𝄞".repeat(500)]: "\ud800" } });
    const decoded = decodeUp(text, 1e6, undefined);
    const message = decoded.kind === "refused" ? decoded.message : "";
    expect(message.length).toBeLessThanOrEqual(200);
    expect(message.isWellFormed()).toBe(true);
  });

  test("whatever is changed in a good one, nothing is ever thrown", () => {
    const broken = fc.tuple(
      upFrame.map((frame) => encodeUp(frame, undefined) as string),
      fc.nat(),
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.nat(4),
    );
    fc.assert(
      fc.property(broken, ([text, at, inserted, removed]) => {
        const start = at % (text.length + 1);
        const given = text.slice(0, start) + inserted + text.slice(start + removed);
        expect(["frame", "refused"]).toContain(decodeUp(given, maxBytes, undefined).kind);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a frame down", () => {
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["a number", 32],
    ["no JSON", "{"],
    ["an unknown kind", '{"kind":"push"}'],
    ["an update as text", '{"kind":"update"}'],
    ["text that is no object", "null"],
    ["text of no kind", '{"expected":1}'],
    ["a gap that expects nothing", '{"kind":"gap"}'],
    ["a gap that expects no number", '{"kind":"gap","expected":"1"}'],
    ["a welcome without limits", welcomeWith({ limits: null })],
    ["a welcome that lacks a limit", welcomeWith({ limits: { callsPerSecond: 200, callsBurst: 1_000 } })],
    ["no bytes", bytesOfHex("")],
    ["bytes of no kind", bytesOfHex("00 00 00 00")],
    ["a push", bytesOfHex("10 01 00 03 e0")],
    ["an update that ends behind its first byte", bytesOfHex("20")],
    ["an update that says something else of everybody", bytesOfHex("20 10")],
    ["an update with bytes behind its end", bytesOfHex("20 00 00")],
    ["an update with a delta that ends nowhere", bytesOfHex("20 01 00")],
    ["an update with a delta and something behind it", bytesOfHex("20 01 00 00 00 00")],
    ["an update with more sections than bytes", bytesOfHex("20 01 00 00 7f")],
    ["an update with more records than bytes", bytesOfHex("20 01 00 01 01 0161 7f")],
    ["an update with fields of a shape that there is not", bytesOfHex("20 01 00 01 01 0161 01 01 05")],
    ["an update with fields as before, and none before", bytesOfHex("20 01 00 01 01 0161 01 02 05")],
    ["an update with an outcome of nothing", bytesOfHex("24 01 04")],
    ["an update with a value of no kind", bytesOfHex("20 02 ff")],
    ["an update with text that is none", bytesOfHex("20 02 c1 ff")],
    ["a part of a snapshot with unknown flags", bytesOfHex("32 00 00 00 5b5d")],
    ["a part of a snapshot without records", bytesOfHex("31 00 00 00")],
    ["a part of a snapshot whose records are no JSON", bytesOfHex("31 00 00 00 5b")],
  ])("that cannot be read throws, so that the client asks again: %s", (_title, data) => {
    expect(() => decodeDown(data)).toThrow(Error);
  });

  test("is a welcome whoever its user is", () => {
    for (const user of [null, "ann", { id: "ann", roles: [1] }])
      expect(decodeDown(welcomeWith({ user }))).toMatchObject({ kind: "welcome", user });
  });

  test("may carry members that this version does not know", () => {
    expect(decodeDown('{"kind":"gap","expected":1,"since":"v2"}')).toMatchObject({
      kind: "gap",
      expected: 1,
    });
  });

  test("comes back as it went: whoever is here, and what they show", () => {
    const peer = fc.tuple(fc.string({ unit: "binary" }), json, json);
    fc.assert(
      fc.property(fc.array(peer, { maxLength: 4 }), (peers) => {
        expect(decodeDown(encodeText({ kind: "peers", peers }))).toEqual({ kind: "peers", peers });
      }),
      { numRuns: 100 },
    );
  });

  test("is put together from shared bytes without a change to them", () => {
    const events: [string, string, Json][] = [["ann", "say", { text: '"}],' }]];
    const presence: ["set", string, Json][] = [["set", "ann", '\u2028"\\']];
    const shared = encodeShared({ presence, events });
    const bytes = encodeUpdate({ lastCallId: 1 }, shared);
    expect(bytes.slice(-shared.length)).toEqual(shared);
    expect(decodeDown(bytes)).toEqual({ kind: "update", lastCallId: 1, presence, events });
  });
});
