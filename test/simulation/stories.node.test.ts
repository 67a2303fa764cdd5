import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defaultLimits, type Limits } from "../../src/room/limits.ts";
import type { MutatorName } from "./board.ts";
import { readState } from "./actions.ts";
import { Life } from "./simulated-time.ts";
import type { Page } from "./client/page.ts";
import type { Plan } from "./plan.ts";
import { Stage } from "./stage.ts";
import type { Opening } from "./world.ts";

// What seeds have found: each is told here once more, and does not depend on what a seed brings.

beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const day = 86_400_000;

/** A world in which nothing happens by chance. */
function newLife(
  limits: Partial<Limits> = {},
  kept: Partial<Pick<Plan, "keepMs" | "forgetMs" | "baseShare">> = {},
): Life {
  const plan = {
    faults: [],
    hasHooks: false,
    isClosed: false,
    latencyMs: [5, 5],
    keepMs: [5, 5],
    forgetMs: [500, 500],
    baseShare: 0,
    limits: { ...defaultLimits, maxRingFlushes: 8, pageBytes: 150, quietCheckpointMs: 50, ...limits },
    ...kept,
  } as const;
  return new Life(new Stage(1, { plan }));
}

/** Opens a page, and waits until it is online. */
async function enter(life: Life, opening?: Opening): Promise<Page> {
  const page = life.world.openPage(opening);
  await life.pass(40);
  return page;
}

function call({ world }: Life, page: Page, type: MutatorName = "tally", id = "a"): string {
  const token = world.newToken();
  world.noteCall(page, token, false);
  page.call(type, { token, key: page.clientId, id });
  return token;
}

function put({ world }: Life, page: Page, id: string): void {
  const token = world.newToken();
  world.noteCall(page, token, true);
  page.edit(token, (tx) => tx["shapes"]?.put(id, { x: 1, by: token, label: "x".repeat(60) }));
}

function remove({ world }: Life, page: Page, id: string): void {
  const token = world.newToken();
  world.noteCall(page, token, true);
  page.edit(token, (tx) => tx["shapes"]?.delete(id));
}

/** Has what a page is sent as it connects arrive in one moment with an update that follows. */
async function overtake(life: Life, page: Page, update: () => void): Promise<void> {
  await life.pass(1);
  page.wire?.down.stall(200);
  await life.pass(40);
  update();
  await life.pass(300);
}

/** Everything comes to rest, and nothing happened meanwhile that must not. */
async function expectRest(life: Life): Promise<void> {
  await life.comeToRest();
  expect(life.stage.failure).toBeUndefined();
}

function timesOf({ stage }: Life, what: string): number {
  return stage.figures.counts.get(what) ?? 0;
}

/** Opens the next page of the same person, which finds what this one has left. */
async function enterNext(life: Life, { identity: person }: Page): Promise<Page> {
  return await enter(life, { person, isKept: true });
}

/** The tokens of the page's calls that were executed, each as often as it was. */
function talliedBy({ world }: Life, { clientId }: Page): unknown {
  return world.server.disk.ledger.state.get(`tallies/${clientId}`)?.["tokens"];
}

/** Lets time pass until the call is executed. */
async function untilExecuted(life: Life, token: string): Promise<void> {
  const { ledger } = life.world.server.disk;
  for (let left = 1_000; left > 0 && !ledger.tokens.has(token); left--) await life.pass(1);
  expect(ledger.tokens.has(token)).toBe(true);
}

test("a superseded instance does not write over the pages of the newer one", async () => {
  const life = newLife();
  const { server } = life.world;
  const early = await enter(life);
  for (const id of ["a", "c", "e", "g"]) put(life, early, id);
  await life.pass(20);
  server.supersede();
  const late = life.world.openPage();
  await life.pass(10);
  expect(timesOf(life, "wakes")).toBe(2);
  await life.pass(60); // the superseded one has been quiet for long enough
  call(life, late, "clear");
  for (let left = 20; left > 0; left--) {
    call(life, late);
    await life.pass(40);
  }
  expect(timesOf(life, "checkpoints")).toBeGreaterThan(1);
  await expectRest(life);
});

