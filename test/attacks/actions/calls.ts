import { encodeUp } from "../../../src/protocol/codec.ts";
import type { UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { patch, put, remove } from "../../support/rooms/test-rooms.ts";
import { attackBoard } from "../rooms/attack-board.ts";
import type { Answer } from "../attack.ts";
import { brackets, joinCompact, pushFrame } from "./frames.ts";
import { each } from "./http.ts";
import { withWrongTypes } from "./positions.ts";
import type { AttackAction, Scene } from "../scene.ts";

const names = nameTable(attackBoard);
type Call = readonly [type: string, payload: unknown];

/** What each call of one client comes to. */
export const callEach =
  (...calls: readonly Call[]): AttackAction["run"] =>
  async (scene) =>
    await callOneByOne(scene, calls, 0);

/** As `callEach`, of calls that are so much work that the room would refuse the second one behind the first. */
const callEachAfterPause =
  (...calls: readonly Call[]): AttackAction["run"] =>
  async (scene) =>
    await callOneByOne(scene, calls, 1_500);

async function callOneByOne(scene: Scene, calls: readonly Call[], pauseMs: number): Promise<Answer[]> {
  const mallory = await scene.join();
  return await each(calls, async (call) => {
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const first = mallory.nextId++;
    return await scene.answersTo(
      mallory,
      JSON.stringify(pushFrame(call, { first, confirmed: mallory.copy.confirmed })),
    );
  });
}

/** The same for calls of which the JSON is written by hand. */
const callJson =
  (...calls: readonly (readonly [type: string, json: string])[]): AttackAction["run"] =>
  async (scene) => {
    const mallory = await scene.join();
    return await each(calls, async ([type, json]) => {
      const frame = JSON.stringify(
        pushFrame([type, 77], { first: mallory.nextId++, confirmed: mallory.copy.confirmed }),
      );
      return await scene.answersTo(
        mallory,
        frame.replace(/77(?=\]\])/, () => json),
      );
    });
  };

const prototypeKeys = ["__proto__", "constructor", "prototype"];

/** Every place of a call at which a key can stand. */
const keysEverywhere = prototypeKeys.flatMap((key): [string, string][] => [
  ["transact", `{"${key}":[["put","a",{"n":1}]]}`],
  ["transact", `{"things":[["put","${key}",{"n":1}]]}`],
  ["transact", `{"things":[["patch","${key}",{"n":1}]]}`],
  ["transact", `{"things":[["delete","${key}"]]}`],
  ["transact", `{"things":[["put","a",{"n":1,"${key}":{"isAdmin":true}}]]}`],
  ["transact", `{"things":[["patch","kept",{"${key}":{"isAdmin":true}}]]}`],
  ["transact", `{"things":[["put","a",{"n":1,"any":{"${key}":1}}]]}`],
  ["transact", `{"things":[["put","a",{"n":1,"any":[{"a":{"${key}":{"b":1}}}]}]]}`],
  [key, "{}"],
  ["take", `{"${key}":{}}`],
  ["take", `[[{"a":{"${key}":{"isAdmin":true}}}]]`],
  ["book", `{"id":"a","sum":1,"${key}":{"isAdmin":true}}`],
  ["book", `{"id":"${key}","sum":1}`],
]);

const kept: Pick<AttackAction, "prepare"> = {
  prepare: async (scene: Scene) => {
    await scene.writer.commit(put("things", "kept", { n: 0, text: "kept" }), [
      "book",
      { id: "kept", sum: 7 },
    ]);
  },
};

/** The calls as bytes, of a client that may push them so. */
const callBytes = async (scene: Scene, calls: readonly Call[]): Promise<Answer[]> => {
  const mallory = await joinCompact(scene);
  return await each(calls, async (call) => {
    const frame = pushFrame(call, { first: mallory.nextId++, confirmed: mallory.copy.confirmed });
    const bytes = encodeUp(frame as UpFrame, names);
    if (typeof bytes === "string") throw new Error("bytes cannot say that");
    return await scene.answersTo(mallory, bytes);
  });
};

