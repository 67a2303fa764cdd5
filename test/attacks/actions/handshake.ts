import { exports } from "cloudflare:workers";
import { helloSchema } from "../../../src/protocol/handshake/hello.ts";
import { secretOf } from "../../support/clients/named-client.ts";
import type { WireClient } from "../../support/clients/wire-client.ts";
import type { Answer } from "../attack.ts";
import { each, strangeOrigins } from "./http.ts";
import { withWrongTypes } from "./positions.ts";
import type { AttackAction, Scene } from "../scene.ts";

let strangers = 0;

/** A good hello of somebody who was never here. */
export function newHello(changes: object = {}): { readonly [member: string]: unknown } {
  const secret = secretOf(`stranger-${++strangers}`);
  return { secret, schema: 3, epoch: null, rev: 0, confirmed: 0, knownSince: null, ...changes };
}

/** A hello with everything that one may have, so that nothing of it can be left unexamined. */
const fullHello = (scene: Scene) =>
  newHello({
    epoch: scene.sessionJudge.copy.epoch,
    knownSince: 0,
    attempt: 1,
    names: 1,
    acceptsDeflate: false,
    resumeSnapshot: { epoch: "e", rev: 0, parts: 1, collection: "things", until: null },
    token: "t",
  });

const prototypeKeys = ["__proto__", "constructor", "prototype"];

/** JSON in which the object gets a key that no literal can have. */
const withKey = (json: string, key: string) => json.replace("{", `{"${key}":{"isAdmin":true,"rev":1},`);

/** Opens so many sockets without a user. */
async function crowdIn(scene: Scene, count: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let stranger = 0; stranger < count; stranger++) {
    const client = scene.client();
    await client.open();
    await client.caughtUp().catch(() => {});
    answers.push(...(client.closing === undefined ? (["welcome"] as const) : scene.answersAmong(client)));
  }
  return answers;
}

