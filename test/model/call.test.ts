import type { AnyMutatorRun } from "../../src/schema/mutator.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parseEvent, runCall, type CallOptions, type CallResult, type Run } from "../../src/model/call.ts";
import { encodeChanges } from "../../src/model/changes.ts";
import { checkReceivedPayload } from "../../src/room/engine/received-payload.ts";
import { State } from "../../src/model/state.ts";
import { changesOf as written } from "../../src/model/transaction.ts";
import { defineRoom, Rejection } from "../../src/index.ts";
import type { AnyRoomDefinition, Json } from "../../src/index.ts";
import { contentOf } from "../support/random-edits.ts";
import { rulesBoard, rulesServerMutators, writer } from "../support/boards/rules-board.ts";

const options: CallOptions = {
  definition: rulesBoard,
  limits: { maxRecordBytes: 1_000, maxPayloadBytes: 1_000, maxIdLength: 128 },
  location: "server",
  checkPayload: checkReceivedPayload,
  now: 1_700_000_000_000,
  caller: writer("ann"),
  serverMutators: rulesServerMutators,
};

function stateWith(collection: string, id: string, record: { [field: string]: Json }): State {
  const state = new State();
  state.set(collection, id, Object.freeze(record));
  return state;
}

function call(
  type: string,
  payload: unknown,
  given: Partial<CallOptions> & { state?: State } = {},
): CallResult {
  return runCall(given.state ?? new State(), type, payload as Json, { ...options, ...given });
}

/** `done`, `failed`, or the code of the rejection. */
function fateOf(result: CallResult): string {
  return result.kind === "rejected" ? result.rejection.code : result.kind;
}

function changesOf(result: CallResult): unknown {
  if (result.kind !== "done") throw new Error(`the call was not done: ${fateOf(result)}`);
  return encodeChanges(written(result.writes));
}

/** A room with one mutator, in place of the sheet. */
function withMutator(run: Run, payload: z.ZodType = z.json()): Partial<CallOptions> {
  const room: unknown = defineRoom({
    version: 1,
    collections: { notes: z.object({ n: z.number() }) },
    mutators: (mutator) => ({ run: mutator(payload as never, run as never) }),
  });
  return { definition: room as AnyRoomDefinition };
}

describe("a direct edit", () => {
  test("does all that it says", () => {
    const state = stateWith("notes", "a", { text: "one", rank: 1, tag: "t" });
    const payload = {
      notes: [
        ["patch", "a", { rank: 2 }, ["tag"]],
        ["put", "b", { text: "", rank: 0 }],
      ],
      cards: [["delete", "x"]],
    };
    const result = call("transact", payload, { state });
    expect(changesOf(result)).toEqual({ notes: payload.notes });
    expect(contentOf(state)).toEqual({ notes: { a: { text: "one", rank: 1, tag: "t" } } });
  });

  test("sets and removes in one: only what it leaves has to fit the schema", () => {
    const state = stateWith("doors", "d", { key: "k", color: "grey" });
    const payload = { doors: [["patch", "d", { code: "c" }, ["key"]]] };
    expect(changesOf(call("transact", payload, { state }))).toEqual(payload);
  });

  test("is done whole or not at all", () => {
    const payload = { notes: [["put", "a", { text: "", rank: 0 }]], cards: [["patch", "x", { rank: 1 }]] };
    expect(fateOf(call("transact", payload))).toBe("not-found");
  });

  test.each<[string, unknown, string]>([
    ["into a collection that is not direct", { counters: [["put", "a", { value: 1 }]] }, "forbidden"],
    ["into no collection of the room", { nope: [["delete", "a"]] }, "invalid"],
    ["into a member that every object has", { toString: [["delete", "a"]] }, "invalid"],
    ["that is no set of changes", { notes: [["rename", "a"]] }, "invalid"],
    ["that is a list", [], "invalid"],
    ["that is null", null, "invalid"],
    ["of a record that does not fit", { notes: [["put", "a", { text: 1 }]] }, "invalid"],
    ["to a record that is not there", { notes: [["patch", "a", {}]] }, "not-found"],
    ["that unsets what a record needs", { notes: [["patch", "a", {}, ["rank"]]] }, "not-found"],
    ["with a forbidden id", { notes: [["delete", "constructor"]] }, "invalid"],
    [
      "that names a record twice",
      {
        notes: [
          ["put", "a", { text: "", rank: 0 }],
          ["patch", "a", { rank: 1 }],
        ],
      },
      "invalid",
    ],
  ])("%s is refused", (_title, payload, fate) => {
    expect(fateOf(call("transact", payload))).toBe(fate);
  });

  test("of nothing is done, and changes nothing", () => {
    expect(changesOf(call("transact", {}))).toEqual({});
  });
});

