import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type * as Client from "../../client/index.ts";
import type { AnyRoomDefinition } from "../../src/index.ts";
import { stagesOf } from "./code-blocks.ts";
import { LocalRoom } from "./local-room.ts";

const repo = fileURLToPath(new URL("../../", import.meta.url));
const cache = join(repo, "node_modules/.cache");
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, "docs-lists-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the page says, as far as this test calls it. Whether its types are right is for code.test.ts to see. */
interface Page {
  connect: typeof Client.connect;
  todo: AnyRoomDefinition;
  kanban: AnyRoomDefinition;
  add(room: unknown, title: string): void;
  paste(room: unknown, titles: readonly string[]): void;
  move(room: unknown, id: string, index: number): void;
  show(room: unknown, draw: (titles: readonly string[]) => void): () => void;
  cardsIn(room: unknown, column: string): readonly (readonly [string, { readonly title: string }])[];
  moveCard(room: unknown, id: string, column: string, index: number): void;
}
let page: Page;

beforeAll(async () => {
  const [files = new Map<string, string>()] = stagesOf("docs/guide/lists.md");
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  const all = ["deltaroom/client", "./todo", "./list", "./kanban"];
  writeFileSync(join(folder, "page.ts"), all.map((name) => `export * from "${name}";`).join("\n"));
  const outfile = join(folder, "page.mjs");
  const alias = { "deltaroom/client": join(repo, "client/index.ts"), deltaroom: join(repo, "src/index.ts") };
  await build({ entryPoints: [join(folder, "page.ts")], outfile, alias, bundle: true, format: "esm" });
  page = (await import(pathToFileURL(outfile).href)) as Page;
});

/** As many clients of one room, each with a state. */
async function enter(definition: AnyRoomDefinition, count: number) {
  const room = new LocalRoom(definition);
  const clients = Array.from({ length: count }, () => {
    return page.connect("ws://local/rooms/list", definition, { transport: room.transport });
  });
  onTestFinished(() => clients.forEach((client) => client.close()));
  await Promise.all(clients.map(({ ready }) => ready));
  return { room, clients };
}

type AnyClient = Awaited<ReturnType<typeof enter>>["clients"][number];

async function settled(...clients: readonly AnyClient[]): Promise<void> {
  await vi.waitFor(() => {
    expect(clients.map(({ pending, rev }) => [pending, rev])).toEqual(
      clients.map(() => [0, clients[0]?.rev]),
    );
  });
}

const titlesOf = ({ state }: AnyClient) =>
  // The definition is the page's, whose types are not known here.
  (state["tasks"] as unknown as { values(order: string): { title: string }[] })
    .values("order")
    .map(({ title }) => title);

const idOf = ({ state }: AnyClient, wanted: string): string =>
  (state["tasks"]?.entries() ?? []).find(([, { title }]) => title === wanted)?.[0] ?? "none";

test("the page's to-do list is sorted by hand, and everybody sees the same order", async () => {
  const { clients } = await enter(page.todo, 2);
  const [ann, ben] = clients as [AnyClient, AnyClient];
  const drawn: (readonly string[])[] = [];
  onTestFinished(page.show(ben, (titles) => drawn.push(titles)));
  for (const title of ["milk", "bread", "tea"]) page.add(ann, title);
  expect(titlesOf(ann)).toEqual(["milk", "bread", "tea"]);
  page.move(ann, idOf(ann, "tea"), 0);
  expect(titlesOf(ann)).toEqual(["tea", "milk", "bread"]);
  page.move(ann, idOf(ann, "tea"), 1);
  page.move(ann, idOf(ann, "milk"), 2);
  expect(titlesOf(ann)).toEqual(["tea", "bread", "milk"]);
  page.paste(ann, ["one", "two", "three"]);
  await settled(ann, ben);
  expect(titlesOf(ben)).toEqual(["one", "two", "three", "tea", "bread", "milk"]);
  expect(drawn.at(-1)).toEqual(titlesOf(ann));
});

test("what two people paste at the same time at the same place stays together, and what they move as well ends in one order", async () => {
  const { room, clients } = await enter(page.todo, 2);
  const [ann, ben] = clients as [AnyClient, AnyClient];
  for (const title of ["x", "y", "z"]) page.add(ann, title);
  await settled(ann, ben);
  room.hold();
  page.paste(ann, ["a1", "a2", "a3"]);
  page.paste(ben, ["b1", "b2", "b3"]);
  page.move(ann, idOf(ann, "z"), 3);
  page.move(ben, idOf(ben, "x"), 5);
  await new Promise((resolve) => setTimeout(resolve, 50)); // both have sent what they did, and neither has heard of it
  room.release();
  await settled(ann, ben);
  expect(titlesOf(ann)).toEqual(titlesOf(ben));
  const pasted = titlesOf(ann).filter((title) => title.length === 2);
  expect([
    ["a1", "a2", "a3", "b1", "b2", "b3"],
    ["b1", "b2", "b3", "a1", "a2", "a3"],
  ]).toContainEqual(pasted);
});

test("the page's board has its cards in order in each column, and they keep it when others move", async () => {
  const { clients } = await enter(page.kanban, 2);
  const [ann, ben] = clients as [AnyClient, AnyClient];
  for (const [id, order] of [
    ["a", "a0"],
    ["b", "a1"],
    ["c", "a2"],
  ] as const) {
    ann.transact((tx) => {
      (tx["cards"] as unknown as { put(id: string, card: object): void }).put(id, {
        title: id,
        column: "todo",
        order,
      });
    });
  }
  page.moveCard(ann, "c", "doing", 0);
  page.moveCard(ann, "a", "doing", 1);
  page.moveCard(ann, "b", "doing", 1);
  await settled(ann, ben);
  const columns = ["todo", "doing", "done"].map((column) => page.cardsIn(ben, column).map(([id]) => id));
  expect(columns).toEqual([[], ["c", "b", "a"], []]);
});