test("a superseded instance acknowledges nothing in an epoch that is over", async () => {
  const life = newLife();
  const { server } = life.world;
  const page = await enter(life);
  call(life, page);
  await life.pass(40);
  server.supersede();
  server.instance?.room.renewEpoch();
  const token = call(life, page);
  await life.pass(40);
  await expectRest(life);
  expect(server.disk.ledger.tokens.has(token)).toBe(true);
});

test("an instance that cannot renew the epoch ends, rather than go on with sessions of what it was", async () => {
  const life = newLife();
  const { server } = life.world;
  const early = await enter(life);
  call(life, early);
  await life.pass(40);
  server.supersede();
  const late = await enter(life);
  const { instance } = server;
  call(life, early); // the superseded one is first to write
  await life.pass(40);
  instance?.guard("renewEpoch", () => instance.room.renewEpoch());
  late.client.presence.update({ at: (late.presence = 7) });
  await life.pass(40);
  expect(timesOf(life, "aborts")).toBe(1);
  call(life, late);
  await expectRest(life);
});

test("a page is not closed for its own older attempt to connect that comes late", async () => {
  const life = newLife();
  const page = await enter(life);
  page.handshakeDelayMs = 12_000; // longer than an attempt is waited for
  page.wire?.cut(0, 0);
  await life.pass(30_000);
  expect(page.client.status).toBe("online");
  expect(timesOf(life, "complaints: replaced")).toBe(0);
  await expectRest(life);
});

test("calls that two pages have, since one takes the other for gone, are executed once", async () => {
  const life = newLife();
  const page = await enter(life, { isKept: true });
  const other = await enterNext(life, page);
  page.client.disconnect();
  const tokens = [call(life, page), call(life, page), call(life, page)];
  await life.pass(20);
  const [held] = life.world.browserStorage.heldBy(page);
  if (held !== undefined) life.world.share(held, other);
  await life.pass(200);
  expect(other.client.pending).toBe(0);
  page.client.reconnect();
  await life.pass(200);
  expect(page.client.pending).toBe(0);
  expect(talliedBy(life, page)).toBe(tokens.join(" "));
  await expectRest(life);
});

test("a call that gets another id in a restored room is not found under the one that it had", async () => {
  const life = newLife({}, { keepMs: [30, 30], forgetMs: [0, 0] });
  const { server } = life.world;
  const page = await enter(life, { isKept: true });
  const backup = server.disk.backUp();
  for (const _ of [1, 2]) call(life, page);
  await life.pass(200);
  page.client.disconnect();
  const token = call(life, page);
  await life.pass(40);
  life.world.restore(backup);
  page.client.reconnect();
  await untilExecuted(life, token);
  life.world.lose(page);
  await enterNext(life, page);
  await expectRest(life);
  expect(talliedBy(life, page)).toBe(token);
});

test("a call whose page is gone before it is kept under its new id is not lost", async () => {
  const life = newLife({}, { keepMs: [30, 30], forgetMs: [0, 0] });
  const page = await enter(life, { isKept: true });
  const backup = life.world.server.disk.backUp();
  for (const _ of [1, 2]) call(life, page);
  await life.pass(200);
  page.client.disconnect();
  const token = call(life, page);
  await life.pass(40);
  life.world.restore(backup);
  page.client.reconnect();
  await life.pass(20); // it has the new id, and is kept under the old one
  life.world.lose(page);
  await enterNext(life, page);
  await expectRest(life);
  expect(talliedBy(life, page)).toBe(token);
});

/** The room is put back to before the page's first calls, the page makes a call there, and then the first restore is undone. */
async function undoRestore(
  life: Life,
  page: Page,
  meanwhile: (token: string) => Promise<void> = async () => {},
): Promise<{ readonly before: string[]; readonly token: string }> {
  const { server } = life.world;
  const empty = server.disk.backUp();
  const before = [call(life, page), call(life, page)];
  await life.pass(40);
  const full = server.disk.backUp();
  life.world.restore(empty);
  await life.pass(2_000);
  page.isUnreachable = true;
  page.wire?.cut(0, 0);
  await life.pass(40);
  const token = call(life, page);
  await life.pass(40);
  await meanwhile(token);
  life.world.restore(full);
  page.isUnreachable = false;
  return { before, token };
}