describe("a mutator", () => {
  test("does what it does, with the payload as its schema reads it", () => {
    let seen: unknown;
    const payload = z.object({ n: z.number().default(7), list: z.array(z.number()) });
    call(
      "run",
      { list: [1], extra: true },
      withMutator((_tx, given) => void (seen = given), payload),
    );
    expect(seen).toStrictEqual({ n: 7, list: [1] });
    expect(Object.isFrozen((seen as { list: number[] }).list)).toBe(true);
  });

  test("is told who calls, when and where", () => {
    let context: unknown;
    call("run", null, {
      ...withMutator((_tx, _payload, ctx) => void (context = ctx)),
      caller: writer("ben"),
    });
    expect(context).toMatchObject({
      clientId: "ben",
      user: { name: "ben" },
      access: "write",
      now: 1_700_000_000_000,
      location: "server",
    });
    expect(context).not.toHaveProperty("secret");
  });

  test("may write collections that are not direct", () => {
    expect(changesOf(call("add", { id: "c", by: 2 }))).toEqual({ counters: [["put", "c", { value: 2 }]] });
  });

  test("asks whether others have changed a record", () => {
    const state = stateWith("notes", "a", { text: "", rank: 0 });
    expect(fateOf(call("claim", { id: "a" }, { state, changedByOthers: () => true }))).toBe("conflict");
    expect(fateOf(call("claim", { id: "a" }, { state, changedByOthers: () => false }))).toBe("done");
  });

  test("that refuses is rejected in its own words", () => {
    const result = call("refuse", { code: "taken", message: "it is taken", data: { by: "ben" } });
    expect(result).toMatchObject({
      kind: "rejected",
      rejection: { code: "taken", message: "it is taken", data: { by: "ben" } },
    });
  });

  const careless: AnyMutatorRun = (tx, _payload, ctx) => {
    tx["notes"]?.put("a", { n: 1 });
    ctx.reject("taken", "it is taken");
  };
  const catching: AnyMutatorRun = (tx, _payload, ctx) => {
    try {
      ctx.reject("taken", "it is taken");
    } catch {
      tx["notes"]?.put("a", { n: 1 });
    }
  };
  test.each([
    ["forgets `throw`", careless],
    ["catches its own rejection", catching],
  ])("that %s before it goes on is rejected, and commits nothing", (_title, run) => {
    expect(call("run", null, withMutator(run as unknown as Run))).toMatchObject({
      kind: "rejected",
      rejection: { code: "taken", message: "it is taken" },
    });
  });

  test.each<[string, unknown]>([
    ["an error", new Error("bug")],
    ["a text", "bug"],
    ["nothing", undefined],
  ])("that throws %s has failed, whatever it is", (_title, thrown) => {
    const throwing = withMutator(() => {
      throw thrown;
    });
    expect(call("run", null, throwing)).toEqual({ kind: "failed", error: thrown });
  });

  test("that is asynchronous has failed, however its promise ends", async () => {
    const late: { notes?: { put(id: string, record: object): void } } = {};
    const results = [
      call(
        "run",
        null,
        withMutator(async () => {}),
      ),
      call(
        "run",
        null,
        withMutator(() => Promise.reject(new Error("late"))),
      ),
      call(
        "run",
        null,
        withMutator(async (tx) => void (late.notes = tx["notes"] as NonNullable<typeof late.notes>)),
      ),
    ];
    expect(results.map((result) => result.kind === "failed" && (result.error as Error).message)).toEqual(
      results.map(() => "mutator run is asynchronous: it must finish before it returns"),
    );
    await Promise.resolve();
    expect(() => late.notes?.put("a", { n: 1 })).toThrow("this transaction is over");
  });

  test.each([
    ["nope", {}],
    ["toString", {}],
    ["constructor", {}],
    ["__proto__", {}],
  ])("that is not declared is invalid: %s", (type, payload) => {
    expect(fateOf(call(type, payload))).toBe("invalid");
  });

  test("is not run with a payload that its schema refuses", () => {
    const result = call("add", { id: 1, by: "2" });
    expect(result).toMatchObject({ kind: "rejected", rejection: { code: "invalid" } });
    const data = result.kind === "rejected" ? result.rejection.data : undefined;
    expect(Object.keys(data as object)).toEqual(["id", "by"]);
  });

  test("is not run with a payload over the limit, in bytes", () => {
    const maxPayloadBytes = JSON.stringify({ id: "é", by: 1 }).length + 1;
    const limits = { maxRecordBytes: 1_000, maxPayloadBytes, maxIdLength: 128 };
    expect(fateOf(call("add", { id: "é", by: 1 }, { limits }))).toBe("done");
    expect(fateOf(call("add", { id: "éa", by: 1 }, { limits }))).toBe("too-large");
  });
});

