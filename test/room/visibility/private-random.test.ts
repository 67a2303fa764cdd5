import { expect, test } from "vitest";
import { ordersBetween } from "../../../src/index.ts";
import { diceOf } from "../../support/random-numbers.ts";
import type { Collections } from "../../support/clients/client-copy.ts";
import { newCardRoom, patch, put, remove } from "../../support/rooms/test-rooms.ts";
import type { Call, WireClient } from "../../support/clients/wire-client.ts";

const players = ["ann", "anna", "bea"] as const;
const roles = ["user", "reader"] as const;
/** Order keys that each player uses one after the other, so that no player uses one twice. */
const places = ordersBetween(null, null, 400);

/** What of the state somebody is shown, worked out with nothing of the room's own code. */
function shownOf(state: Collections, user: string, role: string): Collections {
  const shown: Collections = {};
  for (const [name, records] of Object.entries(state)) {
    if (name === "deck" || (name === "minutes" && role === "reader")) continue;
    const own = Object.entries(records).filter(([id]) => name !== "hands" || id.startsWith(`${user}/`));
    if (own.length > 0) shown[name] = Object.fromEntries(own);
  }
  return shown;
}

/** A text that says of what it is, and is never there twice. */
let marks = 0;
const mark = (of: string) => `<${of}:${marks++}>`;

/** Whatever was sent to a client, over all of its connections. */
class Ear {
  #heard = "";

  /** Call it before the client forgets what came. */
  note(client: WireClient): void {
    for (const raw of client.raws)
      this.#heard += typeof raw === "string" ? raw : new TextDecoder().decode(raw);
  }

  clientLogOf(pattern: RegExp): readonly string[] {
    return this.#heard.match(pattern) ?? [];
  }
}

test.each(Array.from({ length: 6 }, (_, seed) => seed))(
  "whatever happens, each is sent what they may see, and nothing else: %i",
  async (seed) => {
    const below = diceOf(seed);
    const room = newCardRoom();
    const table = await room.join({ token: "user:table" });
    await table.commit(["stack", { faces: Array.from({ length: 40 }, () => mark("deck")) }]);
    const people = players.map((user) => ({
      user,
      role: "user" as (typeof roles)[number],
      client: room.client({ token: `user:${user}` }),
      ear: new Ear(),
      used: 0,
      /** Ids with the keys that this player wrote to them. */
      placed: new Set<string>(),
    }));
    for (const { client } of people) {
      await client.open();
      await client.caughtUp();
    }
    for (let step = 0; step < 50; step++) {
      const person = people[below(people.length)] as (typeof people)[number];
      const { user, client, ear } = person;
      const id = `${user}/${below(6)}`;
      const calls: readonly (() => Call)[] = [
        () => {
          const place = places[person.used++] as string;
          person.placed.add(`${id} ${place}`);
          return put("hands", id, { face: mark(user), place });
        },
        () => patch("hands", id, { note: mark(user) }),
        () => remove("hands", id),
        () => put("minutes", `m${below(3)}`, { face: mark("minutes") }),
        () => put("table", `t${below(20)}`, { face: mark("table") }),
        () => ["deal", { to: players[below(players.length)] }],
      ];
      const action = below(12);
      if (action < 8)
        await client.commit(
          ...Array.from({ length: 1 + below(4) }, () => (calls[below(calls.length)] as () => Call)()),
        );
      else if (action === 8) client.resync(step + 1, below(2) === 0 ? {} : { rev: 0 });
      else if (action === 9) {
        await table.commit(put("table", "lamp", { face: mark("table") })); // one that sleeps already cannot be evicted
        await room.evict();
      } else {
        ear.note(client);
        client.cut();
        if (action === 11) person.role = roles[below(2)] as (typeof roles)[number];
        const missed = below(12);
        for (let other = 0; other < missed; other++)
          await table.commit(put("table", `t${below(20)}`, { face: mark("table") }), [
            "deal",
            { to: "anna" },
          ]);
        await client.open({ token: `${person.role}:${user}` });
        await client.caughtUp();
      }
    }
    await table.commit(put("table", "end", { face: "end" }));
    const state = await room.inside(({ state: collections }) =>
      Object.fromEntries(
        Object.entries(collections).map(([name, records]) => [name, Object.fromEntries(records.entries())]),
      ),
    );
    for (const { user, role, client, ear, placed } of people) {
      await client.until(({ rev }) => rev === table.copy.rev);
      expect(client.copy.collections).toEqual(shownOf(state as Collections, user, role));
      // All players use the same keys, and each keeps theirs: what one writes repairs nothing of another.
      const hand = Object.entries(client.copy.collections["hands"] ?? {});
      const kept = hand.filter(([, { place }]) => place !== undefined);
      expect(
        kept.map(([id, { place }]) => `${id} ${place as string}`).filter((at) => !placed.has(at)),
      ).toEqual([]);
      ear.note(client);
      expect(ear.clientLogOf(/<\w+:\d+>/g).length).toBeGreaterThan(0);
      const others = players.filter((name) => name !== user).join("|");
      expect(ear.clientLogOf(new RegExp(`<(${others}):\\d+>|(${others})/`, "g"))).toEqual([]);
    }
  },
);
