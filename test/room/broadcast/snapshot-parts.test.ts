import { describe, expect, it } from "vitest";
import type { Hello } from "../../../src/protocol/handshake/hello.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { put } from "../../support/rooms/test-rooms.ts";

const pages = { flushIntervalMs: 0, pageBytes: 400, maxRingFlushes: 16 };
const acceptsDeflate = { acceptsDeflate: true } as const;

/** Two dozen notes, of which the pages know, and time for them to be compressed. */
async function fill(room: LoneRoom): Promise<LoneClient> {
  const alice = room.join("actor-alice");
  for (let id = 10; id < 34; id++) edit(alice, `n${id}`, "x".repeat(60));
  await rest(room);
  return alice;
}

function edit(client: LoneClient, id: string, text: string): void {
  client.push(put("notes", id, { text }));
  client.send({ kind: "ack", bytes: 1_000_000 });
}

/** The room is quiet for so long that it does what it has put off. */
async function rest(room: LoneRoom): Promise<void> {
  room.pass(10_000);
  await settled();
}

/** All that has been begun and waits for nothing but its turn is done. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}

const partsOf = (client: LoneClient) =>
  client.seen.flatMap((frame) => (frame.kind === "snapshot" ? [frame] : []));
const deflatedParts = (client: LoneClient) => partsOf(client).filter(({ isDeflated }) => isDeflated).length;

const pagesOf = (room: LoneRoom) =>
  room.sql
    .exec<{ number: number; isDeflated: number }>(
      "SELECT number, deflated NOTNULL AS isDeflated FROM deltaroom_page",
    )
    .toArray();

describe("a room of which no page knows yet", () => {
  it("makes its pages for the first who joins, and not again for the next", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      const alice = room.join("actor-alice");
      for (let id = 10; id < 24; id++) edit(alice, `n${id}`, "x".repeat(60));
      expect(pagesOf(room)).toEqual([]);
      const bob = room.join("actor-benny");
      expect(bob.copy.collections).toEqual(room.collections);
      expect(partsOf(bob).length).toBe(pagesOf(room).length);
      expect(partsOf(bob).length).toBeGreaterThan(2);
      edit(alice, "n10", "moved");
      const { checkpointN } = room;
      const carol = room.join("actor-carla");
      expect(carol.copy.collections).toEqual(room.collections);
      expect(room.checkpointN).toBe(checkpointN);
    });
  });

  it("sends what it has where a disk takes no pages", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      const alice = room.join("actor-alice");
      for (let id = 10; id < 24; id++) edit(alice, `n${id}`, "x".repeat(60));
      room.failing.checkpoint = "disk full";
      const bob = room.join("actor-benny");
      expect(bob.copy.collections).toEqual(room.collections);
      expect(partsOf(bob)).toEqual([]);
      expect(room.logged).toEqual(["storage-failed"]);
    });
  });
});

describe("pages are compressed", () => {
  it("once, when the room has gone quiet, and not again for those who join", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      await fill(room);
      const stored = pagesOf(room);
      expect(stored.length).toBeGreaterThan(3);
      expect(stored.every(({ isDeflated }) => isDeflated === 1)).toBe(true);
      const { deflated } = room;
      for (const clientId of ["actor-benny", "actor-carla"]) {
        const client = room.join(clientId, acceptsDeflate);
        expect(client.copy.collections).toEqual(room.collections);
        expect(deflatedParts(client)).toBe(stored.length);
      }
      await settled();
      expect(room.deflated).toBe(deflated);
    });
  });

  it("anew after a checkpoint has changed them, and no others are", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      const alice = await fill(room);
      const { deflated } = room;
      for (let n = 0; n < 10; n++) edit(alice, "n10", `again ${n} ${"x".repeat(50)}`);
      await rest(room);
      expect(pagesOf(room).every(({ isDeflated }) => isDeflated === 1)).toBe(true);
      expect(room.deflated - deflated).toBe(1);
      expect(room.join("actor-benny", acceptsDeflate).copy.collections).toEqual(room.collections);
    });
  });

  it("for the next who joins, where the first came too early and was sent them as they are", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      const alice = room.join("actor-alice");
      for (let id = 10; id < 30; id++) edit(alice, `n${id}`, "x".repeat(60));
      const first = room.join("actor-benny", acceptsDeflate);
      expect([partsOf(first).length > 0, deflatedParts(first)]).toEqual([true, 0]);
      await settled();
      const next = room.join("actor-carla", acceptsDeflate);
      expect(deflatedParts(next)).toBe(partsOf(next).length);
      expect(next.copy.collections).toEqual(room.collections);
    });
  });

  it("and a form that was begun before a checkpoint is not kept behind it", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      const alice = await fill(room);
      for (let n = 0; n < 16; n++) edit(alice, "n10", `one ${n}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      room.holdsDeflate = promise;
      room.join("actor-benny", acceptsDeflate);
      await settled(); // it has begun
      for (let n = 0; n < 16; n++) edit(alice, "n10", `two ${n}`);
      resolve();
      await settled();
      expect(room.join("actor-carla", acceptsDeflate).copy.collections).toEqual(room.collections);
    });
  });

  it("not for a client that cannot undo it", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      await fill(room);
      const client = room.join("actor-benny");
      expect([partsOf(client).length > 0, deflatedParts(client)]).toEqual([true, 0]);
      expect(client.copy.collections).toEqual(room.collections);
    });
  });

  it("and a disk that does not keep them costs nobody anything", async () => {
    await withLoneRoom({ limits: pages }, async (room) => {
      room.failing.saveDeflated = "disk full";
      await fill(room);
      expect(room.logged).toContain("deflate-failed");
      expect(room.join("actor-benny", acceptsDeflate).copy.collections).toEqual(room.collections);
    });
  });
});

it("each part says how many follow, down to none", async () => {
  await withLoneRoom({ limits: pages }, async (room) => {
    await fill(room);
    const left = partsOf(room.join("actor-benny")).map((part) => part.left);
    expect(left).toEqual(left.map((_, index) => left.length - index - 1));
  });
});

describe("a snapshot that was cut", () => {
  const slow = { ...pages, maxUnacknowledgedFrames: 5 };

  /** A client that has some parts and then loses its connection. */
  function begin(room: LoneRoom): LoneClient {
    const client = room.join("actor-benny", acceptsDeflate);
    expect(partsOf(client).length).toBeGreaterThan(1);
    expect(client.copy.epoch).toBe(null);
    client.leave();
    return client;
  }

  /** What a client says that has so much of a snapshot. */
  function resumeSnapshotOf(client: LoneClient): NonNullable<Hello["resumeSnapshot"]> {
    const seen = partsOf(client);
    const { rev = 0 } = seen[0] ?? {};
    const { collection = "", until = null } = seen.at(-1) ?? {};
    return { epoch: client.greetedEpoch, rev, parts: seen.length, collection, until };
  }

  function acknowledgeAll(client: LoneClient): void {
    for (let n = 0; n < 100 && client.copy.epoch === null; n++)
      client.send({ kind: "ack", bytes: 1_000_000 });
  }

  it.each([
    ["", 0],
    [", with what has changed since, in what came and in what did not", 12],
  ])("goes on where it was%s", async (_, edits) => {
    await withLoneRoom({ limits: slow }, async (room) => {
      const alice = await fill(room);
      const before = begin(room);
      const resumeSnapshot = resumeSnapshotOf(before);
      for (let n = 0; n < edits; n++) edit(alice, n % 2 === 0 ? "n10" : "n29", `changed ${n}`);
      if (edits > 0) await rest(room); // a checkpoint in between: the parts to come are newer
      const again = room.rejoin(before, { ...acceptsDeflate, resumeSnapshot });
      acknowledgeAll(again);
      expect(partsOf(again)[0]?.part).toBe(resumeSnapshot.parts);
      expect(again.copy.collections).toEqual(room.collections);
    });
  });

  it.each<[string, Partial<NonNullable<Hello["resumeSnapshot"]>>]>([
    ["further back than history reaches", {}],
    ["in another epoch", { epoch: "another" }],
    ["before anything came", { parts: 0 }],
    ["ahead of the room", { rev: 1_000_000 }],
  ])("%s begins anew", async (_, changes) => {
    await withLoneRoom({ limits: { ...slow, maxHistoryBytes: 1 } }, async (room) => {
      const alice = await fill(room);
      const before = begin(room);
      if (Object.keys(changes).length === 0) {
        for (let n = 0; n < 80; n++) edit(alice, "n10", `changed ${n}`);
        await rest(room);
      }
      const again = room.rejoin(before, {
        ...acceptsDeflate,
        resumeSnapshot: { ...resumeSnapshotOf(before), ...changes },
      });
      acknowledgeAll(again);
      expect(partsOf(again)[0]?.part).toBe(0);
      expect(again.copy.collections).toEqual(room.collections);
    });
  });
});
