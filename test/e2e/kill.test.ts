import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, onTestFailed, test, vi } from "vitest";
import { openClient, viewOf, type Client } from "./client.ts";
import { DevServer } from "./dev-server.ts";

const writers = 4;
const kills = 5;
const writeIntervalMs = 10;
/** So many calls may wait for their answers, in flight or for want of a server. */
const maxPending = 250;
const roomId = "kill";

let server: DevServer;

beforeAll(async () => {
  server = await DevServer.start();
});

afterAll(async () => {
  await server?.stop();
});

/** Somebody who puts one new shape after the other on the board, and waits for none of the answers. */
class Writer {
  readonly client: Client;
  /** The revision that each acknowledged shape was committed at. */
  readonly acknowledged = new Map<string, number>();
  readonly #name: string;
  readonly #calls: Promise<void>[] = [];
  #isWriting = true;
  #newestRev = 0;

  constructor(name: string) {
    this.#name = name;
    this.client = openClient(server, roomId, name);
  }

  async write(): Promise<void> {
    const { room, troubles } = this.client;
    while (this.#isWriting) {
      await sleep(writeIntervalMs);
      if (!this.#isWriting) return; // whoever said so has counted the calls
      if (room.rev < this.#newestRev)
        troubles.push(`${this.#name} went from ${this.#newestRev} back to ${room.rev}`);
      this.#newestRev = room.rev;
      if (room.pending >= maxPending) continue;
      const number = this.#calls.length;
      const id = `${this.#name}-${number}`;
      const call = room.transact((tx) =>
        tx.shapes.put(id, { kind: "square", x: number, y: 0, color: "sea" }),
      );
      this.#calls.push(call.committed.then(({ rev }) => void this.acknowledged.set(id, rev)));
    }
  }

  /** Resolves with the number of calls made once every one of them is committed. */
  async finish(): Promise<number> {
    this.#isWriting = false;
    await Promise.all(this.#calls);
    return this.#calls.length;
  }

  /** Shapes that the room has told this client of: all that it sees without its own unanswered ones. */
  seen(): string[] {
    const { room } = this.client;
    return room.state.shapes.ids().filter((id) => !room.isPending("shapes", id));
  }
}

test(
  "what was acknowledged or seen survives SIGKILL at any moment, once, and everybody resumes",
  { timeout: 150_000 },
  async () => {
    onTestFailed(() => console.log(server.log.slice(-4_000)));
    const crew = Array.from({ length: writers }, (_, number) => new Writer(`writer-${number}`));
    const countAcknowledged = () => crew.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
    await Promise.all(crew.map(({ client }) => client.room.ready));
    const { epoch } = await server.readRoom(roomId);
    const writing = Promise.all(crew.map((writer) => writer.write()));

    for (let kill = 0; kill < kills; kill += 1) {
      // Some of them may still be on their way back when the next blow falls.
      const answered = countAcknowledged();
      await expect.poll(countAcknowledged, { timeout: 60_000, interval: 20 }).toBeGreaterThan(answered + 50);
      await sleep(Math.random() * 1_000);
      await server.kill();
      const rev = Math.max(...crew.map(({ client }) => client.room.rev));
      const seen = crew.flatMap((writer) => [...writer.seen(), ...writer.acknowledged.keys()]);
      await server.resume();
      const room = await server.readRoom(roomId);
      expect(room.epoch).toBe(epoch);
      expect(room.rev).toBeGreaterThanOrEqual(rev);
      expect([...new Set(seen)].filter((id) => room.collections.shapes[id] === undefined)).toEqual([]);
    }

    const counts = await Promise.all(crew.map((writer) => writer.finish()));
    await writing;
    const calls = counts.reduce((sum, count) => sum + count, 0);
    const truth = await vi.waitFor(
      async () => {
        const room = await server.readRoom(roomId);
        expect(crew.map(({ client }) => client.room.rev)).toEqual(crew.map(() => room.rev));
        return room;
      },
      { timeout: 30_000, interval: 100 },
    );

    // Each call took exactly one revision: none was executed twice, none is missing, and none is somebody else's.
    expect(truth.rev).toBe(calls);
    const revs = crew.flatMap(({ acknowledged }) => [...acknowledged.values()]).toSorted((a, b) => a - b);
    expect(revs).toEqual(Array.from({ length: calls }, (_, index) => index + 1));
    const ids = crew.flatMap(({ acknowledged }) => [...acknowledged.keys()]);
    expect(Object.keys(truth.collections.shapes).toSorted()).toEqual(ids.toSorted());
    for (const { client } of crew) expect(isDeepStrictEqual(viewOf(client), truth.collections)).toBe(true);
    // A server that is down for more than five seconds is reported once; nothing else may be reported.
    const troubles = crew.flatMap(({ client }) => client.troubles);
    expect(troubles.filter((trouble) => !trouble.includes("was told: unreachable,"))).toEqual([]);
    for (const { client } of crew) client.room.close();
  },
);
