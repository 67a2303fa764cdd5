import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defaultLimits, type Limits } from "../../src/core/limits.ts";
import type { MutatorName } from "./board.ts";
import { Life } from "./life.ts";
import type { Page } from "./page.ts";
import { Stage } from "./stage.ts";

// What seeds have found: each is told here once more, and does not depend on what a seed brings.

beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const day = 86_400_000;

/** A world in which nothing happens by chance. */
function newLife(limits: Partial<Limits> = {}): Life {
  const plan = {
    faults: [],
    hasHooks: false,
    latencyMs: [5, 5],
    limits: { ...defaultLimits, maxRingFlushes: 8, pageBytes: 150, quietCheckpointMs: 50, ...limits },
  } as const;
  return new Life(new Stage(1, { plan }));
}

/** Opens a page of a new client, and waits until it is online. */
async function enter(life: Life): Promise<Page> {
  const page = life.world.openPage(undefined, "writer");
  await life.pass(40);
  return page;
}

function call({ world }: Life, page: Page, type: MutatorName = "tally", id = "a"): string {
  const token = world.newToken();
  world.noteCall(page, token, false);
  page.call(type, { token, key: page.actor, id });
  return token;
}

function put({ world }: Life, page: Page, id: string): void {
  const token = world.newToken();
  world.noteCall(page, token, true);
  page.edit(token, (tx) => tx["shapes"]?.put(id, { x: 1, by: token, label: "x".repeat(60) }));
}

/** Everything comes to rest, and nothing happened meanwhile that must not. */
async function expectRest(life: Life): Promise<void> {
  await life.comeToRest();
  expect(life.stage.failure).toBeUndefined();
}

function timesOf({ stage }: Life, what: string): number {
  return stage.figures.counts.get(what) ?? 0;
}

/** What a page keeps for the next one, with which another goes on beside it. */
function copyOf(life: Life, page: Page): Page {
  const copy = life.world.openPage(page.client.save(), "writer");
  life.world.share(page, copy);
  return copy;
}

test("a superseded instance does not write over the pages of the newer one", async () => {
  const life = newLife();
  const { server } = life.world;
  const early = await enter(life);
  for (const id of ["a", "c", "e", "g"]) put(life, early, id);
  await life.pass(20);
  server.supersede();
  const late = life.world.openPage(undefined, "writer");
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

test("a call that two copies of a page have is executed once", async () => {
  const life = newLife();
  const page = await enter(life);
  page.client.disconnect();
  const tokens = [call(life, page), call(life, page), call(life, page)];
  const copy = copyOf(life, page);
  await life.pass(200);
  expect(copy.client.pending).toBe(0);
  page.client.reconnect();
  await life.pass(200);
  expect(page.client.pending).toBe(0);
  expect(life.world.server.disk.ledger.state.get(`tallies/${page.actor}`)).toEqual({
    tokens: tokens.join(" "),
  });
  await expectRest(life);
});

test("a copied page does not take an id that the other has used", async () => {
  const life = newLife();
  const page = await enter(life);
  call(life, page);
  await life.pass(40);
  const copy = copyOf(life, page);
  await life.pass(100);
  copy.client.disconnect();
  const late = call(life, copy);
  page.client.reconnect();
  await life.pass(100);
  const early = call(life, page);
  await life.pass(100);
  copy.client.reconnect();
  await life.pass(100);
  const { tokens } = life.world.server.disk.ledger;
  expect([tokens.has(early), tokens.has(late)]).toEqual([true, true]);
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
