import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call, Room } from "../../client/index.ts";
import type { AnyRoomDefinition } from "../../src/index.ts";
import { stagesOf } from "../docs/code-blocks.ts";
import { DevServer } from "./dev-server.ts";

const repo = fileURLToPath(new URL("../../", import.meta.url));
const soon = { timeout: 10_000, interval: 50 };

/** Calls and state by names that only the page's own definition knows. */
interface PageRoom extends Omit<Room<AnyRoomDefinition>, "mutate" | "state"> {
  readonly mutate: { readonly [name: string]: (payload: object) => Call };
  readonly state: { readonly [name: string]: { get(id: string): object | undefined } };
  transact(edit: (tx: never) => void): Call;
}

/** What the page's files and the client export, as one module. */
interface PageCode {
  connect(url: string, definition: unknown): PageRoom;
  readonly board: unknown;
  // What else a page exports, each test knows.
  readonly [name: string]: any;
}

beforeAll(() => {
  const built = spawnSync("npm", ["run", "build"], { cwd: repo, encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stdout + built.stderr);
}, 120_000);

/** Serves the README's first room with the page's definition, and answers the page's code. */
function serve(page: string) {
  const folder = mkdtempSync(join(tmpdir(), "deltaroom-guide-"));
  const files = new Map([...(stagesOf("README.md")[0] ?? []), ...(stagesOf(page)[0] ?? [])]);
  const own = [...(stagesOf(page)[0]?.keys() ?? [])];
  const running: { server?: DevServer; code?: PageCode; room?: PageRoom } = {};

  beforeAll(async () => {
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(repo, join(folder, "node_modules/deltaroom"), "dir");
    symlinkSync(join(repo, "node_modules/zod"), join(folder, "node_modules/zod"), "dir");
    const exports = own.map((name) => `export * from "./${name}";`);
    exports.push('export { connect } from "deltaroom/client";');
    const outfile = join(folder, "page.mjs");
    const stdin = { contents: exports.join("\n"), resolveDir: folder };
    await build({ stdin, outfile, bundle: true, format: "esm", platform: "node" });
    const command = ["node", join(repo, "scripts/wrangler.ts"), "dev", "--ip", "127.0.0.1"] as const;
    running.server = await DevServer.start({ folder, command: [...command] });
    const code = (await import(pathToFileURL(outfile).href)) as PageCode;
    running.code = code;
    const url = `${running.server.url}/rooms/guide`;
    running.room = (code["openBoard"]?.(url) as PageRoom | undefined) ?? code.connect(url, code.board);
    await running.room.ready;
  });
  afterAll(async () => {
    running.room?.close();
    await running.server?.stop();
    rmSync(folder, { recursive: true });
  });

  return () => running as Required<typeof running>;
}

describe("docs/guide/pending.md", () => {
  const page = serve("docs/guide/pending.md");

  it("says of a call that it is local and then committed, and of a record that it waits and then does not", async () => {
    const { room, code } = page();
    await room.transact((tx: any) => tx.shapes.put("s1", { x: 1, y: 1, color: "blue" })).committed;
    const said: unknown[] = [];
    const stop = code["badge"](room, "s1", (isPending: boolean) => said.push(isPending));
    await code["paint"](room, "s1", (text: string) => said.push(text));
    stop();
    expect(said).toEqual([false, true, "pending", false, "committed"]);
  });
});

describe("docs/guide/undo.md", () => {
  const page = serve("docs/guide/undo.md");
  const key = (shiftKey: boolean) => ({ key: shiftKey ? "Z" : "z", ctrlKey: true, shiftKey });

  it("takes a drag back in one step, by key", async () => {
    const { room, code } = page();
    await room.transact((tx: any) => tx.shapes.put("s1", { x: 1, y: 1, color: "blue" })).committed;
    const shown: unknown[] = [];
    const stop = code["enable"](room, (...can: boolean[]) => shown.push(can));
    const { move, drop } = code["drag"](room, "s1");
    for (let x = 2; x < 20; x++) move(x, x);
    drop();
    expect(code["press"](room, key(false))).toBe(true);
    expect(room.state["shapes"]?.get("s1")).toMatchObject({ x: 1, y: 1 });
    expect(code["press"](room, key(true))).toBe(true);
    expect(room.state["shapes"]?.get("s1")).toMatchObject({ x: 19, y: 19 });
    expect(code["press"](room, { key: "z", ctrlKey: false, shiftKey: false })).toBe(false);
    expect(shown).toEqual([
      [true, false],
      [true, true],
      [true, false],
    ]);
    stop();
  });

  it("takes mutators back by their rules, on the server too", async () => {
    const { room, code, server } = page();
    room.mutate["addTask"]?.({ id: "t1", title: "Water the plants" });
    room.mutate["rename"]?.({ id: "t1", title: "Water them twice" });
    code["press"](room, key(false));
    expect(room.state["tasks"]?.get("t1")).toEqual({ title: "Water the plants" });
    code["press"](room, key(false));
    expect(room.state["tasks"]?.get("t1")).toBeUndefined();
    code["press"](room, key(true));
    await expect.poll(() => room.pending, soon).toBe(0);
    const there = await fetch(`${server.url}/rooms/guide`);
    expect(await there.json()).toMatchObject({
      collections: { tasks: { t1: { title: "Water the plants" } } },
    });
  });
});
