import { expect, it } from "vitest";
import { remote } from "../../../src/server.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { newTestRoom } from "../../support/rooms/test-rooms.ts";
import { testBoard } from "../../support/boards/test-board.ts";
import type { WireClient } from "../../support/clients/wire-client.ts";

const add = (by: number) => ["addUp", { id: "sum", by }] as const;
const refuse = ["refuse", { text: "hm" }] as const;
const refusal = { code: "no-way", message: "this is never allowed", data: { text: "hm" } };

/** Three clients at rest in a room that sleeps: Alice and Bob show where they are, Carol does not. */
async function asleep() {
  const room = newTestRoom();
  // Whoever is sent a close does not answer it, as a peer whose network is gone.
  const join = async (name: string) => await room.join({ name: `actor-${name}`, allowHalfOpen: true });
  const [alice, bob, carol] = [await join("alice"), await join("bob"), await join("carol")];
  await alice.commit(add(1), refuse);
  alice.setPresence({ at: 1 });
  bob.setPresence({ at: 2 });
  await carol.until(({ rev, peers }) => rev === 1 && peers.size === 2);
  for (const client of [alice, bob]) await client.until(({ rev, peers }) => rev === 1 && peers.size === 1);
  for (const client of [alice, bob, carol]) client.forget();
  await room.evict();
  return { room, alice, bob, carol, join };
}

type Scene = Awaited<ReturnType<typeof asleep>>;

/** What is to be seen of a wake in the end; what a row leaves out is as it was. */
interface Aftermath {
  /** Everybody who is connected. */
  readonly here?: readonly WireClient[];
  /** `at` of everybody who shows it. */
  readonly shown?: { readonly [clientId: string]: number };
  /** What the room's hooks were told of people. */
  readonly heard?: readonly string[];
  /** Frames to Alice that say no. */
  readonly refused?: readonly string[];
}

const rows: [string, (scene: Scene) => Promise<Aftermath>][] = [
  [
    "a new call",
    async ({ alice }) => {
      alice.push(add(10));
      const { lastCallId, outcomes, delta } = await alice.next("update");
      expect([lastCallId, outcomes, delta?.from, delta?.to]).toEqual([3, [[3, 2]], 1, 2]);
      return {};
    },
  ],
  [
    "calls that were executed before",
    async ({ alice }) => {
      alice.pushAt(1, add(1), refuse);
      const outcomes = [[1, 1] as const, [2, refusal] as const];
      expect(await alice.next("update")).toEqual({ kind: "update", lastCallId: 2, outcomes });
      return {};
    },
  ],
  [
    "a call beyond one that is missing",
    async ({ alice }) => {
      alice.pushAt(9, add(1));
      expect(await alice.next("gap")).toEqual({ kind: "gap", expected: 3 });
      return { refused: ["gap"] };
    },
  ],
  [
    "somebody else's call",
    async ({ alice, bob }) => {
      bob.push(add(10));
      expect((await alice.next("update")).delta).toMatchObject({ from: 1, to: 2 });
      return {};
    },
  ],
  [
    "presence of one who shows it",
    async ({ alice, bob }) => {
      alice.setPresence({ at: 9 });
      expect((await bob.next("update")).presence).toEqual([["set", idOf("actor-alice"), { at: 9 }]]);
      return { shown: { [idOf("actor-alice")]: 9, [idOf("actor-bob")]: 2 } };
    },
  ],
  [
    "presence of one who has shown none",
    async ({ bob, carol }) => {
      carol.setPresence({ at: 3 });
      expect((await bob.next("update")).presence).toEqual([["join", idOf("actor-carol"), null, { at: 3 }]]);
      return { shown: { [idOf("actor-alice")]: 1, [idOf("actor-bob")]: 2, [idOf("actor-carol")]: 3 } };
    },
  ],
  [
    "an event",
    async ({ alice, bob, carol }) => {
      alice.sendEvent("wave", { text: "hi" });
      const events = [[idOf("actor-alice"), "wave", { text: "hi" }]];
      for (const { next } of [alice, bob, carol].map((client) => ({ next: client.next("update") })))
        expect(await next).toEqual({ kind: "update", events });
      return {};
    },
  ],
  [
    "an acknowledgement",
    async ({ alice }) => {
      alice.ack();
      return {};
    },
  ],
  [
    "a resync",
    async ({ alice }) => {
      alice.resync(5);
      const { tag, lastCallId, delta, parts } = await alice.next("update");
      expect([tag, lastCallId, delta, parts]).toEqual([5, 2, undefined, undefined]);
      expect((await alice.next("peers")).peers).toEqual([[idOf("actor-bob"), null, { at: 2 }]]);
      return {};
    },
  ],
  [
    "a text that is no frame",
    async ({ alice }) => {
      alice.sendRaw("{");
      expect(await alice.next("error")).toMatchObject({ code: "invalid" });
      return { refused: ["error"] };
    },
  ],
  [
    "bytes",
    async ({ alice }) => {
      alice.sendRaw(new ArrayBuffer(3));
      expect(await alice.next("error")).toMatchObject({ code: "invalid" });
      return { refused: ["error"] };
    },
  ],
  [
    "a newcomer",
    async ({ alice, bob, carol, join }) => {
      const erik = await join("erik");
      expect(erik.copy.collections).toEqual({ shapes: { sum: { x: 1, y: 0 } } });
      return { here: [alice, bob, carol, erik], heard: [`join ${idOf("actor-erik")}`] };
    },
  ],
  [
    "the same client once more",
    async ({ alice, bob, carol, join }) => {
      const again = await join("alice");
      expect(await alice.closed()).toEqual({ closeCode: 4410, reason: "replaced" });
      expect(again.copy.lastCallId).toBe(2);
      again.nextId = 3;
      return { here: [again, bob, carol] };
    },
  ],
  [
    "one who leaves",
    async ({ alice, bob, carol }) => {
      alice.cut();
      expect((await bob.next("update")).presence).toEqual([["leave", idOf("actor-alice")]]);
      return {
        here: [bob, carol],
        shown: { [idOf("actor-bob")]: 2 },
        heard: [`leave ${idOf("actor-alice")}`],
      };
    },
  ],
  [
    "a socket that fails",
    async ({ room, alice, bob, carol }) => {
      await room.inside((self, ctx) => {
        const isAlices = (socket: WebSocket) =>
          (socket.deserializeAttachment() as { client: { clientId: string } }).client.clientId ===
          idOf("actor-alice");
        self.webSocketError(ctx.getWebSockets().find(isAlices) as WebSocket);
      });
      expect(await alice.closed()).toMatchObject({ closeCode: 4400 });
      expect((await bob.next("update")).presence).toEqual([["leave", idOf("actor-alice")]]);
      return {
        here: [bob, carol],
        shown: { [idOf("actor-bob")]: 2 },
        heard: [`leave ${idOf("actor-alice")}`],
      };
    },
  ],
  [
    "a reader of the state",
    async ({ room }) => {
      expect(await room.json()).toMatchObject({ rev: 1, collections: { shapes: { sum: { x: 1 } } } });
      return {};
    },
  ],
  [
    "a backend's call",
    async ({ room, alice }) => {
      const { mutate } = remote(room.stub, testBoard);
      expect(await mutate.addUp({ id: "sum", by: 10 })).toEqual({ rev: 2 });
      expect((await alice.next("update")).delta).toMatchObject({ from: 1, to: 2 });
      return {};
    },
  ],
];

