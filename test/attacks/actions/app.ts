import { put } from "../../support/rooms/test-rooms.ts";
import { answeredKinds, thrownKinds } from "../rooms/attack-board.ts";
import { callEach } from "./calls.ts";
import { sendEach } from "./frames.ts";
import { newHello } from "./handshake.ts";
import { each } from "./http.ts";
import type { AttackAction } from "../scene.ts";

export const appActions = {
  "mutator-throws": { run: callEach(...thrownKinds.map((kind) => ["throwIt", { kind }] as const)) },
  "mutator-quotes": {
    run: async (scene) =>
      await callEach(
        ["quote", { text: scene.canary }],
        ["quote", { text: `${scene.canary}\n    at x.ts:1` }],
      )(scene),
  },
  "mutator-async": { run: callEach(...answeredKinds.map((kind) => ["answerIt", { kind }] as const)) },
  "mutator-recursion": { run: callEach(["recurse", {}], ["recurse", {}]) },
  "mutator-slow": { run: callEach(["toil", { rounds: 50_000_000 }], ["toil", { rounds: 50_000_000 }]) },
  "mutator-hoards": {
    run: callEach(...Array.from({ length: 5 }, () => ["hoard", { megabytes: 30 }] as const)),
  },
  "mutator-refusal": {
    run: callEach(...["circle", "bigint", "long", "nothing"].map((what) => ["refuse", { what }] as const)),
  },
  "mutator-scribbles": {
    prepare: async (scene) => {
      await scene.writer.commit(put("things", "read", { n: 1 }));
    },
    run: callEach(["scribble", { id: "read" }]),
  },
  "mutator-keeps": { run: callEach(["keep", {}], ["useKept", {}]) },
  "mutator-shouts": {
    run: callEach(
      ...["wave", "nothing", "toString", "__proto__"].map((event) => ["shout", { event }] as const),
    ),
  },
  "mutator-reaches": {
    run: async (scene) =>
      await callEach(
        ...["transact", "state", "broadcast", "renewEpoch", "remoteCall", "alarm"].map(
          (how) => ["reach", { room: scene.room.name, how }] as const,
        ),
      )(scene),
  },
  "hook-loops": {
    run: async (scene) => {
      scene.expectRecord("ledger", "hook", { sum: 1, by: "a hook" });
      const hooks = ["loops", "throws", "is rejected", "loops"];
      return await callEach(...hooks.map((hook) => ["take", { hook, text: scene.canary }] as const))(scene);
    },
  },
  "rule-throws": { run: callEach(put("things", "riddle", { n: 1 }), put("things", "proxy", { n: 1 })) },
  "rule-answers": { run: callEach(put("things", "promise", { n: 1 }), put("things", "truthy", { n: 1 })) },
  "schema-throws": { run: sendEach('{"kind":"presence","presence":{"at":666}}') },
  "user-hostile": {
    room: "closed",
    run: async (scene) =>
      await each(["\ud800", "x".repeat(5_000), "x".repeat(100_000)], async (user) => {
        const token = await scene.token({ user });
        return token.length > 8_192
          ? await scene.knock({
              "Sec-WebSocket-Protocol": scene.client().request().headers.get("Sec-WebSocket-Protocol") ?? "",
              Authorization: `Bearer ${token}`,
            })
          : await scene.hello(newHello({ token }));
      }),
  },
} satisfies Record<string, AttackAction>;
