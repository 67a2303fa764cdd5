import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

// What a room costs those who compile against it. The package is built first, so that the room is compiled
// against declarations, as it is in an app.

const repository = fileURLToPath(new URL("../../", import.meta.url));
const collectionCount = 20;
const mutatorCount = 60;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "deltaroom-declarations-"));
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  compile("package", [join(repository, "src/index.ts")], {
    rootDir: join(repository, "src"),
    outDir: "deltaroom",
  });
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a room of 20 collections and 60 mutators declares itself in under 40 KB, and is quick to check", () => {
  write("app/room.ts", largeRoom());
  const made = compile("room", ["app/room.ts"], { rootDir: "app", outDir: "declared" });
  const declared = readFileSync(join(folder, "declared/room.d.ts"), "utf8");

  write("app/user.ts", userOf("../declared/room"));
  const used = compile("user", ["app/user.ts"], { noEmit: true });

  console.log(`declarations ${declared.length} bytes; defining ${show(made)}; using ${show(used)}`);
  expect(declared.length).toBeLessThan(40_000);
  expect(declared).not.toMatch(/\bany\b/);
  // Counts of the compiler's own work, which do not depend on the machine: about twice what they were at first.
  expect(made.instantiations).toBeLessThan(150_000);
  expect(used.instantiations).toBeLessThan(60_000);
});

test("types are inferred and refused as promised", () => {
  const typeTests = [join(repository, "test/schema/types.test-d.ts")];
  expect(() => compile("types", typeTests, { noEmit: true })).not.toThrow();
  // Most apps are less strict than this repository; the compiler's defaults promise the same.
  const defaults = { exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false };
  expect(() => compile("defaults", typeTests, { noEmit: true, ...defaults })).not.toThrow();
});

interface Cost {
  readonly instantiations: number;
  readonly wallMs: number;
}

function show({ instantiations, wallMs }: Cost): string {
  return `${instantiations} instantiations in ${Math.round(wallMs)} ms`;
}

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** Runs `tsc` over `files` with the project's own strictness; throws with its messages when anything does not compile. */
function compile(project: string, files: readonly string[], options: object): Cost {
  const { compilerOptions } = JSON.parse(readFileSync(join(repository, "tsconfig.base.json"), "utf8"));
  const emit = { noEmit: false, declaration: true, emitDeclarationOnly: true };
  const paths = { deltaroom: ["./deltaroom/index.d.ts"] };
  write(
    `${project}.json`,
    JSON.stringify({ compilerOptions: { ...compilerOptions, ...emit, paths, ...options }, files }),
  );
  const start = performance.now();
  const tsc = join(repository, "node_modules/.bin/tsc");
  const output = run(tsc, ["-p", join(folder, `${project}.json`), "--extendedDiagnostics"]);
  return {
    wallMs: performance.now() - start,
    instantiations: Number(/Instantiations:\s*(\d+)/.exec(output)?.[1]),
  };
}

function run(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8" });
  } catch (failure) {
    throw new Error(String((failure as { stdout?: unknown }).stdout), { cause: failure });
  }
}

function largeRoom(): string {
  const collections = times(
    collectionCount,
    (n) =>
      `    records${n}: z.object({ title: z.string(), count: z.number(), done: z.boolean().optional(), owner: z.string().nullable(), tags: z.array(z.string()) }),`,
  );
  const mutators = times(
    mutatorCount,
    (
      n,
    ) => `    change${n}: mutator(z.object({ id: z.string(), title: z.string(), count: z.number().optional() }), (tx, { id, title, count }, ctx) => {
      if (!tx.records${n % collectionCount}.has(id)) throw ctx.reject("not-found");
      tx.records${n % collectionCount}.patch(id, { title, count, owner: ctx.user?.id ?? null });
    }),`,
  );
  return `import { z } from "zod";
import { defineRoom } from "deltaroom";

export const room = defineRoom({
  version: 1,
  user: z.object({ id: z.string() }),
  collections: {
${collections}
  },
  direct: ["records0"],
  mutators: (mutator) => ({
${mutators}
  }),
});
`;
}

/** One use of each kind, so that the types are not only declared but worked out. */
function userOf(room: string): string {
  return `import type { DirectTxOf, PayloadOf, StateOf, TxOf } from "deltaroom";
import { room } from "${room}";

type Room = typeof room;
export type Calls = { [M in keyof Room["mutators"]]: (payload: PayloadOf<Room, M>) => void };

export function use(state: StateOf<Room>, tx: TxOf<Room>, direct: DirectTxOf<Room>, calls: Calls): void {
${times(collectionCount, (n) => `  tx.records${n}.patch("a", { title: state.records${n}.get("a")?.title });`)}
${times(mutatorCount, (n) => `  calls.change${n}({ id: "a", title: "b" });`)}
  direct.records0.unset("a", "done");
  // @ts-expect-error a required field stays
  direct.records0.unset("a", "title");
  // @ts-expect-error records1 is not direct
  direct.records1.delete("a");
}
`;
}

function times(count: number, line: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => line(n)).join("\n");
}
