import { describe, expect, it } from "vitest";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { newTestRoom, newWatchfulRoom, put } from "../../support/rooms/test-rooms.ts";

const second = 1_000;
const minute = 60 * second;

/** Joins, and is seen by the others. */
function shown(room: LoneRoom, name: string, at: number): LoneClient {
  const client = room.join(`actor-${name}`);
  client.send({ kind: "presence", presence: { at } });
  return client;
}

/** Lets time pass in which these clients ping, each so often. */
function passPinging(room: LoneRoom, ms: number, everyMs: number, ...clients: readonly LoneClient[]): void {
  for (let passedMs = 0; passedMs < ms; passedMs += everyMs) {
    for (const client of clients) client.ping();
    room.pass(Math.min(everyMs, ms - passedMs));
  }
}

const namesSeenBy = ({ copy }: LoneClient) => [...copy.peers.keys()];

describe("a client that vanishes without a word", () => {
  it("is gone for everybody else within 30 s, however its last ping lay", async () => {
    for (const lastPingMs of [0, 1, 4_999, 9_999]) {
      await withLoneRoom({}, (room) => {
        const [alice, bob] = [shown(room, "alice", 1), shown(room, "bob", 2)];
        passPinging(room, 40 * second, 10 * second, alice, bob);
        bob.ping();
        passPinging(room, lastPingMs, 10 * second, alice);
        bob.isThere = false;
        passPinging(room, 30 * second - lastPingMs, 5 * second, alice);
        expect(namesSeenBy(alice)).toEqual([]);
        expect(bob.closed).toEqual({ closeCode: 4408, reason: "timeout" });
        expect(alice.closed).toBeUndefined();
      });
    }
  });

  it("is gone in time, though the room sleeps before it asks and before it has an answer", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [shown(room, "alice", 1), shown(room, "bob", 2)];
      bob.isThere = false;
      alice.ping();
      room.pass(19 * second);
      room.evict();
      alice.ping();
      room.pass(2 * second);
      expect(bob.asked).toBe(1);
      room.evict();
      room.pass(4 * second);
      expect([bob.closed?.reason, bob.asked, namesSeenBy(alice)]).toEqual(["timeout", 1, []]);
    });
  });

  it("is told to the app as one who left", async () => {
    const left: string[] = [];
    await withLoneRoom({ rules: { onLeave: ({ clientId }) => void left.push(clientId) } }, (room) => {
      const [alice, bob] = [shown(room, "alice", 1), shown(room, "bob", 2)];
      bob.isThere = false;
      passPinging(room, 30 * second, 10 * second, alice);
      expect(left).toEqual([idOf("actor-bob")]);
    });
  });

  it("while it was alone is not met by who comes later, and costs no alarm until then", async () => {
    await withLoneRoom({}, (room) => {
      const bob = shown(room, "bob", 2);
      expect(room.alarmAt).toBeUndefined();
      bob.isThere = false;
      room.pass(60 * minute);
      room.evict();
      const alice = shown(room, "alice", 1);
      expect(alice.seen.filter(({ kind }) => kind === "peers")).toEqual([{ kind: "peers", peers: [] }]);
      expect(bob.closed?.reason).toBe("timeout");
    });
  });

  it("does not take the place of who comes to a full room, where nobody looked for it", async () => {
    await withLoneRoom({ limits: { maxSessions: 2 } }, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      passPinging(room, 80 * second, 10 * second, alice);
      expect(() => room.join("actor-carol")).toThrow("room-full");
      passPinging(room, 20 * second, 10 * second, alice);
      room.join("actor-carol");
      expect([alice.closed, bob.closed?.reason]).toEqual([undefined, "timeout"]);
    });
  });

  it("and comes back while it was alone replaces itself, and has not left", async () => {
    const heard: string[] = [];
    const rules = {
      onJoin: () => void heard.push("join"),
      onLeave: () => void heard.push("leave"),
    };
    await withLoneRoom({ rules }, (room) => {
      const bob = shown(room, "bob", 2);
      room.pass(60 * minute);
      room.join("actor-bob");
      expect([bob.closed?.reason, ...heard]).toEqual(["replaced", "join"]);
    });
  });
});

describe("a client that is there", () => {
  it("in a hidden tab, whose timers run once a minute, stays as long as it answers", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, tab] = [shown(room, "alice", 1), shown(room, "tab", 2)];
      passPinging(room, 10 * minute, 10 * second, alice);
      expect([tab.closed, namesSeenBy(alice)]).toEqual([undefined, [idOf("actor-tab")]]);
      expect(tab.asked).toBeGreaterThan(20);
      expect(tab.asked).toBeLessThanOrEqual(30);
    });
  });

  it("and alone in a hidden tab is not taken for gone by who comes", async () => {
    await withLoneRoom({}, (room) => {
      const tab = shown(room, "tab", 2);
      for (let pings = 0; pings < 5; pings++) {
        tab.ping();
        room.pass(minute);
      }
      const alice = shown(room, "alice", 1);
      expect(namesSeenBy(alice)).toEqual([idOf("actor-tab")]);
      passPinging(room, minute, 10 * second, alice);
      expect(tab.closed).toBeUndefined();
    });
  });

  it("pings every 10 s, and so is never asked", async () => {
    await withLoneRoom({}, (room) => {
      const clients = [shown(room, "alice", 1), shown(room, "bob", 2), shown(room, "carol", 3)];
      for (let passedMs = 0; passedMs < 10 * minute; passedMs += 5 * second) {
        clients[(passedMs / (5 * second)) % 2]?.ping();
        clients[2]?.ping();
        room.pass(5 * second);
      }
      expect(clients.map(({ asked, closed }) => [asked, closed])).toEqual(clients.map(() => [0, undefined]));
    });
  });

  it("and sends, but does not ping, is heard as well", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [shown(room, "alice", 1), shown(room, "bob", 2)];
      bob.isThere = false;
      for (let n = 0; n < 30; n++) {
        alice.ping();
        bob.push(put("shapes", "s", { x: n, y: 0 }));
        for (const client of [alice, bob]) client.send({ kind: "ack", bytes: client.sentBytes });
        room.pass(10 * second);
      }
      expect([bob.closed, bob.asked]).toEqual([undefined, 0]);
    });
  });

  it("stays whatever the clock does", async () => {
    for (const jumpMs of [-24 * 60 * minute, 24 * 60 * minute]) {
      await withLoneRoom({}, (room) => {
        const [alice, bob] = [shown(room, "alice", 1), shown(room, "bob", 2)];
        passPinging(room, minute, 10 * second, alice, bob);
        room.alarmAt = (room.alarmAt as number) + jumpMs; // it comes when it would have
        room.now += jumpMs;
        passPinging(room, 5 * minute, 10 * second, alice, bob);
        expect([alice.closed, bob.closed]).toEqual([undefined, undefined]);
        bob.isThere = false;
        passPinging(room, 35 * second, 5 * second, alice);
        expect(bob.closed?.reason).toBe("timeout");
      });
    }
  });
});

