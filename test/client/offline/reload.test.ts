import { describe, expect, onTestFinished, test } from "vitest";
import { ClientRoom } from "../../../client/client-room.ts";
import type { Room } from "../../../client/index.ts";
import type { Introduction } from "../../../client/mutations/pending-queue.ts";
import type { CallKeeper, KeptCall, KeptQueue } from "../../../client/offline/kept-calls.ts";
import type { KeptRoom, Persistence } from "../../../client/offline/persistence.ts";
import type { QueueKeeper } from "../../../client/offline/queue-keeper.ts";
import { keepParts } from "../../../client/offline/room-keeping.ts";
import { ownRuntime } from "../../../client/platform.ts";
import { codes } from "../../../src/protocol/codes.ts";
import { type Hello } from "../../../src/protocol/handshake/hello.ts";
import { encodeHello } from "../../../src/protocol/handshake/hello-text.ts";
import { newTestRoom, patch, put, remove } from "../../support/rooms/test-rooms.ts";
import { testBoard, type TestBoard } from "../../support/boards/test-board.ts";
import {
  expectAgreement,
  leave,
  outcomeOf,
  until,
  type Entered,
} from "../../support/clients/joined-client.ts";
import { Link } from "../../support/clients/worker-transport.ts";

/** Keeps the calls of one client, each as soon as it is asked to, or when the test lets it. */
class Keeper implements CallKeeper {
  readonly secret: string;
  readonly calls = new Map<number, KeptCall>();
  introduction: Introduction = { knownSince: null, attempt: 0 };
  queue: QueueKeeper | undefined;
  /** Answered calls that are still kept. */
  readonly answered: number[] = [];
  whenAnswered = () => {};
  #held: (() => void)[] | undefined;

  constructor(secret: string) {
    this.secret = secret;
  }

  /** What another page finds. */
  get left(): KeptQueue {
    return { secret: this.secret, ...this.introduction, calls: [...this.calls.values()] };
  }

  async keep(call: KeptCall): Promise<void> {
    await this.#write(() => this.calls.set(call.clientReqId, call));
  }

  settle(clientReqId: number): void {
    this.answered.push(clientReqId);
    this.whenAnswered();
  }

  async introduce(introduction: Introduction): Promise<void> {
    await this.#write(() => (this.introduction = introduction));
  }

  async clear(): Promise<void> {
    await this.#write(() => this.calls.clear());
  }

  /** From now on nothing is written until `release`. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const write of held) write();
  }

  /** Forgets what was answered. */
  forget(): void {
    for (const clientReqId of this.answered.splice(0)) {
      this.calls.delete(clientReqId);
      this.queue?.confirm(clientReqId);
    }
  }

  #write(write: () => unknown): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => {
      write();
      resolve();
    };
    if (this.#held === undefined) done();
    else this.#held.push(done);
    return promise;
  }
}

/** A page that keeps its calls. */
interface Page extends Entered {
  readonly keeper: Keeper;
  /** Has it take over what another page has left, or seems to have. */
  adopt(keeper: Keeper): void;
  /** Rejections that the page's listeners were told of. */
  readonly rejections: string[];
}

/** A room as a page has it, under the keeper's client secret; it is left when the test ends. */
function openRoom(
  at: { readonly url: string },
  link: Link,
  { secret }: Keeper,
  open: (room: KeptRoom) => Promise<Persistence>,
): Room<TestBoard> {
  const client = new ClientRoom({
    url: at.url.replace("http", "ws"),
    definition: testBoard,
    secret,
    persist: async (parts) => await keepParts(parts, open),
    transport: link.transport,
    runtime: ownRuntime,
    token: undefined,
    onTraffic: undefined,
    presence: undefined,
  });
  const room = client as unknown as Room<TestBoard>;
  onTestFinished(() => {
    leave(room);
    link.dispose();
  });
  return room;
}

/** Opens a page, which finds what others have left before it connects. */
function openPage(at: { readonly url: string }, ...found: readonly Keeper[]): Page {
  const link = new Link();
  const keeper = new Keeper(crypto.randomUUID());
  let kept: KeptRoom | undefined;
  const adopt = (left: Keeper) => void (left.queue = kept?.adopt(left.left, left));
  const room = openRoom(at, link, keeper, (persisted) => {
    kept = persisted;
    for (const left of found) adopt(left);
    keeper.queue = persisted.keepOwn(keeper);
    return Promise.resolve({ noteBase() {}, close() {} });
  });
  const errors: string[] = [];
  const rejections: string[] = [];
  room.on("error", ({ code }) => errors.push(code));
  room.on("reject", ({ code, operation }) => rejections.push(`${operation.type}: ${code}`));
  return { room, link, errors, rejections, keeper, adopt };
}