it.each(rows)("%s wakes the room, and nobody else notices", async (_, wake) => {
  const scene = await asleep();
  const { room, alice, bob, carol } = scene;
  const aftermath = await wake(scene);
  const { here = [alice, bob, carol], shown = { [idOf("actor-alice")]: 1, [idOf("actor-bob")]: 2 } } =
    aftermath;
  const { heard = [], refused = [] } = aftermath;

  const { rev } = await room.json();
  for (const [index, client] of here.entries())
    expect(await client.commit(add(1))).toEqual([rev + index + 1]);
  const dora = await scene.join("dora");
  const { collections } = await room.json();
  for (const client of [...here, dora]) {
    await client.until((copy) => copy.rev === rev + here.length);
    expect(client.copy.collections).toEqual(collections);
    const { [client.clientId]: _own, ...others } = shown;
    const seen = [...client.copy.peers].map(([clientId, { presence }]) => [clientId, presence]);
    expect(Object.fromEntries(seen)).toEqual(
      Object.fromEntries(Object.entries(others).map(([clientId, at]) => [clientId, { at }])),
    );
    expect(client.closing).toBeUndefined();
    expect(refusalsTo(client)).toEqual(client === alice ? refused : []);
  }
  const people = (await room.inside(({ heard }) => heard)).filter((text) => /^(join|leave) /.test(text));
  expect(people).toEqual([...heard, `join ${idOf("actor-dora")}`]); // to wake is not to join
});

/** Kinds of the frames that said no. */
function refusalsTo({ kinds }: WireClient): string[] {
  return kinds.filter((kind) => kind === "error" || kind === "gap");
}

it("a heartbeat is answered without waking the room", async () => {
  const { room, alice, carol } = await asleep();
  await alice.ping();
  await carol.ping();
  await expect(room.evict()).rejects.toThrow("not currently running");
  expect([...alice.kinds, ...carol.kinds]).toEqual([]);
  const answered = await room.inside((_, ctx) =>
    ctx.getWebSockets().map((socket) => ctx.getWebSocketAutoResponseTimestamp(socket) !== null),
  );
  expect(answered.filter(Boolean)).toHaveLength(2);
});
