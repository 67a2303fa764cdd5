import { describe, expect, onTestFinished, test } from "vitest";
import { ClientRoom, type SavedClient } from "../../client/client-room.ts";
import { ownRuntime } from "../../client/platform.ts";
import type { Room } from "../../client/index.ts";
import { codes } from "../../src/protocol/codes.ts";
import { type Hello } from "../../src/protocol/hello.ts";
import { encodeHello } from "../../src/protocol/hello-text.ts";
import { newTestRoom, patch, put, remove } from "../room/rooms.ts";
import { testBoard, type TestBoard } from "../room/test-board.ts";
import { expectAgreement, hushed, leave, outcomeOf, until, type Entered } from "./enter.ts";
import { Link } from "./worker-transport.ts";

/** A page with what it takes to open the next one. */
interface Page extends Entered {
  save(): SavedClient;
  /** Rejections that the page's listeners were told of. */
  readonly rejections: string[];
}

/** A page of a client, new or gone on from a saved one. */
function openPage(at: { readonly url: string }, saved?: SavedClient): Page {
  const link = new Link();
  const client = new ClientRoom({
    url: at.url.replace("http", "ws"),
    definition: testBoard,
    clientId: saved?.clientId ?? `page-${crypto.randomUUID().slice(0, 8)}.${"s".repeat(24)}`,
    ...(saved && { saved }),
    transport: link.transport,
    runtime: ownRuntime,
    token: undefined,
    onTraffic: undefined,
    presence: undefined,
  });
  const room = client as unknown as Room<TestBoard>;
  const errors: string[] = [];
  const rejections: string[] = [];
  room.on("error", ({ code }) => errors.push(code));
  room.on("reject", ({ code, operation }) => rejections.push(`${operation.type}: ${code}`));
  onTestFinished(() => {
    leave(room);
    link.dispose();
  });
  return { room, link, errors, rejections, save: () => structuredClone(client.save()) };
}

/** The page is gone without a word, and the next one takes over. */
async function reload(at: { readonly url: string }, page: Page): Promise<Page> {
  const saved = page.save();
  page.link.cutUnnoticed();
  const next = openPage(at, saved);
  await next.room.ready;
  return next;
}

/** The page's next answers never arrive. */
function loseAnswers({ link }: Page): void {
  link.loses = (frame) => frame.kind === "update" && frame.outcomes !== undefined;
}

const wasAnswered = ({ link }: Page) =>
  link.down.some((frame) => frame.kind === "update" && frame.outcomes !== undefined);

describe("a page that is loaded anew with the calls that its room has not answered", () => {
  test("makes those that had not left yet, under the ids that follow", async () => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    await page.room.mutate.addUp({ id: "n", by: 1 }).committed;
    page.link.cut();
    for (const by of [10, 100]) page.room.mutate.addUp({ id: "n", by });
    const next = await reload(at, page);
    expect(await expectAgreement(at, next)).toEqual({ shapes: { n: { x: 111, y: 0 } } });
    expect(next.link.calls.map(({ clientReqId }) => clientReqId)).toEqual([2, 3]);
    expect(next.room.pending).toBe(0);
  });

  test.each([
    ["writes the same field", patch("shapes", "s", { x: 50 }), { x: 50, y: 1 }],
    ["deletes the record", remove("shapes", "s"), undefined],
  ])("does not overwrite what somebody does who %s after its lost commit", async (_, deed, left) => {
    const at = newTestRoom();
    const page = openPage(at);
    await page.room.ready;
    loseAnswers(page);
    page.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    await until(() => wasAnswered(page));
    const ben = await at.join();
    await ben.commit(deed);
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
});

test("a page that connects late, behind the page that took over from it, does not put that one out", async () => {
  const at = newTestRoom();
  const page = openPage(at);
  await page.room.ready;
  const saved = page.save();
  page.link.cut();
  const late = page.link.transport;
  const next = openPage(at, saved);
  await next.room.ready;
  const { hellos } = page.link;
  page.link.mend();
  const socket = late(at.url.replace("http", "ws"), ["deltaroom.v1", encodeHello(hellos[0] as Hello)]);
  const closed = new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  expect(await closed).toBe(codes.replaced.closeCode);
  expect(await outcomeOf(next.room.mutate.addUp({ id: "n", by: 1 }))).toBe(1);
  expect(next.room.status).toBe("online");
});

describe("two tabs that go by one client id, as a copied tab does", () => {
  async function copied(): Promise<{ at: ReturnType<typeof newTestRoom>; one: Page; two: () => Page }> {
    const at = newTestRoom();
    const one = openPage(at);
    await one.room.ready;
    const saved = one.save();
    return { at, one, two: () => openPage(at, saved) };
  }

  test("replace one another, and neither takes an id that the other has used", async () => {
    const { at, one, two } = await copied();
    await one.room.mutate.addUp({ id: "n", by: 1 }).committed;
    const second = two();
    await second.room.ready;
    await until(() => one.room.status === "closed");
    expect(await outcomeOf(second.room.mutate.addUp({ id: "n", by: 10 }))).toBe(2);
    one.room.reconnect();
    await until(() => one.room.status === "online");
    expect(await outcomeOf(one.room.mutate.addUp({ id: "n", by: 100 }))).toBe(3);
    expect(await expectAgreement(at, one)).toEqual({ shapes: { n: { x: 111, y: 0 } } });
  });

  test("are not told that a call is committed which is the other's under the same id", async () => {
    hushed("warn");
    const { at, one, two } = await copied();
    one.link.hold("up");
    const lost = one.room.mutate.addUp({ id: "n", by: 1 });
    await until(() => one.link.calls.length === 1);
    const second = two();
    await second.room.ready;
    loseAnswers(second);
    second.room.mutate.addUp({ id: "n", by: 10 });
    await until(() => wasAnswered(second));
    second.link.cut();
    one.room.reconnect();
    expect(await outcomeOf(lost)).toBe("id-conflict");
    expect(await expectAgreement(at, one)).toEqual({ shapes: { n: { x: 10, y: 0 } } });
  });

  test("make a call that neither had sent when it was copied, once", async () => {
    const at = newTestRoom();
    const one = openPage(at);
    await one.room.ready;
    one.link.cut();
    one.room.mutate.addUp({ id: "n", by: 1 });
    one.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    const second = openPage(at, one.save());
    await second.room.ready;
    await until(() => second.room.pending === 0);
    second.link.cut();
    one.link.mend();
    one.room.reconnect();
    expect(await expectAgreement(at, one)).toEqual({ shapes: { n: { x: 1, y: 0 }, s: { x: 1, y: 1 } } });
    expect((await at.json()).rev).toBe(2);
    expect([...one.rejections, ...second.rejections]).toEqual([]);
  });

  test("that both have the same call in doubt are both told what came of it", async () => {
    const at = newTestRoom();
    const one = openPage(at);
    await one.room.ready;
    loseAnswers(one);
    one.room.transact((tx) => tx.shapes.put("s", { x: 1, y: 1 }));
    await until(() => wasAnswered(one));
    const second = openPage(at, one.save());
    await second.room.ready;
    const ben = await at.join();
    await ben.commit(put("shapes", "s", { x: 2, y: 2 }));
    await until(() => one.room.status === "closed");
    one.link.loses = () => false;
    one.room.reconnect();
    const collections = await expectAgreement(at, one);
    expect(collections).toEqual({ shapes: { s: { x: 2, y: 2 } } });
    expect([...one.rejections, ...second.rejections]).toEqual([]);
  });
});