/** The page is gone without a word, and another finds what it has left. */
async function reload(at: { readonly url: string }, page: Page): Promise<Page> {
  page.link.cutUnnoticed();
  const next = openPage(at, page.keeper);
  await next.room.ready;
  return next;
}

/** The client secrets under which a page has connected, in order. */
const secretsOf = ({ link }: Page) => link.hellos.map((hello) => hello?.secret);

/** The page's next answers never arrive. */
function loseAnswers({ link }: Page): void {
  link.loses = (frame) => frame.kind === "update" && frame.outcomes !== undefined;
}

const wasAnswered = ({ link }: Page) =>
  link.down.some((frame) => frame.kind === "update" && frame.outcomes !== undefined);

describe("a page that is loaded anew with the calls that its room has not answered", () => {
  test("makes those that had not left yet, under the ids that they had, and then its own", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    await page.room.mutate.addUp({ id: "n", by: 1 }).committed;
    page.keeper.forget();
    page.link.cut();
    for (const by of [10, 100]) page.room.mutate.addUp({ id: "n", by });
    const next = await reload(at, page);
    next.room.mutate.addUp({ id: "n", by: 1_000 });
    expect(await expectAgreement(at, next)).toEqual({ shapes: { n: { x: 1_111, y: 0 } } });
    expect(next.link.calls.map(({ clientReqId }) => clientReqId)).toEqual([2, 3, 1]);
    expect(secretsOf(next)).toEqual([page.keeper.secret, next.keeper.secret]);
    expect(next.room.pending).toBe(0);
  });

  test("shows them before they are made, in front of its own", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    page.link.cut();
    page.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    page.room.mutate.addUp({ id: "n", by: 1 });
    const next = await reload(at, page);
    next.link.cut();
    next.room.transact((tx) => tx.shapes.patch("s", { x: 2 }));
    expect(next.room.state.shapes.get("s")).toEqual({ x: 2, y: 1 });
    expect(next.room.state.shapes.get("n")).toEqual({ x: 1, y: 0 });
    expect(next.room.pending).toBe(3);
    next.link.mend();
    expect(await expectAgreement(at, next)).toEqual({ shapes: { s: { x: 2, y: 1 }, n: { x: 1, y: 0 } } });
  });

  test("goes on to show both while others change the room", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    page.link.cut();
    page.room.mutate.addUp({ id: "n", by: 1 });
    const next = openPage(at, page.keeper);
    next.link.hold("up"); // what the page has left does not arrive yet
    await next.room.ready;
    next.room.mutate.addUp({ id: "n", by: 10 });
    const ben = await at.join();
    await ben.commit(put("shapes", "s", { x: 1, y: 1 }));
    await until(() => next.room.rev === 1);
    expect(next.room.state.shapes.get("n")).toEqual({ x: 11, y: 0 });
    next.link.release("up");
    expect((await expectAgreement(at, next))["shapes"]?.["n"]).toEqual({ x: 11, y: 0 });
  });

  test("makes what several pages have left, each under its own id", async () => {
    const at = newTestRoom();
    const pages = [openPage(at), openPage(at), openPage(at)];
    for (const [index, { room, link }] of pages.entries()) {
      await room.ready;
      link.cut();
      room.mutate.addUp({ id: "n", by: 10 ** index });
    }
    const next = openPage(at, ...pages.map(({ keeper }) => keeper));
    expect(await expectAgreement(at, next)).toEqual({ shapes: { n: { x: 111, y: 0 } } });
    expect(secretsOf(next)).toEqual([...pages, next].map(({ keeper }) => keeper.secret));
  });

  test.each([
    ["writes the same field", patch("shapes", "s", { x: 50 }), { x: 50, y: 1 }],
    ["deletes the record", remove("shapes", "s"), undefined],
  ])("does not overwrite what somebody does who %s after its lost commit", async (_, action, left) => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    loseAnswers(page);
    page.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    await until(() => wasAnswered(page));
    const ben = await at.join();
    await ben.commit(action);
    const { rev } = await at.json();
    const next = await reload(at, page);
    const collections = await expectAgreement(at, next);
    expect(collections["shapes"]?.["s"]).toEqual(left);
    expect((await at.json()).rev).toBe(rev);
    expect(next.rejections).toEqual([]);
  });

  test("hears of a rejection that its former page was not told of", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    page.link.cut();
    page.room.mutate.addUp({ id: "frozen", by: 1 });
    page.room.mutate.addUp({ id: "n", by: 1 });
    const next = await reload(at, page);
    await expectAgreement(at, next);
    expect(next.rejections).toEqual(["addUp: frozen"]);
  });

  test("is told nothing wrong of a call that its former page was told of and still kept", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    for (const by of [1, 10]) await page.room.mutate.addUp({ id: "n", by }).committed;
    expect(page.link.up.map((frame) => frame.kind === "push" && frame.confirmed)).toEqual([0, 0]);
    const next = await reload(at, page);
    expect(await expectAgreement(at, next)).toEqual({ shapes: { n: { x: 11, y: 0 } } });
    expect(next.rejections).toEqual([]);
    expect(page.keeper.answered).toEqual([1, 2, 1, 2]);
  });
});