const edit = put("things", "kept", { n: 0, text: "kept" });

export const callActions = {
  "reader-writes": {
    room: "closed",
    ...kept,
    run: async (scene) => {
      const reader = await scene.join({ token: await scene.token({ access: "read" }) });
      const calls = [
        edit,
        put("things", "new", { n: 1 }),
        remove("things", "kept"),
        ["book", { id: "a", sum: 1 }],
        ["take", {}],
        ["nothing", {}],
      ] as const;
      return await each(
        calls,
        async (call) =>
          await scene.answersTo(reader, JSON.stringify(pushFrame(call, { first: reader.nextId++ }))),
      );
    },
  },
  "not-direct": {
    ...kept,
    run: callEach(
      put("ledger", "a", { sum: 1, by: "me" }),
      patch("ledger", "kept", { sum: 8 }),
      remove("ledger", "kept"),
      ["transact", { things: [], ledger: [["put", "a", { sum: 1, by: "me" }]] }],
    ),
  },
  "transact-forms": {
    ...kept,
    run: callEach(
      ...[
        null,
        5,
        "text",
        [],
        [["put", "a", {}]],
        { things: null },
        { things: {} },
        { things: [[]] },
        { things: [null] },
      ].map((payload): Call => ["transact", payload]),
      ...[
        ["put"],
        ["put", "a"],
        ["put", "a", null],
        ["put", "a", []],
        ["put", 5, { n: 1 }],
        ["put", "a", { n: 1 }, []],
        ["drop", "a"],
        ["delete", "a", {}],
      ].map((change): Call => ["transact", { things: [change] }]),
      ...[
        ["patch", "kept", {}, "n"],
        ["patch", "kept", {}, [5]],
        ["patch", "kept", {}, ["n"]],
        ["patch", "kept", {}, [], 1],
      ].map((change): Call => ["transact", { things: [change] }]),
      [
        "transact",
        {
          things: [
            ["put", "a", { n: 1 }],
            ["delete", "a"],
          ],
        },
      ],
      ...["nothing", "toString", "hasOwnProperty", "", "valueOf", "Things", "things.kept"].map(
        (collection): Call => put(collection, "a", { n: 1 }),
      ),
    ),
  },
  "mutator-names": {
    run: callEach(
      ...[
        "",
        "toString",
        "hasOwnProperty",
        "valueOf",
        "isPrototypeOf",
        "Take",
        "take ",
        "take.run",
        "mutators.take",
        "run",
        "TRANSACT",
        "transact\u0000",
        "undo",
        "../take",
      ].map((type): Call => [type, {}]),
    ),
  },
  "payload-types": {
    run: callEach(
      ...Array.from(
        withWrongTypes(attackBoard.mutators.book.payload, { id: "a", sum: 1 }),
        (payload): Call => ["book", payload],
      ).filter(
        ([, payload]) =>
          (payload as { id?: string }).id === "a" || typeof (payload as { id?: unknown }).id !== "string",
      ),
      ["book", null],
      ["book", []],
      ["book", "a"],
      ["fill", {}],
    ),
  },
  "prototype-keys": {
    ...kept,
    run: async (scene) => [
      ...(await callJson(...keysEverywhere)(scene)),
      // `JSON.parse` makes them members of their own; bytes have to be read so as well.
      ...(await callBytes(scene, [
        ["take", JSON.parse('{"__proto__":{"isAdmin":true}}')],
        put("things", "constructor", { n: 1 }),
        put("things", "a", { n: 1, any: JSON.parse('[{"__proto__":1}]') }),
      ])),
      ...(await callEach(
        ...prototypeKeys.map((key): Call => ["transact", { things: [["patch", "kept", {}, ["n", key]]] }]),
      )(scene)),
    ],
  },
  "mutator-prototype-id": { run: callEach(...[...prototypeKeys, ""].map((id): Call => ["name", { id }])) },
  surrogates: {
    ...kept,
    run: callJson(
      ["transact", '{"things":[["put","\\ud800",{"n":1}]]}'],
      ["transact", '{"things":[["put","a",{"n":1,"any":{"\\ud800":1}}]]}'],
      ["transact", '{"things":[["put","a",{"n":1,"\\udc00":1}]]}'],
      ["transact", '{"things":[["delete","\\ud800"]]}'],
      ["transact", '{"\\ud800":[["put","a",{"n":1}]]}'],
      ["take\ud800", "{}"],
    ),
  },
  halves: {
    run: async (scene) => {
      scene.expectRecord("things", "half", { n: 1, text: "\ufffd", any: { deep: ["a\ufffd"] } });
      scene.expectRecord("ledger", "\ufffd", { sum: 0, by: "nobody" });
      return await callJson(
        ["transact", '{"things":[["put","half",{"n":1,"text":"\\udfff","any":{"deep":["a\\ud83c"]}}]]}'],
        ["take", '["\\ud800\\ud800"]'],
        ["take", '"\\ud800"'],
        ["name", '{"id":"\\ud800"}'],
      )(scene);
    },
  },
  "record-ids": {
    run: callEach(
      ...["", "x".repeat(129), "x".repeat(100_000), "\u20ac".repeat(129)].flatMap((id): Call[] => [
        put("things", id, { n: 1 }),
        remove("things", id),
        ["name", { id }],
      ]),
    ),
  },
  "huge-numbers": {
    run: callJson(
      ["transact", '{"things":[["put","a",{"n":1e400}]]}'],
      ["transact", '{"things":[["put","a",{"n":-1e400}]]}'],
      ["transact", '{"things":[["put","a",{"n":1,"any":[1e999]}]]}'],
      ["take", "1e400"],
      ["book", '{"id":"a","sum":1e400}'],
    ),
  },
  "odd-numbers": {
    prepare: async (scene) => {
      await scene.writer.commit(
        put("things", "zero", { n: 0 }),
        put("things", "large", { n: 2 ** 53 }),
        put("things", "least", { n: 5e-324 }),
      );
    },
    run: callJson(
      ["transact", '{"things":[["put","zero",{"n":-0}]]}'],
      ["transact", '{"things":[["patch","zero",{"n":-0.0e5}]]}'],
      ["transact", '{"things":[["put","zero",{"n":1e-400}]]}'],
      ["transact", '{"things":[["put","large",{"n":9007199254740993}]]}'],
      ["transact", '{"things":[["put","least",{"n":4.9e-324}]]}'],
    ),
  },
  "deep-payload": {
    ...kept,
    run: callJson(
      ...[40, 1_000, 100_000].flatMap((depth): [string, string][] => [
        ["take", brackets(depth)],
        ["take", `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`],
        ["transact", `{"things":[["put","a",{"n":1,"any":${brackets(depth)}}]]}`],
        ["transact", brackets(depth)],
      ]),
    ),
  },
  "payload-size": {
    run: callEach(["take", "x".repeat(600_000)], put("things", "a", { n: 1, text: "x".repeat(600_000) }), [
      "take",
      "\u0001".repeat(100_000),
    ]),
  },
  "record-size": {
    prepare: async (scene) => {
      await scene.writer.commit(put("things", "large", { n: 1, text: "x".repeat(200_000) }));
    },
    run: callEachAfterPause(
      put("things", "a", { n: 1, text: "x".repeat(270_000) }),
      patch("things", "large", { any: "y".repeat(70_000) }),
      put("things", "a", { n: 1, any: Array.from({ length: 140_000 }, () => 1) }),
    ),
  },
  "many-fields": {
    ...kept,
    run: async (scene) => {
      const fields = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`f${index}`, 1]));
      return await callEachAfterPause(
        put("things", "kept", { ...fields, n: 0, text: "kept" }),
        patch("things", "kept", fields),
      )(scene);
    },
  },
  "long-keys": {
    ...kept,
    run: callEach(
      put("k".repeat(400_000), "a", { n: 1 }),
      ["transact", { things: [["patch", "kept", { ["k".repeat(400_000)]: 1, n: "no" }]] }],
      ["book", { ["k".repeat(400_000)]: 1 }],
    ),
  },
  "many-faults": {
    run: callEachAfterPause(
      put("things", "a", { n: 1, tags: Array.from({ length: 200_000 }, () => 1) }),
      put("things", "b", { n: 1, tags: Array.from({ length: 200_000 }, () => 1) }),
    ),
  },
  "operation-size": {
    run: callEachAfterPause(["fill", { count: 20, chars: 60_000 }], ["fill", { count: 30_000, chars: 100 }]),
  },
  "state-quota": {
    room: "tight",
    run: async (scene) => {
      const mallory = await scene.join();
      const answers: Answer[] = [];
      for (let index = 0; index < 40; index++) {
        const record = { n: index, text: "x".repeat(1_000) };
        const [outcome] = await mallory.commit(put("things", `m${index}`, record));
        if (typeof outcome === "number") scene.expectRecord("things", `m${index}`, record);
        answers.push(typeof outcome === "number" ? "accepted" : `rejected ${outcome?.code ?? ""}`);
      }
      return answers;
    },
  },
  "weight-quota": {
    room: "tight",
    run: async (scene) => {
      const mallory = await scene.join();
      const ids = Array.from({ length: 120 }, (_, index) => `m${index}`);
      const outcomes = await mallory.commit(...ids.map((id) => put("things", id, { n: 1 })));
      return outcomes.map((outcome, index): Answer => {
        if (typeof outcome !== "number") return `rejected ${outcome?.code ?? ""}`;
        scene.expectRecord("things", ids[index] as string, { n: 1 });
        return "accepted";
      });
    },
  },
  "other-payload": {
    ...kept,
    run: async (scene) => {
      const mallory = await scene.join();
      await mallory.commit(edit);
      return await each(
        [put("things", "kept", { n: 9 }), ["book", { id: "kept", sum: 9 }] as const, ["take", 1] as const],
        async (call) => await scene.answersTo(mallory, JSON.stringify(pushFrame(call))),
      );
    },
  },
  repeat: {
    ...kept,
    run: async (scene) => {
      const mallory = await scene.join();
      await mallory.commit(edit);
      const { rev } = mallory.copy;
      const answers = await scene.answersTo(
        mallory,
        ...Array.from({ length: 20 }, () => JSON.stringify(pushFrame(edit))),
      );
      if (mallory.copy.outcomes.get(1) !== rev && mallory.copy.outcomes.size !== 1)
        throw new Error("it ran again");
      return answers;
    },
  },
  "confirmed-repeat": {
    ...kept,
    run: async (scene) => {
      const mallory = await scene.join();
      await mallory.commit(edit);
      await scene.answersTo(mallory, JSON.stringify(pushFrame(["take", {}], { first: 2, confirmed: 1 })));
      return await scene.answersTo(mallory, JSON.stringify(pushFrame(edit)));
    },
  },
  "others-ids": {
    run: async (scene) => {
      const mallory = await scene.join();
      return await each(
        Array.from({ length: 20 }, (_, index) => index + 1),
        async (first) => {
          const before = scene.writer.nextId;
          const answers = await scene.answersTo(
            mallory,
            JSON.stringify(pushFrame(["nothing", {}], { first, confirmed: first - 1 })),
          );
          if (scene.writer.nextId < before) throw new Error("the other's ids were used up");
          return answers;
        },
      );
    },
  },
  "future-base": {
    ...kept,
    run: async (scene) => {
      const mallory = await scene.join();
      const calls = [[Number.MAX_SAFE_INTEGER, ...put("ledger", "kept", { sum: 8, by: "me" })]];
      return await scene.answersTo(mallory, JSON.stringify(pushFrame(undefined, { calls })));
    },
  },
} satisfies Record<string, AttackAction>;
