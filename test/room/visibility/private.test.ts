import { describe, expect, test } from "vitest";
import { newCardRoom, patch, put, remove } from "../../support/rooms/test-rooms.ts";
import type { WireClient, WireOptions } from "../../support/clients/wire-client.ts";

type CardRoom = ReturnType<typeof newCardRoom>;

/** Longer than a page is: a hand of these shares no page with another. */
const faces = (count: number) => Array.from({ length: count }, (_, index) => `face-${index}-of-the-deck`);

async function join(room: CardRoom, name: string, options: WireOptions = {}): Promise<WireClient> {
  return await room.join({ token: `user:${name}`, ...options });
}

/** A game in which alice holds the even cards, bob the odd ones, and four are left. */
async function dealt(count = 12): Promise<{ room: CardRoom; alice: WireClient; bob: WireClient }> {
  const room = newCardRoom();
  const [alice, bob] = [await join(room, "alice"), await join(room, "bob")];
  await alice.commit(["stack", { faces: faces(count + 4) }]);
  for (let card = 0; card < count; card++)
    await alice.commit(["deal", { to: card % 2 === 0 ? "alice" : "bob" }]);
  await bob.until(({ rev }) => rev === alice.copy.rev);
  return { room, alice, bob };
}

const handOf = (client: WireClient) => Object.keys(client.copy.collections["hands"] ?? {});

/** All that the client was ever sent since it connected, as text. */
const sentTo = (client: WireClient) =>
  client.raws.map((raw) => (typeof raw === "string" ? raw : new TextDecoder().decode(raw))).join("\n");

/** Has somebody else's hand or the deck been told? */
function expectNothingOf(client: WireClient, other: string, cards: readonly number[]): void {
  const sent = sentTo(client);
  expect(sent).not.toContain(`${other}/`);
  for (const card of cards) expect(sent).not.toContain(`face-${card}-`);
}

const even = [0, 2, 4, 6, 8, 10];
const odd = [1, 3, 5, 7, 9, 11];
const left = [12, 13, 14, 15];

describe("of a private collection each user is sent only what is theirs", () => {
  test("while it happens, and nobody is sent the deck", async () => {
    const { alice, bob } = await dealt();
    expect(handOf(alice)).toEqual(even.map((card) => `alice/${String(card).padStart(3, "0")}`));
    expect(handOf(bob)).toEqual(odd.map((card) => `bob/${String(card).padStart(3, "0")}`));
    expectNothingOf(alice, "bob", [...odd, ...left]);
    expectNothingOf(bob, "alice", [...even, ...left]);
    expect(alice.copy.collections["deck"]).toBeUndefined();
  });

  test("and everybody sees it from the moment at which it is shown", async () => {
    const { alice, bob } = await dealt();
    await alice.commit(["play", { card: "004" }]);
    await bob.until(({ rev }) => rev === alice.copy.rev);
    expect(bob.copy.get("table", "004")).toEqual({ face: "face-4-of-the-deck" });
    expect(handOf(alice)).not.toContain("alice/004");
    expectNothingOf(bob, "alice", [0, 2, 6, 8, 10, ...left]);
  });

  test.each([
    ["from the ring buffer", 3, false],
    ["from folded history", 12, false],
    ["as a snapshot, whose pages hold several hands", 40, true],
  ])("when it comes back %s", async (_, moves, isNew) => {
    const { room, alice, bob } = await dealt();
    bob.cut();
    for (let move = 0; move < moves; move++)
      await alice.commit(
        patch("hands", "alice/000", { note: `secret ${move}` }),
        put("table", "pot", { face: `${move}` }),
      );
    const late = isNew ? await join(room, "bob") : bob;
    if (!isNew) {
      await bob.open();
      await bob.caughtUp();
    }
    expect(late.frames.some(({ kind }) => kind === "snapshot")).toBe(isNew);
    expect(handOf(late)).toHaveLength(6);
    expect(late.copy.get("table", "pot")).toEqual({ face: `${moves - 1}` });
    expectNothingOf(late, "alice", [...even, ...left]);
    expect(sentTo(late)).not.toContain("secret");
  });

  test("from a room that has been evicted and reads its pages anew", async () => {
    const { room, alice, bob } = await dealt();
    await room.evict();
    await alice.commit(["deal", { to: "bob" }]);
    await bob.until(({ rev }) => rev === alice.copy.rev);
    expect(handOf(bob)).toContain("bob/012");
    const newcomer = await join(room, "bob");
    expect(newcomer.copy.collections).toEqual(bob.copy.collections);
    expectNothingOf(newcomer, "alice", [...even, ...left.slice(1)]);
    expectNothingOf(alice, "bob", [...odd, ...left]);
  });

  test("also while the page that holds it cannot be read", async () => {
    const { room, alice, bob } = await dealt();
    await room.evict();
    await room.sql("UPDATE deltaroom_page SET records = '' WHERE collection = 'hands'");
    await alice.commit(put("table", "pot", { face: "all in" }));
    await bob.until(({ rev }) => rev === alice.copy.rev);
    expect(bob.copy.get("table", "pot")).toEqual({ face: "all in" });
  });

  test("however large it is, and whoever's it is", async () => {
    const room = newCardRoom();
    const host = await join(room, "host");
    const names = ["ann", "anna", "bea"];
    for (const name of names) {
      await host.commit(["stack", { faces: faces(30).map((face) => `${face}-${name}`) }]);
      for (let card = 0; card < 30; card++) await host.commit(["deal", { to: name }]);
    }
    for (const name of names) {
      const player = await join(room, name);
      const own = faces(30).map((face) => `${face}-${name}`);
      const hand = Object.values(player.copy.collections["hands"] ?? {}).map(({ face }) => face);
      expect(new Set(hand)).toEqual(new Set(own));
      const told = names.filter((other) => sentTo(player).includes(`-deck-${other}"`));
      expect(told).toEqual([name]);
    }
  });

  test("as JSON, under an ETag of its own", async () => {
    const { room, alice } = await dealt();
    const get = async (token: string) => await room.get({ headers: { Authorization: `Bearer ${token}` } });
    const [own, others, readers] = [
      await get("user:alice"),
      await get("user:bob"),
      await get("reader:alice"),
    ];
    const state = await own.json<{ epoch: string; collections: Record<string, object> }>();
    expect(Object.keys(state.collections["hands"] ?? {})).toEqual(handOf(alice));
    expect(state.collections["deck"]).toEqual({});
    expect(state.epoch).toBe(alice.copy.epoch);
    expect(await others.text()).not.toContain("alice/");
    const etags = [own, others, readers].map(({ headers }) => headers.get("ETag"));
    expect(new Set(etags).size).toBe(3);
  });

  test("and of the hooks, which see everything, nothing is hidden", async () => {
    const { room } = await dealt();
    const all = await room.inside(({ state }) => [state.hands.size, state.deck.size]);
    expect(all).toEqual([12, 4]);
  });
});