// The kept calls of a page are confirmed later than those of another one, so that the room has their hashes.
const slowToForget = { forgetMs: [60_000, 60_000] } as const;

test("a call whose id is another call's in a room whose restore was undone is made under another id", async () => {
  const life = newLife({}, slowToForget);
  const page = await enter(life, { isKept: true });
  const { before, token } = await undoRestore(life, page);
  page.wake();
  await life.pass(2_000);
  expect(page.client.pending).toBe(0);
  expect(talliedBy(life, page)).toBe([...before, token].join(" "));
  await expectRest(life);
});

test("the next page makes such a call under another id as well", async () => {
  const life = newLife({}, slowToForget);
  const page = await enter(life, { isKept: true });
  const { before, token } = await undoRestore(life, page);
  life.world.lose(page);
  await enterNext(life, page);
  await life.pass(2_000);
  expect(talliedBy(life, page)).toBe([...before, token].join(" "));
  await expectRest(life);
});

test("a call that was executed under a former id is not made again where the room is back in that history", async () => {
  const life = newLife({}, slowToForget);
  const { server } = life.world;
  const page = await enter(life, { isKept: true });
  const empty = server.disk.backUp();
  const before = [call(life, page), call(life, page)];
  await life.pass(100);
  page.wire?.down.stall(60_000);
  const token = call(life, page);
  await untilExecuted(life, token);
  const full = server.disk.backUp();
  page.wire?.cut(0, 0);
  page.isUnreachable = true;
  life.world.restore(empty);
  server.disk.failing.set("append", 1); // it gets another id, and is executed under none
  page.isUnreachable = false;
  await life.pass(2_000);
  expect(page.client.pending).toBe(1);
  page.isUnreachable = true;
  page.wire?.cut(0, 0);
  server.disk.failing.clear();
  life.world.restore(full);
  page.isUnreachable = false;
  await life.pass(20_000);
  expect(page.client.pending).toBe(0);
  expect(talliedBy(life, page)).toBe([...before, token].join(" "));
  await expectRest(life);
});

test("a call that was made before anything could be kept is kept as soon as that is possible", async () => {
  const life = newLife();
  const page = life.world.openPage({ isKept: true, openingMs: 6_000 });
  await life.pass(5_100);
  expect(page.client.status).toBe("online");
  page.client.disconnect();
  const tokens = [call(life, page), call(life, page)];
  await life.pass(1_000);
  tokens.push(call(life, page));
  await life.pass(20);
  life.world.lose(page);
  await enterNext(life, page);
  await expectRest(life);
  expect(talliedBy(life, page)).toBe(tokens.join(" "));
});

test("a page that finds calls while it connects under its own id takes no answer for theirs", async () => {
  const life = newLife();
  const page = await enter(life, { isKept: true });
  for (const _ of [1, 2]) call(life, page);
  await life.pass(1_000);
  page.client.disconnect();
  const token = call(life, page);
  await life.pass(20);
  life.world.lose(page);
  // It waits for five seconds, and no longer; the answer to its hello takes ten milliseconds.
  const next = life.world.openPage({ person: page.identity, isKept: true, openingMs: 5_004 });
  await life.pass(5_100);
  expect(life.world.server.disk.ledger.tokens.has(token)).toBe(true);
  expect(next.client.pending).toBe(0);
  await expectRest(life);
});

