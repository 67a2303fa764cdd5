import { upFrameSchema, type UpFrame } from "../../../src/protocol/up/up-frames.ts";
import { encodeUp } from "../../../src/protocol/codec.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import type { WireClient } from "../../support/clients/wire-client.ts";
import { attackBoard } from "../rooms/attack-board.ts";
import type { Answer } from "../attack.ts";
import { each } from "./http.ts";
import { withWrongTypes } from "./positions.ts";
import type { AttackAction, Scene } from "../scene.ts";

/** Fewer than a session may owe. */
const framesAtOnce = 40;
const names = nameTable(attackBoard);

export const joinCompact = async (scene: Scene): Promise<WireClient> =>
  await scene.join({}, { names: names.hash });

/** A push as it is in good order; without `call` one that changes nothing. */
export const pushFrame = (
  call: readonly [type: string, payload: unknown] = ["take", {}],
  rest: object = {},
) => ({
  kind: "push",
  first: 1,
  confirmed: 0,
  calls: [[0, ...call]],
  ...rest,
});

export const brackets = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** Of each message its own answer: as many as there are messages. */
async function answersToEach(
  scene: Scene,
  client: WireClient,
  messages: readonly (string | Uint8Array)[],
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < messages.length; at += framesAtOnce) {
    const batch = messages.slice(at, at + framesAtOnce);
    const told = await scene.answersTo(client, ...batch);
    if (told.length !== batch.length)
      throw new Error(`${batch.length} messages got ${told.length} answers: ${told.join()}`);
    answers.push(...told);
  }
  return answers;
}

/** Sends each message and nothing else, by a client that speaks text. */
export const sendEach =
  (...messages: readonly (string | Uint8Array)[]): AttackAction["run"] =>
  async (scene) =>
    await answersToEach(scene, await scene.join(), messages);

/** Sends each message by a client that may push bytes. */
const sendBytes =
  (...messages: readonly (readonly number[] | Uint8Array)[]): AttackAction["run"] =>
  async (scene) =>
    await answersToEach(
      scene,
      await joinCompact(scene),
      messages.map((bytes) => new Uint8Array(bytes)),
    );

const wrongTypes = (example: object): AttackAction => ({
  run: sendEach(...Array.from(withWrongTypes(upFrameSchema, example), (frame) => JSON.stringify(frame))),
});

const presence = (presence: unknown) => JSON.stringify({ kind: "presence", presence });
const event = (payload: unknown, name = "wave") => JSON.stringify({ kind: "event", event: name, payload });
const text = (value: string) => new TextEncoder().encode(value);
const resyncFrame = { kind: "resync", tag: 1, epoch: null, rev: 0, confirmed: 0 };

// A push of one call as bytes: kind, first, baseRev; then `put` into `things`, which is the second collection.
const putThing = (id: readonly number[], fields: readonly number[]) => [0x10, 1, 0, 0, 4, ...id, ...fields];
// Fields of `things` in the order of their names: any, n, tags, text.
const fieldN = 2;
const fieldAny = 1;
const fieldText = 8;
const idA = [1, 0x61];
/** The mutator `take` as bytes: the numbers 0 and 1 are edits. */
const takeNumber = names.mutators.indexOf("take") + 2;

