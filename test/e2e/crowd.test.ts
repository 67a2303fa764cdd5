import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, onTestFailed, test, vi } from "vitest";
import { openClient, viewOf, type Client } from "./client.ts";
import { DevServer } from "./dev-server.ts";

const members = 200;
/** 20 a second for 10 s. */
const moves = 200;
const moveIntervalMs = 50;
const passersBy = 10;
const roomId = "crowd";

let server: DevServer;

beforeAll(async () => {
  server = await DevServer.start();
});

afterAll(async () => {
  await server?.stop();
});

/** Puts a shape of its own on the board and moves it about; resolves once all of that is committed. */
async function moveAbout({ room }: Client, id: string): Promise<void> {
  const calls = [room.transact((tx) => tx.shapes.put(id, { kind: "circle", x: 0, y: 0, color: "sun" }))];
  await sleep(Math.random() * moveIntervalMs);
  const startedAt = Date.now();
  for (let move = 1; move <= moves; move += 1) {
    calls.push(room.transact((tx) => tx.shapes.patch(id, { x: move, y: Math.round(Math.random() * 820) })));
    await sleep(Math.max(0, startedAt + move * moveIntervalMs - Date.now()));
  }
  await Promise.all(calls.map((call) => call.committed));
}

/** Comes, leaves a note and goes, again and again. Returns the ids of the notes, and what went wrong. */
async function comeAndGo(
  name: string,
  isOver: () => boolean,
): Promise<{ notes: string[]; troubles: string[] }> {
  const notes: string[] = [];
  const troubles: string[] = [];
  while (!isOver()) {
    const visit = openClient(server, roomId, name);
    await visit.room.ready;
    const note = `${name}-${notes.length}`;
    visit.room.transact((tx) =>
      tx.shapes.put(note, { kind: "note", x: 600, y: 400, color: "rose", text: "hi" }),
    );
    await visit.room.mutate.claim({ id: note, name, color: "rose" }).committed;
    notes.push(note);
    visit.room.close();
    troubles.push(...visit.troubles);
  }
  return { notes, troubles };
}

test(
  "200 people who move their things 20 times a second, and others who come and go, end with one state",
  { timeout: 120_000 },
  async () => {
    onTestFailed(() => console.log(server.log.slice(-4_000)));
    const crowd = Array.from({ length: members }, (_, number) =>
      openClient(server, roomId, `member-${number}`),
    );
    await Promise.all(crowd.map(({ room }) => room.ready));

    let isOver = false;
    const [visits] = await Promise.all([
      Promise.all(
        Array.from({ length: passersBy }, (_, number) => comeAndGo(`guest-${number}`, () => isOver)),
      ),
      Promise.all(crowd.map((client, number) => moveAbout(client, `shape-${number}`))).finally(() => {
        isOver = true;
      }),
    ]);

    // Whoever made a call has its answer; the others may still be on their way to the same revision.
    const truth = await vi.waitFor(
      async () => {
        const room = await server.readRoom(roomId);
        expect(crowd.filter((client) => client.room.rev !== room.rev)).toHaveLength(0);
        expect(crowd.filter((client) => client.room.others.length !== members - 1)).toHaveLength(0);
        return room;
      },
      { timeout: 60_000, interval: 250 },
    );
    expect(crowd.filter((client) => !isDeepStrictEqual(viewOf(client), truth.collections))).toHaveLength(0);

    const notes = visits.flatMap((visit) => visit.notes);
    expect(notes.length).toBeGreaterThanOrEqual(passersBy);
    const shapes = crowd.map((_, number) => `shape-${number}`);
    expect(Object.keys(truth.collections.shapes).toSorted()).toEqual([...shapes, ...notes].toSorted());
    expect(truth.collections.claims).toEqual({}); // each ended when its holder left
    for (const id of shapes) expect(truth.collections.shapes[id]?.x, `the last move of ${id}`).toBe(moves);
    expect([...crowd, ...visits].flatMap(({ troubles }) => troubles)).toEqual([]);
    for (const { room } of crowd) room.close();
  },
);