describe("a direct edit", () => {
  test("of one's own private records is made", async () => {
    const { alice } = await dealt();
    expect(
      await alice.commit(put("hands", "alice/mine", { face: "x" }), remove("hands", "alice/000")),
    ).toEqual([alice.copy.rev - 1, alice.copy.rev]);
  });

  test("of somebody else's is refused the same whether there is one or not, and changes nothing", async () => {
    const { alice, bob } = await dealt();
    const forbidden = { code: "forbidden", message: "you are not shown this record of hands" };
    const attempts = ["001", "999"].flatMap((card) => [
      patch("hands", `bob/${card}`, { note: "x" }),
      put("hands", `bob/${card}`, { face: "x" }),
      remove("hands", `bob/${card}`),
    ]);
    const { rev } = alice.copy;
    for (const outcome of await alice.commit(...attempts)) expect(outcome).toMatchObject(forbidden);
    expect(alice.copy.rev).toBe(rev);
    expect(bob.copy.get("hands", "bob/001")).toEqual({ face: "face-1-of-the-deck" });
  });

  test("of a collection that the role is not shown is refused", async () => {
    const { room } = await dealt();
    const reader = await room.join({ token: "reader:carol" });
    expect(await reader.commit(put("minutes", "m", { face: "x" }))).toMatchObject([{ code: "forbidden" }]);
  });

  test.each(["joker", "/joker", ""])("nor a mutator makes a private record of nobody: %j", async (id) => {
    const { alice } = await dealt(2);
    expect(await alice.commit(["smuggle", { id }], put("hands", id, { face: "x" }))).toMatchObject([
      { code: "invalid" },
      { code: expect.stringMatching(/^(invalid|forbidden)$/) as string },
    ]);
  });
});

describe("a collection that is hidden from a role", () => {
  test("is not sent to those of that role", async () => {
    const { room, alice } = await dealt();
    const reader = await room.join({ token: "reader:carol" });
    await alice.commit(put("minutes", "m1", { face: "who has cheated" }));
    await reader.until(({ rev }) => rev === alice.copy.rev);
    const late = await room.join({ token: "reader:dora" });
    for (const client of [reader, late]) expect(sentTo(client)).not.toContain("who has cheated");
    expect(alice.copy.get("minutes", "m1")).toEqual({ face: "who has cheated" });
  });

  test("goes and comes with the role, at the very same revision", async () => {
    const { room, alice } = await dealt();
    await alice.commit(put("minutes", "m1", { face: "who has cheated" }));
    const { rev } = alice.copy;
    const as = async (role: string) => {
      const page = room.client({ token: `${role}:alice`, secret: alice.secret });
      const { epoch } = alice.copy;
      await page.open({ epoch, rev, confirmed: alice.copy.confirmed });
      await page.caughtUp();
      return page.copy;
    };
    const asReader = await as("reader");
    expect(asReader.rev).toBe(rev);
    expect(asReader.collections["minutes"]).toBeUndefined();
    expect(Object.keys(asReader.collections["hands"] ?? {})).toHaveLength(6);
    expect(asReader.epoch).not.toBe(alice.copy.epoch);
  });
});

test("a user whose id could not stand before a slash is not let in", async () => {
  const room = newCardRoom();
  const hello = await join(room, "alice");
  const join2 = await room.inside((object) => {
    // As `authenticate` might say it.
    const request = new Request(hello.request(), { headers: new Headers(hello.request().headers) });
    request.headers.set(
      "deltaroom-identity",
      encodeURIComponent(JSON.stringify({ user: { id: "a/b", name: "" }, access: "write" })),
    );
    const { webSocket } = object.fetch(request);
    webSocket?.accept();
    return new Promise<number>((resolve) =>
      webSocket?.addEventListener("close", ({ code }) => resolve(code)),
    );
  });
  expect(join2).toBe(4401);
});