describe("the alarm", () => {
  /** How often it is set in an hour in which clients ping as they should. */
  async function alarmsAnHour(...names: readonly string[]): Promise<number> {
    let alarms = 0;
    await withLoneRoom({}, (room) => {
      const clients = names.map((name, at) => shown(room, name, at));
      for (let passedMs = 0; passedMs < 60 * minute; passedMs += second) {
        const before = room.alarmAt;
        for (const [index, client] of clients.entries())
          if ((passedMs / second) % 10 === (index * 3) % 10) client.ping();
        room.pass(second);
        if (room.alarmAt !== before) alarms += 1;
      }
    });
    return alarms;
  }

  it("comes every 10 to 20 s to a room with two or more, and not at all to anybody alone", async () => {
    expect(await alarmsAnHour("alice")).toBe(0);
    for (const names of [
      ["alice", "bob"],
      ["alice", "bob", "carol", "dora", "erik"],
    ]) {
      const alarms = await alarmsAnHour(...names);
      expect(alarms).toBeGreaterThanOrEqual(180);
      expect(alarms).toBeLessThanOrEqual(360);
    }
  });

  it("is not set among those whom nobody sees, nor any more once there is only one", async () => {
    await withLoneRoom({}, (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      expect(room.alarmAt).toBeUndefined();
      alice.send({ kind: "presence", presence: { at: 1 } });
      expect(room.alarmAt).toBe(room.now + 20 * second);
      bob.leave();
      room.pass(minute);
      expect([room.alarmAt, alice.asked, alice.closed]).toEqual([undefined, 0, undefined]);
    });
  });

  it("is not set in a room that leaves silence to the network", async () => {
    await withLoneRoom({ limits: { maxSilenceMs: Infinity } }, (room) => {
      const [, bob] = [shown(room, "alice", 1), shown(room, "bob", 2)];
      bob.isThere = false;
      room.pass(60 * minute);
      expect([room.alarmAt, bob.closed]).toEqual([undefined, undefined]);
    });
  });
});

describe("on the platform", () => {
  it("the time of a ping is known, of pings before the room slept and of pings while it does", async () => {
    const room = newTestRoom();
    const [before, meanwhile, never] = [await room.join(), await room.join(), await room.join()];
    await before.ping();
    await room.evict();
    await meanwhile.ping();
    const pingedAt = await room.inside((_, ctx) =>
      ctx.getWebSockets().map((socket) => {
        const { client } = socket.deserializeAttachment() as { client: { clientId: string } };
        return [client.clientId, ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime()];
      }),
    );
    const at = Object.fromEntries(pingedAt) as { [clientId: string]: number | undefined };
    expect(at[never.clientId]).toBeUndefined();
    expect(at[before.clientId]).toBeGreaterThan(Date.now() - 10 * second);
    expect(at[meanwhile.clientId]).toBeGreaterThanOrEqual(at[before.clientId] as number);
  });

  it("the alarm is kept while the room sleeps, and is one row", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    alice.setPresence({ at: 1 });
    await alice.next("update");
    const alarmOf = async () => await room.inside((_, { storage }) => storage.getAlarm());
    expect(await alarmOf()).toBeNull();
    await room.join();
    const alarmAt = await alarmOf();
    expect(alarmAt).toBeGreaterThan(Date.now() + 15 * second);
    await room.evict();
    await room.join();
    expect(Math.abs(((await alarmOf()) ?? 0) - (alarmAt ?? 0))).toBeLessThan(second);
  });

  it("wakes the room for one who has gone, and leaves alone who answers", async () => {
    const room = newWatchfulRoom();
    const [alice, listens] = [await room.join(), await room.join()];
    const gone = await room.join({ answers: false, allowHalfOpen: true });
    listens.setPresence({ at: 1 });
    gone.setPresence({ at: 2 });
    await alice.until(({ peers }) => peers.size === 2);
    await room.evict();
    await alice.until(({ peers }) => peers.size === 1);
    expect([...alice.copy.peers.keys()]).toEqual([listens.clientId]);
    expect(await gone.closed()).toEqual({ closeCode: 4408, reason: "timeout" });
    expect([alice.closing, listens.closing]).toEqual([undefined, undefined]);
    expect(listens.asked).toBeGreaterThan(0);
  });
});
