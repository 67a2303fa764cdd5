import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, onTestFailed, test, vi } from "vitest";
import { openClient, viewOf, type Client } from "./client.ts";
import { DevServer } from "./dev-server.ts";

const notes = 3_000;
const notesPerEdit = 500;
const writers = 10;
const newcomers = 120;
const moveIntervalMs = 50;
const comingIntervalMs = 10;
/** Longer than a room is quiet before it writes its pages, of which a snapshot is made. */
const restMs = 4_000;
const roomId = "storm";

let server: DevServer;

beforeAll(async () => {
  server = await DevServer.start();
});

afterAll(async () => {
  await server?.stop();
});

/** Covers the board with notes, and leaves it alone until it is at rest. */
async function fillRoom(): Promise<void> {
  const { room, troubles } = openClient(server, roomId, "decorator");
  await room.ready;
  for (let first = 0; first < notes; first += notesPerEdit) {
    const edit = room.transact((tx) => {
      for (let note = first; note < first + notesPerEdit; note++) {
        tx.shapes.put(`note-${note}`, {
          kind: "note",
          x: note % 1_200,
          y: 0,
          color: "sun",
          text: `No. ${note}`,
        });
      }
    });
    await edit.committed;
  }
  room.close();
  expect(troubles).toEqual([]);
  await sleep(restMs);
}

/** Moves a shape of its own about until told to stop. */
class Writer {
  readonly client: Client;
  readonly shape: string;
  /** Moves made, and of them those that are on the server's disk. */
  made = 0;
  committed = 0;

  constructor(number: number) {
    this.client = openClient(server, roomId, `writer-${number}`);
    this.shape = `shape-${number}`;
  }

  async begin(): Promise<void> {
    const { room } = this.client;
    await room.ready;
    await room.transact((tx) => tx.shapes.put(this.shape, { kind: "circle", x: 0, y: 0, color: "sea" }))
      .committed;
  }

  /** Resolves once every move is committed; rejects when one was not. */
  async moveUntil(stop: AbortSignal): Promise<void> {
    const calls: Promise<void>[] = [];
    while (!stop.aborted) {
      this.made += 1;
      const x = this.made;
      const { committed } = this.client.room.transact((tx) => tx.shapes.patch(this.shape, { x }));
      calls.push(committed.then(() => void (this.committed += 1)));
      await sleep(moveIntervalMs);
    }
    await Promise.all(calls);
  }
}

/** Somebody who comes in the storm. Resolves with how many shapes there were to see when there was anything to see. */
async function arrive({ room }: Client): Promise<number> {
  await room.ready;
  return room.state.shapes.size;
}

/** Notes whenever a client is not online, once it has been. */
function watchStatus({ room, troubles }: Client): void {
  room.on("status", (status) => {
    if (status !== "online") troubles.push(`${room.self.presence.name} was ${status}`);
  });
}

test(
  "120 people who come to a full board at once all get the whole of it, and those who draw there go on undisturbed",
  { timeout: 60_000 },
  async () => {
    onTestFailed(() => console.log(server.log.slice(-4_000)));
    await fillRoom();
    const drawing = Array.from({ length: writers }, (_, number) => new Writer(number));
    await Promise.all(drawing.map((writer) => writer.begin()));
    for (const { client } of drawing) watchStatus(client);
    const stop = new AbortController();
    const moves = Promise.all(drawing.map((writer) => writer.moveUntil(stop.signal)));

    const crowd: Client[] = [];
    const arrivals: Promise<number>[] = [];
    const madeBefore = drawing.map(({ made }) => made);
    for (let number = 0; number < newcomers; number++) {
      const client = openClient(server, roomId, `newcomer-${number}`);
      crowd.push(client);
      arrivals.push(arrive(client).finally(() => watchStatus(client)));
      await sleep(comingIntervalMs);
    }
    const sizes = await Promise.all(arrivals);
    const committedMeanwhile = drawing.map(({ committed }, index) => committed - (madeBefore[index] ?? 0));
    stop.abort();
    await moves;

    expect(sizes.filter((size) => size !== notes + writers)).toEqual([]);
    // Calls that were made in the storm were answered in the storm, not when it was over.
    for (const count of committedMeanwhile) expect(count).toBeGreaterThan(0);

    const everybody = [...drawing.map(({ client }) => client), ...crowd];
    const truth = await vi.waitFor(
      async () => {
        const room = await server.readRoom(roomId);
        expect(everybody.filter((client) => client.room.rev !== room.rev)).toHaveLength(0);
        expect(everybody.filter((client) => client.room.others.length !== everybody.length - 1)).toHaveLength(
          0,
        );
        return room;
      },
      { timeout: 30_000, interval: 250 },
    );
    expect(Object.keys(truth.collections.shapes)).toHaveLength(notes + writers);
    for (const { shape, made } of drawing)
      expect(truth.collections.shapes[shape]?.x, `the last move of ${shape}`).toBe(made);
    expect(everybody.filter((client) => !isDeepStrictEqual(viewOf(client), truth.collections))).toHaveLength(
      0,
    );
    expect(everybody.flatMap(({ troubles }) => troubles)).toEqual([]);
    for (const { room } of everybody) room.close();
  },
);