export const handshakeActions = {
  "cross-site": {
    run: async (scene) =>
      await each(strangeOrigins, async (origin) => await scene.hello(newHello(), { Origin: origin })),
  },
  "no-subprotocol": {
    run: async (scene) =>
      await each(
        [
          {},
          ...["graphql-ws", "deltaroom.v2", "deltaroom", "DELTAROOM.V1", "hello.e30", "deltaroom.v1;x"].map(
            (name) => ({ "Sec-WebSocket-Protocol": name }),
          ),
        ],
        async (headers) => await scene.knock(headers as Record<string, string>),
      ),
  },
  "odd-upgrade": {
    run: async (scene) =>
      await each(
        [
          { Upgrade: "h2c" },
          { Upgrade: "websocket, h2c" },
          { Upgrade: "web socket" },
          { Upgrade: "", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" },
          { Upgrade: "", "Sec-WebSocket-Protocol": "deltaroom.v1" },
        ],
        async ({ Upgrade, ...rest }) =>
          await scene.ask({
            headers: { ...(Upgrade !== "" && { Upgrade }), ...(rest as Record<string, string>) },
          }),
      ),
  },
  "upgrade-traversal": {
    run: async (scene) => {
      const headers = { "Sec-WebSocket-Protocol": "deltaroom.v1, hello.e30" };
      const ids = [
        "..%2flobby",
        "%2e%2e%2fx",
        "a%00",
        "a%2Fb",
        "%61",
        "x".repeat(129),
        "",
        "a/b",
        "r\u00e4ume",
      ];
      return await each(ids, async (id) => await scene.knock(headers, `/attack-rooms/${id}`));
    },
  },
  "hello-missing": {
    run: async (scene) =>
      await each(
        [
          "deltaroom.v1",
          "deltaroom.v1, hello.",
          "deltaroom.v1, hello",
          "deltaroom.v1, , ,",
          "deltaroom.v1, Hello.e30",
        ],
        async (offered) => await scene.knock({ "Sec-WebSocket-Protocol": offered }),
      ),
  },
  "hello-encoding": {
    run: async (scene) => [
      ...(await each(
        ["!!!", "e", "=", "e30=e30", "%7B%7D", "e30%00"],
        async (encoded) => await scene.knock({ "Sec-WebSocket-Protocol": `deltaroom.v1, hello.${encoded}` }),
      )),
      ...(await each(
        ["", "{", "null", "5", "[]", '"hello"', "{}}", "\u0000", "{'client':1}", "\uFEFF{}"],
        async (json) => await scene.hello(json),
      )),
      // Bytes that are no UTF-8, where a text is.
      await scene.knock({
        "Sec-WebSocket-Protocol": `deltaroom.v1, hello.${btoa('{"client":"\xff\xfe\xc0\xaf.ssssssssssssssss"}')}`,
      }),
    ],
  },
  "hello-types": {
    run: async (scene) =>
      await each(withWrongTypes(helloSchema, fullHello(scene)), async (hello) => await scene.hello(hello)),
  },
  "hello-numbers": {
    run: async (scene) => {
      const members = ["schema", "rev", "confirmed", "knownSince", "attempt", "names"];
      const forged = ["-1", "0.5", '"1"', String(2 ** 53), "1e400", "-1e400", "[1]", "1e-7"];
      const hellos = members.flatMap((member) =>
        forged.map((number) =>
          JSON.stringify(newHello({ [member]: 77 })).replace(`"${member}":77`, `"${member}":${number}`),
        ),
      );
      return await each(hellos, async (json) => await scene.hello(json));
    },
  },
  "hello-secret": {
    run: async (scene) => {
      const good = "s".repeat(20);
      const secrets = [
        "",
        "short",
        "s".repeat(19),
        "s".repeat(65),
        `${good}.${good}`,
        `clientId\u0000${good}`,
        `${good}\n`,
        `\ud800${good}`,
        `${good}\u017f`,
        "__proto__",
        `rpc:${good}`,
        "room",
        `two words ${good}`,
        `${good}=`,
        `${good}+`,
      ];
      return await each(secrets, async (secret) => await scene.hello(newHello({ secret })));
    },
  },
  "hello-deep": {
    run: async (scene) => {
      const brackets = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
      return await each(
        ["epoch", "token", "nobodyKnows"],
        async (member) =>
          await scene.hello(
            JSON.stringify(newHello({ [member]: 77 })).replace(`"${member}":77`, `"${member}":${brackets}`),
          ),
      );
    },
  },
  "hello-prototype": {
    run: async (scene) => {
      const resumeSnapshot =
        '"resumeSnapshot":{"epoch":"e","rev":0,"parts":0,"collection":"__proto__","until":null}';
      const hellos = prototypeKeys.flatMap((key) => [
        withKey(JSON.stringify(newHello()), key),
        JSON.stringify(newHello()).replace("{", `{${withKey(resumeSnapshot, key)},`),
        JSON.stringify(newHello({ epoch: key })),
      ]);
      return await each(hellos, async (json) => await scene.hello(json));
    },
  },
  "hello-future": {
    run: async (scene) => {
      const { epoch } = scene.sessionJudge.copy;
      const positions = [
        { epoch, rev: 1_000_000 },
        { epoch, rev: Number.MAX_SAFE_INTEGER },
        { epoch: "never", rev: 1 },
        { epoch: "\ud800", rev: 1 },
        { epoch: "", rev: 5 },
        { epoch: null, rev: 5 },
      ];
      const answers = await each(positions, async (position) => await scene.hello(newHello(position)));
      // And what it is sent is the truth.
      const liar = await scene.join({ token: await scene.token() }, { epoch, rev: 1_000_000 });
      if (liar.copy.rev > scene.writer.copy.rev + 1_000) throw new Error("the room has believed it");
      return answers;
    },
  },
  "hello-arrived": {
    prepare: async (scene) => {
      await scene.writer.commit(["fill", { count: 40, chars: 100 }]);
    },
    run: async (scene) => {
      const { epoch, rev } = scene.sessionJudge.copy;
      const resumeSnapshot = [
        { epoch, rev, parts: 5, collection: "zzz", until: null },
        { epoch, rev: 0, parts: 5, collection: "ledger", until: "\ud800" },
        { epoch, rev: Number.MAX_SAFE_INTEGER, parts: 1, collection: "", until: "" },
        { epoch, rev, parts: Number.MAX_SAFE_INTEGER, collection: "", until: "" },
        { epoch: "never", rev, parts: 3, collection: "__proto__", until: "constructor" },
      ];
      return await each(
        resumeSnapshot,
        async (claim) => await scene.hello(newHello({ resumeSnapshot: claim })),
      );
    },
  },
  "hello-confirmed": {
    run: async (scene) => [
      await scene.hello(
        newHello({ confirmed: Number.MAX_SAFE_INTEGER, knownSince: Number.MAX_SAFE_INTEGER }),
      ),
    ],
  },
  "hello-names": {
    run: async (scene) => {
      const liar = await scene.join({}, { names: 12_345 });
      if (liar.copy.welcome?.acceptsBinary !== false) throw new Error("the room has believed it");
      return await scene.answersTo(liar, new Uint8Array([0x10, 1, 0, 0, 0, 1, 0x61, 0]));
    },
  },
  "hello-twice": {
    run: async (scene) => {
      const [first, second] = [scene.client(), scene.client()];
      const offered = [first, second].map(
        (client) => client.request().headers.get("Sec-WebSocket-Protocol") ?? "",
      );
      const headers = { "Sec-WebSocket-Protocol": offered.join(", "), Upgrade: "websocket" };
      await first.take(await exports.default.fetch(new Request(scene.room.url, { headers })));
      const { clientId } = await first.next("welcome");
      if (clientId !== first.clientId) throw new Error(`${clientId} was let in`);
      return ["welcome"];
    },
  },
  "hello-schema": {
    run: async (scene) =>
      await each(
        [0, 1, 2, 4, Number.MAX_SAFE_INTEGER],
        async (schema) => await scene.hello(newHello({ schema })),
      ),
  },
  "hello-token-size": { run: async (scene) => [await scene.hello(newHello({ token: "t".repeat(8_193) }))] },
  "token-missing": {
    room: "closed",
    run: async (scene) => [await scene.hello(newHello()), await scene.hello(newHello({ token: "" }))],
  },
  "token-wrong": {
    room: "closed",
    run: async (scene) => {
      const good = await scene.token();
      const [body = "", signature = ""] = good.split(".");
      const changed = [0, 10, body.length - 1, body.length + 1, good.length - 1].map(
        (at) => `${good.slice(0, at)}${good[at] === "A" ? "B" : "A"}${good.slice(at + 1)}`,
      );
      const unsigned = (claims: object) => btoa(JSON.stringify(claims)).replace(/=+$/, "");
      const exp = Math.floor(Date.now() / 1_000) + 60;
      const none = `${unsigned({ alg: "none" })}.${unsigned({ sub: "root", rooms: [scene.room.name], exp })}`;
      const tokens = [
        await scene.token({}, "another key"),
        `${none}.`,
        none,
        `${body}.`,
        `.${signature}`,
        body,
        scene.canary,
      ];
      return await each(
        [...tokens, ...changed.slice(0, 4)],
        async (token) => await scene.hello(newHello({ token })),
      );
    },
  },
  "token-expired": {
    room: "closed",
    run: async (scene) =>
      await each(
        [0, 1, 60_000],
        async (agoMs) =>
          await scene.hello(newHello({ token: await scene.token({ expiresAt: Date.now() - agoMs }) })),
      ),
  },
  "token-replayed": {
    room: "closed",
    run: async (scene) => {
      const token = await scene.token({ expiresAt: Date.now() + 2_000 });
      const first = await scene.hello(newHello({ token }));
      if (first !== "welcome") throw new Error(`in its time it was answered ${first}`);
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      return [await scene.hello(newHello({ token }))];
    },
  },
  "token-other-room": {
    room: "closed",
    run: async (scene) =>
      await each(
        [`${scene.room.name}x`, "", "x*", "__proto__", `*${scene.room.name}`, scene.room.name.toUpperCase()],
        async (room) => await scene.hello(newHello({ token: await scene.token({ room }) })),
      ),
  },
  "claimed-id": {
    prepare: async (scene) => {
      (await scene.join({ name: "made-no-call" })).cut();
    },
    run: async (scene) => {
      const silent = scene.client({ name: "made-no-call" });
      const victims = [scene.writer, scene.sessionJudge, silent];
      const hellos = victims.flatMap(({ clientId, secret }) => [
        ...[clientId, clientId.padEnd(20, "-"), `${clientId}${clientId}`].map((claimed) => ({
          secret: claimed,
        })),
        ...["clientId", "client", "clientId", "id"].map((member) => ({ [member]: clientId })),
        { client: `${clientId}.${"s".repeat(20)}` },
        { secret: `${secret.slice(0, -1)}${secret.endsWith("_") ? "-" : "_"}` },
      ]);
      const answers = await each(hellos, async (claim) => {
        return await scene.hello(newHello({ attempt: Number.MAX_SAFE_INTEGER, ...claim }));
      });
      for (const { clientId } of victims) {
        if (
          scene.told.some((text) => text.includes(`"welcome"`) && text.includes(`"clientId":"${clientId}"`))
        )
          throw new Error(`a stranger was let in as ${clientId}`);
      }
      await silent.open(); // a client that has never made a call comes back as the same
      await silent.caughtUp();
      if (silent.copy.welcome?.clientId !== silent.clientId)
        throw new Error("the client came back as another");
      return answers;
    },
  },
  "other-user": {
    room: "closed",
    run: async (scene) => {
      const token = await scene.token({ user: "mallory" });
      return await each([scene.writer, scene.sessionJudge], async ({ secret }) => {
        return await scene.hello(newHello({ secret, attempt: Number.MAX_SAFE_INTEGER, token }));
      });
    },
  },
  "hello-replayed": {
    run: async (scene) => {
      const victim = await scene.join({ name: "here-again" }, { attempt: 10 });
      const answers = await each(
        [0, 9],
        async (attempt) => await scene.hello(victim.hello({ attempt, epoch: null, rev: 0 })),
      );
      if (victim.closing !== undefined) throw new Error("the newer session was put out");
      return answers;
    },
  },
  forgotten: {
    room: "tight",
    prepare: async (scene) => {
      const old = await scene.join({ name: "long-ago" });
      await old.commit(["take", {}]);
      old.cut();
      for (let other = 0; other < 4; other++) {
        const client = await scene.join();
        await client.commit(["take", {}]);
        client.cut();
      }
      for (let edit = 0; edit < 20; edit++) await scene.writer.commit(["take", {}]); // until a checkpoint forgets
    },
    run: async (scene) => [await scene.hello(newHello({ secret: secretOf("long-ago"), knownSince: 0 }))],
  },
  "forgotten-crowd": {
    room: "mixed",
    run: async (scene) => {
      const early = await scene.join({ token: await scene.token({ user: "carol" }) });
      early.cut();
      const token = await scene.token();
      const crowd: WireClient[] = [];
      for (let client = 0; client < 8; client++) {
        const mallory = await scene.join({ token });
        await mallory.commit(["take", {}]);
        mallory.cut();
        crowd.push(mallory);
      }
      for (let edit = 0; edit < 20; edit++) await scene.sessionJudge.commit(["take", {}]); // until a checkpoint forgets
      await early.open();
      await early.caughtUp();
      if (typeof (await early.commit(["take", {}]))[0] !== "number") throw new Error("a call was lost");
      const [first] = crowd as [WireClient];
      await first.open();
      await first.closed();
      return scene.answersAmong(first);
    },
  },
  "all-places": {
    room: "mixed",
    run: async (scene) => {
      const answers = await crowdIn(scene, 10);
      await scene.join({ token: await scene.token({ user: "newcomer" }) });
      return answers;
    },
  },
  "join-flood": {
    room: "tight",
    run: async (scene) => {
      return await crowdIn(scene, 20);
    },
  },
  "join-loop": {
    run: async (scene) => {
      const answers = await each(Array.from({ length: 50 }), async () => await scene.hello(newHello()));
      const same = newHello();
      return [...answers, ...(await each(Array.from({ length: 50 }), async () => await scene.hello(same)))];
    },
  },
  "join-abandoned": {
    run: async (scene) => {
      for (let stranger = 0; stranger < 50; stranger++) {
        const client = scene.client();
        await client.open();
        client.cut();
      }
      return ["welcome"];
    },
  },
  "snapshot-amplification": {
    prepare: async (scene) => {
      await scene.writer.commit(["fill", { count: 10, chars: 100_000 }]);
      await scene.sessionJudge.until(({ rev }) => rev === scene.writer.copy.rev);
    },
    run: async (scene) =>
      await each(Array.from({ length: 100 }), async () => {
        const client = scene.client({ acks: false });
        await client.open();
        await client.next("welcome");
        return "welcome";
      }),
  },
} satisfies Record<string, AttackAction>;
