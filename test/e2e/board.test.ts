import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFailed, test, vi } from "vitest";
import { connect } from "../../client/index.ts";
import { board, sheet, type Ink } from "../../demo/board.ts";
import { openClient } from "./client.ts";
import { connectionLost, launchBrowser, Person } from "./browser.ts";
import { DevServer, type RoomJson } from "./dev-server.ts";

let server: DevServer;
let browser: Browser;
let people: Person[] = [];
let rooms = 0;

beforeAll(async () => {
  [server, browser] = await Promise.all([DevServer.start(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

afterEach(async () => {
  const problems = people.flatMap((person) => person.problems);
  await Promise.all(people.map((person) => person.leave()));
  people = [];
  if (problems.length > 0) throw new Error(problems.join("\n"));
});

/** What has to become true by itself: a page draws once a frame, and frames take their time on a busy machine. */
const soon = { timeout: 10_000, interval: 50 };
/** Long enough for a backoff, which may wait up to 8 s after the attempts that such a story has. */
const afterReconnect = { timeout: 30_000, interval: 100 };

function newRoom(): string {
  onTestFailed(() => console.log(server.log.slice(-4_000)));
  rooms += 1;
  return `story-${rooms}`;
}

async function enter(roomId: string, name: string, color?: Ink): Promise<Person> {
  const person = await Person.enter(browser, server, roomId, name, color ? { color } : {});
  people.push(person);
  return person;
}

/** Two people at a board of their own, who see each other. */
async function meet(): Promise<{ roomId: string; ada: Person; ben: Person }> {
  const roomId = newRoom();
  const [ada, ben] = await Promise.all([enter(roomId, "Ada", "vermilion"), enter(roomId, "Ben", "cobalt")]);
  await expect.poll(() => ada.others(), soon).toEqual(["Ben"]);
  await expect.poll(() => ben.others(), soon).toEqual(["Ada"]);
  return { roomId, ada, ben };
}

/** Resolves once nobody waits for an answer and everybody sees what is on the server's disk, which it returns. */
async function agreement(roomId: string, everybody: readonly Person[], patience = soon): Promise<RoomJson> {
  return await vi.waitFor(async () => {
    for (const person of everybody) expect(await person.pending(), `pending of ${person.name}`).toBe(0);
    const room = await server.readRoom(roomId);
    const truth = Object.entries(room.collections.shapes).map(([id, { kind, x, y, color }]) => {
      return [id, { kind, x, y, color }] as const;
    });
    for (const person of everybody) {
      expect(await person.shapes(), `the board of ${person.name}`).toEqual(Object.fromEntries(truth));
      expect(await person.revision(), `the revision of ${person.name}`).toBe(room.rev);
    }
    return room;
  }, patience);
}

/** A pixel of the window is more than a unit of the sheet, so a drag arrives about there. */
function near(x: number, y: number) {
  return expect.objectContaining({ x: expect.closeTo(x, -0.7), y: expect.closeTo(y, -0.7) });
}

describe("edits", () => {
  test("what one adds, drags, recolours and deletes is what the other sees, both ways", async () => {
    const { roomId, ada, ben } = await meet();

    const circle = await ada.add("circle", { x: 250, y: 200 });
    await expect.poll(() => ben.shapes(), soon).toEqual({ [circle]: near(250, 200) });
    const note = await ben.add("note", { x: 900, y: 600 });
    await expect.poll(() => ada.shapes(), soon).toMatchObject({ [note]: { kind: "note", color: "cobalt" } });

    await ben.drag(circle, { x: 400, y: 500 });
    await expect.poll(async () => (await ada.shapes())[circle], soon).toEqual(near(400, 500));
    await ada.recolour(note, "sun");
    await expect.poll(async () => (await ben.shapes())[note]?.color, soon).toBe("sun");

    await ada.shape(note).dblclick();
    await ada.part("note-editor").fill("milk, bread");
    await expect.poll(() => ben.shape(note).textContent(), soon).toBe("milk, bread");

    await ben.delete(circle);
    await expect.poll(async () => Object.keys(await ada.shapes()), soon).toEqual([note]);
    const { collections } = await agreement(roomId, [ada, ben]);
    expect(collections.shapes).toMatchObject({ [note]: { text: "milk, bread", color: "sun" } });
  });

  test("two people who drag the same shape end with the same board", async () => {
    const { roomId, ada, ben } = await meet();
    const square = await ada.add("square", { x: 600, y: 400 });
    const { rev: before } = await agreement(roomId, [ada, ben]);

    await Promise.all([ada.grab(square), ben.grab(square)]);
    for (let step = 1; step <= 20; step += 1) {
      await Promise.all([
        ada.pull({ x: 600 - step * 20, y: 400 - step * 10 }),
        ben.pull({ x: 600 + step * 20, y: 400 + step * 10 }),
      ]);
    }
    await Promise.all([ada.release(), ben.release()]);

    const { rev, collections } = await agreement(roomId, [ada, ben]);
    expect(rev).toBeGreaterThan(before + 2);
    const ends = [near(200, 200), near(1_000, 600)];
    expect(ends).toContainEqual(collections.shapes[square]);
  });

  test("a reload keeps the board, and who one is", async () => {
    const { roomId, ada, ben } = await meet();
    const triangle = await ada.add("triangle", { x: 300, y: 600 });
    const square = await ben.add("square", { x: 800, y: 200 });
    await ada.part("name").fill("Ada L.");
    const before = await agreement(roomId, [ada, ben]);

    await ada.page.reload();
    await ada.untilOnline();

    expect(await agreement(roomId, [ada, ben])).toEqual(before);
    expect(Object.keys(before.collections.shapes).toSorted()).toEqual([triangle, square].toSorted());
    await expect.poll(() => ben.others(), soon).toEqual(["Ada L."]);
  });
});

describe("away", () => {
  test("edits made behind the offline switch wait, and merge with what the others did meanwhile", async () => {
    const { roomId, ada, ben } = await meet();
    const recoloured = await ada.add("circle", { x: 200, y: 200 });
    const moved = await ada.add("square", { x: 200, y: 600 });
    const deleted = await ada.add("triangle", { x: 1_000, y: 200 });
    await agreement(roomId, [ada, ben]);

    await ben.throwSwitch();
    await expect.poll(() => ben.status(), soon).toBe("offline");
    await ben.recolour(recoloured, "rose");
    await ben.drag(moved, { x: 500, y: 700 });
    await ben.delete(deleted);
    const own = await ben.add("circle", { x: 900, y: 650 });
    // A drag is many edits of one record, which travel as one.
    expect(await ben.pending()).toBe(4);
    for (const id of [recoloured, moved, own]) {
      await expect.poll(() => ben.shape(id).getAttribute("data-pending"), soon).not.toBeNull();
    }

    await ada.drag(recoloured, { x: 450, y: 150 });
    await ada.recolour(moved, "sea");
    const others = await ada.add("note", { x: 700, y: 120 });
    const { collections: meanwhile } = await agreement(roomId, [ada]);
    expect(Object.keys(meanwhile.shapes)).not.toContain(own);
    expect(Object.keys(await ben.shapes())).not.toContain(others);

    await ben.throwSwitch();
    const { collections } = await agreement(roomId, [ada, ben]);
    expect(collections.shapes).toEqual({
      [recoloured]: expect.objectContaining({ ...meanwhile.shapes[recoloured], color: "rose" }),
      [moved]: near(500, 700),
      [own]: near(900, 650),
      [others]: meanwhile.shapes[others],
    });
    expect(collections.shapes[moved]?.color).toBe("sea");
    expect(await ben.page.locator("[data-pending]").count()).toBe(0);
  });

  test("a network that falls silent is noticed, and on its return nothing is lost or doubled", async () => {
    const { roomId, ada, ben } = await meet();
    const shared = await ada.add("square", { x: 250, y: 250 });
    const { rev: before } = await agreement(roomId, [ada, ben]);
    ben.expectProblem(connectionLost);

    await ben.page.context().setOffline(true);
    const first = await ben.add("circle", { x: 900, y: 250 });
    await ben.recolour(shared, "graphite");
    expect(await ben.pending()).toBeGreaterThanOrEqual(2);
    await ada.drag(shared, { x: 300, y: 600 });
    // The socket does not close: only the missing answer tells, after ten seconds or a little more.
    await expect.poll(() => ben.status(), { timeout: 30_000, interval: 100 }).not.toBe("online");
    const second = await ben.add("triangle", { x: 900, y: 650 });
    const pending = await ben.pending();
    const { rev: meanwhile } = await server.readRoom(roomId);
    expect(meanwhile).toBeGreaterThan(before);

    await ben.page.context().setOffline(false);
    const { rev, collections } = await agreement(roomId, [ada, ben], afterReconnect);
    // Some had been handed to the socket and were sent again: each still took one revision.
    expect(rev).toBe(meanwhile + pending);
    expect(Object.keys(collections.shapes).toSorted()).toEqual([shared, first, second].toSorted());
    expect(collections.shapes[shared]).toEqual(near(300, 600));
    expect(collections.shapes[shared]?.color).toBe("graphite");
  });

  test("after the server was killed both go on, and what was acknowledged is there", async () => {
    const { roomId, ada, ben } = await meet();
    const circle = await ada.add("circle", { x: 250, y: 250 });
    const square = await ben.add("square", { x: 900, y: 600 });
    const before = await agreement(roomId, [ada, ben]);
    for (const person of [ada, ben]) person.expectProblem(connectionLost);

    await server.kill();
    for (const person of [ada, ben]) await expect.poll(() => person.status(), soon).not.toBe("online");
    const offline = await ada.add("triangle", { x: 300, y: 650 });
    expect(await ada.pending()).toBe(1);
    await server.resume();

    await Promise.all([ada.untilOnline(), ben.untilOnline()]);
    const after = await agreement(roomId, [ada, ben], afterReconnect);
    expect(after.epoch).toBe(before.epoch);
    expect(after.collections.shapes).toEqual({
      ...before.collections.shapes,
      [offline]: expect.objectContaining({ kind: "triangle" }),
    });
    expect(after.rev).toBe(before.rev + 1);

    await ben.drag(offline, { x: 500, y: 300 });
    await ada.recolour(square, "sun");
    const { collections } = await agreement(roomId, [ada, ben]);
    expect(Object.keys(collections.shapes).toSorted()).toEqual([circle, square, offline].toSorted());
  });

  test("who was away is sent a delta, and a newcomer the state in one piece", async () => {
    const { roomId, ada, ben } = await meet();
    const circle = await ada.add("circle", { x: 250, y: 250 });
    const { rev: left } = await agreement(roomId, [ada, ben]);

    await ben.throwSwitch();
    await expect.poll(() => ben.status(), soon).toBe("offline");
    await ada.drag(circle, { x: 700, y: 500 });
    const { rev: missed } = await agreement(roomId, [ada]);
    expect(missed).toBeGreaterThan(left + 1);
    await sleep(500); // the panel shows deltas that follow each other closely as one
    await ben.throwSwitch();
    await agreement(roomId, [ada, ben]);
    await expect
      .poll(() => ben.wire(), soon)
      .toContainEqual({ direction: "down", kind: "delta", from: left, to: missed });
    // One snapshot is that of his coming.
    expect((await ben.wire()).filter(({ kind }) => kind === "snapshot").length).toBeLessThan(2);

    const cleo = await enter(roomId, "Cleo", "sea");
    await agreement(roomId, [ada, ben, cleo]);
    await expect
      .poll(() => cleo.wire(), soon)
      .toContainEqual(expect.objectContaining({ direction: "down", kind: "snapshot" }));
  });

  test("who comes to a board with a history is sent its last checkpoint", async () => {
    const roomId = newRoom();
    const { room, troubles } = openClient(server, roomId, "Gus");
    await room.ready;
    const text = "A board that has seen a lot. ".repeat(9);
    for (let number = 0; number < 400; number += 1) {
      const at = { x: 60 + (number % 20) * 57, y: 40 + Math.floor(number / 20) * 39 };
      room.transact((tx) =>
        tx.shapes.put(`note-${number}`, { kind: "note", color: "sun", size: 50, text, ...at }),
      );
    }
    await expect.poll(() => room.pending, soon).toBe(0);
    room.close();
    expect(troubles).toEqual([]);

    /** Parts of the snapshot that a newcomer is sent, the update that ends it among them. */
    const visit = async () => {
      let parts = 0;
      const visitor = connect(`${server.url}/rooms/${roomId}`, board, {
        onTraffic: ({ kind }) => (parts += kind === "snapshot" ? 1 : 0),
      });
      await visitor.ready;
      visitor.close();
      return parts;
    };
    // Before the room has written a checkpoint, its whole state is that update.
    await expect.poll(visit, { timeout: 30_000, interval: 1_000 }).toBeGreaterThan(2);
    const ada = await enter(roomId, "Ada");
    const { collections } = await agreement(roomId, [ada]);
    expect(Object.keys(collections.shapes)).toHaveLength(400);
  });
});

describe("company", () => {
  test("names and pointers of the others appear, follow, and go when their owner does", async () => {
    const { ada, ben } = await meet();
    const clientId = await ben.clientId();

    await ben.point({ x: 300, y: 205 });
    await expect.poll(() => ada.cursor(clientId).textContent(), soon).toBe("Ben");
    const place = () =>
      ada.cursor(clientId).evaluate(({ style }: HTMLElement) => [style.left, style.top].map(parseFloat));
    await expect.poll(place, soon).toEqual([expect.closeTo(25, 0), expect.closeTo(25, 0)]);
    await ben.point({ x: 900, y: 615 });
    await expect.poll(place, soon).toEqual([expect.closeTo(75, 0), expect.closeTo(75, 0)]);

    await ben.part("name").fill("Benjamin");
    await expect.poll(() => ada.others(), soon).toEqual(["Benjamin"]);
    await ben.point({ x: 600, y: 410 });
    await expect.poll(() => ada.cursor(clientId).textContent(), soon).toBe("Benjamin");

    await ben.part("revision").hover(); // off the board
    await expect.poll(() => ada.cursor(clientId).count(), soon).toBe(0);
    await ben.point({ x: sheet.width / 2, y: sheet.height / 2 });
    await expect.poll(() => ada.cursor(clientId).count(), soon).toBe(1);
    await ben.page.close();
    await expect.poll(() => ada.others(), soon).toEqual([]);
    expect(await ada.cursor(clientId).count()).toBe(0);
  });

  test("a claim on what somebody else has claimed is refused as a conflict", async () => {
    const { roomId, ada, ben } = await meet();
    const note = await ada.add("note", { x: 600, y: 400 });
    await agreement(roomId, [ada, ben]);

    await ada.part("claim").click();
    await expect.poll(() => ben.page.locator(`[data-claim-of="${note}"]`).textContent(), soon).toBe("Ada");
    await ben.select(note);
    await ben.part("claim").click();

    await expect.poll(() => ben.toastCodes(), soon).toEqual(["conflict"]);
    expect(await ben.part("toast").textContent()).toContain("Ada claimed this shape first.");
    const { collections } = await agreement(roomId, [ada, ben]);
    expect(collections.claims).toEqual({
      [note]: { clientId: await ada.clientId(), name: "Ada", color: "vermilion" },
    });
  });

  test("a claim made offline gives way to the one that the room saw first", async () => {
    const { roomId, ada, ben } = await meet();
    const note = await ada.add("note", { x: 600, y: 400 });
    await agreement(roomId, [ada, ben]);
    const mark = (person: Person) => person.page.locator(`[data-claim-of="${note}"]`);

    await ben.throwSwitch();
    await ben.select(note);
    await ben.part("claim").click();
    await expect.poll(() => mark(ben).textContent(), soon).toBe("yours");
    await ada.part("claim").click();
    await expect.poll(() => mark(ada).textContent(), soon).toBe("yours");
    await agreement(roomId, [ada]);
    await ben.throwSwitch();

    await expect.poll(() => ben.toastCodes(), soon).toEqual(["conflict"]);
    await expect.poll(() => mark(ben).textContent(), soon).toBe("Ada");
    expect(await ada.toastCodes()).toEqual([]);
    const { collections } = await agreement(roomId, [ada, ben]);
    expect(collections.claims[note]?.name).toBe("Ada");
  });

  test("confetti thrown here comes down there", async () => {
    const { ada, ben } = await meet();
    await Promise.all([
      ben.page.locator(".confetti").first().waitFor({ state: "attached", timeout: soon.timeout }),
      ada.part("confetti").click(),
    ]);
    expect(await ben.pending()).toBe(0);
  });
});