describe("a page that is in use", () => {
  test("takes over from one that dies, and goes on", async () => {
    const at = newTestRoom();
    const [page, other] = [openPage(at), openPage(at)];
    await Promise.all([page.room.ready, other.room.ready]);
    page.link.cut();
    page.room.mutate.addUp({ id: "n", by: 1 });
    other.adopt(page.keeper);
    expect(other.room.state.shapes.get("n")).toEqual({ x: 1, y: 0 });
    expect(await outcomeOf(other.room.mutate.addUp({ id: "n", by: 10 }))).toBe(2);
    expect(await expectAgreement(at, other)).toEqual({ shapes: { n: { x: 11, y: 0 } } });
    expect(secretsOf(other).slice(1)).toEqual([page.keeper.secret, other.keeper.secret]);
  });

  test("sends nothing of its own before the room has answered its own hello", async () => {
    const at = newTestRoom();
    const [page, other] = [openPage(at), openPage(at)];
    await Promise.all([page.room.ready, other.room.ready]);
    page.link.cut();
    page.room.mutate.addUp({ id: "n", by: 1 });
    page.keeper.whenAnswered = () => other.link.hold("down");
    other.adopt(page.keeper);
    await until(() => other.link.hellos.length === 3);
    const call = other.room.mutate.addUp({ id: "n", by: 10 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(other.link.calls.map(({ payload }) => payload)).toEqual([{ id: "n", by: 1 }]);
    other.link.release("down");
    expect(await outcomeOf(call)).toBe(2);
  });

  test("takes over before its own connection has brought anything", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    for (const by of [1, 10]) await page.room.mutate.addUp({ id: "n", by }).committed;
    page.keeper.forget();
    loseAnswers(page);
    page.room.mutate.addUp({ id: "n", by: 100 });
    await until(() => wasAnswered(page));
    page.link.cut();
    const other = openPage(at);
    await until(() => other.link.hellos.length === 1);
    other.adopt(page.keeper);
    expect(await expectAgreement(at, other)).toEqual({ shapes: { n: { x: 111, y: 0 } } });
    expect((await at.json()).rev).toBe(3);
  });

  test("keeps what it was asked to before anything could be kept", async () => {
    const at = newTestRoom();
    const link = new Link();
    const keeper = new Keeper("the-secret-of-a-slow-page");
    const opened = Promise.withResolvers<void>();
    const room = openRoom(at, link, keeper, async (persisted) => {
      persisted.restore({ epoch: "of yesterday", rev: 1, pages: [] });
      await opened.promise;
      persisted.keepOwn(keeper);
      return { noteBase() {}, close() {} };
    });
    await room.ready;
    link.cut();
    room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    opened.resolve();
    await until(() => keeper.calls.size === 1);
    room.mutate.addUp({ id: "n", by: 1 });
    const next = openPage(at, keeper);
    expect(await expectAgreement(at, next)).toEqual({ shapes: { s: { x: 1, y: 1 }, n: { x: 1, y: 0 } } });
    expect(next.link.calls.map(({ type }) => type)).toEqual(["transact", "addUp"]);
  });
});

describe("a call that is kept", () => {
  test("and then changed does not leave before it is kept as it is now", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    page.link.cut();
    page.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    page.keeper.hold();
    page.room.transact((tx) => tx.shapes.patch("s", { x: 2 }));
    const behind = page.room.mutate.addUp({ id: "n", by: 1 });
    page.link.mend();
    page.room.reconnect();
    await until(() => page.room.status === "online");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(page.link.calls).toEqual([]);
    page.keeper.release();
    expect(await outcomeOf(behind)).toBe(2);
    expect(await expectAgreement(at, page)).toEqual({ shapes: { s: { x: 2, y: 1 }, n: { x: 1, y: 0 } } });
  });

  test("does not leave before it is kept since when the room knows its client", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    page.keeper.hold();
    await page.room.ready;
    const call = page.room.mutate.addUp({ id: "n", by: 1 });
    await until(() => page.room.status === "online");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(page.link.calls).toEqual([]);
    page.keeper.release();
    expect(await outcomeOf(call)).toBe(1);
    expect(page.keeper.introduction.knownSince).toBe(0);
  });
});