describe("a payload that no call may carry", () => {
  test.each<[string, string]>([
    ["too deep", "[".repeat(40) + "]".repeat(40)],
    ["a hundred thousand levels deep", "[".repeat(100_000) + "]".repeat(100_000)],
    ["with __proto__ as a key", '{"a":{"__proto__":1}}'],
    ["with __proto__ as a collection", '{"__proto__":[["delete","a"]]}'],
    ["with half a surrogate pair in a key", '[{"\\ud800":1}]'],
    ["with a number beyond all numbers", "[1e400]"],
  ])("is refused before anything reads it, by name: %s", (_title, text) => {
    const run: Run = () => {
      throw new Error("it was run");
    };
    const limits = { maxRecordBytes: 1_000, maxPayloadBytes: 1e6, maxIdLength: 128 };
    const payload: unknown = JSON.parse(text);
    expect(fateOf(call("run", payload, { ...withMutator(run), limits }))).toBe("invalid");
    expect(fateOf(call("transact", payload, { limits }))).toBe("invalid");
  });
});

describe("half a character in a payload becomes U+FFFD before the mutator runs", () => {
  test.each<[string, string, unknown]>([
    ["as the payload", '"\\ud83c"', "\ufffd"],
    ["in an object", '{"a":"x\\udf89y"}', { a: "x\ufffdy" }],
    ["in a list in an object", '{"a":[1,"\\ud83c",["\\ud83c"]]}', { a: [1, "\ufffd", ["\ufffd"]] }],
  ])("%s", (_title, text, expected) => {
    const given: unknown[] = [];
    const run: Run = (_tx, payload) => void given.push(payload);
    expect(fateOf(call("run", JSON.parse(text), withMutator(run)))).toBe("done");
    expect(given).toEqual([expected]);
  });

  test("and in the fields of a direct edit, but not in an id, which is refused", () => {
    const edit = (id: string) =>
      JSON.parse(`{"notes":[["put","${id}",{"text":"\\ud83c","rank":0}]]}`) as unknown;
    expect(changesOf(call("transact", edit("a")))).toEqual({
      notes: [["put", "a", { text: "\ufffd", rank: 0 }]],
    });
    expect(fateOf(call("transact", edit("\\ud83c")))).toBe("invalid");
  });
});

describe("a mutator that only the server has", () => {
  test("is run by the server", () => {
    expect(changesOf(call("roll", { id: "d" }))).toEqual({ counters: [["put", "d", { value: 6 }]] });
  });

  test("predicts nothing on the client, but its payload is checked", () => {
    const { serverMutators: _, ...client } = { ...options, location: "client" as const };
    expect(changesOf(runCall(new State(), "roll", { id: "d" }, client))).toEqual({});
    expect(fateOf(runCall(new State(), "roll", {}, client))).toBe("invalid");
  });

  test("fails on a server that does not have it", () => {
    expect(call("roll", { id: "d" }, { serverMutators: {} }).kind).toBe("failed");
  });
});

describe("an event that a mutator broadcasts", () => {
  test("leaves with the call", () => {
    expect(call("announce", { at: 3 })).toMatchObject({
      broadcasts: [{ event: "ping", payload: { at: 3 } }],
    });
  });

  test("does not leave a prediction", () => {
    expect(call("announce", { at: 3 }, { location: "client" })).toMatchObject({
      kind: "done",
      broadcasts: [],
    });
  });

  test.each<[string, unknown]>([
    ["nope", {}],
    ["toString", {}],
    ["ping", {}],
    ["ping", { at: "3" }],
    ["ping", undefined],
  ])("is refused when it is not declared or does not fit: %s %j", (event, payload) => {
    expect(() => parseEvent(rulesBoard, event, payload)).toThrow(Rejection);
  });
});