export const frameActions = {
  "no-json": {
    run: sendEach(
      "",
      " ",
      "hello?",
      "{",
      '{"kind":"ack"',
      "null",
      "5",
      '"ack"',
      "[]",
      "[[]]",
      "{}",
      "NaN",
      "{'kind':1}",
      "\u0000",
      "\uFEFF{}",
      '{"kind":"ack","bytes":1}}',
      '{"kind":"ack","bytes":01}',
      "Infinity",
    ),
  },
  "push-types": wrongTypes(pushFrame(undefined, { received: 0 })),
  "presence-types": {
    run: sendEach(
      ...Array.from(withWrongTypes(attackBoard.presence, { at: 1, note: "", list: [1] }), (value) =>
        presence(value),
      ),
      ...[null, 5, "text", [], {}].map(presence),
      '{"kind":"presence"}',
    ),
  },
  "event-types": {
    run: sendEach(
      ...Array.from(withWrongTypes(upFrameSchema, JSON.parse(event({ text: "" })) as object), (frame) =>
        JSON.stringify(frame),
      ),
      ...Array.from(withWrongTypes(attackBoard.events.wave, { text: "" }), (value) => event(value)),
      ...[null, 5, "text", [], {}].map((value) => event(value)),
    ),
  },
  "ack-types": wrongTypes({ kind: "ack", bytes: 0 }),
  "resync-types": wrongTypes({ ...resyncFrame, diverged: ["things"] }),
  "frame-kinds": {
    run: sendEach(
      ...[
        "",
        "PUSH",
        "push ",
        "drop",
        "welcome",
        "peers",
        "gap",
        "error",
        "update",
        "snapshot",
        "__proto__",
        "constructor",
        "toString",
      ].map((kind) => JSON.stringify({ ...pushFrame(), ...resyncFrame, kind })),
    ),
  },
  "frame-members": {
    run: async (scene) => {
      const { clientId, secret } = scene.writer;
      const mallory = await scene.join();
      const more = {
        client: clientId,
        clientId,
        secret,
        user: { id: "root" },
        access: "write",
        clientReqId: 1,
      };
      const ack = JSON.stringify({ kind: "ack", bytes: 0, ...more });
      const keys = ["__proto__", "constructor", "prototype", "toString"];
      return await scene.answersTo(
        mallory,
        ack,
        ...keys.map((key) => ack.replace("{", `{"${key}":{"kind":"push"},`)),
      );
    },
  },
  "binary-for-text": {
    run: async (scene) => {
      const frames = [
        text('{"kind":"ack","bytes":0}'),
        text("ping"),
        text(presence({ at: 1 })),
        new Uint8Array(0),
        new Uint8Array([0x10, 1, 0, 0, 0, 0]),
      ];
      const [plain, compact] = [await scene.join(), await joinCompact(scene)];
      return [
        ...(await answersToEach(scene, plain, frames)),
        ...(await answersToEach(scene, compact, frames.slice(0, 4))),
      ];
    },
  },
  "text-for-binary": {
    run: async (scene) => {
      const push = encodeUp(pushFrame() as UpFrame, names) as Uint8Array;
      return await answersToEach(scene, await joinCompact(scene), [
        String.fromCharCode(...push),
        btoa(String.fromCharCode(...push)),
        new TextDecoder().decode(push),
      ]);
    },
  },
  "random-bytes": {
    run: async (scene) => {
      const good = encodeUp(
        pushFrame(["transact", { things: [["put", "a", { n: 1, text: "some text" }]] }]) as UpFrame,
        names,
      ) as Uint8Array;
      const cut = Array.from({ length: good.length - 1 }, (_, length) => good.slice(0, length));
      const kinds = Array.from({ length: 256 }, (_, kind) => kind).filter(
        (kind) => kind < 0x10 || kind > 0x17,
      );
      const more = [...good, 0];
      const lies = [
        [0x14, 1, 0, 255, 255, 3, 0],
        [0x14, 1, 0, 0, 0],
        putThing([0xff, 0xff, 0x7f, 0x61], [0]),
        putThing([1], []),
        [0x10, 0, 0, 0, 0],
        [0x12, 1, 5, 0, 0],
      ];
      const messages = [...cut, ...kinds.map((kind) => [kind, ...good.slice(1)]), more, ...lies].map(
        (bytes) => new Uint8Array(bytes),
      );
      return await answersToEach(scene, await joinCompact(scene), messages);
    },
  },
  "compact-utf8": {
    run: sendBytes(
      putThing([2, 0xc3, 0x28], [fieldN, 1]),
      putThing([3, 0xed, 0xa0, 0x80], [fieldN, 1]),
      putThing([2, 0xc0, 0xaf], [fieldN, 1]),
      putThing(idA, [fieldN | fieldText, 1, 0xc1, 0xff]),
      putThing(idA, [fieldText, 0xe6, 40, ...Array.from({ length: 40 }, () => 0xbf)]),
      putThing(idA, [fieldAny, 0xe8, 1, 1, 0xfe, 1]),
    ),
  },
  "compact-numbers": {
    run: sendBytes(
      putThing(idA, [fieldN, 0xe5, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
      putThing(idA, [fieldN, 0xe5, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]),
      putThing(idA, [fieldN, 0xe5, 0xff, 0xf0, 0, 0, 0, 0, 0, 0]),
      putThing(idA, [fieldN, 0xe3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      putThing(idA, [fieldN, 0xe3, ...Array.from({ length: 400 }, () => 0x80), 0]),
      [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
      [0x10, ...Array.from({ length: 400 }, () => 0x80), 1],
      [0x10, 1, 1, 0, 0], // a base revision below 0
    ),
  },
  "compact-names": {
    run: sendBytes(
      [0x10, 1, 0, 0, 8, ...idA, 0],
      [0x10, 1, 0, 0, 0xff, 0x7f, ...idA, 0],
      putThing(idA, [16, 1]),
      putThing(idA, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1, 1, 1, 1]),
      [0x10, 1, 0, 120, 0xe0],
      [0x10, 1, 0, 0xff, 0xff, 0x7f, 0],
    ),
  },
  "compact-deep": {
    run: sendBytes(
      [0x10, 1, 0, takeNumber, ...Array.from({ length: 100_000 }, () => [0xe7, 1]).flat(), 0],
      [0x10, 1, 0, takeNumber, ...Array.from({ length: 100_000 }, () => [0xe8, 1, 1, 0x61]).flat(), 0],
      putThing(idA, [fieldAny, ...Array.from({ length: 200 }, () => [0xe7, 1]).flat(), 0]),
    ),
  },
  "frame-size": {
    run: async (scene) => {
      const sizes = [
        JSON.stringify(pushFrame(["take", "x".repeat(1_048_577)])),
        " ".repeat(1_048_577),
        `"${"\u20ac".repeat(400_000)}"`,
      ];
      return [
        ...(await sendEach(...sizes)(scene)),
        ...(await sendBytes(new Uint8Array(1_048_577), new Uint8Array(5_000_000).fill(0x10))(scene)),
      ];
    },
  },
  "calls-per-frame": {
    run: async (scene) => {
      const calls = Array.from({ length: 257 }, () => [0, "take", null]);
      const frame = pushFrame(undefined, { calls });
      const compact = encodeUp(frame as UpFrame, names) as Uint8Array;
      return [...(await sendEach(JSON.stringify(frame))(scene)), ...(await sendBytes(compact)(scene))];
    },
  },
  "deep-frame": {
    run: sendEach(
      brackets(100_000),
      `{"kind":${brackets(100_000)}}`,
      `{"kind":"presence","presence":${brackets(100_000)}}`,
      `{"kind":"presence","presence":{"at":1,"any":${brackets(40)}}}`,
      `{"kind":"event","event":"wave","payload":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`,
      `{"kind":"resync","tag":1,"epoch":${brackets(100_000)},"rev":0,"confirmed":0}`,
    ),
  },
  "signal-surrogates": {
    run: sendEach(
      '{"kind":"presence","presence":{"at":1,"any":{"\\udfff":1}}}',
      '{"kind":"presence","presence":{"at":1,"note":"\\ud800","any":{"\\udfff":1}}}',
      '{"kind":"event","event":"wave","payload":{"text":"","any":{"\\udbff":1}}}',
      '{"kind":"event","event":"\\ud800","payload":{"text":""}}',
    ),
  },
  "signal-halves": {
    run: async (scene) => {
      const mallory = await scene.join();
      return await each(
        [
          '{"kind":"presence","presence":{"at":1,"note":"\\ud800"}}',
          '{"kind":"presence","presence":{"at":1,"any":["\\udc00\\ud800"]}}',
          '{"kind":"event","event":"wave","payload":{"text":"\\ud800","any":[{"a":"\\udbff"}]}}',
        ],
        async (message) => await scene.answersTo(mallory, message),
      );
    },
  },
  "signal-numbers": {
    run: sendEach(
      '{"kind":"presence","presence":{"at":1e400}}',
      '{"kind":"presence","presence":{"at":1,"list":[-1e400]}}',
      '{"kind":"event","event":"wave","payload":{"text":"","any":1e400}}',
    ),
  },
  "signal-prototype": {
    run: sendEach(
      ...["__proto__", "constructor", "prototype"].flatMap((key) => [
        ...[
          `{"at":1,"${key}":{"isAdmin":true}}`,
          `{"at":1,"any":{"${key}":{}}}`,
          `{"at":1,"any":[[{"${key}":1}]]}`,
        ].map((value) => `{"kind":"presence","presence":${value}}`),
        ...[`{"text":"","${key}":{"isAdmin":true}}`, `{"text":"","any":{"a":{"${key}":1}}}`].map(
          (value) => `{"kind":"event","event":"wave","payload":${value}}`,
        ),
        event({ text: "" }, key),
      ]),
    ),
  },
  "presence-size": {
    run: sendEach(
      presence({ at: 1, note: "x".repeat(5_000) }),
      presence({ at: 1, note: "\u0001".repeat(700) }),
      presence({ at: 1, list: Array.from({ length: 3_000 }, () => 1) }),
    ),
  },
  "event-size": {
    run: sendEach(event({ text: "x".repeat(17_000) }), event({ text: "\u20ac".repeat(6_000) })),
  },
  "event-names": {
    run: sendEach(
      ...["", "Wave", "toString", "hasOwnProperty", "valueOf", "wave\u0000", "transact", "join"].map((name) =>
        event({ text: "" }, name),
      ),
    ),
  },
  "client-req-id": {
    run: sendEach(
      ...["0", "-1", "1.5", String(2 ** 53), "1e300", '"1"', "null", "[1]", "true"].map((id) =>
        JSON.stringify(pushFrame()).replace('"first":1', `"first":${id}`),
      ),
    ),
  },
  gap: {
    run: async (scene) =>
      await each(
        [2, 3, 1_000, Number.MAX_SAFE_INTEGER],
        async (first) =>
          await scene.answersTo(await scene.join(), JSON.stringify(pushFrame(undefined, { first }))),
      ),
  },
  "ping-variants": {
    run: sendEach("PING", "ping ", " ping", "ping\n", "pong", "\u0000ping", '"ping"', text("ping")),
  },
  "resync-forged": {
    run: async (scene) => {
      const { epoch } = scene.sessionJudge.copy;
      const positions = [
        { epoch, rev: Number.MAX_SAFE_INTEGER },
        { epoch: "\ud800", rev: 1 },
        { epoch: "", rev: 0 },
        { epoch: null, rev: 9 },
        { tag: Number.MAX_SAFE_INTEGER },
        { confirmed: Number.MAX_SAFE_INTEGER },
      ];
      return await each(
        positions,
        async (position) =>
          await scene.answersTo(await scene.join(), JSON.stringify({ ...resyncFrame, ...position })),
      );
    },
  },
  "ack-forged": {
    run: async (scene) => {
      const mallory = await scene.join();
      const lies = [1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER].map((bytes) =>
        JSON.stringify({ kind: "ack", bytes }),
      );
      const answers = await scene.answersTo(mallory, ...lies);
      const push = JSON.stringify(pushFrame(undefined, { received: Number.MAX_SAFE_INTEGER }));
      const [answer] = await scene.answersTo(mallory, push);
      if (answer !== "accepted") throw new Error(`its call was answered ${String(answer)}`);
      return answers;
    },
  },
  "confirmed-forged": {
    run: async (scene) =>
      await scene.answersTo(
        await scene.join(),
        JSON.stringify(pushFrame(undefined, { first: 5, confirmed: Number.MAX_SAFE_INTEGER })),
      ),
  },
  "diverged-forged": {
    run: async (scene) => {
      const mallory = await scene.join();
      const diverged = Array.from(
        { length: 256 },
        (_, index) => ["things", "ledger", scene.canary, "__proto__"][index % 4],
      );
      const { epoch } = mallory.copy;
      const answers = await scene.answersTo(mallory, JSON.stringify({ ...resyncFrame, epoch, diverged }));
      const [line, ...others] = scene.logged.map((text) => JSON.parse(text) as { collections: unknown });
      if (others.length > 0 || JSON.stringify(line?.collections) !== '["things","ledger"]')
        throw new Error(`logged was ${scene.logged.join("\n")}`);
      return answers;
    },
  },
} satisfies Record<string, AttackAction>;