test("a page that connects late, behind the page that took over from it, does not put that one out", async () => {
  const at = newTestRoom();
  const page = openPage(at);
  await page.room.ready;
  page.link.cut();
  page.room.mutate.addUp({ id: "n", by: 1 });
  const late = page.link.transport;
  const next = openPage(at, page.keeper);
  next.link.hold("up"); // so that it is not done with what the page has left
  await next.room.ready;
  const { hellos } = page.link;
  page.link.mend();
  const socket = late(at.url.replace("http", "ws"), ["deltaroom.v1", encodeHello(hellos[0] as Hello)]);
  const closed = new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  expect(await closed).toBe(codes.replaced.closeCode);
  next.link.release("up");
  expect(await outcomeOf(next.room.mutate.addUp({ id: "n", by: 10 }))).toBe(2);
  expect(next.room.status).toBe("online");
});

describe("a page that another one takes for gone, as when the lock between them has failed", () => {
  test("is put out of its id for as long as the other needs it", async () => {
    const at = newTestRoom();
    const [one, two] = [openPage(at), openPage(at)];
    await Promise.all([one.room.ready, two.room.ready]);
    loseAnswers(one);
    const doubtful = one.room.mutate.addUp({ id: "n", by: 1 });
    await until(() => wasAnswered(one));
    two.adopt(one.keeper);
    await until(() => one.room.status === "closed" && two.room.status === "online");
    expect(await outcomeOf(two.room.mutate.addUp({ id: "n", by: 10 }))).toBe(2);
    one.link.loses = () => false;
    one.room.reconnect();
    expect(await outcomeOf(doubtful)).toBe(1);
    expect(await outcomeOf(one.room.mutate.addUp({ id: "n", by: 100 }))).toBe(3);
    expect(await expectAgreement(at, one, two)).toEqual({ shapes: { n: { x: 111, y: 0 } } });
    expect(one.errors).toEqual(["replaced"]);
  });

  test("makes an edit anew of which the other has made an earlier form", async () => {
    const at = newTestRoom();
    const one = openPage(at);
    await one.room.ready;
    one.link.cut();
    one.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    const two = openPage(at, one.keeper);
    await until(() => two.room.pending === 0 && two.room.status === "online");
    const later = one.room.transact((tx) => tx.shapes.patch("s", { x: 2 }));
    one.link.mend();
    one.room.reconnect();
    expect(await outcomeOf(later)).toBe(2);
    expect(await expectAgreement(at, one, two)).toEqual({ shapes: { s: { x: 2, y: 1 } } });
  });

  test("makes what both have once", async () => {
    const at = newTestRoom();
    const one = openPage(at);
    await one.room.ready;
    one.link.cut();
    const calls = [
      one.room.mutate.addUp({ id: "n", by: 1 }),
      one.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 })),
    ];
    const two = openPage(at, one.keeper);
    await until(() => two.room.pending === 0 && two.room.status === "online");
    one.link.mend();
    one.room.reconnect();
    expect(await Promise.all(calls.map(outcomeOf))).toEqual([1, 2]);
    expect(await expectAgreement(at, one, two)).toEqual({
      shapes: { n: { x: 1, y: 0 }, s: { x: 1, y: 1 } },
    });
    expect((await at.json()).rev).toBe(2);
    expect([...one.rejections, ...two.rejections]).toEqual([]);
  });

  test("and the other are both told what came of a call that both have in doubt", async () => {
    const at = newTestRoom();
    const one = openPage(at);
    await one.room.ready;
    loseAnswers(one);
    const doubtful = one.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    await until(() => wasAnswered(one));
    const two = openPage(at, one.keeper);
    await until(() => two.room.pending === 0 && two.room.status === "online");
    const ben = await at.join();
    await ben.commit(put("shapes", "s", { x: 2, y: 2 }));
    await until(() => one.room.status === "closed");
    one.link.loses = () => false;
    one.room.reconnect();
    const collections = await expectAgreement(at, one, two);
    expect(collections).toEqual({ shapes: { s: { x: 2, y: 2 } } });
    expect(await outcomeOf(doubtful)).toBe(1);
    expect([...one.rejections, ...two.rejections]).toEqual([]);
  });
});
