import { describe, expect, it } from "vitest";
import { idOf } from "../../support/clients/named-client.ts";
import type { SeenFrame } from "../../support/clients/client-copy.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { put } from "../../support/rooms/test-rooms.ts";

const limits = {
  flushIntervalMs: 0,
  maxRingFlushes: 8,
  pageBytes: 512,
  maxUnacknowledgedBytes: 2_048,
};

const add = (by: number) => ["addUp", { id: "sum", by }] as const;

/** Alice, to whom things happen, and Bob, in a room that may sleep between any two of them. */
class Scene {
  readonly room: LoneRoom;
  readonly bob: LoneClient;
  alice: LoneClient;
  readonly #clients: LoneClient[] = [];

  constructor(room: LoneRoom) {
    this.room = room;
    this.alice = this.join("actor-alice");
    this.bob = this.join("actor-bob");
    this.bob.send({ kind: "presence", presence: { at: 2 } });
    this.alice.pushAt(1, add(1));
    this.acknowledge(this.bob);
  }

  join(clientId: string): LoneClient {
    const client = this.room.join(clientId);
    this.#clients.push(client);
    return client;
  }

  acknowledge(client: LoneClient): void {
    client.send({ kind: "ack", bytes: client.sentBytes });
  }

  /** The next call of Alice's, or the one that she was told to send again. */
  push(): void {
    this.alice.pushAt(this.nextId, add(10));
  }

  /** A call of Alice's with one missing before it. It confirms nothing, for that is only noted with the next row. */
  pushAhead(): void {
    this.alice.send({
      kind: "push",
      first: this.nextId + 1,
      calls: [[1, ...add(1)]],
      confirmed: 0,
    });
  }

  get nextId(): number {
    return (this.room.room.roomState.clientLog.get(idOf("actor-alice"))?.lastCallId ?? 0) + 1;
  }

  get feed(): string | undefined {
    return this.alice.session?.feed.kind;
  }

  /** For each socket what it was sent since the last time, how it was closed, and what its client knows now. */
  flushFrames() {
    return this.#clients.map((client) => {
      const { name, closed, copy } = client;
      const knows = [
        copy.rev,
        copy.lastCallId,
        copy.collections,
        copy.events,
        Object.fromEntries(copy.peers),
      ];
      return { name, closed, frames: client.take().flatMap(flushFramesOf), knows };
    });
  }
}

/**
 * A frame without what may come once more after a sleep: that it is time to send again, who is here, which is judged by
 * what the client knows, and checksums, which the copy has compared.
 */
function flushFramesOf(frame: SeenFrame): object[] {
  if (frame.kind === "gap" || frame.kind === "peers") return [];
  const { checksums: _, ...flushFrames } = { checksums: undefined, ...frame };
  return [flushFrames];
}

/** What Alice has been through when the room falls asleep. */
const states: { readonly [state: string]: (scene: Scene) => void } = {
  "shows presence": ({ alice }) => alice.send({ kind: "presence", presence: { at: 1 } }),
  "shows no presence": () => {},
  "owes acknowledgements": (scene) => {
    for (let turn = 0; turn < 8; turn++) {
      scene.bob.push(put("notes", `n${turn}`, { text: "x".repeat(500) }));
      scene.acknowledge(scene.bob);
    }
    expect(scene.feed).toBe("behind");
  },
  "is in the middle of a snapshot": (scene) => {
    scene.bob.push(["fill", { count: 20, chars: 100 }]);
    for (let x = 0; x < 8; x++) scene.bob.push(put("shapes", "s", { x, y: 0 }));
    scene.acknowledge(scene.bob);
    scene.alice = scene.join("actor-alice");
    expect(scene.feed).toBe("snapshot");
  },
  "has answers that she has not confirmed": ({ alice }) => {
    alice.pushAt(2, ["refuse", { text: "hm" }], add(1), ["stumble", {}]);
  },
  "was told to send again": (scene) => {
    scene.pushAhead();
    expect(scene.alice.session?.expected).toBe(2);
  },
  "has replaced a session of hers": (scene) => {
    scene.alice.send({ kind: "presence", presence: { at: 1 } });
    scene.alice = scene.join("actor-alice");
  },
};

/** What wakes the room. */
const firsts: { readonly [what: string]: (scene: Scene) => void } = {
  "a new call of hers": (scene) => scene.push(),
  "a call of hers that was executed": ({ alice }) => alice.pushAt(1, add(1)),
  "a call of hers beyond one that is missing": (scene) => scene.pushAhead(),
  "her presence": ({ alice }) => alice.send({ kind: "presence", presence: { at: 9 } }),
  "an event of hers": ({ alice }) => alice.send({ kind: "event", event: "wave", payload: { text: "hi" } }),
  "her acknowledgement": (scene) => scene.acknowledge(scene.alice),
  "a resync of hers": ({ alice }) => {
    const { epoch, rev } = alice.copy;
    alice.send({ kind: "resync", tag: 7, epoch, rev, confirmed: 0 });
  },
  "a message of hers that is none": ({ alice }) => alice.sendRaw("{"),
  "her leaving": ({ alice }) => alice.leave(),
  "her coming again": (scene) => void (scene.alice = scene.join("actor-alice")),
  "a newcomer": (scene) => void scene.join("actor-carol"),
  "somebody else's call": ({ bob }) => bob.push(add(100)),
  "a backend's call": ({ room }) => {
    const cron = { clientId: "rpc:1", user: null, access: "write" as const };
    room.room.call(cron, ...add(1_000));
  },
  "a reader of the state": ({ room }) => void room.room.read(),
};

/** All that everybody is told while Alice goes on from where she was, in a room that stays awake or sleeps whenever it can. */
async function toldTo(state: string, first: string, sleeps: boolean): Promise<unknown[]> {
  const told: unknown[] = [];
  await withLoneRoom({ limits }, (room) => {
    const scene = new Scene(room);
    states[state]?.(scene);
    scene.flushFrames();
    const step = (happen: () => void) => {
      if (sleeps) room.evict();
      happen();
    };
    step(() => firsts[first]?.(scene));
    if (scene.alice.closed !== undefined) step(() => (scene.alice = scene.join("actor-alice")));
    for (let turn = 0; turn < 10; turn++) {
      for (const client of [scene.alice, scene.bob]) step(() => scene.acknowledge(client));
    }
    told.push(scene.flushFrames());
    step(() => scene.push());
    step(() => scene.bob.push(add(1)));
    step(() => scene.bob.send({ kind: "presence", presence: { at: 3 } }));
    told.push(scene.flushFrames());
    step(() => scene.join("actor-dora"));
    told.push(scene.flushFrames());
  });
  return told;
}

describe.each(Object.keys(states))("a client that %s", (state) => {
  it.each(Object.keys(firsts))(
    "is told the same by a room that has slept, and so is everybody else, when %s wakes it",
    async (first) => {
      expect(await toldTo(state, first, true)).toEqual(await toldTo(state, first, false));
    },
  );
});