test("a call whose page had not kept since when it was known is not made twice by a room that forgets", async () => {
  const life = newLife({ maxLoggedClients: 2 }, { keepMs: [60, 60], baseShare: 1 });
  const { disk } = life.world.server;
  const early = await enter(life);
  call(life, early);
  await life.pass(100);
  const person = life.world.newPerson("write");
  life.world.browserStorage.keepBase(person, { epoch: disk.ledger.epoch, rev: 0, pages: [] });
  const page = life.world.openPage({ person, isKept: true });
  page.isUnreachable = true;
  await life.pass(100);
  const token = call(life, page);
  await life.pass(100);
  page.isUnreachable = false;
  await untilExecuted(life, token);
  life.world.lose(page, true);
  for (const _ of [1, 2, 3]) {
    call(life, await enter(life));
    await life.pass(300);
  }
  expect(disk.ledger.clientLog.has(page.clientId)).toBe(false);
  await enterNext(life, page);
  await expectRest(life);
});

test("a call is not made twice by a room that was restored to before its page came, and forgets it then", async () => {
  const life = newLife({ maxLoggedClients: 2 });
  const { server } = life.world;
  const early = await enter(life);
  const backup = server.disk.backUp();
  for (let left = 6; left > 0; left--) {
    call(life, early);
    await life.pass(60);
  }
  const page = await enter(life, { isKept: true });
  const token = call(life, page);
  await life.pass(2);
  page.wire?.cut(0, 0);
  life.world.restore(backup);
  await untilExecuted(life, token);
  life.world.lose(page, true);
  for (const _ of [1, 2, 3]) {
    call(life, await enter(life));
    await life.pass(300);
  }
  expect(server.disk.ledger.clientLog.has(page.clientId)).toBe(false);
  await enterNext(life, page);
  await expectRest(life);
  expect(talliedBy(life, page)).toBe(token);
});

test("a call that is still kept is kept with the knownSince of before it was made, when its page comes back", async () => {
  const life = newLife({}, { forgetMs: [60_000, 60_000] });
  const page = await enter(life, { isKept: true });
  const token = call(life, page);
  await life.pass(100);
  page.client.disconnect();
  call(life, await enter(life));
  await life.pass(100);
  page.client.reconnect();
  await life.pass(100);
  life.world.lose(page); // here it is judged
  await enterNext(life, page);
  await expectRest(life);
  expect(talliedBy(life, page)).toBe(token);
});

test("a page takes over from one whose clock was ahead, of which the room does not know that it is gone", async () => {
  const life = newLife();
  const page = await enter(life, { isKept: true });
  page.client.disconnect();
  const token = call(life, page);
  await life.pass(20);
  page.skewMs = day / 2;
  page.client.reconnect();
  await life.pass(6);
  life.world.lose(page, false);
  const next = await enterNext(life, page);
  await life.pass(200);
  expect(next.client.status).toBe("online");
  expect(life.world.server.disk.ledger.tokens.has(token)).toBe(true);
  await expectRest(life);
});

test("a page whose clock is set back goes on sending", async () => {
  const life = newLife();
  const page = await enter(life);
  call(life, page);
  await life.pass(100);
  page.skewMs -= day;
  call(life, page);
  page.client.presence.update({ at: (page.presence = 3) });
  await life.pass(1_000);
  expect(page.client.pending).toBe(0);
  await expectRest(life);
});

test("a room whose epoch could not be renewed goes on in the one that disk has", async () => {
  const life = newLife();
  const { server } = life.world;
  const page = await enter(life);
  call(life, page);
  await life.pass(40);
  server.disk.failing.set("checkpoint", 1).set("segments", 1);
  const { instance } = server;
  instance?.guard("renewEpoch", () => instance.room.renewEpoch());
  server.disk.failing.clear();
  const token = call(life, page);
  await expectRest(life);
  expect(server.disk.ledger.tokens.has(token)).toBe(true);
});

test("who reads nothing is not told of each write that fails for others", async () => {
  const life = newLife({ maxUnacknowledgedFrames: 8 });
  const writer = await enter(life);
  const reader = await enter(life);
  reader.isMute = true;
  life.world.server.disk.failing.set("append", 1);
  call(life, writer);
  await life.pass(60_000);
  expect(timesOf(life, "fault: disk fails to append")).toBeGreaterThan(10);
  await expectRest(life);
});

