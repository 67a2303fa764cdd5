import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, runInContext, type Context } from "node:vm";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

// What the entry points ask of the place that imports them. Each is bundled with all that it needs, React left out, and
// runs in a realm that has the language and nothing else: no console, no timers, no TextEncoder.

const root = fileURLToPath(new URL("../../", import.meta.url));
const { exports, browserslist, engines } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  readonly exports: { readonly [path: string]: { readonly default: string } | string };
  readonly browserslist: readonly string[];
  readonly engines: { readonly node: string };
};

/** Only Cloudflare's platform has what the server is made of, and `jose` is made for it too. */
const platformEntries = new Set(["./server", "./jwt"]);

const entries = Object.entries(exports).flatMap(([path, target]) => {
  if (typeof target === "string" || platformEntries.has(path)) return [];
  const base = target.default.replace("./dist/", "").replace(/\.js$/, "");
  return [[path.replace(/^\./, "deltaroom"), `${root}${base}.ts`]] as const;
});

/** What the language has gained after the oldest browsers of `browserslist`. */
const newer = [
  "Promise.withResolvers",
  "Promise.try",
  "Object.groupBy",
  "Map.groupBy",
  "Array.fromAsync",
  "globalThis.Iterator",
  "Set.prototype.union",
  "Set.prototype.intersection",
  "Set.prototype.difference",
  "Set.prototype.isSubsetOf",
  "RegExp.escape",
  "Uint8Array.fromBase64",
  "Uint8Array.prototype.toBase64",
  "ArrayBuffer.prototype.transfer",
  "Math.sumPrecise",
  "Error.isError",
  "JSON.rawJSON",
];

async function bundled(source: string, resolveDir = root): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir, loader: "ts" },
    bundle: true,
    write: false,
    format: "cjs",
    // The oldest browsers' syntax: esbuild fails where it cannot express a newer one.
    target: browserslist.map((browser) => browser.replace("ios_saf", "ios").replace(" >= ", "")),
    external: ["react", "react/jsx-runtime"],
  });
  return outputFiles[0]?.text ?? "";
}

/** A realm with the language as the oldest browsers have it, and `globals`. */
function newRealm(globals: object): Context {
  const realm = createContext({ module: { exports: {} }, ...globals });
  for (const path of newer) runInContext(`delete ${path}`, realm);
  // Iterators lose their newer methods with their constructor's prototype.
  runInContext(
    `for (const name of ["map", "filter", "take", "drop", "flatMap", "reduce", "toArray", "forEach", "some", "every", "find"])
       delete Object.getPrototypeOf(Object.getPrototypeOf([].values()))[name]`,
    realm,
  );
  return realm;
}

describe("importing", () => {
  test.each(entries)("%s touches nothing of the platform", async (_, path) => {
    const react = { createContext() {}, Suspense: {} };
    const realm = newRealm({ require: () => react });
    runInContext(await bundled(`export * from ${JSON.stringify(path)}`), realm);
    expect(Object.keys(runInContext("module.exports", realm) as object)).not.toEqual([]);
  });
});

test("the code of undo is in no bundle of an app without undo", async () => {
  const bundles = await Promise.all([
    bundled('export { connect } from "./client/index.ts"; export * from "./client/react/index.ts"'),
    bundled('export { connect } from "./client/index.ts"; export * from "./client/undo/index.ts"'),
  ]);
  expect(bundles.map((code) => code.includes("takeAnswered"))).toEqual([false, true]);
});

test("a room works with the language that the oldest browsers have", async () => {
  const source = `
    import * as z from "zod/mini";
    import { defineRoom, orderBetween, orderKey } from "./src/index.ts";
    import { createTestRoom } from "./testing/index.ts";
    const board = defineRoom({
      version: 1,
      collections: { tasks: z.object({ title: z.string(), order: orderKey() }) },
      direct: ["tasks"],
      presence: z.object({ name: z.string() }),
      mutators: (mutator) => ({
        rename: mutator(z.object({ id: z.string(), title: z.string() }), (tx, { id, title }) => {
          tx.tasks.patch(id, { title });
        }),
      }),
    });
    export async function play() {
      const server = createTestRoom(board);
      const [ada, ben] = [await server.connect({ presence: { name: "Ada" } }), await server.connect()];
      ada.room.transact((tx) => tx.tasks.put("t1", { title: "é".repeat(3_000), order: orderBetween(null, null) }));
      await server.settle();
      ben.room.mutate.rename({ id: "t1", title: "Water" });
      await server.settle();
      ben.room.history.undo();
      ada.room.history.undo();
      await server.settle();
      return [ben.room.state.tasks.size, ada.room.state.tasks.size, ben.room.others.length];
    }`;
  const timing = { setTimeout, clearTimeout, queueMicrotask, performance };
  const text = { console, crypto, TextEncoder, TextDecoder, URL, atob, btoa };
  const realm = newRealm({ ...timing, ...text, Response, DecompressionStream, CompressionStream });
  runInContext(await bundled(source), realm);
  const played = (await runInContext("module.exports.play()", realm)) as unknown;
  expect(JSON.stringify(played)).toBe("[1,1,1]");
});

test("the versions that package.json promises are those that README names", () => {
  const readme = readFileSync(`${root}README.md`, "utf8");
  const versions = browserslist.map((browser) => {
    const [name = "", version = ""] = browser.split(" >= ");
    return `${{ chrome: "Chrome", edge: "Edge", firefox: "Firefox", safari: "Safari", ios_saf: "iOS" }[name]} ${version}`;
  });
  const unnamed = [...versions, `Node ${engines.node.replace(">=", "")}`].filter(
    (each) => !readme.includes(each),
  );
  expect(unnamed).toEqual([]);
});