test("a call that comes once more does not take the id of one that is on its way", async () => {
  const life = newLife({ callsPerSecond: 2, callsBurst: 6 });
  const page = await enter(life);
  for (let left = 4; left > 0; left--) call(life, page);
  await life.pass(100);
  const [push = ""] = page.wire?.pushes ?? [];
  for (let left = 3; left > 0; left--) page.wire?.carryUp(push);
  const token = call(life, page);
  await life.pass(5_000);
  expect(life.world.server.disk.ledger.tokens.has(token)).toBe(true);
  expect(page.client.pending).toBe(0);
  await expectRest(life);
});

test("a room whose clock is set back flushes when its timer fires, and waits no longer", async () => {
  const life = newLife({ quietCheckpointMs: 60_000 });
  const page = await enter(life);
  call(life, page);
  await life.pass(10); // flushed at once
  const token = call(life, page);
  await life.pass(15); // waits for the timer
  const { disk } = life.world.server;
  expect(disk.ledger.tokens.has(token)).toBe(false);
  life.world.server.skewMs -= day;
  await untilExecuted(life, token);
  await expectRest(life);
});

test("a wrong copy is found and healed, although an update overtakes each comparison and the room goes quiet", async () => {
  const life = newLife({ checksumIntervalMs: 30_000 });
  const { server } = life.world;
  const writer = await enter(life);
  call(life, writer);
  for (const id of ["a", "b", "c", "d"]) put(life, writer, id);
  await life.pass(100);
  const backup = server.disk.backUp();
  const page = life.world.openPage();
  await overtake(life, page, () => put(life, writer, "e"));
  expect(page.client.rev).toBe(6);
  page.isUnreachable = true;
  life.world.restoreUntold(backup);
  await life.pass(5_000);
  for (const id of ["f", "g"]) put(life, writer, id);
  await life.pass(100);
  page.isUnreachable = false;
  page.wake();
  await overtake(life, page, () => put(life, writer, "h"));
  await expectRest(life);
  expect(timesOf(life, "complaints: diverged")).toBe(1);
});

test("a page that finds a base after its hello has left does not go back to what the reply holds", async () => {
  const life = newLife({}, { baseShare: 1 });
  const { ledger } = life.world.server.disk;
  const writer = await enter(life);
  const token = call(life, writer);
  await life.pass(40);
  const person = life.world.newPerson("write");
  // The page waits five seconds for what is kept, and then connects without it.
  const page = life.world.openPage({ person, isKept: true, openingMs: 5_100 });
  await life.pass(5_001);
  page.wire?.down.stall(500);
  await life.pass(20);
  const tokens = `${token} ${call(life, writer)}`;
  await life.pass(40);
  const records = { ids: [writer.clientId], handles: [0], records: [{ tokens }] };
  life.world.browserStorage.keepBase(person, { epoch: ledger.epoch, rev: 2, pages: [["tallies", records]] });
  await life.pass(60);
  expect(page.client.rev).toBe(2);
  await expectRest(life);
});

test("a record that is deleted and made again within a flush leaves the deletions before it remembered", async () => {
  const life = newLife({ maxTombstones: 2, pageBytes: 10_000 });
  const page = await enter(life);
  for (const id of ["a", "b", "c"]) put(life, page, id);
  await life.pass(40);
  for (const id of ["a", "b"]) remove(life, page, id);
  await life.pass(40);
  remove(life, page, "c");
  call(life, page); // so that the client does not make one edit of both
  put(life, page, "c");
  await life.pass(40);
  readState(life.world);
  expect(life.stage.failure).toBeUndefined();
  await expectRest(life);
});

test("of more deletions in one flush than a room remembers, memory and disk remember the same", async () => {
  const life = newLife({ maxTombstones: 2, pageBytes: 10_000 });
  const page = await enter(life);
  for (const id of ["a", "b", "c", "d"]) put(life, page, id);
  await life.pass(40);
  for (const id of ["d", "a", "b"]) remove(life, page, id);
  put(life, page, "d");
  for (const id of ["c", "d"]) remove(life, page, id);
  await life.pass(40);
  readState(life.world);
  expect(life.stage.failure).toBeUndefined();
  await expectRest(life);
});
